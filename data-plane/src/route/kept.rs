//! What is remembered over changes of config: of upstream keys and of groups, by their ids. Each route table holds what
//! was kept for it, and the next one takes over what its own config still has; the rest is forgotten.
//!
//! What policies count and measure is here too, of a proxy key beside that of keys and groups.

use std::collections::HashMap;
use std::sync::Arc;

use shared::ids::Id;
use shared::snapshot::{ErrorRule, Group};

use super::breaker::Breaker;
use super::health::{Health, KeyHealth, KeyState};
use super::load::Load;
use super::models::Models;
use super::refusals::Refusals;
use super::rest::Rest;
use super::retries::RetryBudget;
use super::table::RoutedGroup;
use super::turns::Turns;
use crate::limit::client::KeptLimits;
use crate::metrics::series::SeriesStore;
use crate::provider::credential::Tokens;
use crate::provider::redact::GroupSecrets;
use crate::upstream::Exit;
use shared::clock::FleetClock;

/// What is remembered over changes of config.
#[derive(Debug, Default)]
pub struct Kept {
    clock: Arc<FleetClock>,
    keys: HashMap<Id, KeptKey>,
    groups: HashMap<Id, KeptGroup>,
    /// Whose turn it is, of proxy keys whose policy goes round.
    turns: HashMap<Id, Arc<Turns>>,
    /// What has been taken of limits: of proxy keys, and of those with one model, of groups and of upstream keys.
    pub limits: KeptLimits,
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
    /// Its way out, where it has one of its own, with the connections that are open.
    pub exit: Option<Arc<Exit>>,
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
    /// What it was compiled to, with the config that it was compiled from.
    pub compiled: Option<Arc<RoutedGroup>>,
}

impl KeptKey {
    /// Nothing is remembered yet of a key. The times of what will be are those of `clock`.
    pub fn new(clock: &Arc<FleetClock>) -> Self {
        Self { health: Arc::new(KeyHealth::new(Arc::clone(clock))), ..Self::default() }
    }
}

impl Kept {
    /// Nothing is remembered yet but `series`. The times of what will be are those of `clock`.
    pub fn new(clock: Arc<FleetClock>, series: SeriesStore) -> Self {
        Self { clock, series, ..Self::default() }
    }

    /// Makes room for what is to be remembered of `groups`.
    pub fn make_room<'g>(&mut self, groups: impl ExactSizeIterator<Item = &'g Arc<Group>>) {
        self.groups.reserve(groups.len());
        self.keys.reserve(groups.map(|group| group.upstream_keys.len()).sum());
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

    /// Remembers what an earlier config has `kept` of the keys of `groups` that are switched off, so that it still
    /// counts when they are switched on or probed. News of them is taken in meanwhile.
    pub fn keep_switched_off<'g>(&mut self, groups: impl Iterator<Item = &'g Arc<Group>>, kept: Option<&Self>) {
        for group in groups {
            for key in group.upstream_keys.iter().filter(|key| !key.enabled || !group.enabled) {
                let known = kept.and_then(|kept| kept.key(&key.id)).cloned();
                let unknown = || KeptKey { group_id: Arc::clone(&group.id), ..KeptKey::new(&self.clock) };
                let known = known.unwrap_or_else(unknown);
                self.keep_key(&key.id, known);
            }
        }
    }

    /// Remembers `group` as the group `id`.
    pub fn keep_group(&mut self, id: &Id, group: KeptGroup) {
        self.groups.insert(Arc::clone(id), group);
    }

    /// `group` as an earlier config has compiled it, where neither it nor the rules for errors of `every` group have
    /// changed since: most changes of config are about one group. All that was `kept` of it is remembered.
    pub fn take_over(
        &mut self,
        group: &Arc<Group>,
        every: &Arc<[ErrorRule]>,
        kept: Option<&Self>,
    ) -> Option<Arc<RoutedGroup>> {
        let kept = kept?;
        let known = kept.group(&group.id)?;
        let compiled = known.compiled.as_ref()?;
        if !Arc::ptr_eq(&compiled.group, group) || !Arc::ptr_eq(&compiled.error_rules, every) {
            return None;
        }
        for key in &compiled.keys {
            self.keep_key(&key.key.id, kept.key(&key.key.id)?.clone());
            self.limits.extend(key.limits.clone().map(|limits| (Arc::clone(&key.key.id), limits)));
        }
        self.limits.extend(compiled.limits.clone().map(|limits| (Arc::clone(&group.id), limits)));
        self.keep_group(&group.id, known.clone());
        Some(Arc::clone(compiled))
    }

    /// Remembers what the group of `compiled` was compiled to.
    pub fn keep_compiled(&mut self, compiled: &Arc<RoutedGroup>) {
        if let Some(group) = self.groups.get_mut(&compiled.group.id) {
            group.compiled = Some(Arc::clone(compiled));
        }
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
