//! Which candidates a request may try, in which order, and why each other one is left out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use shared::time::{now_ms, steady_ms};
use translation::facts::Facts;

use super::affinity::Session;
use super::candidate::Candidate;
use super::client::Client;
use super::health::Unhealthy;
use super::order::{self, Choice, Policy};
use super::owners::Owner;
use super::places::Places;
use super::share::share;
use super::table::{Route, RouteTable, RoutedGroup, RoutedKey};
use crate::error::GatewayError;
use crate::provider::Endpoint;

/// The ordered attempts that a request may make. Lazy: it gives one candidate after the other, and looks at a key's
/// health when its turn comes. Groups go by the policy of the proxy key, and in each its keys by the policy of the
/// group; a session goes where it was before. Keys that are out are left out, unless every one is: then those are given
/// of which that is a guess, since a guess about health must not refuse a request. Those that only rest come first, the
/// soonest before the others, and those that were refused last. What a provider has stated itself, a pause or that
/// there is no money, is no guess.
#[derive(Clone, Debug)]
pub struct Plan<'t> {
    client: &'t Client,
    /// The groups that serve the request, whether the client may use them or not.
    routes: Cow<'t, [Route]>,
    /// How the next group is picked.
    policy: Policy,
    /// What the request belongs to.
    session: Option<Session>,
    /// When the plan was made, by this node's own clock ([`steady_ms`]). A pause that ends later is not over for it.
    now: i64,
    /// The plan is narrowed to the group of this owner, with its key first.
    owner: Option<Owner>,
    draw: Rng,
    /// The routes whose turn is over.
    gone: Places,
    /// The route whose turn it is.
    current: Option<Current>,
    /// Whether a candidate has been given.
    given: bool,
    /// What is left of the last resort, the last one first. None where it was not needed yet.
    last_resort: Option<Vec<Candidate>>,
}

/// The route whose turn it is.
#[derive(Clone, Debug)]
struct Current {
    route: usize,
    /// How its next key is picked.
    policy: Policy,
    /// The keys whose turn is over.
    gone: Places,
}

/// A group, or one of its keys, that is left out.
#[derive(Debug)]
pub struct Skipped {
    /// The name of the group.
    pub group: Arc<str>,
    /// What stands for the upstream key where it may be seen, if the reason is one of the key.
    pub key: Option<Arc<str>>,
    /// Why it is left out.
    pub reason: SkipReason,
}

/// Why something is left out of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The proxy key may not use the group.
    NotAllowed,
    /// This build has no provider of the group's type.
    UnknownProvider,
    /// The group has no upstream key that is enabled.
    NoKeys,
    /// The upstream key may not be used for the model.
    NotForModel,
    /// The upstream key has expired.
    Expired,
    /// Requests to the model at this group, or with this key, have failed too often of late.
    Failing,
    /// The keys of the group have failed alike, so that it rests, or the model there.
    Resting,
    /// The upstream key is out: refused, exhausted, or to rest.
    Unhealthy(Unhealthy),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => "the proxy key may not use the group",
            Self::UnknownProvider => "this node does not serve the group's provider type",
            Self::NoKeys => "the group has no enabled upstream key",
            Self::NotForModel => "the upstream key may not be used for the model",
            Self::Expired => "the upstream key has expired",
            Self::Failing => "too many requests have failed of late",
            Self::Unhealthy(Unhealthy::Invalid) => "the provider refused the upstream key",
            Self::Resting => "the upstream keys of the group have failed alike",
            Self::Unhealthy(Unhealthy::Exhausted) => "the account of the upstream key has no money or quota left",
            Self::Unhealthy(Unhealthy::Guessed) => "the provider limited the upstream key, and stated no pause",
            Self::Unhealthy(Unhealthy::CoolingDown) => "the provider asked for a pause of the upstream key",
        })
    }
}

impl Skipped {
    /// Whether the client is not to know of it: a group does not exist for a client that may not use it.
    pub fn is_hidden(&self) -> bool {
        self.reason == SkipReason::NotAllowed
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (group {})", self.reason, self.group)
    }
}

