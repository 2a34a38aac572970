//! Who asks: a client, and what its proxy key allows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use shared::ids::Id;
use shared::snapshot::ProxyKey;

use super::places::Places;
use super::turns::Turns;
use crate::limit::client::ClientLimits;

/// A client that has shown its proxy key.
#[derive(Debug)]
pub struct Client {
    /// Its key.
    pub key: Arc<ProxyKey>,
    /// The places of the groups that it may use. None: it may use all.
    allowed_groups: Option<Places>,
    /// The weights that groups have for it in place of their own, by the places of the groups, in ascending order.
    group_weights: Box<[(usize, u32)]>,
    /// The models that it may ask for; all where this and the patterns are empty.
    allowed_models: HashSet<Arc<str>>,
    /// What the names of further models begin with that it may ask for.
    allowed_beginnings: Vec<Box<str>>,
    /// Whose turn it is, where its policy goes round.
    pub(super) turns: Option<Arc<Turns>>,
    /// How much it may take, where that is limited.
    pub limits: Option<Box<ClientLimits>>,
}

impl Client {
    /// The client of `key`, compiled for look-ups. `places` are those of all groups.
    pub(super) fn compile(
        key: &Arc<ProxyKey>,
        places: &HashMap<&Id, usize>,
        turns: Option<Arc<Turns>>,
        limits: Option<Box<ClientLimits>>,
    ) -> Self {
        let (patterns, names): (Vec<_>, Vec<_>) = key.allowed_models.iter().partition(|model| model.ends_with('*'));
        let place = |id: &Id| places.get(id).copied();
        let allowed = || key.allowed_groups.iter().filter_map(place).collect();
        let weights = key.group_weights.iter().filter_map(|(id, weight)| Some((place(id)?, *weight)));
        let mut group_weights: Box<[_]> = weights.collect();
        group_weights.sort_unstable();
        Self {
            key: Arc::clone(key),
            allowed_groups: (!key.allowed_groups.is_empty()).then(allowed),
            group_weights,
            allowed_models: names.into_iter().cloned().collect(),
            allowed_beginnings: patterns.into_iter().map(|pattern| pattern.trim_end_matches('*').into()).collect(),
            turns,
            limits,
        }
    }

    /// Whether the client may ask for `model`.
    pub fn may_use_model(&self, model: &str) -> bool {
        let unbound = self.allowed_models.is_empty() && self.allowed_beginnings.is_empty();
        unbound
            || self.allowed_models.contains(model)
            || self.allowed_beginnings.iter().any(|beginning| model.starts_with(&**beginning))
    }

    /// Whether the client may use the group at `place` of its route table.
    pub fn may_use_group(&self, place: usize) -> bool {
        self.allowed_groups.as_ref().is_none_or(|allowed| allowed.has(place))
    }

    /// The weight that the group at `place` of its route table has for the client, where that is not its own.
    pub(super) fn group_weight(&self, place: usize) -> Option<u32> {
        if self.group_weights.is_empty() {
            return None;
        }
        let found = self.group_weights.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(self.group_weights[found].1)
    }
}
