//! Series by group, provider, model and status. They are made when a config is compiled, so a request looks one up and
//! touches atomics; the number of series is bounded, and what is beyond the bound is counted under the name `other`.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use shared::snapshot::Group;
use translation::ir::Usage;

use super::AttemptResult;

/// The most pairs of a group and a model that have series of their own.
const MOST: usize = 2_000;

/// The most groups whose further models have a series together. Those of further groups share one.
const MOST_GROUPS: usize = 500;

/// The name of what has no series of its own.
const OTHER: &str = "other";

/// The statuses that have series of their own.
const STATUSES: [(u16, &str); 19] = [
    (0, OTHER),
    (200, "200"),
    (400, "400"),
    (401, "401"),
    (402, "402"),
    (403, "403"),
    (404, "404"),
    (408, "408"),
    (409, "409"),
    (413, "413"),
    (415, "415"),
    (422, "422"),
    (429, "429"),
    (499, "499"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
    (529, "529"),
];

/// The kinds of tokens that are counted.
pub(super) const KINDS: [&str; 7] =
    ["input", "cached", "cache_write", "input_audio", "output", "reasoning", "output_audio"];

/// The tokens of each kind.
pub(super) fn by_kind(usage: &Usage) -> [u64; KINDS.len()] {
    let Usage { input, cached, cache_write, input_audio, output, reasoning, output_audio, .. } = *usage;
    [input, cached, cache_write, input_audio, output, reasoning, output_audio]
}

/// Which series: the names of a group, of its vendor, and of a model as config has it, empty where none was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    group: Arc<str>,
    provider: Arc<str>,
    model: Arc<str>,
}

/// What is counted of one group and model.
#[derive(Debug, Default)]
pub struct Series {
    requests: [AtomicU64; STATUSES.len()],
    attempts: [AtomicU64; AttemptResult::ALL.len()],
    tokens: [AtomicU64; KINDS.len()],
}

impl Series {
    /// Counts a request that the group was the last to be tried for: the client got `status`, and `usage` was reported.
    pub fn request(&self, status: u16, usage: &Usage) {
        let at = STATUSES.binary_search_by_key(&status, |(known, _)| *known).unwrap_or_default();
        self.requests[at].fetch_add(1, Ordering::Relaxed);
        for (count, tokens) in self.tokens.iter().zip(by_kind(usage)) {
            if tokens > 0 {
                count.fetch_add(tokens, Ordering::Relaxed);
            }
        }
    }

    /// Counts an attempt.
    pub fn attempt(&self, result: AttemptResult) {
        self.attempts[result as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// All series. They stay over changes of config, and those of what is gone make room when there are many.
#[derive(Clone, Debug, Default)]
pub struct SeriesStore(Arc<Mutex<BTreeMap<Name, Arc<Series>>>>);

/// The series of one config, compiled for look-ups.
#[derive(Debug, Default)]
pub struct SeriesTable(HashMap<Arc<str>, OfGroup>);

#[derive(Debug)]
struct OfGroup {
    models: HashMap<Arc<str>, Arc<Series>>,
    /// Names that end in an asterisk, without it.
    patterns: Vec<(Arc<str>, Arc<Series>)>,
    /// For requests that name no model.
    none: Arc<Series>,
}

impl SeriesTable {
    /// The series of the group `id` and of `model`, as the client named it.
    pub fn of(&self, id: &str, model: Option<&str>) -> Option<&Series> {
        let group = self.0.get(id)?;
        let Some(model) = model else { return Some(&group.none) };
        let pattern = || group.patterns.iter().find(|(prefix, _)| model.starts_with(&**prefix)).map(|(_, it)| it);
        Some(group.models.get(model).or_else(pattern).unwrap_or(&group.none))
    }
}

impl SeriesStore {
    /// Makes the series of `groups`, and finds those that there are.
    pub fn table<'g>(&self, groups: impl Iterator<Item = &'g Arc<Group>>) -> SeriesTable {
        let mut all = self.all();
        if all.len() > MOST / 2 {
            all.retain(|_, series| Arc::strong_count(series) > 1);
        }
        let mut table = SeriesTable::default();
        for group in groups {
            let mut models = HashMap::new();
            let mut patterns = Vec::new();
            for name in group.models.iter().chain(group.model_aliases.keys()) {
                let series = resolve(&mut all, group, name);
                match name.strip_suffix('*') {
                    Some(prefix) => patterns.push((Arc::from(prefix), series)),
                    None => drop(models.insert(Arc::clone(name), series)),
                }
            }
            // The longest prefix says most.
            patterns.sort_by_key(|(prefix, _): &(Arc<str>, _)| std::cmp::Reverse(prefix.len()));
            let none = resolve(&mut all, group, &Arc::from(""));
            table.0.insert(Arc::clone(&group.id), OfGroup { models, patterns, none });
        }
        table
    }

    /// Writes all series.
    ///
    /// # Errors
    /// When they cannot be written as text.
    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let all: Vec<_> = self.all().iter().map(|(name, series)| (name.clone(), Arc::clone(series))).collect();
        let statuses = STATUSES.map(|(_, status)| status);
        let results = AttemptResult::ALL.map(|(_, result)| result);
        let help = "Client requests, by the group that was tried last, the model and the status that the client got";
        family(encoder, "group_requests", help, "status", &statuses, &all, |series| &series.requests)?;
        let help = "Tries at an upstream key, by group, model and result";
        family(encoder, "group_attempts", help, "result", &results, &all, |series| &series.attempts)?;
        let help = "Tokens that providers reported, by group, model and kind";
        family(encoder, "group_tokens", help, "kind", &KINDS, &all, |series| &series.tokens)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<Series>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The series of `model` in `group`, or one that it shares with others where there are too many.
fn resolve(all: &mut BTreeMap<Name, Arc<Series>>, group: &Group, model: &Arc<str>) -> Arc<Series> {
    let (other, provider) = (Arc::from(OTHER), &group.provider_type);
    let names = [(&group.name, provider, model), (&group.name, provider, &other), (&other, &other, &other)];
    for ((group, provider, model), most) in names.into_iter().zip([MOST, MOST + MOST_GROUPS, usize::MAX]) {
        let name = Name { group: Arc::clone(group), provider: Arc::clone(provider), model: Arc::clone(model) };
        if let Some(series) = all.get(&name) {
            return Arc::clone(series);
        }
        if all.len() < most {
            return Arc::clone(all.entry(name).or_default());
        }
    }
    // The last bound is none.
    Arc::default()
}

/// Writes the counters of one metric. Those that are 0 are left out.
fn family(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &str,
    help: &str,
    label: &'static str,
    values: &[&'static str],
    all: &[(Name, Arc<Series>)],
    counts: impl Fn(&Series) -> &[AtomicU64],
) -> std::fmt::Result {
    let mut metric = encoder.encode_descriptor(metric, help, None, MetricType::Counter)?;
    for (Name { group, provider, model }, series) in all {
        for (value, count) in values.iter().zip(counts(series)) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let labels = [("group", &**group), ("provider", provider), ("model", model), (label, value)];
                metric.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
