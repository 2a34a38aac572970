//! What an answer is to be. Every field has a default that makes a plain answer, so a script names only what differs. A
//! script knows nothing of formats: each renders it as its vendor would.

mod make;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How one request is answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// HTTP status. Other than 200 it makes an error answer, unless `body` is given.
    pub status: u16,
    /// Added to the answer's headers as they stand, over the default ones of the same name; an empty one takes it away.
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
    /// What the model thinks before it speaks: `reasoning_content`, a reasoning item, a thinking block, a thought part.
    pub thinking: Option<String>,
    /// The signature of `thinking`, in place of one that is made from it.
    pub signature: Option<String>,
    /// The thinking comes in its encrypted form only (Anthropic).
    pub redacted: bool,
    /// The model refuses, in these words.
    pub refusal: Option<String>,
    /// The prompt is blocked, for this reason: Gemini's `blockReason`; the others refuse in their own way.
    pub blocked: Option<String>,
    /// Why the answer ends: `stop`, `length`, `tool_calls` or `content_filter` are put into the format's own word, any
    /// other goes out as it stands.
    pub finish: Option<String>,
    /// Without it: a count by words.
    pub usage: Option<Usage>,
    /// Of the tokens in, written to the cache.
    pub cache_write_tokens: u64,
    /// Leaves the usage out, in the answer and in the stream.
    pub no_usage: bool,
    /// The error object, where `status` makes an error answer, and of an error within a stream. Without it: what the
    /// provider says with that status.
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
    /// The error within a stream is bare JSON text instead of an event, as Gemini was seen to do.
    pub bare_error: bool,
    /// A stream goes on until the client leaves.
    pub endless: bool,
    /// Bytes written to the connection in place of an HTTP answer; the connection is then closed.
    pub raw: Option<String>,
    /// Cuts the body into writes of pseudo-random size, the same for the same seed.
    pub seed: Option<u64>,
    /// Answers from the recorded exchange in this file: `response.status`, `headers`, and `body` or `sse`.
    pub recording: Option<PathBuf>,
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
            thinking: None,
            signature: None,
            redacted: false,
            refusal: None,
            blocked: None,
            finish: None,
            usage: None,
            cache_write_tokens: 0,
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
            bare_error: false,
            endless: false,
            raw: None,
            seed: None,
            recording: None,
        }
    }
}
