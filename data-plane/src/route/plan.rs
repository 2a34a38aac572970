//! Which candidates a request may try, in which order, and why each other one is left out.

mod explain;
mod hints;
mod home;
mod needed;
mod price;
mod resort;
mod returns;
mod skipped;

use std::borrow::Cow;
use std::cell::LazyCell;
use std::iter;
use std::sync::Arc;

use fastrand::Rng;
use shared::snapshot::Fallbacks;
use shared::time::{now_ms, steady_ms};
use translation::facts::Facts;

use super::affinity::SessionKey;
use super::candidate::Candidate;
use super::client::Client;
use super::needs::Needs;
use super::order::{self, Contender, Lot, Policy};
use super::owners::Owner;
use super::places::Places;
use super::share::Share;
use super::table::{Route, RouteTable, RoutedGroup, RoutedKey};
use crate::error::{GatewayError, LimitReached};
use crate::provider::Endpoint;

pub use explain::Explanation;
pub use hints::Hints;
pub use home::Home;
use price::Pricing;
pub use skipped::{SkipReason, Skipped};

/// The ordered attempts that a request may make. Lazy: it gives one candidate after the other, and looks at a key's
/// health when its turn comes. Groups go by the policy of the proxy key, and in each its keys by the policy of the
/// group; a session goes where it was before. Keys that are out are left out. When all others have been given, those
/// follow that are out by a guess alone, the soonest first, since a guess about health must not
/// refuse a request. What a provider has stated itself, a pause or that there is no money, is no guess
/// ([`Self::all_out`]).
#[derive(Clone, Debug)]
pub struct Plan<'t> {
    client: &'t Client,
    /// The groups that serve the request, whether the client may use them or not.
    routes: Cow<'t, [Route]>,
    /// Whether nothing is sent, and so no turn is taken.
    peeks: bool,
    /// How the next group is picked.
    policy: Policy,
    /// How groups are priced, where they go by their price.
    pricing: Option<Pricing>,
    /// What the request needs of a model.
    needs: Needs,
    /// The tokens of the request, by an estimate.
    tokens: u64,
    /// What the request belongs to.
    session: Option<SessionKey>,
    /// When the plan was made, by this node's own clock ([`steady_ms`]). A pause that ends later is not over for it.
    now: i64,
    /// The plan is narrowed to the group of this owner, with its key first.
    owner: Option<Owner>,
    draw: Rng,
    /// The routes whose turn is over.
    gone: Places,
    /// The route whose turn it is.
    current: Option<Current>,
    /// The routes that had their turn before.
    past: Vec<Current>,
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

impl<'t> Plan<'t> {
    /// A plan of `client` for `model`, which may have no candidate now.
    ///
    /// # Errors
    /// [`GatewayError::ModelNotFound`] where no group serves the model to this key.
    pub fn asked(table: &'t RouteTable, client: &'t Client, model: &str) -> Result<Self, GatewayError> {
        let (routes, name) = table.asked(model, client);
        let plan = client.may_use_model(name).then(|| Self::over(client, routes, name, false));
        let plan = plan.filter(|plan| !plan.is_empty() || plan.reason().is_some());
        plan.ok_or_else(|| GatewayError::ModelNotFound { model: model.to_owned() })
    }

    /// The plan for `model`, if it has a candidate.
    ///
    /// # Errors
    /// [`GatewayError::NoUpstream`].
    pub fn or_none_left(self, model: &str) -> Result<Self, GatewayError> {
        if !self.is_empty() {
            return Ok(self);
        }
        Err(GatewayError::NoUpstream { model: model.to_owned(), reason: self.reason().unwrap_or_default() })
    }

    /// Which models are asked after `model`: as the proxy key says, or else the first group that says it.
    pub fn fallbacks(&self, model: &str) -> Option<&Fallbacks> {
        let of_groups = self.routes.iter().filter(|route| self.includes(route));
        let of_groups = of_groups.map(|route| &route.group.group.routing.fallbacks);
        let mut all = iter::once(&self.client.key.routing.fallbacks).chain(of_groups);
        all.find(|fallbacks| fallbacks.models.contains_key(model))
    }

    /// A plan of `client` for `model` that has a candidate.
    #[cfg(test)]
    pub fn serving(table: &'t RouteTable, client: &'t Client, model: &str) -> Result<Self, GatewayError> {
        Self::asked(table, client, model)?.or_none_left(model)
    }

