//! What is remembered over changes of config: of upstream keys and of groups, by their ids. Each route table holds what
//! was kept for it, and the next one takes over what its own config still has; the rest is forgotten.
//!
//! A group policy that counts or measures keeps its numbers here too, of a proxy key beside those of keys and groups.

use std::collections::HashMap;
use std::sync::Arc;

use shared::ids::Id;
use shared::snapshot::Group;
use shared::time::now_ms;

use super::health::{KeyHealth, KeyState};
use super::refusals::Refusals;
use crate::provider::credential::Tokens;
use crate::provider::redact::GroupSecrets;
use crate::upstream::Exit;

/// What is remembered over changes of config.
#[derive(Debug, Default)]
pub struct Kept {
    keys: HashMap<Id, KeptKey>,
    groups: HashMap<Id, KeptGroup>,
}

/// What is remembered of an upstream key.
#[derive(Clone, Debug, Default)]
pub struct KeptKey {
    /// What was learnt about it while serving.
    pub health: Arc<KeyHealth>,
    /// The access tokens that it gets, for a vendor that has such.
    pub tokens: Option<Arc<Tokens>>,
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
}

impl Kept {
    /// What is remembered of the upstream key `id`.
    pub fn key(&self, id: &str) -> Option<&KeptKey> {
        self.keys.get(id)
    }

    /// What is remembered of the group `id`.
    pub fn group(&self, id: &str) -> Option<&KeptGroup> {
        self.groups.get(id)
    }

    /// Remembers `key` as the upstream key `id`.
    pub fn keep_key(&mut self, id: &Id, key: KeptKey) {
        self.keys.insert(Arc::clone(id), key);
    }

    /// Remembers `group` as the group `id`.
    pub fn keep_group(&mut self, id: &Id, group: KeptGroup) {
        self.groups.insert(Arc::clone(id), group);
    }

    /// Takes in what another node saw of an upstream key. A key that is not in the config has no state.
    pub fn observe(&self, state: &KeyState) {
        if let Some(key) = self.key(&state.upstream_key_id) {
            key.health.observe(state, now_ms());
        }
    }
}

#[cfg(test)]
mod tests;
