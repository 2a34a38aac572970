//! Metrics of the request path. Every label has a fixed set of values, and each series is made at the start, or with a
//! config ([`series`]): a request touches atomics and nothing else.

mod estimated;
mod histogram;
mod probes;
pub mod series;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use shared::pb::usage_record::Outcome;
use shared::telemetry::Metrics;
use translation::ir::Usage;

pub use estimated::{Estimate, EstimatedTokens};
pub use histogram::Histogram;
pub use probes::ProbeMetrics;

use crate::error::{GatewayError, Limit, LimitReached, LimitSubject};
use crate::node::Node;
use series::Series;

/// The API that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's chat completions.
    OpenAiChat,
    /// OpenAI's responses.
    OpenAiResponses,
    /// Anthropic's messages.
    AnthropicMessages,
    /// Gemini's generated content.
    GeminiGenerate,
    /// The counting of a request's tokens, Anthropic's and Gemini's.
    CountTokens,
    /// OpenAI's older completions.
    Completions,
    /// Embeddings, OpenAI's and Gemini's.
    Embeddings,
    /// OpenAI's moderations.
    Moderations,
    /// OpenAI's images.
    Images,
    /// OpenAI's speech and transcriptions.
    Audio,
    /// Reranking.
    Rerank,
    /// OpenAI's files.
    Files,
    /// OpenAI's batches.
    Batches,
    /// The list of models.
    Models,
    /// None: the route is not served.
    Unknown,
}

impl Api {
    const ALL: [Self; 15] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::GeminiGenerate,
        Self::CountTokens,
        Self::Completions,
        Self::Embeddings,
        Self::Moderations,
        Self::Images,
        Self::Audio,
        Self::Rerank,
        Self::Files,
        Self::Batches,
        Self::Models,
        Self::Unknown,
    ];

    /// The name in usage records.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::GeminiGenerate => "gemini_generate",
            Self::CountTokens => "count_tokens",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Moderations => "moderations",
            Self::Images => "images",
            Self::Audio => "audio",
            Self::Rerank => "rerank",
            Self::Files => "files",
            Self::Batches => "batches",
            Self::Models => "models",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a model writes answers there, so that their times say something of the gateway and the provider.
    pub fn is_chat(self) -> bool {
        matches!(self, Self::OpenAiChat | Self::OpenAiResponses | Self::AnthropicMessages | Self::GeminiGenerate)
    }
}

/// The name that metrics and logs have for an outcome of the ledger.
pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unspecified => "unknown",
        Outcome::Success => "success",
        Outcome::Refused => "refused",
        Outcome::UpstreamError => "upstream_error",
        Outcome::Timeout => "timeout",
        Outcome::ClientGone => "client_gone",
        Outcome::InternalError => "internal_error",
    }
}

const OUTCOMES: [Outcome; 7] = [
    Outcome::Unspecified,
    Outcome::Success,
    Outcome::Refused,
    Outcome::UpstreamError,
    Outcome::Timeout,
    Outcome::ClientGone,
    Outcome::InternalError,
];

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The provider answered.
    Success,
    /// The request was at fault.
    ClientFault,
    /// Too much has been asked with the upstream key.
    RateLimited,
    /// The upstream key was refused.
    KeyRefused,
    /// The provider failed.
    ServerError,
    /// There was no connection, or it broke.
    ConnectError,
    /// No answer came in time.
    Timeout,
    /// The answer was none that an API gives.
    Unusable,
}

impl AttemptResult {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Success, "success"),
        (Self::ClientFault, "client_fault"),
        (Self::RateLimited, "rate_limited"),
        (Self::KeyRefused, "key_refused"),
        (Self::ServerError, "server_error"),
        (Self::ConnectError, "connect_error"),
        (Self::Timeout, "timeout"),
        (Self::Unusable, "unusable"),
    ];

    /// The name in metrics and in what operators are told.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// What became of an attempt that was made because another one of the request was late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeResult {
    /// It answered first.
    Won,
    /// The other one answered first.
    Lost,
    /// It brought no answer.
    Failed,
}

