//! What came of a command, as the control plane gets it.

use std::sync::Arc;

use serde::Serialize;
use shared::ids::Id;
use shared::pb;
use tokio::time::Instant;

use crate::attempt::Probed;
use crate::metrics::AttemptResult;
use crate::route::candidate::Candidate;

/// What came of asking a provider. No secret of the group is in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProbeReport {
    /// Whether the provider has answered.
    pub(super) ok: bool,
    /// How it ended, in the words of the metric `orchestration_upstream_attempts_total`.
    pub(super) result: &'static str,
    /// The HTTP status of the answer; 0 where none came.
    pub(super) status: u16,
    /// Why there is no answer; empty where there is one.
    pub(super) error: String,
    /// From the sending of the request to its answer, in milliseconds.
    pub(super) latency_ms: u64,
    /// With which key it was asked.
    pub(super) upstream_key_id: Id,
    pub(super) upstream_key_masked: Arc<str>,
    /// The vendor's name of the model; empty where none was asked.
    pub(super) model: Arc<str>,
    /// The words of the model, as far as they are short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// What the answer has cost, where the provider says so, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_tokens: Option<u64>,
    /// The models that the provider has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) models: Option<Vec<String>>,
    /// Whether the provider has more models than these.
    pub(super) has_more: bool,
}

impl ProbeReport {
    /// What `probed` says of `candidate`.
    pub(super) fn of(candidate: &Candidate, probed: &Probed) -> Self {
        Self {
            ok: probed.result == AttemptResult::Success,
            result: probed.result.name(),
            status: probed.status,
            error: probed.error.clone(),
            latency_ms: u64::try_from(probed.latency.as_millis()).unwrap_or(u64::MAX),
            upstream_key_id: Arc::clone(&candidate.key.key.id),
            upstream_key_masked: Arc::clone(&candidate.key.key.masked),
            model: Arc::clone(&candidate.upstream_model),
            text: None,
            input_tokens: None,
            output_tokens: None,
            models: None,
            has_more: false,
        }
    }

    /// The same of an answer that turned out to be none, because of `error`.
    pub(super) fn broken(self, error: String) -> Self {
        Self { ok: false, result: AttemptResult::Unusable.name(), error, ..self }
    }
}

/// What came of a command.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The result as JSON text.
    Text(String),
    /// A provider was asked.
    Done(ProbeReport),
    /// Nothing could be done, and why.
    Failed(String),
}

impl Outcome {
    /// What is known at once.
    pub(super) fn of_text(outcome: Result<String, String>) -> Self {
        outcome.map_or_else(Self::Failed, Self::Text)
    }

    /// The result of the command `id`, which was `started` then.
    pub(super) fn into_result(self, id: String, started: Instant) -> pb::CommandResult {
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let result = pb::CommandResult { id, duration_ms, ..pb::CommandResult::default() };
        match self {
            Self::Text(result_json) => pb::CommandResult { ok: true, result_json, ..result },
            Self::Failed(error) => pb::CommandResult { error, ..result },
            Self::Done(report) => match serde_json::to_string(&report) {
                Ok(result_json) => {
                    let (ok, status, error) = (report.ok, report.status.into(), report.error);
                    pb::CommandResult { ok, status, error, result_json, ..result }
                }
                Err(error) => pb::CommandResult { error: error.to_string(), ..result },
            },
        }
    }
}