    /// The plan of `client` for the name `model`.
    #[cfg(test)]
    pub fn make(table: &'t RouteTable, client: &'t Client, model: &str) -> Self {
        Self::over(client, table.routes(model), model, false)
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
        let facts = Facts::built_in().shared("");
        let model: Arc<str> = Arc::from("");
        let wanted = |group: &RoutedGroup| {
            let named = pinned.is_none_or(|pinned| *group.group.name == *pinned || *group.group.id == *pinned);
            named && group.endpoint.as_ref().is_some_and(&serves)
        };
        let groups = table.groups().iter().enumerate().filter(|(_, group)| wanted(group));
        let routes = groups.map(|(place, group)| Route::unpriced(group, place, &model, facts));
        let plan = Self::over(client, routes.collect(), "", false);
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
        Ok(plan)
    }

    /// A plan over `routes`. One that only `peeks` takes no turn of theirs.
    fn over(client: &'t Client, routes: Cow<'t, [Route]>, model: &str, peeks: bool) -> Self {
        let turn = || client.turns.as_ref().map_or(0, |turns| turns.of(model, peeks));
        Self {
            client,
            pricing: Pricing::asked(client.key.group_policy, &routes),
            routes,
            peeks,
            policy: Policy::of_groups(client.key.group_policy, turn),
            needs: Needs::default(),
            tokens: 0,
            session: None,
            now: steady_ms(),
            owner: None,
            draw: Rng::new(),
            gone: Places::default(),
            current: None,
            past: Vec::new(),
        }
    }

    /// The plan of a request that belongs to `session`.
    #[must_use]
    pub fn of_session(mut self, session: Option<SessionKey>) -> Self {
        self.session = session;
        self
    }

    /// The plan of a request of so many `tokens`, by an estimate, for which limits have to have room. Nothing is
    /// estimated where there are none.
    #[must_use]
    pub fn weighing_if_limited(mut self, tokens: impl FnOnce() -> u64) -> Self {
        let limited =
            |route: &Route| route.group.limits.is_some() || route.group.keys.iter().any(|key| key.limits.is_some());
        if self.routes.iter().any(limited) {
            self.tokens = tokens();
        }
        self
    }

