//! Which candidates a request may try, in which order, and why each other one is left out.

use std::fmt;
use std::sync::Arc;

use shared::time::now_ms;

use translation::facts::{Facts, ModelFacts};

use crate::error::GatewayError;
use crate::provider::Endpoint;
use crate::route::health::Unhealthy;
use crate::route::table::{Client, Route, RouteTable, RoutedGroup, RoutedKey};

/// One upstream key of one group that may answer the request.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The group.
    pub group: Arc<RoutedGroup>,
    /// The key.
    pub key: Arc<RoutedKey>,
    /// What the vendor calls the model.
    pub upstream_model: Arc<str>,
    /// What is known of the model.
    pub facts: Arc<ModelFacts>,
}

impl Candidate {
    /// Whom it calls, and where.
    ///
    /// # Errors
    /// Where the group has none; no plan holds such a candidate.
    pub fn endpoint(&self) -> Result<&Endpoint, GatewayError> {
        self.group.endpoint.as_ref().ok_or(GatewayError::Internal("the group has no provider"))
    }
}

/// The ordered attempts that a request may make.
#[derive(Debug, Default)]
pub struct Plan {
    /// The first to try first.
    pub candidates: Vec<Candidate>,
    /// What is left out.
    pub skipped: Vec<Skipped>,
}

/// A group, or one of its keys, that is left out.
#[derive(Debug)]
pub struct Skipped {
    /// Name of the group.
    pub group: Arc<str>,
    /// Stand-in of the upstream key, where the reason is one of the key.
    pub key: Option<Arc<str>>,
    /// Why.
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
    /// The upstream key is out.
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
    /// Whether the client is not to know of it: to whom a group is forbidden it does not exist.
    pub fn is_hidden(&self) -> bool {
        self.reason == SkipReason::NotAllowed
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (group {})", self.reason, self.group)
    }
}

impl Plan {
    /// A plan of `client` for `model` that has a candidate.
    ///
    /// # Errors
    /// [`GatewayError::ModelNotFound`] where no group serves the model to this key, [`GatewayError::NoUpstream`] where
    /// one does and cannot now.
    pub fn serving(table: &RouteTable, client: &Client, model: &str) -> Result<Self, GatewayError> {
        let unknown = || GatewayError::ModelNotFound { model: model.to_owned() };
        if !client.may_use_model(model) {
            return Err(unknown());
        }
        let plan = Self::make(table, client, model);
        if !plan.candidates.is_empty() {
            return Ok(plan);
        }
        let reason = plan.skipped.iter().find(|skipped| !skipped.is_hidden()).map(Skipped::to_string);
        Err(reason.map_or_else(unknown, |reason| GatewayError::NoUpstream { model: model.to_owned(), reason }))
    }

    /// The plan of `client` for `model`: groups by priority, in each its keys in order. Keys that are out are left
    /// out, unless every one is: then the first of them is tried, since a guess about health must not refuse a request.
    pub fn make(table: &RouteTable, client: &Client, model: &str) -> Self {
        Self::over(client, table.routes(model))
    }

    /// The plan of `client` for a request that names no model: over the groups whose endpoint `serves` it, or the
    /// one of them that is `pinned` by its name or id.
    ///
    /// # Errors
    /// [`GatewayError::NoGroup`] where there is none.
    pub fn across(
        table: &RouteTable,
        client: &Client,
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
        let routes: Vec<_> = groups
            .map(|group| Route {
                group: Arc::clone(group),
                upstream_model: Arc::clone(&model),
                facts: Arc::clone(&facts),
            })
            .collect();
        let plan = Self::over(client, &routes);
        if plan.candidates.is_empty() {
            let reason = plan.skipped.iter().find(|skipped| !skipped.is_hidden()).map(Skipped::to_string);
            let named = || pinned.map_or_else(|| "no such endpoint".to_owned(), |name| format!("no group '{name}'"));
            return Err(GatewayError::NoGroup(reason.unwrap_or_else(named)));
        }
        Ok(plan)
    }

    /// The plan of `client` over `routes`.
    fn over(client: &Client, routes: &[Route]) -> Self {
        let now = now_ms();
        let mut plan = Self::default();
        let mut last_resort: Option<Candidate> = None;
        for route in routes {
            let group = &route.group;
            let skip = |key, reason| Skipped { group: Arc::clone(&group.group.name), key, reason };
            if !client.may_use_group(&group.group.id) {
                plan.skipped.push(skip(None, SkipReason::NotAllowed));
                continue;
            }
            if group.endpoint.is_none() {
                plan.skipped.push(skip(None, SkipReason::UnknownProvider));
                continue;
            }
            if group.keys.is_empty() {
                plan.skipped.push(skip(None, SkipReason::NoKeys));
            }
            for key in &group.keys {
                let candidate = || Candidate {
                    group: Arc::clone(group),
                    key: Arc::clone(key),
                    upstream_model: Arc::clone(&route.upstream_model),
                    facts: Arc::clone(&route.facts),
                };
                match key.health.at(now) {
                    Ok(()) => plan.candidates.push(candidate()),
                    Err(unhealthy) => {
                        plan.skipped.push(skip(Some(Arc::clone(&key.key.masked)), SkipReason::Unhealthy(unhealthy)));
                        last_resort = last_resort.or_else(|| Some(candidate()));
                    }
                }
            }
        }
        if plan.candidates.is_empty() {
            plan.candidates.extend(last_resort);
        }
        plan
    }
}

#[cfg(test)]
mod tests;