impl<'t> Plan<'t> {
    /// A plan of `client` for `model` that has a candidate.
    ///
    /// # Errors
    /// [`GatewayError::ModelNotFound`] where no group serves the model to this key, [`GatewayError::NoUpstream`] where
    /// one does and cannot now.
    pub fn serving(table: &'t RouteTable, client: &'t Client, model: &str) -> Result<Self, GatewayError> {
        let unknown = || GatewayError::ModelNotFound { model: model.to_owned() };
        if !client.may_use_model(model) {
            return Err(unknown());
        }
        let plan = Self::make(table, client, model);
        if let Some(pause) = plan.rests() {
            return Err(GatewayError::resting(pause));
        }
        if !plan.is_empty() {
            return Ok(plan);
        }
        Err(plan.reason().map_or_else(unknown, |reason| GatewayError::NoUpstream { model: model.to_owned(), reason }))
    }

    /// The plan of `client` for `model`.
    pub fn make(table: &'t RouteTable, client: &'t Client, model: &str) -> Self {
        Self::over(client, table.routes(model), model)
    }

    /// The plan of `client` for a request that names no model: over the groups whose endpoint `serves` it, or the one
    /// of them that is `pinned` by its name or id.
    ///
    /// # Errors
    /// [`GatewayError::NoGroup`] where there is none.
    pub fn across(
        table: &RouteTable,
        client: &'t Client,
        pinned: Option<&str>,
        serves: impl Fn(&Endpoint) -> bool,
    ) -> Result<Self, GatewayError> {
        let facts = Arc::new(Facts::built_in().of("").clone());
        let model: Arc<str> = Arc::from("");
        let wanted = |group: &RoutedGroup| {
            let named = pinned.is_none_or(|pinned| *group.group.name == *pinned || *group.group.id == *pinned);
            named && group.endpoint.as_ref().is_some_and(&serves)
        };
        let groups = table.groups().iter().filter(|group| wanted(group));
        let routes = groups.map(|group| Route {
            group: Arc::clone(group),
            upstream_model: Arc::clone(&model),
            facts: Arc::clone(&facts),
            state: group.models.of(&model),
        });
        let plan = Self::over(client, routes.collect(), "");
        if plan.is_empty() {
            let reason = plan.reason().unwrap_or_default();
            let missing = match pinned {
                _ if !reason.is_empty() => {
                    "no upstream key can serve it now; the operator of this gateway finds the reason in its log"
                        .to_owned()
                }
                Some(name) => format!("no group '{name}'"),
                None => "no such endpoint".to_owned(),
            };
            return Err(GatewayError::NoGroup { missing, reason });
        }
        if let Some(pause) = plan.rests() {
            return Err(GatewayError::resting(pause));
        }
        Ok(plan)
    }

    fn over(client: &'t Client, routes: Cow<'t, [Route]>, model: &str) -> Self {
        Self {
            client,
            routes,
            policy: Policy::of_groups(client.key.group_policy, || client.turn(model)),
            session: None,
            now: steady_ms(),
            owner: None,
            draw: Rng::new(),
            gone: Places::default(),
            current: None,
            given: false,
            last_resort: None,
        }
    }

    /// The plan of a request that belongs to `session`.
    #[must_use]
    pub fn of_session(mut self, session: Option<Session>) -> Self {
        self.session = session;
        self
    }

    /// Whether a group of the plan keeps conversations at one key.
    pub fn keeps_sessions(&self) -> bool {
        self.routes.iter().any(|route| route.group.group.routing.affinity)
    }

