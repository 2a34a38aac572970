//! When which upstream key is probed. Pure: time, config and what is known are handed in.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use shared::marks::{LONGEST_REFUSAL_MS, Mark, Marks, Outage, REFUSED_FOR_MS, doubled};
use shared::snapshot::{Group, Snapshot, UpstreamKey};

use crate::grpc::probing::ProbeTarget;
use crate::store::key_states::StoredKeyState;

/// The times of probes, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProbeTimes {
    /// From when a key was put out until its first probe is to be over. Each further one takes twice as long.
    pub(crate) first: i64,
    /// The longest such time.
    pub(crate) longest: i64,
    /// Between two probes of one group. Keys that fail alike within ten seconds count as a failure of their group,
    /// which probes must not bring about.
    pub(crate) apart: i64,
    /// After a probe that has said nothing of the key, until the next. Each further one takes twice as long, unless it
    /// was the node that failed.
    pub(crate) again: i64,
}

impl ProbeTimes {
    /// The times where the first probe is to be over after `first` milliseconds: what is usual, in proportion.
    pub(crate) fn from_first(first: i64) -> Self {
        let longest = first.saturating_mul(LONGEST_REFUSAL_MS / REFUSED_FOR_MS);
        Self { first, longest, apart: 12_000, again: (first / 30).max(1) }
    }
}

/// A probe that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DueProbe {
    pub(crate) target: ProbeTarget,
    /// What it is about: an upstream key, and the model behind it that is out; empty for the whole key.
    about: (String, String),
}

/// When which key is probed.
#[derive(Debug)]
pub(crate) struct ProbeSchedule {
    times: ProbeTimes,
    asked: HashMap<(String, String), Asked>,
    /// From when on another key of a group may be probed.
    groups: HashMap<String, i64>,
}

/// A key that was probed.
#[derive(Debug)]
struct Asked {
    /// When that was observed for which it was probed. What is observed later starts anew.
    mark_at: i64,
    /// From when on it may be probed again for the same.
    next: i64,
    /// How often the answer said nothing of it.
    times: u8,
    under_way: bool,
}

impl ProbeSchedule {
    pub(crate) fn new(times: ProbeTimes) -> Self {
        Self { times, asked: HashMap::new(), groups: HashMap::new() }
    }

    /// Up to `most` probes that are due at `now`, the most urgent first. They count as under way from here on.
    pub(crate) fn due(
        &mut self,
        now: i64,
        config: &Snapshot,
        known: &HashMap<String, Vec<StoredKeyState>>,
        most: usize,
    ) -> Vec<DueProbe> {
        self.asked.retain(|(id, _), asked| asked.under_way || known.contains_key(id));
        self.groups.retain(|_, from| *from > now);
        let mut due: Vec<_> = known
            .iter()
            .flat_map(|(id, states)| candidates(now, config, id, states))
            .filter_map(|(probe, mark)| Some((self.due_at(&probe.about, mark)?, mark.at, probe)))
            .filter(|(at, ..)| *at <= now)
            .collect();
        due.sort_by(|left, right| (left.0, &left.2.about).cmp(&(right.0, &right.2.about)));
        let mut chosen = Vec::new();
        for (_, mark_at, probe) in due {
            if chosen.len() == most {
                break;
            }
            if self.groups.contains_key(&probe.target.group_id) {
                continue;
            }
            self.groups.insert(probe.target.group_id.clone(), now + self.times.apart);
            let before = self.asked.get(&probe.about).filter(|asked| asked.mark_at == mark_at);
            let times = before.map_or(0, |asked| asked.times);
            self.asked.insert(probe.about.clone(), Asked { mark_at, next: now, times, under_way: true });
            chosen.push(probe);
        }
        chosen
    }

    /// A probe is over at `now`. `reached` says that the node has made it. Where it has said something of the key, that
    /// comes as news, and what is asked for then is another thing.
    pub(crate) fn ended(&mut self, now: i64, probe: &DueProbe, reached: bool) {
        if let Some(asked) = self.asked.get_mut(&probe.about) {
            asked.under_way = false;
            asked.next = now + doubled(self.times.again, asked.times, self.times.longest);
            if reached {
                asked.times = asked.times.saturating_add(1);
            }
        }
    }

