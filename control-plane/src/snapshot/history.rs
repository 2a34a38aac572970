//! The latest deltas, in the wire form in which nodes are sent them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use prost::Message as _;
use shared::pb;

/// The most deltas that are kept.
const DELTAS: usize = 1_000;
/// The most encoded bytes of deltas that are kept.
const BYTES: usize = 64 * 1024 * 1024;
/// The most merged deltas that are remembered.
const MERGED: usize = 64;

/// The latest deltas, the oldest first. Each begins at the version that the one before leads to.
#[derive(Debug)]
pub(crate) struct History {
    deltas: VecDeque<(Arc<pb::Delta>, usize)>,
    bytes: usize,
    /// For a version, the one delta that leads from there to the newest version.
    merged: HashMap<u64, Arc<pb::Delta>>,
    max_deltas: usize,
    max_bytes: usize,
}

impl Default for History {
    fn default() -> Self {
        Self::bounded(DELTAS, BYTES)
    }
}

impl History {
    pub(crate) fn bounded(max_deltas: usize, max_bytes: usize) -> Self {
        Self { deltas: VecDeque::new(), bytes: 0, merged: HashMap::new(), max_deltas, max_bytes }
    }

    /// Adds the newest delta. A delta that does not begin where the last one ended starts a new history.
    pub(crate) fn push(&mut self, delta: Arc<pb::Delta>) {
        if self.deltas.back().is_some_and(|(last, _)| last.version != delta.from_version || last.epoch != delta.epoch) {
            self.clear();
        }
        self.merged.clear();
        self.merged.insert(delta.from_version, Arc::clone(&delta));
        let bytes = delta.encoded_len();
        self.bytes += bytes;
        self.deltas.push_back((delta, bytes));
        while self.deltas.len() > self.max_deltas || self.bytes > self.max_bytes {
            let Some((_, bytes)) = self.deltas.pop_front() else { break };
            self.bytes -= bytes;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.deltas.clear();
        self.merged.clear();
        self.bytes = 0;
    }

    /// What leads from `version` to the newest version. `None` when the history does not reach back so far.
    ///
    /// A version between the two ends of a delta is as good as its beginning. The delta then holds more than has
    /// changed since, but each entity as it is at the end, and applying that twice changes nothing.
    pub(crate) fn since(&self, version: u64) -> Option<Steps> {
        if let Some(delta) = self.merged.get(&version) {
            return Some(Steps::Merged(Arc::clone(delta)));
        }
        let (first, _) = self.deltas.front()?;
        let (last, _) = self.deltas.back()?;
        if version < first.from_version || version >= last.version {
            return None;
        }
        let steps = self.deltas.iter().filter(|(delta, _)| delta.version > version);
        Some(Steps::Several(steps.map(|(delta, _)| Arc::clone(delta)).collect()))
    }

    /// Remembers the delta that [`merge`] made, for the next node at the same version.
    pub(crate) fn remember(&mut self, merged: &Arc<pb::Delta>) {
        let newest = self.deltas.back().is_some_and(|(last, _)| last.version == merged.version);
        if newest && self.merged.len() < MERGED {
            self.merged.insert(merged.from_version, Arc::clone(merged));
        }
    }
}

/// The way from a version to the newest one.
#[derive(Debug)]
pub(crate) enum Steps {
    /// One delta leads there.
    Merged(Arc<pb::Delta>),
    /// Several deltas lead there, which are to be merged. That is done without a lock, since they may be large.
    Several(Vec<Arc<pb::Delta>>),
}

/// Merges `steps` into one delta from `version`. What the last step says of an entity counts.
pub(crate) fn merge(version: u64, steps: &[Arc<pb::Delta>]) -> Option<pb::Delta> {
    let last = steps.last()?;
    let mut groups: BTreeMap<&str, Option<&pb::Group>> = BTreeMap::new();
    let mut proxy_keys: BTreeMap<&str, Option<&pb::ProxyKey>> = BTreeMap::new();
    for step in steps {
        groups.extend(step.removed_group_ids.iter().map(|id| (id.as_str(), None)));
        groups.extend(step.groups.iter().map(|group| (group.id.as_str(), Some(group))));
        proxy_keys.extend(step.removed_proxy_key_ids.iter().map(|id| (id.as_str(), None)));
        proxy_keys.extend(step.proxy_keys.iter().map(|key| (key.id.as_str(), Some(key))));
    }
    let removed = |gone: bool, id: &str| gone.then(|| id.to_owned());
    let rules = steps.iter().rev().find(|step| step.error_rules_changed);
    let prices = steps.iter().rev().find(|step| step.prices_changed);
    Some(pb::Delta {
        from_version: version,
        version: last.version,
        epoch: last.epoch.clone(),
        lineage: last.lineage.clone(),
        min_schema: steps.iter().map(|step| step.min_schema).max().unwrap_or_default(),
        removed_group_ids: groups.iter().filter_map(|(id, group)| removed(group.is_none(), id)).collect(),
        groups: groups.into_values().flatten().cloned().collect(),
        removed_proxy_key_ids: proxy_keys.iter().filter_map(|(id, key)| removed(key.is_none(), id)).collect(),
        proxy_keys: proxy_keys.into_values().flatten().cloned().collect(),
        error_rules: rules.map(|step| step.error_rules.clone()).unwrap_or_default(),
        error_rules_changed: rules.is_some(),
        prices_json: prices.map(|step| step.prices_json.clone()).unwrap_or_default(),
        prices_changed: prices.is_some(),
    })
}

#[cfg(test)]
mod tests;
