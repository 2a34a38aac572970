//! What a plan would be now, for the operator: the candidates in their order, and why each other group and key is left
//! out. Asking changes nothing: no turn is taken, no load counted, no breaker tested.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use shared::ids::Id;
use shared::snapshot::{BalancePolicy, Group, GroupPolicy, UpstreamKey};
use shared::time::{now_ms, steady_ms};

use super::{Plan, SkipReason};
use crate::route::candidate::Candidate;
use crate::route::client::Client;
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
    candidates: Vec<ExplainedCandidate>,
    skipped: Vec<ExplainedSkip>,
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
    /// What a request of `client` for `model` would do now.
    pub fn of(table: &RouteTable, client: &Client, model: &str) -> Self {
        let key = &client.key;
        let (routes, name) = table.asked(model, |group| client.may_use_group(&group.id));
        let expired = key.expires_at_ms.is_some_and(|at| at <= now_ms());
        let refused = if !key.enabled || expired {
            Some("invalid_key")
        } else {
            (!client.may_use_model(name)).then_some("not_allowed")
        };
        let plan = Plan::over(client, routes, name, true);
        let skipped = plan.explain_skipped(table);
        let (last_resort, candidates) = if refused.is_some() {
            (false, Vec::new())
        } else {
            let last_resort = plan.healthy().next().is_none() && !plan.is_empty();
            let weight = |group: &Group| plan.group_weight(group);
            let explained = |candidate| ExplainedCandidate::new(&candidate, weight);
            (last_resort, plan.clone().map(explained).collect())
        };
        let (snapshot_version, group_policy) = (table.snapshot.version, key.group_policy);
        Self { snapshot_version, group_policy, refused, last_resort, candidates, skipped }
    }
}

impl ExplainedCandidate {
    fn new(candidate: &Candidate, weight: impl Fn(&Group) -> u32) -> Self {
        let (group, key) = (&candidate.group.group, &candidate.key.key);
        Self {
            group_id: Arc::clone(&group.id),
            group_name: Arc::clone(&group.name),
            priority: group.priority,
            group_weight: weight(group),
            balance_policy: group.balance_policy,
            upstream_key_id: Arc::clone(&key.id),
            upstream_key_masked: Arc::clone(&key.masked),
            key_weight: key.routing.weight,
            upstream_model: Arc::clone(&candidate.upstream_model),
            affinity: group.routing.affinity,
            in_flight: candidate.key.load.in_flight(),
            first_byte_us: candidate.state.load.first_byte_us(),
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
            SkipReason::Failing => route.state.breaker.closed_until(self.now).max(key.breaker.closed_until(self.now)),
            _ => None,
        };
        steady.map(|until| now_ms().saturating_add(until.saturating_sub(steady_ms())))
    }
}

#[cfg(test)]
mod tests;
