//! What a plan would be now, for the operator: the candidates in their order, and why each other group and key is left
//! out. Asking changes nothing: no turn is taken, no load counted, no breaker tested.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use shared::ids::Id;
use shared::snapshot::{BalancePolicy, FallbackOn, Group, GroupPolicy, UpstreamKey};
use shared::time::{now_ms, steady_ms};

use super::price::Pricing;
use super::{Home, Plan, SkipReason};
use crate::limit::standing::ExplainedLimit;
use crate::route::affinity::SessionKey;
use crate::route::candidate::Candidate;
use crate::route::client::Client;
use crate::route::needs::Needs;
use crate::route::table::{Route, RouteTable, RoutedKey};

/// The plan of a proxy key for a model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The version of the config in force.
    snapshot_version: u64,
    /// The policy by which groups are put in order.
    group_policy: GroupPolicy,
    /// Why a request would be refused whatever the groups: `invalid_key` or `not_allowed`.
    refused: Option<&'static str>,
    /// Whether all candidates are out, and are tried nevertheless.
    last_resort: bool,
    /// The upstream key that the conversation is at home at.
    home: Option<Id>,
    candidates: Vec<ExplainedCandidate>,
    skipped: Vec<ExplainedSkip>,
    /// The limits of the proxy key for the model, and how much of them is taken.
    limits: Vec<ExplainedLimit>,
    /// The models that are asked after this one, in their order.
    fallbacks: Vec<ExplainedFallback>,
    /// The refusals of a request with which they are asked, too.
    fallback_on: Vec<FallbackOn>,
}

/// A model that is asked after another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedFallback {
    model: Arc<str>,
    /// Whether a group serves it to the proxy key. It is passed over where none does.
    served: bool,
}

/// A candidate, and what its place depends on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedCandidate {
    group_id: Id,
    group_name: Arc<str>,
    priority: i32,
    group_weight: u32,
    balance_policy: BalancePolicy,
    upstream_key_id: Id,
    upstream_key_masked: Arc<str>,
    key_weight: u32,
    upstream_model: Arc<str>,
    affinity: bool,
    in_flight: u32,
    first_byte_us: Option<u64>,
    /// What a typical request costs there, in micro-dollars per million tokens.
    effective_price_micros: Option<u64>,
    /// The limits of the group and of the upstream key, and how much of them is taken.
    limits: Vec<ExplainedLimit>,
}

/// A group, or a key of one, that is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedSkip {
    group_id: Id,
    group_name: Arc<str>,
    upstream_key_id: Option<Id>,
    upstream_key_masked: Option<Arc<str>>,
    reason: &'static str,
    detail: String,
    /// When that is over, in epoch milliseconds.
    until: Option<i64>,
}

impl ExplainedSkip {
    fn new(group: &Group, key: Option<&UpstreamKey>, reason: SkipReason, until: Option<i64>) -> Self {
        Self {
            group_id: Arc::clone(&group.id),
            group_name: Arc::clone(&group.name),
            upstream_key_id: key.map(|key| Arc::clone(&key.id)),
            upstream_key_masked: key.map(|key| Arc::clone(&key.masked)),
            reason: reason.code(),
            detail: reason.to_string(),
            until,
        }
    }
}

impl Explanation {
    /// What a request of `client` for `model` with these `needs`, which names this `session`, would do now.
    pub fn of(table: &RouteTable, client: &Client, model: &str, needs: Needs, session: Option<&str>) -> Self {
        let key = &client.key;
        let (routes, name) = table.asked(model, client);
        let expired = key.expires_at_ms.is_some_and(|at| at <= now_ms());
        let refused = if !key.enabled || expired {
            Some("invalid_key")
        } else {
            (!client.may_use_model(name)).then_some("not_allowed")
        };
        let session = session.map(|name| SessionKey::called(&key.id, name.as_bytes()));
        let mut plan = Plan::over(client, routes, name, true);
        let chain = plan.fallbacks(model).cloned().unwrap_or_default();
        plan.needs = needs;
        let session = session.filter(|_| plan.keeps_sessions() && plan.has_choice());
        let plan = plan.of_session(session);
        let home = match plan.home() {
            Home::Key(home) => Some(home),
            Home::Anywhere | Home::Account => None,
        };
        let skipped = plan.explain_skipped(table);
        let (last_resort, candidates) = if refused.is_some() {
            (false, Vec::new())
        } else {
            let well = plan.healthy().count();
            let last_resort = well == 0 && !plan.is_empty();
            // What is tried when these have failed is among those that are left out.
            let shown = if last_resort { usize::MAX } else { well };
            let pricing = Pricing::over(&plan.routes);
            let explained = |candidate| ExplainedCandidate::new(&candidate, client, pricing);
            (last_resort, plan.clone().take(shown).map(explained).collect())
        };
        let (snapshot_version, group_policy) = (table.snapshot.version, key.group_policy);
        let served = |model: &str| {
            let (routes, name) = table.asked(model, client);
            client.may_use_model(name) && !Plan::over(client, routes, name, true).is_empty()
        };
        let further = chain.models.get(model).into_iter().flatten();
        let fallbacks =
            further.map(|model| ExplainedFallback { model: Arc::clone(model), served: served(model) }).collect();
        let fallback_on = if chain.models.contains_key(model) { chain.on } else { Vec::new() };
        let limits = client.limits.as_ref().map(|limits| limits.explain(name)).unwrap_or_default();
        Self {
            snapshot_version,
            group_policy,
            refused,
            last_resort,
            home,
            candidates,
            skipped,
            limits,
            fallbacks,
            fallback_on,
        }
    }
}

