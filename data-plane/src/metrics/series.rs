//! Series by group, provider, model and status. They are made when a config is compiled, so a request looks one up and
//! touches atomics; the number of series is bounded, and what is beyond the bound is counted under the name `other`.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use shared::pb::usage_record::Outcome;
use shared::snapshot::Group;
use translation::ir::Usage;

use super::{AttemptResult, Histogram};

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

/// The kinds of tokens that are estimated where a provider does not report them.
pub(super) const ESTIMATED_KINDS: [&str; 2] = ["input", "output"];

/// Where a number of tokens comes from.
pub(super) const REPORTED: &str = "reported";
pub(super) const ESTIMATED: &str = "estimated";

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
    estimated: [AtomicU64; ESTIMATED_KINDS.len()],
}

impl Series {
    /// Counts a request that the group was the last to be tried for: the client got `status`, and `usage` was reported.
    pub fn request(&self, status: u16, usage: &Usage) {
        let at = STATUSES.binary_search_by_key(&status, |(known, _)| *known).unwrap_or_default();
        self.requests[at].fetch_add(1, Ordering::Relaxed);
        add(&self.tokens, by_kind(usage));
    }

    /// Counts tokens that are estimated.
    pub(super) fn estimated(&self, tokens: [u64; ESTIMATED_KINDS.len()]) {
        add(&self.estimated, tokens);
    }

    /// Counts an attempt.
    pub fn attempt(&self, result: AttemptResult) {
        self.attempts[result as usize].fetch_add(1, Ordering::Relaxed);
    }
}

fn add<const N: usize>(counts: &[AtomicU64; N], numbers: [u64; N]) {
    for (count, number) in counts.iter().zip(numbers) {
        if number > 0 {
            count.fetch_add(number, Ordering::Relaxed);
        }
    }
}

/// How a request ended, told apart no further than times differ for it.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// The client has the whole answer.
    Success,
    /// The client was at fault, or left.
    Client,
    /// The provider or the gateway failed.
    Failure,
}

impl Ending {
    const ALL: [Self; 3] = [Self::Success, Self::Client, Self::Failure];

    const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Client => "client",
            Self::Failure => "failure",
        }
    }

    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Refused | Outcome::ClientGone => Self::Client,
            Outcome::Unspecified | Outcome::UpstreamError | Outcome::Timeout | Outcome::InternalError => Self::Failure,
        }
    }
}

/// How long requests took, by how they ended.
#[derive(Debug, Default)]
struct Times([Histogram; Ending::ALL.len()]);

impl Times {
    fn of(&self, outcome: Outcome) -> &Histogram {
        &self.0[Ending::of(outcome) as usize]
    }
}

/// All series. They stay over changes of config, and those of what is gone make room when there are many.
#[derive(Clone, Debug, Default)]
pub struct SeriesStore {
    series: Arc<Mutex<BTreeMap<Name, Arc<Series>>>>,
    /// How long requests took, by the name of the group.
    times: Arc<Mutex<BTreeMap<Arc<str>, Arc<Times>>>>,
}

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
    times: Arc<Times>,
}

impl SeriesTable {
    /// The series of the group `id` and of `model`, as the client named it.
    pub fn of(&self, id: &str, model: Option<&str>) -> Option<&Arc<Series>> {
        let group = self.0.get(id)?;
        let Some(model) = model else { return Some(&group.none) };
        let pattern = || group.patterns.iter().find(|(prefix, _)| model.starts_with(&**prefix)).map(|(_, it)| it);
        Some(group.models.get(model).or_else(pattern).unwrap_or(&group.none))
    }

    /// Adds how long a chat request took that the group `id` was the last to be tried for.
    pub fn took(&self, id: &str, outcome: Outcome, total_us: u64) {
        if let Some(group) = self.0.get(id) {
            group.times.of(outcome).observe_us(total_us);
        }
    }
}

