//! Which candidates a request may try, in which order, and why each other one is left out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use shared::time::steady_ms;
use translation::facts::Facts;

use super::candidate::Candidate;
use super::client::Client;
use super::health::Unhealthy;
use super::order;
use super::owners::Owner;
use super::table::{Route, RouteTable, RoutedGroup, RoutedKey};
use crate::error::GatewayError;
use crate::provider::Endpoint;

/// The ordered attempts that a request may make. Lazy: it gives one candidate after the other, and looks at a key's
/// health when its turn comes. Groups go by the order of routes, and in each its keys. Keys that are out are left out,
/// unless every one is: then all of them are given, since a guess about health must not refuse a request. Those that
/// only rest come first, the soonest before the others, and those that were refused last.
#[derive(Clone, Debug)]
pub struct Plan<'t> {
    client: &'t Client,
    /// The groups that serve the request, whether the client may use them or not.
    routes: Cow<'t, [Route]>,
    /// When the plan was made, by this node's own clock ([`steady_ms`]). A pause that ends later is not over for it.
    now: i64,
    /// The plan is narrowed to the group of this owner, with its key first.
    owner: Option<Owner>,
    /// The route whose turn it is.
    route: usize,
    /// The position of the key whose turn it is.
    position: usize,
    /// Whether a candidate has been given.
    given: bool,
    /// What is left of the last resort, the last one first. None where it was not needed yet.
    last_resort: Option<Vec<Candidate>>,
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
    /// The upstream key is out: refused, or to rest.
    Unhealthy(Unhealthy),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => "the proxy key may not use the group",
            Self::UnknownProvider => "this node does not serve the group's provider type",
            Self::NoKeys => "the group has no enabled upstream key",
            Self::Unhealthy(Unhealthy::Invalid) => "the provider refused the upstream key",
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
        if !plan.is_empty() {
            return Ok(plan);
        }
        Err(plan.reason().map_or_else(unknown, |reason| GatewayError::NoUpstream { model: model.to_owned(), reason }))
    }

    /// The plan of `client` for `model`.
    pub fn make(table: &'t RouteTable, client: &'t Client, model: &str) -> Self {
        Self::over(client, table.routes(model))
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
        });
        let plan = Self::over(client, routes.collect());
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

    fn over(client: &'t Client, routes: Cow<'t, [Route]>) -> Self {
        Self { client, routes, now: steady_ms(), owner: None, route: 0, position: 0, given: false, last_resort: None }
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
                    if let Err(out) = key.health.at(self.now, &route.upstream_model) {
                        skip(Some(Arc::clone(&key.key.masked)), SkipReason::Unhealthy(out.why));
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

    /// The key of `route` whose turn comes at `position`.
    fn key_at<'r>(&self, route: &'r Route, position: usize) -> Option<&'r Arc<RoutedKey>> {
        let keys = &route.group.keys;
        let own = self.owner.as_ref().and_then(|owner| keys.iter().position(|key| key.key.id == owner.key));
        keys.get(order::own_first(own, position)).filter(|_| position < keys.len())
    }

    /// All keys that may be tried, in their order, whatever their health.
    fn keys(&self) -> impl Iterator<Item = (&Route, &Arc<RoutedKey>)> {
        self.routes
            .iter()
            .filter(move |route| self.includes(route))
            .flat_map(move |route| (0..).map_while(move |position| Some((route, self.key_at(route, position)?))))
    }

    /// The keys that may be tried and are not out, in their order.
    fn healthy(&self) -> impl Iterator<Item = (&Route, &Arc<RoutedKey>)> {
        self.keys().filter(move |(route, key)| key.health.at(self.now, &route.upstream_model).is_ok())
    }

    /// All keys that may be tried, all of which are out, in the order in which they are tried nevertheless.
    fn last_resort(&self) -> Vec<(&Route, &Arc<RoutedKey>)> {
        let until = |(route, key): &(&Route, &Arc<RoutedKey>)| key.health.at(self.now, &route.upstream_model).err();
        let mut keys: Vec<_> = self.keys().collect();
        keys.sort_by_cached_key(until);
        keys
    }
}

impl Iterator for Plan<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        while let Some(route) = self.routes.get(self.route) {
            if self.includes(route)
                && let Some(key) = self.key_at(route, self.position)
            {
                let healthy = key.health.at(self.now, &route.upstream_model).is_ok();
                let candidate = healthy.then(|| Candidate::new(route, key));
                self.position += 1;
                if candidate.is_some() {
                    self.given = true;
                    return candidate;
                }
            } else {
                (self.route, self.position) = (self.route + 1, 0);
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
