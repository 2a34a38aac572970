//! An error of the provider, before it is put into a vendor's shape.

use serde_json::Value;

/// An error of the provider and its words.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// OpenAI's and Anthropic's `type`, and Gemini's `status`. Without it, the vendor's usual word for `status` is
    /// taken.
    pub(crate) kind: Option<&'static str>,
    pub(crate) message: String,
    /// The parameter at fault (OpenAI).
    pub(crate) param: Option<String>,
    /// A code for programs (OpenAI, Azure).
    pub(crate) code: Option<&'static str>,
    /// Gemini's list of typed details, or Anthropic's one object.
    pub(crate) details: Option<Box<Value>>,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, kind: None, message: message.into(), param: None, code: None, details: None }
    }

    /// A request that cannot be understood.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// A request whose `param` is at fault.
    pub(crate) fn param(param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), ..Self::new(400, message) }
    }

    pub(crate) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = Some(kind);
        self
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }
}
