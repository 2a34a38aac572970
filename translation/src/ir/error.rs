//! What went wrong, at a provider or here, and what a target cannot express of a request.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::request::{Field, Request};

/// Kinds of errors that every format can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is malformed, or asks for what cannot be.
    InvalidRequest,
    /// The client has sent no credential, or one that opens nothing.
    Authentication,
    /// The client may not do this.
    PermissionDenied,
    /// There is no such model, route or object.
    NotFound,
    /// The request is too large.
    TooLarge,
    /// There were too many requests or tokens for now.
    RateLimited,
    /// The account has no money left, or its quota of the day is spent.
    Quota,
    /// The provider has no capacity now.
    Overloaded,
    /// Nothing came in time.
    Timeout,
    /// The provider refused the gateway's own key, which is the operator's matter.
    UpstreamAuthentication,
    /// Any other failure of the provider or the gateway.
    Server,
}

/// An error of a provider, or of the gateway, in the neutral form.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderError {
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// The HTTP status that the client gets if nothing has been sent yet. A format may have its own for a kind
    /// (Anthropic's 529).
    pub status: u16,
    /// What people are told. It is never empty.
    pub message: String,
    /// OpenAI's `code`, such as `context_length_exceeded`.
    pub code: Option<Cow<'static, str>>,
    /// The path of the field at fault.
    pub param: Option<String>,
    /// The provider's own name of the error type, where it has one.
    pub provider_type: Option<String>,
    /// How long the client is to wait.
    pub retry_after: Option<Duration>,
}

impl ProviderError {
    /// The code of an error about signatures that the provider cannot read. They may be those of another key
    /// (`docs/TRANSLATION.md` section 10).
    pub const INVALID_SIGNATURE: &'static str = "invalid_thought_signature";

    /// An error of `kind` with the status that goes with it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        let message = if message.is_empty() { "the provider gave no reason".to_owned() } else { message };
        Self { kind, status: kind.status(), message, code: None, param: None, provider_type: None, retry_after: None }
    }

    /// The error with this `code`.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The stream ended without saying why the model stopped (`docs/TRANSLATION.md` section 4.10).
    pub fn truncated() -> Self {
        Self::new(ErrorKind::Server, "the provider closed the connection before its answer was complete")
            .code("upstream_stream_truncated")
    }
}

impl ErrorKind {
    /// The HTTP status of an error of this kind.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Authentication => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::RateLimited | Self::Quota => 429,
            Self::Overloaded => 503,
            Self::Timeout => 504,
            Self::UpstreamAuthentication | Self::Server => 502,
        }
    }
}

/// Codes of [`TranslateError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The field is there with a value that it cannot have.
    InvalidValue,
    /// The value is right, and the target cannot do it.
    UnsupportedValue,
    /// The target has nothing like the field.
    UnsupportedParameter,
    /// A picture of a type that the target does not read.
    InvalidImageFormat,
    /// The client counts on Anthropic to keep the conversation ("Message threads"), and the target does not. Told so,
    /// its clients send the whole conversation again.
    UnsupportedThread,
}

impl ErrorCode {
    /// OpenAI's word for the code.
    pub fn word(self) -> &'static str {
        match self {
            Self::InvalidValue => "invalid_value",
            Self::UnsupportedValue => "unsupported_value",
            Self::UnsupportedParameter => "unsupported_parameter",
            Self::InvalidImageFormat => "invalid_image_format",
            Self::UnsupportedThread => "thread_unsupported_request",
        }
    }
}

/// The client's request cannot be read, or cannot be expressed in the target's format. Its status is always 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslateError {
    /// The path of the field at fault, in the client's format.
    pub param: Option<String>,
    /// What is wrong, and what to do about it.
    pub message: String,
    /// The code, for programs.
    pub code: ErrorCode,
}

impl TranslateError {
    /// An error about `param`.
    pub fn new(code: ErrorCode, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), message: message.into(), code }
    }

    /// `param` has a value that it cannot have.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidValue, param, message)
    }

    /// `param` has a value that the target cannot do.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::UnsupportedValue, param, message)
    }
}

impl fmt::Display for TranslateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TranslateError {}

/// The fields that a target cannot express and that were left out, in the client's own words. Each is named once, and
/// of many only the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped(Vec<Cow<'static, str>>);

/// The most names that are kept. They go into a header of the answer.
const MOST_DROPPED: usize = 64;

impl Dropped {
    /// Notes a field that has a neutral form.
    pub fn field(&mut self, request: &Request, field: Field) {
        self.named(field.name(request.origin));
    }

    /// Notes a field by the client's name for it.
    pub fn named(&mut self, name: impl Into<Cow<'static, str>>) {
        let name = name.into();
        if self.0.len() < MOST_DROPPED && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// Whether nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, in the order in which they were met.
    pub fn names(&self) -> &[Cow<'static, str>] {
        &self.0
    }
}
