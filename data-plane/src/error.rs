//! Why a request has no answer of a provider. `respond/error.rs` writes what the client is told of it.

mod limited;
mod told;

use std::time::Duration;

use http::StatusCode;
use shared::pb::usage_record::Outcome;
use thiserror::Error;
use translation::Format;
use translation::ir::{ProviderError, TranslateError};
use translation::object::ReadError;

pub use limited::{Limit, LimitReached, LimitSubject};

/// The code of a request that a limit refuses, as OpenAI has it (API reference, "Error codes").
pub const LIMITED: &str = "rate_limit_exceeded";

/// Why a request has no answer of a provider. The text is for the client: what happened, to what, and what to do. It
/// names no group, upstream key, host or node; what the operator is to know beside it is
/// [`GatewayError::for_operator`].
#[derive(Debug, Error)]
pub enum GatewayError {
    /// No config has reached this node yet.
    #[error("this gateway node has no configuration yet; try again shortly")]
    NotReady,
    /// The request carries no credential where clients of its API put it.
    #[error("no API key was sent: put a proxy key of this gateway into the header '{wanted}'{}",
        found.map(|found| format!(". The request has the header '{found}', where this API looks for no key")).unwrap_or_default())]
    MissingKey {
        /// Where the credential is looked for.
        wanted: &'static str,
        /// Where something stands that may be a credential.
        found: Option<&'static str>,
    },
    /// The credential opens nothing. The client is not told why.
    #[error("the API key is not valid here: use an enabled proxy key of this gateway")]
    InvalidKey,
    /// No group serves the model to this key.
    #[error("the model '{model}' does not exist here or this key may not use it; GET /v1/models lists what it may use")]
    ModelNotFound {
        /// The model, as the client named it.
        model: String,
    },
    /// Groups serve the model, but none of them has an upstream key to use.
    #[error(
        "the model '{model}' is configured, but no upstream key can serve it now; the operator of this gateway finds the reason in its log"
    )]
    NoUpstream {
        /// The model, as the client named it.
        model: String,
        /// Why there is none, for the operator alone.
        reason: String,
    },
    /// Too many requests to the provider have failed of late, so that it is left alone for a few seconds.
    #[error("too many requests to the provider have failed; it is tried again in a few seconds")]
    Failing,
    /// All that could answer is out for a while, and nothing returns in time to wait for it.
    #[error(
        "{}; try again in {} s",
        if *limited { "every upstream key that serves this has reached its provider's rate limit" } else { "no upstream key can serve this now" },
        pause.as_millis().div_ceil(1_000).max(1)
    )]
    AllOut {
        /// Whether all of them have reached a rate limit.
        limited: bool,
        /// How long it takes until the first one returns.
        pause: Duration,
    },
    /// A limit that the operator has set is reached.
    #[error("{0}")]
    Limited(LimitReached),
    /// The body is not JSON.
    #[error("the request body is not valid JSON: {0}")]
    Json(serde_json::Error),
    /// The body is JSON of another shape.
    #[error("{message}")]
    Field {
        /// The field, where one is to blame.
        param: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// The request is not what its API demands, or cannot be expressed in the provider's API.
    #[error("{0}")]
    Translate(TranslateError),
    /// The provider's API has nothing like a field of the request, and the group refuses such requests.
    #[error(
        "the field '{field}' cannot be expressed in the provider's API ({format}), and its group refuses what it would have to leave out"
    )]
    Unsupported {
        /// The field, in the client's words.
        field: String,
        /// The format of the provider.
        format: Format,
    },
    /// The request is longer than what any model that could be asked reads. The words are those by which clients know
    /// it.
    #[error(
        "prompt is too long: at least {tokens} tokens > {most} maximum. This model's maximum context length is {most} tokens: shorten the messages, or ask for a model with more room"
    )]
    TooLong {
        /// The least number of tokens that it has.
        tokens: u64,
        /// The most tokens that a model reads.
        most: u64,
    },
    /// No model that could be asked can do what the request needs.
    #[error("the model '{model}' cannot {what}, which the request needs")]
    Unable {
        /// The model, as the client named it.
        model: String,
        /// What it cannot do.
        what: &'static str,
    },
    /// The group's vendor has no such endpoint.
    #[error("the provider that serves this model ({vendor}) has no such endpoint")]
    NoEndpoint {
        /// The vendor.
        vendor: &'static str,
    },
    /// No group serves a request that names no model.
    #[error("no group that this key may use has this: {missing}")]
    NoGroup {
        /// What there is not.
        missing: String,
        /// Why there is none, for the operator alone; empty where nothing is hidden from the client.
        reason: String,
    },
    /// The proxy key may not do this.
    #[error("this key may not do this: {0}")]
    Forbidden(&'static str),
    /// The body is larger than allowed.
    #[error("the request body is larger than {limit} bytes, the limit of this gateway")]
    BodyTooLarge {
        /// The largest body that is allowed, in bytes after decompression.
        limit: usize,
    },
    /// The request refers to a conversation that is larger, with it, than a body may be.
    #[error(
        "the request and the conversation that it refers to are larger than {limit} bytes, the limit of this gateway: send less of it in 'input', without 'previous_response_id'"
    )]
    ConversationTooLarge {
        /// The largest body that is allowed, in bytes.
        limit: usize,
    },
    /// The request holds more of something than can be worked on.
    #[error("the request holds {number} {what}, and at most {most} {what} are taken")]
    TooMany {
        /// How many there are.
        number: usize,
        /// How many are allowed.
        most: usize,
        /// What is counted.
        what: &'static str,
    },
    /// The node has as much work as it can hold.
    #[error("this gateway node is at its limit: {0}; try again shortly")]
    Busy(&'static str),
    /// The request is no valid HTTP.
    #[error("{0}")]
    Malformed(&'static str),
    /// The uploads that wait until they name their model have taken all the room that they may have.
    #[error(
        "too many uploads wait here until they name their model: send the field 'model' before the file, or try again shortly"
    )]
    UploadsFull,
    /// The disk has no room for an upload that waits until it names its model.
    #[error(
        "the disk of this gateway is full, so an upload cannot wait here until it names its model: send the field 'model' before the file, or try again later"
    )]
    DiskFull,
    /// The body did not arrive in time.
    #[error("the request body did not arrive in time")]
    BodyTimeout,
    /// The body broke off, or is damaged.
    #[error("the request body could not be read: {0}")]
    BodyUnreadable(String),
    /// The body is compressed in a way that is not served.
    #[error("the content-encoding '{0}' is not served; send gzip, deflate, zstd or none")]
    Encoding(String),
    /// The gateway has no such route.
    #[error("{method} {path} is not served here{advice}")]
    UnknownRoute {
        /// The method of the request.
        method: String,
        /// The path of the request.
        path: String,
        /// What the client's base URL has to be, as the end of a sentence; empty where that is not known.
        advice: String,
    },
    /// The route does not take this method.
    #[error("{path} does not take {method}, only {allowed}")]
    Method {
        /// The method of the request.
        method: String,
        /// The path of the request.
        path: String,
        /// The methods that it takes.
        allowed: &'static str,
    },
    /// The client wants to go on in a protocol that is not served.
    #[error("WebSocket is not served here: send the request with POST, and read the answer as server-sent events")]
    WebSocket,
    /// No connection to the provider could be made.
    #[error("the provider could not be reached: {0}")]
    Connect(&'static str),
    /// The provider gave no answer in time.
    #[error("the provider did not answer in time")]
    Timeout,
    /// The provider closed the connection before its answer was complete.
    #[error("the provider closed the connection before its answer was complete")]
    Cut,
    /// The provider refused the upstream key.
    #[error(
        "the provider refused the gateway's credentials (HTTP {status}); the operator of this gateway has to renew them{}",
        said.as_deref().map(|said| format!(". The provider says: {said}")).unwrap_or_default()
    )]
    Credentials {
        /// The status of its answer.
        status: StatusCode,
        /// The words of its answer, where they cannot repeat a part of the key.
        said: Option<String>,
    },
    /// No access token could be got with the upstream key.
    #[error("the gateway has no access token for the provider: {0}")]
    Token(&'static str),
    /// The gateway ends, and the time for open requests is over.
    #[error("this gateway node is shutting down and could not finish the answer; send the request again")]
    Draining,
    /// The provider's answer is not one that can be used.
    #[error("the provider's answer cannot be used: {0}")]
    Unusable(&'static str),
    /// The provider gave an error in place of an answer, or in the middle of one.
    #[error("{}", .0.message)]
    Provider(Box<ProviderError>),
    /// The request has come back to a gateway like this one.
    #[error(
        "the request goes in a circle: an upstream of this gateway is a gateway that sends it back here; the operator has to change a base URL"
    )]
    Loop,
    /// The gateway is at fault.
    #[error("the gateway failed: {0}")]
    Internal(&'static str),
}

