//! Scripts, which describe answers. Every field has a default that makes a plain answer, so a script names only what
//! differs. A script does not depend on a format: each API renders it as its vendor would.

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
    /// Headers of the answer, which replace the default ones of the same name. An empty value removes a header.
    pub headers: Vec<(String, String)>,
    /// The delay before the head of the answer, in milliseconds.
    pub head_delay_ms: u64,
    /// The delay between the head and the first byte of the body, in milliseconds.
    pub first_chunk_delay_ms: u64,
    /// The delay between two chunks of a stream, in milliseconds.
    pub chunk_delay_ms: u64,
    /// What the model says. The default is a greeting.
    pub content: Option<String>,
    /// The number of deltas in which a stream says it. The default is one for each word.
    pub chunks: Option<usize>,
    /// Tools that the model calls instead of saying something.
    pub tool_calls: Vec<ToolCall>,
    /// What the model thinks before it speaks, as `reasoning_content`, a reasoning item, a thinking block or a thought
    /// part.
    pub thinking: Option<String>,
    /// The signature of `thinking`, in place of one that is made from it.
    pub signature: Option<String>,
    /// Whether the thinking comes in its encrypted form only (Anthropic).
    pub redacted: bool,
    /// The words with which the model refuses.
    pub refusal: Option<String>,
    /// The reason why the prompt is blocked: Gemini's `blockReason`. The other APIs refuse in their own way.
    pub blocked: Option<String>,
    /// Why the answer ends. `stop`, `length`, `tool_calls` and `content_filter` become the format's own word, and any
    /// other word goes out as it stands.
    pub finish: Option<String>,
    /// The token counts. The default is a count of words.
    pub usage: Option<Usage>,
    /// The part of the tokens in that was written to the cache.
    pub cache_write_tokens: u64,
    /// Whether the usage is left out, in the whole answer and in the stream.
    pub no_usage: bool,
    /// The error object of an error answer, and of an error within a stream. The default is what the provider says with
    /// that status.
    pub error: Option<Value>,
    /// The body, verbatim, in place of an answer in the provider's format.
    pub body: Option<String>,
    /// The content type of `body`. The default is JSON.
    pub content_type: Option<String>,
    /// The size up to which `body` is repeated, in bytes.
    pub body_bytes: Option<usize>,
    /// The size of the writes into which the body is cut, in bytes, wherever the cuts fall.
    pub split_bytes: Option<usize>,
    /// Whether the content is the request that was received, as JSON with method, path, headers and body.
    pub echo: bool,
    /// Whether a whole answer is compressed.
    pub gzip: bool,
    /// Where the connection is closed early.
    pub cut: Option<Cut>,
    /// The number of content deltas after which a stream carries an error event instead of going on.
    pub error_after_chunks: Option<usize>,
    /// Whether the error within a stream is bare JSON text instead of an event, as Gemini was seen to send it.
    pub bare_error: bool,
    /// Whether a stream goes on until the client leaves.
    pub endless: bool,
    /// Bytes that are written to the connection in place of an HTTP answer. The connection is then closed.
    pub raw: Option<String>,
    /// The seed of the pseudo-random sizes of the writes into which the body is cut. The same seed gives the same
    /// sizes.
    pub seed: Option<u64>,
    /// The file of a recorded exchange from which the answer is taken: `response.status`, `headers`, and `body` or
    /// `sse`.
    pub recording: Option<PathBuf>,
}

/// Where the connection is closed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The connection closes without any answer.
    BeforeHead,
    /// The connection closes after the head, before any byte of the body.
    AfterHead,
    /// The connection closes after so many content deltas, between two frames. A whole answer ends half-way.
    AfterChunks(usize),
    /// The connection closes after so many content deltas, within a frame.
    InsideChunk(usize),
    /// A stream says nothing more after so many content deltas, for an hour.
    SilentAfter(usize),
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
    /// The part of the tokens in that was read from the cache.
    pub cached_tokens: u64,
    /// The part of the tokens out that was spent on reasoning.
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
