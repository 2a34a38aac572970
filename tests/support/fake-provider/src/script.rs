//! What an answer is to be. Every field has a default that makes a plain answer, so a script names only what differs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How one request is answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// HTTP status. Other than 200 it makes an error answer, unless `body` is given.
    pub status: u16,
    /// Added to the answer's headers as they stand, over the default ones of the same name.
    pub headers: Vec<(String, String)>,
    /// Before the head of the answer, milliseconds.
    pub head_delay_ms: u64,
    /// Between the head and the first byte of the body, milliseconds.
    pub first_chunk_delay_ms: u64,
    /// Between two chunks of a stream, milliseconds.
    pub chunk_delay_ms: u64,
    /// What the model says. Without it: a greeting.
    pub content: Option<String>,
    /// In how many deltas a stream says it. Without it: one a word.
    pub chunks: Option<usize>,
    /// Tools that the model calls instead of saying something.
    pub tool_calls: Vec<ToolCall>,
    /// Without it: a count by words.
    pub usage: Option<Usage>,
    /// Leaves the usage out, in the answer and in the stream.
    pub no_usage: bool,
    /// The error object, where `status` makes an error answer. Without it: what the provider says with that status.
    pub error: Option<Value>,
    /// The body, verbatim, in place of an answer in the provider's format.
    pub body: Option<String>,
    /// Content type of `body`. Without it: JSON.
    pub content_type: Option<String>,
    /// Repeats `body` up to this many bytes.
    pub body_bytes: Option<usize>,
    /// Cuts the body into writes of so many bytes, wherever they fall.
    pub split_bytes: Option<usize>,
    /// The content is what was received, as JSON: method, path, headers, body.
    pub echo: bool,
    /// Compresses a unary answer.
    pub gzip: bool,
    /// Closes the connection early.
    pub cut: Option<Cut>,
    /// After so many content deltas a stream carries an error event instead of going on.
    pub error_after_chunks: Option<usize>,
    /// A stream goes on until the client leaves.
    pub endless: bool,
    /// Bytes written to the connection in place of an HTTP answer; the connection is then closed.
    pub raw: Option<String>,
}

/// Where the connection is closed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Nothing is answered at all.
    BeforeHead,
    /// After the head, before any byte of the body.
    AfterHead,
    /// After so many content deltas, between two frames. A unary answer ends half-way.
    AfterChunks(usize),
    /// The same, within a frame.
    InsideChunk(usize),
}

/// A tool call of the model.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ToolCall {
    /// Name of the function.
    pub name: String,
    /// A JSON document.
    pub arguments: String,
}

/// Token counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens in.
    pub prompt_tokens: u64,
    /// Tokens out.
    pub completion_tokens: u64,
    /// Of those in, read from the cache.
    pub cached_tokens: u64,
    /// Of those out, spent on reasoning.
    pub reasoning_tokens: u64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            head_delay_ms: 0,
            first_chunk_delay_ms: 0,
            chunk_delay_ms: 0,
            content: None,
            chunks: None,
            tool_calls: Vec::new(),
            usage: None,
            no_usage: false,
            error: None,
            body: None,
            content_type: None,
            body_bytes: None,
            split_bytes: None,
            echo: false,
            gzip: false,
            cut: None,
            error_after_chunks: None,
            endless: false,
            raw: None,
        }
    }
}

impl Script {
    /// A plain answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An error with the provider's own words for `status`.
    pub fn error(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// An answer that says `content`.
    pub fn saying(content: impl Into<String>) -> Self {
        Self { content: Some(content.into()), ..Self::default() }
    }

    /// An answer with `body` verbatim.
    pub fn verbatim(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self { status, content_type: Some(content_type.to_owned()), body: Some(body.into()), ..Self::default() }
    }

    /// A stream of `chunks` deltas, `every` apart.
    pub fn paced(chunks: usize, every: Duration) -> Self {
        Self { chunks: Some(chunks), chunk_delay_ms: millis(every), ..Self::default() }
    }

    /// A stream that goes on until the client leaves, a delta at each `every`.
    pub fn endless(every: Duration) -> Self {
        Self { endless: true, chunk_delay_ms: millis(every), ..Self::default() }
    }

    /// The page that a CDN answers with when the provider behind it is away.
    pub fn html_502() -> Self {
        Self::verbatim(
            502,
            "text/html",
            "<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>",
        )
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Closes the connection at `cut`.
    #[must_use]
    pub fn cut(mut self, cut: Cut) -> Self {
        self.cut = Some(cut);
        self
    }

    /// Waits before the head.
    #[must_use]
    pub fn head_delay(mut self, delay: Duration) -> Self {
        self.head_delay_ms = millis(delay);
        self
    }

    /// Sets the token counts.
    #[must_use]
    pub fn usage(mut self, prompt_tokens: u64, completion_tokens: u64) -> Self {
        self.usage = Some(Usage { prompt_tokens, completion_tokens, ..Usage::default() });
        self
    }

    /// The script that a model's name stands for, so that a client can ask for a fault by name alone: `fake-error-<status>`,
    /// `fake-slow` (1 s to the head, 100 ms a chunk), `fake-silent` (an hour to the head), `fake-endless`, `fake-cut` (after 3
    /// chunks), `fake-cut-head`, `fake-stream-error`, `fake-html`, `fake-junk`, `fake-echo`.
    pub fn for_model(model: &str) -> Option<Self> {
        let name = model.strip_prefix("fake-")?;
        if let Some(status) = name.strip_prefix("error-") {
            return status.parse().ok().filter(|status| (400..600).contains(status)).map(Self::error);
        }
        Some(match name {
            "slow" => Self { head_delay_ms: 1000, chunk_delay_ms: 100, ..Self::default() },
            "silent" => Self { head_delay_ms: 3_600_000, ..Self::default() },
            "endless" => Self::endless(Duration::from_millis(100)),
            "cut" => Self::new().cut(Cut::AfterChunks(3)),
            "cut-head" => Self::new().cut(Cut::BeforeHead),
            "stream-error" => Self { error_after_chunks: Some(2), ..Self::default() },
            "html" => Self::html_502(),
            "junk" => Self::verbatim(200, "application/json", "{\"id\": \"chatcmpl-"),
            "echo" => Self { echo: true, ..Self::default() },
            _ => return None,
        })
    }

    /// The error object that goes with `status`.
    pub(crate) fn error_body(&self, model: &str) -> Value {
        let error = self.error.clone().unwrap_or_else(|| default_error(self.status, model));
        json!({ "error": error })
    }
}

/// What the provider says with `status`, as recorded or documented.
fn default_error(status: u16, model: &str) -> Value {
    let (message, kind, code) = match status {
        401 => (
            "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."
                .to_owned(),
            "invalid_request_error",
            Some("invalid_api_key"),
        ),
        403 => ("You do not have access to this resource.".to_owned(), "invalid_request_error", Some("access_denied")),
        404 => (
            format!("The model `{model}` does not exist or you do not have access to it."),
            "invalid_request_error",
            Some("model_not_found"),
        ),
        429 => (
            "Rate limit reached for requests. Please try again in 20ms.".to_owned(),
            "requests",
            Some("rate_limit_exceeded"),
        ),
        400..=499 => ("The request was not understood.".to_owned(), "invalid_request_error", None),
        503 => ("The engine is currently overloaded, please try again later.".to_owned(), "server_error", None),
        _ => (
            "The server had an error while processing your request. Sorry about that!".to_owned(),
            "server_error",
            None,
        ),
    };
    json!({ "message": message, "type": kind, "param": null, "code": code })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
