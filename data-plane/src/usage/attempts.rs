//! What attempts leave behind: a record of each, in the order in which they ended.

use std::borrow::Cow;
use std::iter;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use shared::pb;
use shared::snapshot::{Group, UpstreamKey};
use tokio::time::Instant;
use translation::ir::Usage;

use crate::metrics::AttemptResult;
use crate::route::occupied::Occupied;

/// Why an attempt has brought no answer that was cancelled because another one had. It is not known what it has used.
const OUTRUN: &str = "cancelled: another attempt answered first; the tokens that this one has used are not known";

/// Whom an attempt asked.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The group.
    pub group: Arc<Group>,
    /// The upstream key.
    pub key: Arc<UpstreamKey>,
    /// The vendor's name of the model; empty where the request names none.
    pub model: Arc<str>,
}

/// The record of one attempt.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// Whom it asked.
    pub tried: Tried,
    /// When the request left.
    pub started: Instant,
    /// From then to the head of the answer, or to the end of the attempt.
    pub duration: Duration,
    /// How it ended. None where the client left before that.
    pub result: Option<AttemptResult>,
    /// The HTTP status of the answer; 0 where none came.
    pub status: u16,
    /// Why it brought no answer.
    pub error: Cow<'static, str>,
    /// What it keeps busy as long as its answer comes.
    pub running: Option<Arc<Occupied>>,
    /// Whether it was made because another attempt was late.
    pub hedged: bool,
    /// Whether it was cancelled because another attempt had answered.
    pub outrun: bool,
}

impl Tried {
    /// The model `model` asked of `group` with `key`.
    pub fn new(group: &Arc<Group>, key: &Arc<UpstreamKey>, model: &Arc<str>) -> Self {
        Self { group: Arc::clone(group), key: Arc::clone(key), model: Arc::clone(model) }
    }

    /// Names in `record` who answered the request, or was asked last.
    pub(super) fn name_in(&self, record: &mut pb::UsageRecord) {
        record.group_id = self.group.id.to_string();
        record.group_name = self.group.name.to_string();
        record.provider_type = self.group.provider_type.to_string();
        record.upstream_key_id = self.key.id.to_string();
        record.upstream_key_masked = self.key.masked.to_string();
        record.upstream_model = self.model.to_string();
    }
}

impl AttemptRecord {
    /// The record of an attempt that begins now. It stays like this, but for its duration, where the client leaves
    /// before the attempt ends.
    pub fn begin(tried: Tried) -> Self {
        Self {
            tried,
            started: Instant::now(),
            duration: Duration::ZERO,
            result: None,
            status: 0,
            error: Cow::Borrowed("the client left"),
            running: None,
            hedged: false,
            outrun: false,
        }
    }

    /// The record of the attempt, which ends now.
    #[must_use]
    pub fn end(self, result: AttemptResult, status: u16, error: Cow<'static, str>) -> Self {
        Self { result: Some(result), status, error, ..self.abandon() }
    }

    /// The record of the attempt, which the client leaves now.
    #[must_use]
    pub fn abandon(self) -> Self {
        Self { duration: self.started.elapsed(), ..self }
    }

    /// The record of the attempt, which is cancelled now because another one has answered.
    #[must_use]
    pub fn outrun(self) -> Self {
        Self { outrun: true, error: Cow::Borrowed(OUTRUN), ..self.abandon() }
    }

    /// Whether the provider may be at work on the request, or has been: it has answered, or nothing is known of it. Any
    /// other end says that it is not.
    pub fn may_spend(&self) -> bool {
        matches!(self.result, None | Some(AttemptResult::Success | AttemptResult::Timeout))
    }

    /// Lets those that it keeps busy know what the provider has reported of the whole answer.
    pub fn reported(&self, usage: &Usage) {
        self.running.as_ref().inspect(|running| running.reported(usage));
    }

    /// The record as usage records have it, of a request that `arrived` then.
    pub fn written(&self, arrived: Instant) -> pb::Attempt {
        pb::Attempt {
            group_name: self.tried.group.name.to_string(),
            upstream_key_masked: self.tried.key.masked.to_string(),
            upstream_model: self.tried.model.to_string(),
            started_us: micros(self.started.saturating_duration_since(arrived)),
            group_id: self.tried.group.id.to_string(),
            upstream_key_id: self.tried.key.id.to_string(),
            status: self.status.into(),
            error: cut(&self.error).to_owned(),
            duration_us: micros(self.duration),
            hedged: self.hedged,
        }
    }
}

/// The records that the attempts of one request have left. Attempts that run at once leave theirs without waiting for
/// each other, and the first takes no memory of its own.
#[derive(Debug, Default)]
pub struct Trail {
    record: OnceLock<AttemptRecord>,
    next: OnceLock<Box<Trail>>,
}

impl Trail {
    /// Adds `record` at the end.
    pub fn leave(&self, mut record: AttemptRecord) {
        let mut at = self;
        while let Err(refused) = at.record.set(record) {
            record = refused;
            at = at.next.get_or_init(Box::default);
        }
    }

    /// The records, the first to end first.
    pub fn iter(&self) -> impl Iterator<Item = &AttemptRecord> {
        iter::successors(Some(self), |at| at.next.get().map(|next| &**next)).filter_map(|at| at.record.get())
    }

    /// The last record, without those of attempts that were cancelled because another one had answered.
    pub fn last(&self) -> Option<&AttemptRecord> {
        self.iter().filter(|record| !record.outrun).last()
    }
}

/// The longest text of a client or a provider in records and logs, in bytes.
const LONGEST_TEXT: usize = 300;

/// The beginning of `text`, as long as records and logs may have it.
pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or(text)
}

/// `time` in microseconds.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
