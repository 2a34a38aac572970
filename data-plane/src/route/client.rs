//! Who asks: a client, and what its proxy key allows.

use std::collections::HashSet;
use std::sync::Arc;

use shared::ids::Id;
use shared::snapshot::ProxyKey;

use super::turns::Turns;

/// A client that has shown its proxy key.
#[derive(Debug)]
pub struct Client {
    /// Its key.
    pub key: Arc<ProxyKey>,
    /// The groups that it may use; all where this is empty.
    allowed_groups: HashSet<Id>,
    /// The models that it may ask for; all where this and the patterns are empty.
    allowed_models: HashSet<Arc<str>>,
    /// What the names of further models begin with that it may ask for.
    allowed_beginnings: Vec<Box<str>>,
    /// Whose turn it is, where its policy goes round.
    pub(super) turns: Option<Arc<Turns>>,
}

impl Client {
    /// The client of `key`, compiled for look-ups.
    pub(super) fn compile(key: &Arc<ProxyKey>, turns: Option<Arc<Turns>>) -> Self {
        let (patterns, names): (Vec<_>, Vec<_>) = key.allowed_models.iter().partition(|model| model.ends_with('*'));
        Self {
            key: Arc::clone(key),
            allowed_groups: key.allowed_groups.iter().cloned().collect(),
            allowed_models: names.into_iter().cloned().collect(),
            allowed_beginnings: patterns.into_iter().map(|pattern| pattern.trim_end_matches('*').into()).collect(),
            turns,
        }
    }

    /// Whether the client may ask for `model`.
    pub fn may_use_model(&self, model: &str) -> bool {
        let unbound = self.allowed_models.is_empty() && self.allowed_beginnings.is_empty();
        unbound
            || self.allowed_models.contains(model)
            || self.allowed_beginnings.iter().any(|beginning| model.starts_with(&**beginning))
    }

    /// Whether the client may use the group `id`.
    pub fn may_use_group(&self, id: &str) -> bool {
        self.allowed_groups.is_empty() || self.allowed_groups.contains(id)
    }
}