    /// Whether a group of the plan keeps conversations at one key.
    pub fn keeps_sessions(&self) -> bool {
        self.routes.iter().any(|route| route.keeps)
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
            if let Some(reason) = self.against_group(route) {
                skip(None, reason);
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

    /// Why no key of the group of `route` may be tried, whatever their health.
    fn against_group(&self, route: &Route) -> Option<SkipReason> {
        let group = &route.group;
        if !self.client.may_use_group(route.place) {
            Some(SkipReason::NotAllowed)
        } else if group.endpoint.is_none() {
            Some(SkipReason::UnknownProvider)
        } else if group.keys.is_empty() {
            Some(SkipReason::NoKeys)
        } else {
            route.bounds.lack(&self.needs).map(SkipReason::Lacks)
        }
    }

    /// Whether keys of the group of `route` may be tried.
    fn includes(&self, route: &Route) -> bool {
        let group = &route.group;
        self.owner.as_ref().is_none_or(|owner| owner.group == group.group.id)
            && group.endpoint.is_some()
            && route.bounds.lack(&self.needs).is_none()
            && self.client.may_use_group(route.place)
    }

    /// Whether `key` may be tried in `route` at all, whatever its health.
    fn may_try(route: &Route, key: &RoutedKey) -> Result<(), SkipReason> {
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
        if let Err(reason) = Self::may_try(route, key) {
            return Some(reason);
        }
        if let Err(out) = key.health.at(self.now, &route.upstream_model) {
            return Some(SkipReason::Unhealthy(out.why));
        }
        if route.is_resting(self.now) {
            return Some(SkipReason::Resting);
        }
        if !self.passes_breakers(route, key) {
            return Some(SkipReason::Failing);
        }
        self.limited(route, key).map(|reached| SkipReason::Limited(reached.subject))
    }

    /// The limit of the group of `route` or of `key` that leaves no room for the request now.
    fn limited(&self, route: &Route, key: &RoutedKey) -> Option<LimitReached> {
        let limits = [&route.group.limits, &key.limits];
        limits.into_iter().flatten().find_map(|limits| limits.full(self.tokens))
    }

    /// All keys that may be tried, in the operator's order, whatever their health.
    fn keys(&self) -> impl Iterator<Item = (&Route, &Arc<RoutedKey>)> {
        let routes = self.routes.iter().filter(move |route| self.includes(route));
        let keys = routes.flat_map(|route| route.group.keys.iter().map(move |key| (route, key)));
        keys.filter(move |(route, key)| Self::may_try(route, key).is_ok() && self.may_know(route, key))
    }

    /// Whether `key` may know the object that the plan is narrowed to: keys of another account do not.
    fn may_know(&self, route: &Route, key: &RoutedKey) -> bool {
        let own = self.owner.as_ref().and_then(|owner| route.group.keys.iter().find(|key| key.key.id == owner.key));
        let account = own.map(|own| &own.key.routing.account).filter(|account| !account.is_empty());
        account.is_none_or(|account| *account == key.key.routing.account)
    }

    /// The keys that may be tried and are not out, in the operator's order.
    fn healthy(&self) -> impl Iterator<Item = (&Route, &Arc<RoutedKey>)> {
        self.keys().filter(move |(route, key)| self.against(route, key).is_none())
    }

    /// The next route whose turn comes.
    fn next_route(&mut self) -> Option<usize> {
        let may = |position: usize| {
            let route = &self.routes[position];
            let open = || route.state.breaker.allows(self.now) && !route.is_resting(self.now);
            !self.gone.has(position) && self.includes(route) && open()
        };
        let (contender, mut draw) = (|position: usize| self.group_choice(position), self.draw.clone());
        let picked = order::pick(self.policy, self.routes.len(), contender, may, self.session, &mut draw);
        self.draw = draw;
        let position = picked?;
        self.gone.add(position);
        let route = &self.routes[position];
        let turn = || route.group.turns.of(&route.upstream_model, self.peeks);
        let policy = Policy::of_keys(route.group.group.balance_policy, turn);
        let before = self.current.replace(Current { route: position, policy, gone: Places::default() });
        self.past.extend(before);
        picked
    }

    /// The weight that the group of `route` has for the client.
    fn group_weight(&self, route: &Route) -> u32 {
        self.client.group_weight(route.place).unwrap_or(route.lot.weight)
    }

    /// The group of the route at `position`, to be picked.
    fn group_choice(&self, position: usize) -> Contender<'_> {
        let route = &self.routes[position];
        let lot = Lot { weight: self.group_weight(route), ..route.lot };
        let price = self.pricing.and_then(|pricing| pricing.of(route.price.as_ref()));
        Contender { lot, priority: route.priority, load: &route.state.load, keeps: route.keeps, price }
    }

    /// The next key of the route whose turn it is.
    fn next_key(&mut self) -> Option<Candidate> {
        let mut draw = self.draw.clone();
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
        let session = self.session.filter(|_| route.keeps);
        let mut policed = || {
            let share = LazyCell::new(|| Share::of(keys));
            let busy = |key: &RoutedKey| session.is_some() && key.load.in_flight() > 0 && share.is_passed_by(key);
            let mut pick = |spares: bool| {
                let may = |position: usize| {
                    let key = &keys[position];
                    !(spares && busy(key)) && left(position) && self.may_know(route, key)
                };
                order::pick(policy, keys.len(), |position| key_choice(route, position), may, session, draw)
            };
            pick(true).or_else(|| pick(false))
        };
        let position = own.filter(|own| left(*own)).or_else(&mut policed)?;
        Some((Candidate::new(route, &keys[position]), position))
    }
}

/// The key at `position` of the group of `route`, to be picked.
fn key_choice(route: &Route, position: usize) -> Contender<'_> {
    let (lot, load) = (route.group.lots[position], &route.group.keys[position].load);
    Contender { lot, priority: 0, load, keeps: true, price: None }
}

impl Iterator for Plan<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        let next = loop {
            if let Some(candidate) = self.next_key() {
                break Some(candidate);
            }
            if self.next_route().is_none() {
                break self.resort();
            }
        };
        next.map(|candidate| Candidate { tokens: self.tokens, ..candidate })
    }
}

#[cfg(test)]
mod tests;