impl ExplainedCandidate {
    fn new(candidate: &Candidate, client: &Client, pricing: Pricing) -> Self {
        let (group, key) = (&candidate.group.group, &candidate.key.key);
        Self {
            group_id: Arc::clone(&group.id),
            group_name: Arc::clone(&group.name),
            priority: group.priority,
            group_weight: client.key.group_weights.get(&group.id).copied().unwrap_or(group.routing.weight),
            balance_policy: group.balance_policy,
            upstream_key_id: Arc::clone(&key.id),
            upstream_key_masked: Arc::clone(&key.masked),
            key_weight: key.routing.weight,
            upstream_model: Arc::clone(&candidate.upstream_model),
            affinity: group.routing.affinity,
            in_flight: candidate.key.load.in_flight(),
            first_byte_us: candidate.state.load.first_byte_us(),
            effective_price_micros: pricing.of(candidate.price.as_ref()),
            limits: [&candidate.group.limits, &candidate.key.limits]
                .into_iter()
                .flatten()
                .flat_map(|limits| ExplainedLimit::all(limits))
                .collect(),
        }
    }
}

impl Plan<'_> {
    /// All groups of the config and all of their keys that are no candidates, with the reason.
    fn explain_skipped(&self, table: &RouteTable) -> Vec<ExplainedSkip> {
        let enabled: HashSet<&Id> = table.groups().iter().map(|group| &group.group.id).collect();
        let mut skipped = Vec::new();
        for group in table.snapshot.groups.values() {
            let mut whole = |reason| skipped.push(ExplainedSkip::new(group, None, reason, None));
            if !group.enabled {
                whole(SkipReason::Disabled);
            } else if !enabled.contains(&group.id) {
                whole(SkipReason::RefusedDestination);
            } else if let Some(route) = self.routes.iter().find(|route| route.group.group.id == group.id) {
                if let Some(reason) = self.against_group(route) {
                    whole(reason);
                }
                let disabled = group.upstream_keys.iter().filter(|key| !key.enabled);
                skipped.extend(disabled.map(|key| ExplainedSkip::new(group, Some(key), SkipReason::Disabled, None)));
                let out = route.group.keys.iter().filter_map(|key| Some((key, self.against(route, key)?)));
                skipped.extend(
                    out.map(|(key, why)| ExplainedSkip::new(group, Some(&key.key), why, self.until(route, key, why))),
                );
            } else {
                whole(SkipReason::ModelNotServed);
            }
        }
        skipped
    }

    /// When `key` is back in `route`, in epoch milliseconds, as far as that is known.
    fn until(&self, route: &Route, key: &RoutedKey, why: SkipReason) -> Option<i64> {
        let steady = match why {
            SkipReason::Unhealthy(_) => key.health.at(self.now, &route.upstream_model).err().map(|out| out.until),
            SkipReason::Resting => Some(route.rests_until()),
            SkipReason::Limited(_) => self
                .limited(route, key)
                .map(|full| steady_ms().saturating_add(i64::try_from(full.pause.as_millis()).unwrap_or(i64::MAX))),
            SkipReason::Failing => route.state.breaker.closed_until(self.now).max(key.breaker.closed_until(self.now)),
            _ => None,
        };
        steady.map(|until| now_ms().saturating_add(until.saturating_sub(steady_ms())))
    }
}

#[cfg(test)]
mod tests;