impl SeriesStore {
    /// Makes the series of `groups`, and finds those that there are.
    pub fn table<'g>(&self, groups: impl Iterator<Item = &'g Arc<Group>>) -> SeriesTable {
        let (mut all, mut times) = (self.all(), self.times());
        if all.len() > MOST / 2 {
            all.retain(|_, series| Arc::strong_count(series) > 1);
        }
        if times.len() > MOST_GROUPS / 2 {
            times.retain(|_, times| Arc::strong_count(times) > 1);
        }
        let mut table = SeriesTable::default();
        let other: Arc<str> = OTHER.into();
        let nothing: Arc<str> = "".into();
        for group in groups {
            let mut models = HashMap::with_capacity(group.models.len() + group.model_aliases.len());
            let mut shared = None;
            let mut resolve = |model| {
                own(&mut all, group, model)
                    .unwrap_or_else(|| Arc::clone(shared.get_or_insert_with(|| of_others(&mut all, group, &other))))
            };
            let mut patterns = Vec::new();
            for name in group.models.iter().chain(group.model_aliases.keys()) {
                let series = resolve(name);
                match name.strip_suffix('*') {
                    Some(prefix) => patterns.push((Arc::from(prefix), series)),
                    None => drop(models.insert(Arc::clone(name), series)),
                }
            }
            // The longest prefix says most.
            patterns.sort_by_key(|(prefix, _): &(Arc<str>, _)| std::cmp::Reverse(prefix.len()));
            let none = resolve(&nothing);
            let has_room = times.len() < MOST_GROUPS || times.contains_key(&group.name);
            let name = if has_room { Arc::clone(&group.name) } else { Arc::from(OTHER) };
            let times = Arc::clone(times.entry(name).or_default());
            table.0.insert(Arc::clone(&group.id), OfGroup { models, patterns, none, times });
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
        let statuses = statuses.map(|status| [("status", status)]);
        family(encoder, "group_requests", help, &all, |series| labelled(&statuses, &series.requests))?;
        let help = "Tries at an upstream key, by group, model and result";
        let results = results.map(|result| [("result", result)]);
        family(encoder, "group_attempts", help, &all, |series| labelled(&results, &series.attempts))?;
        let help = "Tokens by group, model, kind and source, which is what providers reported or the gateway estimated";
        let reported = KINDS.map(|kind| [("kind", kind), ("source", REPORTED)]);
        let estimated = ESTIMATED_KINDS.map(|kind| [("kind", kind), ("source", ESTIMATED)]);
        family(encoder, "group_tokens", help, &all, |series| {
            labelled(&reported, &series.tokens).chain(labelled(&estimated, &series.estimated))
        })?;
        let help = "From the arrival of a chat request to the end of its answer, by the group that was tried last and how \
                    it ended";
        let unit = Some(&Unit::Seconds);
        let mut metric = encoder.encode_descriptor("group_request_duration", help, unit, MetricType::Histogram)?;
        for (group, times) in &*self.times() {
            for (outcome, histogram) in Ending::ALL.iter().zip(&times.0).filter(|(_, histogram)| !histogram.is_empty())
            {
                let labels = [("group", &**group), ("outcome", outcome.name())];
                histogram.encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn times(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Times>>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<Series>>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The series of `model` in `group`; none where there are too many for it to have one of its own.
fn own(all: &mut BTreeMap<Name, Arc<Series>>, group: &Group, model: &Arc<str>) -> Option<Arc<Series>> {
    named(all, MOST, [&group.name, &group.provider_type, model])
}

/// The series of the models of `group` that have none of their own, or one for all such groups where there are too
/// many. `other` is the name of it.
fn of_others(all: &mut BTreeMap<Name, Arc<Series>>, group: &Group, other: &Arc<str>) -> Arc<Series> {
    named(all, MOST + MOST_GROUPS, [&group.name, &group.provider_type, other])
        .or_else(|| named(all, usize::MAX, [other; 3]))
        // The last bound is none.
        .unwrap_or_default()
}

/// The series of this name. One that is new is made as long as there are fewer than `most`.
fn named(
    all: &mut BTreeMap<Name, Arc<Series>>,
    most: usize,
    [group, provider, model]: [&Arc<str>; 3],
) -> Option<Arc<Series>> {
    let name = Name { group: Arc::clone(group), provider: Arc::clone(provider), model: Arc::clone(model) };
    if all.len() < most { Some(Arc::clone(all.entry(name).or_default())) } else { all.get(&name).map(Arc::clone) }
}

/// Each of `counts` with its labels.
fn labelled<'a, const N: usize, const M: usize>(
    labels: &'a [[(&'static str, &'static str); N]; M],
    counts: &'a [AtomicU64; M],
) -> impl Iterator<Item = (&'a [(&'static str, &'static str)], &'a AtomicU64)> {
    labels.iter().map(<[_; N]>::as_slice).zip(counts)
}

/// Writes the counters of one metric. Those that are 0 are left out.
fn family<'a, I>(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &str,
    help: &str,
    all: &'a [(Name, Arc<Series>)],
    counts: impl Fn(&'a Series) -> I,
) -> std::fmt::Result
where
    I: Iterator<Item = (&'a [(&'static str, &'static str)], &'a AtomicU64)>,
{
    let mut metric = encoder.encode_descriptor(metric, help, None, MetricType::Counter)?;
    for (Name { group, provider, model }, series) in all {
        for (of_count, count) in counts(series) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let mut labels = vec![("group", &**group), ("provider", provider), ("model", model)];
                labels.extend(of_count);
                metric.encode_family(&labels.as_slice())?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