    /// Whether there is no candidate.
    pub fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }

    /// Whether there is more than one candidate.
    pub fn has_choice(&self) -> bool {
        self.healthy().nth(1).is_some()
    }

    /// The first candidate, as an owner.
    pub fn first(&self) -> Option<Owner> {
        let (route, key) = self.healthy().next().or_else(|| self.last_resort().first().copied())?;
        Some(Owner { group: Arc::clone(&route.group.group.id), key: Arc::clone(&key.key.id) })
    }

    /// Leaves those candidates that may know an object of `owner`: its own key first, then the others of the group,
    /// which may be keys to the same account. Where none of the plan's candidates is in the group, the plan stays as it
    /// is, and this says so.
    pub fn narrow(&mut self, owner: &Owner) -> bool {
        let in_group = |(route, _): (&Route, _)| route.group.group.id == owner.group;
        if self.healthy().any(in_group) {
            self.owner = Some(owner.clone());
            return true;
        }
        if self.healthy().next().is_none() && self.keys().any(in_group) {
            self.owner = Some(owner.clone());
            return true;
        }
        false
    }

    /// What is left out, and why.
    pub fn skipped(&self) -> Vec<Skipped> {
        let mut skipped = Vec::new();
        for route in &*self.routes {
            let group = &route.group;
            let mut skip = |key, reason| skipped.push(Skipped { group: Arc::clone(&group.group.name), key, reason });
            if !self.client.may_use_group(&group.group.id) {
                skip(None, SkipReason::NotAllowed);
            } else if group.endpoint.is_none() {
                skip(None, SkipReason::UnknownProvider);
            } else if group.keys.is_empty() {
                skip(None, SkipReason::NoKeys);
            } else {
                for key in &group.keys {
                    if let Some(reason) = self.against(route, key) {
                        skip(Some(Arc::clone(&key.key.masked)), reason);
                    }
                }
            }
        }
        skipped
    }

    /// Why there is no candidate, for the operator. None where the client may use no group that serves the request.
    fn reason(&self) -> Option<String> {
        self.skipped().iter().find(|skipped| !skipped.is_hidden()).map(Skipped::to_string)
    }

    /// Whether keys of the group of `route` may be tried.
    fn includes(&self, route: &Route) -> bool {
        let group = &route.group;
        self.owner.as_ref().is_none_or(|owner| owner.group == group.group.id)
            && group.endpoint.is_some()
            && self.client.may_use_group(&group.group.id)
    }

    /// Whether `key` may be tried in `route` at all, whatever its health.
    fn may_try(&self, route: &Route, key: &RoutedKey) -> Result<(), SkipReason> {
        let routing = &key.key.routing;
        if routing.expires_at_ms.is_some_and(|at| at <= now_ms()) {
            return Err(SkipReason::Expired);
        }
        if !routing.serves(&route.upstream_model) {
            return Err(SkipReason::NotForModel);
        }
        Ok(())
    }

    /// What speaks against trying `key` in `route` now.
    fn against(&self, route: &Route, key: &RoutedKey) -> Option<SkipReason> {
        if let Err(reason) = self.may_try(route, key) {
            return Some(reason);
        }
        if let Err(out) = key.health.at(self.now, &route.upstream_model) {
            return Some(SkipReason::Unhealthy(out.why));
        }
        if route.is_resting(self.now) {
            return Some(SkipReason::Resting);
        }
        let lets_through = route.state.breaker.allows(self.now) && key.breaker.allows(self.now);
        (!lets_through).then_some(SkipReason::Failing)
    }

    /// All keys that may be tried, in the operator's order, whatever their health.
    fn keys(&self) -> impl Iterator<Item = (&Route, &Arc<RoutedKey>)> {
        let routes = self.routes.iter().filter(move |route| self.includes(route));
        let keys = routes.flat_map(|route| route.group.keys.iter().map(move |key| (route, key)));
        keys.filter(move |(route, key)| self.may_try(route, key).is_ok())
    }

    /// The keys that may be tried and are not out, in the operator's order.
    fn healthy(&self) -> impl Iterator<Item = (&Route, &Arc<RoutedKey>)> {
        self.keys().filter(move |(route, key)| self.against(route, key).is_none())
    }

    /// The keys that may be tried though they are out, in the order in which they are tried nevertheless: those that
    /// are out by a guess, and not what a provider has said of its own key.
    fn last_resort(&self) -> Vec<(&Route, &Arc<RoutedKey>)> {
        let out = |route: &Route, key: &RoutedKey| key.health.at(self.now, &route.upstream_model).err();
        let keys = self.keys().filter(|(route, key)| out(route, key).is_none_or(|out| out.why.is_guess()));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_by_cached_key(|(route, key)| out(route, key));
        keys
    }

    /// How long it is until the first key may be tried, where every one is out by what its provider has said. None
    /// where one may be tried, or there is none.
    pub fn rests(&self) -> Option<Duration> {
        if self.healthy().next().is_some() || !self.last_resort().is_empty() {
            return None;
        }
        let out = self.keys().filter_map(|(route, key)| key.health.at(self.now, &route.upstream_model).err());
        let left = out.map(|out| out.until.saturating_sub(self.now)).min()?;
        Some(Duration::from_millis(u64::try_from(left).unwrap_or_default()))
    }

    /// The next route whose turn comes.
    fn next_route(&mut self) -> Option<usize> {
        let mut draw = std::mem::take(&mut self.draw);
        let choices = self.routes.iter().enumerate().filter_map(|(position, route)| {
            let open = route.state.breaker.allows(self.now) && !route.is_resting(self.now);
            let there = !self.gone.has(position) && self.includes(route) && open;
            there.then(|| {
                let group = &route.group.group;
                let weight = self.client.key.group_weights.get(&group.id).copied().unwrap_or(group.routing.weight);
                let (id, priority, keeps) = (&*group.id, group.priority, group.routing.affinity);
                Choice { position, id, priority, weight, load: &route.state.load, keeps }
            })
        });
        let picked = order::pick(self.policy, choices, self.routes.len(), self.session, &mut draw);
        self.draw = draw;
        let position = picked?;
        self.gone.add(position);
        let route = &self.routes[position];
        let turn = || route.group.turns.next(&route.upstream_model);
        let policy = Policy::of_keys(route.group.group.balance_policy, turn);
        self.current = Some(Current { route: position, policy, gone: Places::default() });
        picked
    }

    /// The next key of the route whose turn it is.
    fn next_key(&mut self) -> Option<Candidate> {
        let mut draw = std::mem::take(&mut self.draw);
        let picked = self.pick_key(&mut draw);
        self.draw = draw;
        let (candidate, position) = picked?;
        self.current.as_mut()?.gone.add(position);
        Some(candidate)
    }

    /// The next key of the route whose turn it is, and its position.
    fn pick_key(&self, draw: &mut Rng) -> Option<(Candidate, usize)> {
        let Current { route, policy, gone } = self.current.as_ref()?;
        let (route, policy) = (&self.routes[*route], *policy);
        let keys = &route.group.keys;
        let left = |position: usize| !gone.has(position) && self.against(route, &keys[position]).is_none();
        let own = self.owner.as_ref().and_then(|owner| keys.iter().position(|key| key.key.id == owner.key));
        let position = match own.filter(|own| left(*own)) {
            Some(own) => own,
            None => {
                let session = self.session.filter(|_| route.group.group.routing.affinity);
                let account = own.map(|own| &keys[own].key.routing.account).filter(|account| !account.is_empty());
                let busiest = session.map(|_| share(keys));
                let choices = |spared: bool| {
                    keys.iter().enumerate().filter_map(move |(position, key)| {
                        let routing = &key.key.routing;
                        let of_account = account.is_none_or(|account| *account == routing.account);
                        let busy = busiest.is_some_and(|share| spared && share.is_passed_by(key));
                        (of_account && !busy && left(position)).then(|| Choice {
                            position,
                            id: &key.key.id,
                            priority: 0,
                            weight: routing.weight,
                            load: &key.load,
                            keeps: true,
                        })
                    })
                };
                let pick = |spared, draw: &mut Rng| order::pick(policy, choices(spared), keys.len(), session, draw);
                pick(true, draw).or_else(|| pick(false, draw))?
            }
        };
        Some((Candidate::new(route, &keys[position]), position))
    }
}

impl Iterator for Plan<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            if let Some(candidate) = self.next_key() {
                self.given = true;
                return Some(candidate);
            }
            if self.next_route().is_none() {
                break;
            }
        }
        if !std::mem::replace(&mut self.given, true) {
            let keys = self.last_resort();
            let candidates = keys.into_iter().rev().map(|(route, key)| Candidate::new(route, key)).collect();
            self.last_resort = Some(candidates);
        }
        self.last_resort.as_mut()?.pop()
    }
}

#[cfg(test)]
mod tests;