impl HedgeResult {
    const ALL: [(Self, &'static str); 3] = [(Self::Won, "won"), (Self::Lost, "lost"), (Self::Failed, "failed")];
}

/// What kept a request at the upstream key that it was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Nothing: there was no choice, or nothing that the request belongs to.
    None,
    /// Its conversation belongs there.
    SoftHit,
    /// Its conversation belongs elsewhere, where it could not be served.
    SoftMiss,
    /// What it refers to is in that account.
    Hard,
}

impl Affinity {
    const ALL: [Self; 4] = [Self::None, Self::SoftHit, Self::SoftMiss, Self::Hard];

    /// The name in usage records.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SoftHit => "soft_hit",
            Self::SoftMiss => "soft_miss",
            Self::Hard => "hard",
        }
    }
}

/// Why a request ended before it was known whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    /// The request carried no key.
    NoKey,
    /// The key opens nothing.
    WrongKey,
    /// The node had no config yet.
    NotReady,
    /// No API has such a path.
    UnknownUrl,
    /// The path does not take the method.
    WrongMethod,
    /// The client left before.
    ClientGone,
    /// Another reason.
    Other,
}

impl Unauthenticated {
    const ALL: [(Self, &'static str); 7] = [
        (Self::NoKey, "no_key"),
        (Self::WrongKey, "wrong_key"),
        (Self::NotReady, "not_ready"),
        (Self::UnknownUrl, "unknown_url"),
        (Self::WrongMethod, "wrong_method"),
        (Self::ClientGone, "client_gone"),
        (Self::Other, "other"),
    ];
}

impl From<&GatewayError> for Unauthenticated {
    fn from(error: &GatewayError) -> Self {
        match error {
            GatewayError::MissingKey { .. } => Self::NoKey,
            GatewayError::InvalidKey => Self::WrongKey,
            GatewayError::NotReady => Self::NotReady,
            GatewayError::UnknownRoute { .. } => Self::UnknownUrl,
            GatewayError::Method { .. } => Self::WrongMethod,
            _ => Self::Other,
        }
    }
}

/// What limits do.
const MODES: [&str; 2] = ["enforce", "shadow"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AffinityLabels {
    affinity: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    api: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    subject: &'static str,
    unit: &'static str,
    mode: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    kind: &'static str,
    source: &'static str,
}

/// Metrics of the request path.
#[derive(Debug)]
pub struct RequestMetrics {
    requests: [[Counter; OUTCOMES.len()]; Api::ALL.len()],
    unauthenticated: [Counter; Unauthenticated::ALL.len()],
    attempts: [Counter; AttemptResult::ALL.len()],
    hedged: [Counter; HedgeResult::ALL.len()],
    affinity: [Counter; Affinity::ALL.len()],
    /// By subject, unit and mode.
    limited: [[[Counter; MODES.len()]; Limit::UNITS.len()]; LimitSubject::ALL.len()],
    duration: Histogram,
    first_byte: Histogram,
    tokens: [Counter<u64, AtomicU64>; series::KINDS.len()],
    estimated: EstimatedTokens,
}

impl RequestMetrics {
    /// Makes the metrics, which `metrics` shows.
    pub fn register(metrics: &Metrics, node: &Arc<Node>) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let unauthenticated = Family::<ReasonLabels, Counter>::default();
        let attempts = Family::<ResultLabels, Counter>::default();
        let hedged = Family::<ResultLabels, Counter>::default();
        let affinity = Family::<AffinityLabels, Counter>::default();
        let limited = Family::<LimitLabels, Counter>::default();
        let tokens = Family::<TokenLabels, Counter>::default();
        let duration = Histogram::default();
        let first_byte = Histogram::default();
        metrics.register(|registry| {
            registry.register("requests", "Client requests, by API and outcome", requests.clone());
            registry.register(
                "unauthenticated_requests",
                "Requests that ended before it was known whose they are, by reason; they leave no usage record",
                unauthenticated.clone(),
            );
            registry.register("upstream_attempts", "Tries at an upstream key, by result", attempts.clone());
            registry.register(
                "hedged_requests",
                "Requests with a second attempt because the first was late, by whether the second answered first",
                hedged.clone(),
            );
            registry.register(
                "routed_requests",
                "Requests that were sent to a provider, by what kept them at the upstream key of their last attempt",
                affinity.clone(),
            );
            registry.register(
                "limited_requests",
                "Requests that a limit has refused, by whose it is and what it counts; those in shadow mode were served",
                limited.clone(),
            );
            registry.register(
                "tokens",
                "Tokens by kind and source, which is what providers reported or the gateway estimated; cached and cache_write \
                 are parts of input, reasoning of output",
                tokens.clone(),
            );
            let help = "From the arrival of a chat request to the end of its answer";
            registry.register_with_unit("request_duration", help, Unit::Seconds, duration.clone());
            let help = "From the arrival of a chat request to the first byte of its answer";
            registry.register_with_unit("first_byte_duration", help, Unit::Seconds, first_byte.clone());
            registry.register_collector(Box::new(InFlightGauge(Arc::clone(node))));
        });
        let counter = |api: Api, outcome| {
            requests.get_or_create(&RequestLabels { api: api.name(), outcome: outcome_name(outcome) }).clone()
        };
        // Within the struct, the guard of the first look-up would live to its end, and the second would wait for it for
        // ever.
        let limit = |subject, unit, mode| limited.get_or_create(&LimitLabels { subject, unit, mode }).clone();
        let tokens = |kind, source| tokens.get_or_create(&TokenLabels { kind, source }).clone();
        Self {
            requests: Api::ALL.map(|api| OUTCOMES.map(|outcome| counter(api, outcome))),
            unauthenticated: Unauthenticated::ALL
                .map(|(_, reason)| unauthenticated.get_or_create(&ReasonLabels { reason }).clone()),
            attempts: AttemptResult::ALL.map(|(_, result)| attempts.get_or_create(&ResultLabels { result }).clone()),
            hedged: HedgeResult::ALL.map(|(_, result)| hedged.get_or_create(&ResultLabels { result }).clone()),
            affinity: Affinity::ALL
                .map(|kind| affinity.get_or_create(&AffinityLabels { affinity: kind.name() }).clone()),
            limited: LimitSubject::ALL
                .map(|(_, subject)| Limit::UNITS.map(|unit| MODES.map(|mode| limit(subject, unit, mode)))),
            duration,
            first_byte,
            tokens: series::KINDS.map(|kind| tokens(kind, series::REPORTED)),
            estimated: series::ESTIMATED_KINDS.map(|kind| tokens(kind, series::ESTIMATED)),
        }
    }

    /// Counts a request that has ended. Times are in microseconds, 0 where there was no first byte.
    pub fn request(&self, api: Api, outcome: Outcome, first_byte_us: u64, total_us: u64) {
        self.requests[api as usize][outcome as usize].inc();
        if api.is_chat() {
            self.duration.observe_us(total_us);
            if first_byte_us > 0 {
                self.first_byte.observe_us(first_byte_us);
            }
        }
    }

    /// Counts a request that has ended before it was known whose it is.
    pub fn unauthenticated(&self, reason: Unauthenticated) {
        self.unauthenticated[reason as usize].inc();
    }

    /// Counts the tokens of a request, as the provider reported them.
    pub fn tokens(&self, usage: &Usage) {
        for (counter, tokens) in self.tokens.iter().zip(series::by_kind(usage)) {
            if tokens > 0 {
                counter.inc_by(tokens);
            }
        }
    }

    /// What counts the tokens of a request that are estimated, here and in the `series` of its group.
    pub fn estimate(&self, series: Option<&Arc<Series>>) -> Estimate {
        Estimate::new(self.estimated.clone(), series.cloned())
    }

    /// Counts a request that was sent to a provider.
    pub fn routed(&self, affinity: Affinity) {
        self.affinity[affinity as usize].inc();
    }

    /// Counts a request that a limit has refused, or would have refused if it were no `shadow`.
    pub fn limited(&self, reached: &LimitReached, shadow: bool) {
        self.limited[reached.subject as usize][reached.limit.unit()][usize::from(shadow)].inc();
    }

    /// Counts an attempt that was made because another one was late.
    pub fn hedged(&self, result: HedgeResult) {
        self.hedged[result as usize].inc();
    }

    /// Counts an attempt that has ended.
    pub fn attempt(&self, result: AttemptResult) {
        self.attempts[result as usize].inc();
    }
}

#[derive(Debug)]
struct InFlightGauge(Arc<Node>);

impl Collector for InFlightGauge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let gauge = ConstGauge::new(i64::from(self.0.in_flight()));
        let help = "Client requests in flight";
        gauge.encode(encoder.encode_descriptor("requests_in_flight", help, None, gauge.metric_type())?)
    }
}