    /// When a key is to be probed that is out by `mark`; none while it is being probed.
    fn due_at(&self, about: &(String, String), mark: Mark) -> Option<i64> {
        match self.asked.get(about) {
            Some(asked) if asked.under_way => None,
            Some(asked) if asked.mark_at == mark.at => Some(asked.next),
            _ => {
                let time = doubled(self.times.first, mark.times, self.times.longest);
                // One to three tenths of the time before its end, so that not all keys are probed at once.
                let tenth = time / 10;
                let before_end = tenth + jitter(about, mark.at, 2 * tenth);
                Some(mark.at.saturating_add(time - before_end))
            }
        }
    }
}

/// A number below `below` that looks random, and is the same for the same thing.
fn jitter(about: &(String, String), at: i64, below: i64) -> i64 {
    let mut hasher = DefaultHasher::new();
    (about, at).hash(&mut hasher);
    i64::try_from(hasher.finish() % u64::try_from(below).unwrap_or_default().max(1)).unwrap_or_default()
}

/// What there is to probe at `now` of the upstream key `id`, of which `states` are known: the key where it is out as a
/// whole, or else each model behind it that is.
fn candidates(now: i64, config: &Snapshot, id: &str, states: &[StoredKeyState]) -> Vec<(DueProbe, Mark)> {
    let Some((group, key)) = states.first().and_then(|state| usable(now, config, &state.group_id, id)) else {
        return Vec::new();
    };
    let probe = |about: &str, model: &str| DueProbe {
        target: ProbeTarget { group_id: group.id.to_string(), upstream_key_id: id.to_owned(), model: model.to_owned() },
        about: (id.to_owned(), about.to_owned()),
    };
    let whole = states.iter().find(|state| state.model.is_empty() && state.marks.outage(now).is_some());
    if let Some(whole) = whole {
        let mark = to_probe(&whole.marks, now);
        let model = mark.and_then(|_| model_for(now, group, key, states));
        return mark.zip(model).map(|(mark, model)| (probe("", &model), mark)).into_iter().collect();
    }
    let models = states.iter().filter(|state| !state.model.is_empty() && key.routing.serves(&state.model));
    models.filter_map(|state| Some((probe(&state.model, &state.model), to_probe(&state.marks, now)?))).collect()
}

/// The group and the key, where both are there and may be used.
fn usable<'c>(now: i64, config: &'c Snapshot, group_id: &str, id: &str) -> Option<(&'c Group, &'c UpstreamKey)> {
    let group = config.groups.get(group_id).filter(|group| group.enabled)?;
    let key = group.upstream_keys.iter().find(|key| *key.id == *id)?;
    let expired = key.routing.expires_at_ms.is_some_and(|at| at <= now);
    (key.enabled && !expired).then_some((group, key))
}

/// What the key is probed for at `now`. Within a time that its provider has stated, it is not.
fn to_probe(marks: &Marks, now: i64) -> Option<Mark> {
    if marks.pause(now).is_some() {
        return None;
    }
    let (outage, mark) = marks.outage(now)?;
    match outage {
        Outage::Exhausted if mark.is_guessed_exhaustion() => Some(mark.max(marks.refusal(now).unwrap_or_default())),
        Outage::Refused => Some(mark),
        Outage::Exhausted | Outage::Paused | Outage::Guessed => None,
    }
}

/// The model that the key is asked for, as the vendor names it: the group's test model, or the first that the key may
/// be used for and that is not out by what its provider has stated. Empty where the group names none. None where there
/// is none to ask for.
fn model_for(now: i64, group: &Group, key: &UpstreamKey, states: &[StoredKeyState]) -> Option<String> {
    let vendors_name = |name: &str| group.model_aliases.get(name).map_or_else(|| name.to_owned(), ToString::to_string);
    let test = group.test_model.iter().map(|name| vendors_name(name));
    let models = group.models.iter().filter(|name| !name.ends_with('*')).map(ToString::to_string);
    let mut models = test.chain(models).peekable();
    if models.peek().is_none() {
        return Some(String::new());
    }
    let rests = |model: &str| {
        let of_model = states.iter().find(|state| state.model == model);
        of_model.is_some_and(|state| state.marks.outage(now).is_some() && to_probe(&state.marks, now).is_none())
    };
    models.find(|model| key.routing.serves(model) && !rests(model))
}

#[cfg(test)]
mod tests;
