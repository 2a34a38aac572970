//! What a plan gives when all that is well has been given: what is out by nothing but a guess.

use std::ptr;
use std::sync::Arc;

use super::{Current, Plan};
use crate::route::candidate::Candidate;
use crate::route::health::Unhealthy;
use crate::route::order::Policy;
use crate::route::places::Places;
use crate::route::table::{Route, RoutedKey};

impl Plan<'_> {
    /// Whether nothing but a guess of this gateway has `key` rest in `route`, which a request may test now because no
    /// other one does. What the provider has stated of the key is no guess, and a breaker has tests of its own.
    pub(super) fn may_test(&self, route: &Route, key: &RoutedKey) -> bool {
        let by_guess = match key.health.at(self.now, &route.upstream_model) {
            Ok(()) => true,
            Err(out) => out.why.is_guess() && !key.health.is_tested(self.now),
        };
        by_guess && !route.is_tested(self.now) && self.passes_breakers(route, key) && self.limited(route, key).is_none()
    }

    /// Whether the breakers let a request with `key` through in `route`.
    pub(super) fn passes_breakers(&self, route: &Route, key: &RoutedKey) -> bool {
        route.state.breaker.allows(self.now) && key.breaker.allows(self.now)
    }

    /// The keys that are tried when all that is well has been given: those that were not given and may be tested, the
    /// soonest to return before the others, and those that return together in an order that is drawn: of a group that
    /// rests some keys may fail and others not. Where all keys were refused, nobody else can answer and none returns by
    /// itself soon, so these are tried all the same, and the client hears what their providers say.
    pub(super) fn last_resort(&self) -> Vec<(&Route, &Arc<RoutedKey>)> {
        let out = |route: &Route, key: &RoutedKey| key.health.at(self.now, &route.upstream_model).err();
        let left = || self.keys().filter(|(route, key)| !self.has_given(route, key));
        let mut keys: Vec<_> = left().filter(|(route, key)| self.may_test(route, key)).collect();
        let is_refused =
            |(route, key): (&Route, &Arc<RoutedKey>)| out(route, key).is_some_and(|out| out.why == Unhealthy::Invalid);
        if keys.is_empty() && self.keys().all(is_refused) {
            keys = left().collect();
        }
        self.draw.clone().shuffle(&mut keys);
        let rests = |route: &Route| Some(route.rests_until()).filter(|until| *until > self.now);
        keys.sort_by_cached_key(|(route, key)| out(route, key).map(|out| out.until).max(rests(route)));
        keys
    }

    /// The next candidate of the last resort, as all is now.
    pub(super) fn resort(&mut self) -> Option<Candidate> {
        self.renew();
        let (route, key) = self.last_resort().first().copied()?;
        let candidate = Candidate::new(route, key);
        let position = route.group.keys.iter().position(|own| Arc::ptr_eq(own, key))?;
        let route = self.routes.iter().position(|own| ptr::eq(own, route))?;
        self.gone.add(route);
        if let Some(at) = self.past.iter_mut().chain(&mut self.current).find(|at| at.route == route) {
            at.gone.add(position);
        } else {
            let mut gone = Places::default();
            gone.add(position);
            self.past.push(Current { route, policy: Policy::Random, gone });
        }
        Some(candidate)
    }

    /// Whether `key` has been given for `route`.
    fn has_given(&self, route: &Route, key: &Arc<RoutedKey>) -> bool {
        let of_route =
            self.past.iter().chain(&self.current).find(|at| ptr::eq(&raw const self.routes[at.route], route));
        let position = route.group.keys.iter().position(|own| Arc::ptr_eq(own, key));
        of_route.zip(position).is_some_and(|(at, position)| at.gone.has(position))
    }
}

#[cfg(test)]
mod tests;
