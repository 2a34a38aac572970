//! How scripts are made.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::{Cut, Script, ToolCall, Usage};

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

    /// An answer that calls tools one after the other. `calls` gives names, and arguments as JSON documents.
    pub fn tool_calls<N: Into<String>, A: Into<String>>(calls: impl IntoIterator<Item = (N, A)>) -> Self {
        let calls =
            calls.into_iter().map(|(name, arguments)| ToolCall { name: name.into(), arguments: arguments.into() });
        Self { tool_calls: calls.collect(), ..Self::default() }
    }

    /// An answer that the model refuses to give.
    pub fn refusal() -> Self {
        Self::refusing("I'm sorry, but I can't help with that.")
    }

    /// An answer that the model refuses to give, in these words.
    pub fn refusing(words: impl Into<String>) -> Self {
        Self { refusal: Some(words.into()), ..Self::default() }
    }

    /// A prompt that is blocked for `reason`, such as `SAFETY` or `PROHIBITED_CONTENT`.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self { blocked: Some(reason.into()), ..Self::default() }
    }

    /// An answer with `body` verbatim.
    pub fn verbatim(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self { status, content_type: Some(content_type.to_owned()), body: Some(body.into()), ..Self::default() }
    }

    /// An answer with these server-sent events verbatim.
    pub fn sse(events: impl Into<String>) -> Self {
        Self::verbatim(200, "text/event-stream; charset=utf-8", events)
    }

    /// An answer with this JSON document.
    pub fn json(document: Value) -> Self {
        Self::verbatim(200, "application/json", document.to_string())
    }

    /// The answer of a recorded exchange: a JSON file with `response.status`, `response.headers`, and `response.body`
    /// or `response.sse`.
    pub fn recording(path: impl Into<PathBuf>) -> Self {
        Self { recording: Some(path.into()), ..Self::default() }
    }

    /// A stream of `chunks` deltas, with a pause of `every` between them.
    pub fn paced(chunks: usize, every: Duration) -> Self {
        Self { chunks: Some(chunks), chunk_delay_ms: millis(every), ..Self::default() }
    }

    /// A stream that goes on until the client leaves, with a delta after each `every`.
    pub fn endless(every: Duration) -> Self {
        Self { endless: true, chunk_delay_ms: millis(every), ..Self::default() }
    }

    /// The page with which a CDN answers when the provider behind it is away.
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

    /// Waits before the head of the answer.
    #[must_use]
    pub fn head_delay(mut self, delay: Duration) -> Self {
        self.head_delay_ms = millis(delay);
        self
    }

    /// Has the model think before it speaks.
    #[must_use]
    pub fn thinking(mut self, thoughts: impl Into<String>) -> Self {
        self.thinking = Some(thoughts.into());
        self
    }

    /// Has the answer end for this reason.
    #[must_use]
    pub fn finish(mut self, reason: &str) -> Self {
        self.finish = Some(reason.to_owned());
        self
    }

    /// Sets the token counts.
    #[must_use]
    pub fn usage(mut self, prompt_tokens: u64, completion_tokens: u64) -> Self {
        self.usage = Some(Usage { prompt_tokens, completion_tokens, ..Usage::default() });
        self
    }

    /// Sets how many of the tokens in were read from the cache, and how many of the tokens out were spent on reasoning.
    /// Call it after [`Script::usage`], whose counts include them.
    #[must_use]
    pub fn cached(mut self, cached_tokens: u64, reasoning_tokens: u64) -> Self {
        let usage = self.usage.get_or_insert(Usage {
            prompt_tokens: cached_tokens,
            completion_tokens: reasoning_tokens,
            ..Usage::default()
        });
        usage.cached_tokens = cached_tokens;
        usage.reasoning_tokens = reasoning_tokens;
        self
    }

    /// Cuts the body into writes whose sizes follow from `seed`.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The script that a model's name stands for, so that a client can ask for a fault by name alone:
    /// `fake-error-<status>`, `fake-slow` (1 s to the head, 100 ms a chunk), `fake-silent` (an hour to the head),
    /// `fake-endless`, `fake-cut` (after 3 chunks), `fake-cut-head`, `fake-stream-error`, `fake-html`, `fake-junk`,
    /// `fake-echo`, `fake-thinking`, `fake-refusal`, `fake-blocked`.
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
            "thinking" => Self::new().thinking("The user wants an answer. I have one."),
            "refusal" => Self::refusal(),
            "blocked" => Self::blocked("PROHIBITED_CONTENT"),
            _ => return None,
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
