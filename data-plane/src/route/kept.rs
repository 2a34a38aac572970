//! What is remembered over changes of config: of upstream keys and of groups, by their ids. Each route table holds what
//! was kept for it, and the next one takes over what its own config still has; the rest is forgotten.
//!
//! What policies count and measure is here too, of a proxy key beside that of keys and groups.

use std::collections::HashMap;
use std::sync::Arc;

use shared::ids::Id;
use shared::snapshot::Group;

use super::breaker::Breaker;
use super::clock::FleetClock;
use super::health::{Health, KeyHealth, KeyState};
use super::load::Load;
use super::models::Models;
use super::refusals::Refusals;
use super::rest::Rest;
use super::retries::RetryBudget;
use super::turns::Turns;
use crate::metrics::series::SeriesStore;
use crate::provider::credential::Tokens;
use crate::provider::redact::GroupSecrets;
use crate::upstream::Exit;

/// What is remembered over changes of config.
#[derive(Debug, Default)]
pub struct Kept {
    clock: Arc<FleetClock>,
    keys: HashMap<Id, KeptKey>,
    groups: HashMap<Id, KeptGroup>,
    /// Whose turn it is, of proxy keys whose policy goes round.
    turns: HashMap<Id, Arc<Turns>>,
    /// The series of metrics by group and model.
    pub series: SeriesStore,
}

/// What is remembered of an upstream key.
#[derive(Clone, Debug, Default)]
pub struct KeptKey {
    /// The group that it is in.
    pub group_id: Id,
    /// What was learnt about it while serving.
    pub health: Arc<KeyHealth>,
    /// The access tokens that it gets, for a vendor that has such.
    pub tokens: Option<Arc<Tokens>>,
    /// How busy and fast it is.
    pub load: Arc<Load>,
    /// Whether requests with it fail.
    pub breaker: Arc<Breaker>,
}

/// What is remembered of a group.
#[derive(Clone, Debug)]
pub struct KeptGroup {
    /// Its way out, with the connections that are open.
    pub exit: Arc<Exit>,
    /// The config that the rest was made for. It is forgotten when that changes.
    pub config: Arc<Group>,
    /// Its secrets, prepared to be found.
    pub secrets: GroupSecrets,
    /// What its provider has refused of what the gateway adds to requests.
    pub refusals: Arc<Refusals>,
    /// What is known of its models.
    pub models: Arc<Models>,
    /// How busy and fast it is.
    pub load: Arc<Load>,
    /// Whose turn it is of its keys.
    pub turns: Arc<Turns>,
    /// How much its requests may be tried again.
    pub retries: Arc<RetryBudget>,
    /// Whether it rests, because its keys fail alike.
    pub rest: Arc<Rest>,
}

impl Kept {
    /// Nothing is remembered yet but `series`. The times of what will be are those of `clock`.
    pub fn new(clock: Arc<FleetClock>, series: SeriesStore) -> Self {
        Self { clock, series, ..Self::default() }
    }

    /// The clock by which times are told.
    pub fn clock(&self) -> &Arc<FleetClock> {
        &self.clock
    }

    /// What is remembered of the upstream key `id`.
    pub fn key(&self, id: &str) -> Option<&KeptKey> {
        self.keys.get(id)
    }

    /// What is remembered of the group `id`.
    pub fn group(&self, id: &str) -> Option<&KeptGroup> {
        self.groups.get(id)
    }

    /// Whose turn it is for the proxy key `id`.
    pub fn turns(&self, id: &str) -> Option<&Arc<Turns>> {
        self.turns.get(id)
    }

    /// Remembers whose turn it is for the proxy key `id`.
    pub fn keep_turns(&mut self, id: &Id, turns: Arc<Turns>) {
        self.turns.insert(Arc::clone(id), turns);
    }

    /// Remembers `key` as the upstream key `id`.
    pub fn keep_key(&mut self, id: &Id, key: KeptKey) {
        self.keys.insert(Arc::clone(id), key);
    }

    /// Remembers `group` as the group `id`.
    pub fn keep_group(&mut self, id: &Id, group: KeptGroup) {
        self.groups.insert(Arc::clone(id), group);
    }

    /// Takes in what another node saw of an upstream key. Says whether that was news. A key that is not in the config
    /// has no state.
    pub fn observe(&self, state: &KeyState) -> bool {
        self.key(&state.upstream_key_id).is_some_and(|key| key.health.observe(state))
    }

    /// All that is known of upstream keys and counts still.
    pub fn told(&self) -> Vec<KeyState> {
        let told = |(id, key): (&Id, &KeptKey)| {
            let state = |(model, observed, observed_at_ms, status)| {
                let (upstream_key_id, group_id) = (Arc::clone(id), Arc::clone(&key.group_id));
                let (health, until_ms, times, reason) = (Health::Valid, 0, 0, "".into());
                KeyState { upstream_key_id, group_id, model, health, until_ms, times, status, reason, observed_at_ms }
                    .with(observed)
            };
            key.health.told().into_iter().map(state).collect::<Vec<_>>()
        };
        self.keys.iter().flat_map(told).collect()
    }

    /// Moves the times of all that is known by `step` milliseconds, with the clock of the fleet.
    pub fn shift(&self, step: i64) {
        self.keys.values().for_each(|key| key.health.shift(step));
    }
}

#[cfg(test)]
mod tests;