impl From<ProviderError> for GatewayError {
    fn from(error: ProviderError) -> Self {
        Self::Provider(Box::new(error))
    }
}

impl From<ReadError> for GatewayError {
    /// The error of a body that is no JSON object.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Json(error) => Self::Json(error),
            ReadError::Shape(error) => Self::field(error),
        }
    }
}

impl GatewayError {
    /// The error of a request with a wrong field.
    pub fn field(error: TranslateError) -> Self {
        Self::Field { param: error.param, message: error.message }
    }

    /// What the log and the ledger say: the text for the client, and what is hidden from it.
    pub fn for_operator(&self) -> String {
        match self {
            Self::NoUpstream { reason, .. } | Self::NoGroup { reason, .. } if !reason.is_empty() => {
                format!("{self}: {reason}")
            }
            _ => self.to_string(),
        }
    }

    /// The status that the client gets, unless its API has a status of its own for such errors.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotReady
            | Self::NoUpstream { .. }
            | Self::Failing
            | Self::Draining
            | Self::Busy(_)
            | Self::UploadsFull
            | Self::AllOut { limited: false, .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::AllOut { limited: true, .. } | Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::MissingKey { .. } | Self::InvalidKey => StatusCode::UNAUTHORIZED,
            Self::ModelNotFound { .. } | Self::UnknownRoute { .. } | Self::NoGroup { .. } => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Json(_)
            | Self::Field { .. }
            | Self::Translate(_)
            | Self::Unsupported { .. }
            | Self::TooLong { .. }
            | Self::Unable { .. }
            | Self::NoEndpoint { .. }
            | Self::TooMany { .. }
            | Self::Malformed(_)
            | Self::BodyUnreadable(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } | Self::ConversationTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::WebSocket => StatusCode::UPGRADE_REQUIRED,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Connect(_) | Self::Cut | Self::Credentials { .. } | Self::Token(_) | Self::Unusable(_) => {
                StatusCode::BAD_GATEWAY
            }
            Self::Provider(error) => StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY),
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A machine-readable word for the cause, which stands in answers and usage records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::Draining => "gateway_draining",
            Self::MissingKey { .. } | Self::InvalidKey => "invalid_api_key",
            Self::ModelNotFound { .. } => "model_not_found",
            Self::NoUpstream { .. } => "no_upstream_key",
            Self::Failing => "upstream_failing",
            Self::Limited(_) => LIMITED,
            Self::AllOut { limited: true, .. } => "upstream_rate_limited",
            Self::AllOut { limited: false, .. } => "upstream_unavailable",
            Self::Json(_) => "invalid_json",
            Self::Field { .. } => "invalid_request",
            Self::Translate(error) => error.code.word(),
            Self::Unsupported { .. } => "unsupported_parameter",
            Self::TooLong { .. } => "context_length_exceeded",
            Self::Unable { .. } => "unsupported_by_model",
            Self::NoEndpoint { .. } => "unsupported_endpoint",
            Self::NoGroup { .. } => "not_found",
            Self::Forbidden(_) => "permission_denied",
            Self::BodyTooLarge { .. } | Self::ConversationTooLarge { .. } => "request_too_large",
            Self::TooMany { .. } => "too_many_items",
            Self::Busy(_) => "gateway_overloaded",
            Self::Malformed(_) => "bad_request",
            Self::UploadsFull => "uploads_full",
            Self::DiskFull => "disk_full",
            Self::BodyTimeout => "request_timeout",
            Self::BodyUnreadable(_) => "body_unreadable",
            Self::Encoding(_) => "unsupported_encoding",
            Self::UnknownRoute { .. } => "unknown_url",
            Self::Method { .. } => "method_not_allowed",
            Self::WebSocket => "websocket_not_supported",
            Self::Connect(_) => "upstream_connect_error",
            Self::Timeout => "upstream_timeout",
            Self::Cut => "upstream_connection_closed",
            Self::Credentials { .. } | Self::Token(_) => "upstream_authentication_failed",
            Self::Unusable(_) => "upstream_invalid_response",
            Self::Provider(_) => "upstream_error",
            Self::Loop => "loop_detected",
            Self::Internal(_) => "internal_error",
        }
    }

    /// The outcome of the request, in the words of the ledger.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Timeout | Self::BodyTimeout => Outcome::Timeout,
            Self::Connect(_)
            | Self::Failing
            | Self::AllOut { .. }
            | Self::Cut
            | Self::Credentials { .. }
            | Self::Token(_)
            | Self::Unusable(_)
            | Self::Provider(_) => Outcome::UpstreamError,
            Self::Internal(_) | Self::Draining | Self::DiskFull => Outcome::InternalError,
            Self::BodyUnreadable(_) => Outcome::ClientGone,
            _ => Outcome::Refused,
        }
    }

    /// Whether another try costs and does not help, because the same request will fare the same, or may have been
    /// worked on already. Claude Code, for one, tries a refused key ten times unless it is told.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Provider(_)
            | Self::BodyTimeout
            | Self::BodyUnreadable(_)
            | Self::AllOut { .. }
            | Self::Limited(_) => false,
            Self::Timeout | Self::Credentials { .. } | Self::Loop | Self::NoUpstream { .. } => true,
            _ => self.status().is_client_error(),
        }
    }
}

#[cfg(test)]
mod tests;
