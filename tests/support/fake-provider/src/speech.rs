//! What the model says to a request, whatever the format: text, thoughts, calls, usage, and the reason for the end.

use std::borrow::Cow;

use serde_json::Value;
use shared::time::now_ms;

use crate::example::example;
use crate::script::{Script, ToolCall, Usage};

const GREETING: &str =
    "Hello from the fake provider: every word of this answer is a chunk of its own when it is streamed.";

const THOUGHTS: &str = "The user wants an answer. I have one.";

/// What a request asks for, as far as it matters for the answer.
#[derive(Debug, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) model: &'a str,
    /// The number of messages of the request, from which the count of tokens in follows.
    pub(crate) turns: usize,
    /// The tool that the model should call now, and the schema of its arguments.
    pub(crate) tool: Option<(&'a str, &'a Value)>,
    /// The schema that the answer has to fit, as a JSON document.
    pub(crate) schema: Option<&'a Value>,
    /// Whether the answer has to be some JSON document.
    pub(crate) json: bool,
    /// Whether thoughts are shown.
    pub(crate) thinks: bool,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish<'a> {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    Refusal,
    /// The script's own word.
    Own(&'a str),
}

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Speech<'a> {
    pub(crate) script: &'a Script,
    pub(crate) model: &'a str,
    pub(crate) thinking: Option<&'a str>,
    /// The text. Nothing if the model only calls tools, or refuses.
    pub(crate) text: Option<Cow<'a, str>>,
    pub(crate) refusal: Option<&'a str>,
    pub(crate) blocked: Option<&'a str>,
    pub(crate) calls: Cow<'a, [ToolCall]>,
    pub(crate) usage: Usage,
    pub(crate) finish: Finish<'a>,
    /// The time when the answer was made, in epoch milliseconds.
    pub(crate) now_ms: i64,
    number: u64,
}

impl<'a> Speech<'a> {
    /// The answer to `ask`. If there is an `echo`, the answer is that. `number` tells answers of one millisecond apart.
    pub(crate) fn new(ask: &Ask<'a>, script: &'a Script, echo: Option<String>, number: u64) -> Self {
        let refused = script.refusal.is_some() || script.blocked.is_some();
        let calls: Cow<'a, [ToolCall]> = if script.endless || refused {
            Cow::Borrowed(&[])
        } else if !script.tool_calls.is_empty() {
            Cow::Borrowed(&script.tool_calls)
        } else if let Some((name, schema)) = ask.tool.filter(|_| script.content.is_none() && echo.is_none()) {
            Cow::Owned(vec![ToolCall { name: name.to_owned(), arguments: example(schema).to_string() }])
        } else {
            Cow::Borrowed(&[])
        };
        let text = match (echo, &script.content) {
            _ if refused => None,
            _ if script.endless => Some(Cow::Borrowed("on ")),
            // The words are numbered, so that a reader sees which are missing or came twice.
            _ if script.chunks.is_some() && calls.is_empty() => {
                let numbers: Vec<String> =
                    (0..script.chunks.unwrap_or_default()).map(|index| index.to_string() + " ").collect();
                Some(Cow::Owned(numbers.concat()))
            }
            (Some(echo), _) => Some(Cow::Owned(echo)),
            (None, Some(content)) => Some(Cow::Borrowed(content.as_str())),
            (None, None) if !calls.is_empty() => None,
            (None, None) => Some(match ask.schema {
                Some(schema) => Cow::Owned(example(schema).to_string()),
                None if ask.json => Cow::Borrowed(r#"{"answer":"Paris"}"#),
                None => Cow::Borrowed(GREETING),
            }),
        };
        let thinking = match &script.thinking {
            _ if script.endless || script.blocked.is_some() => None,
            Some(thinking) => Some(thinking.as_str()),
            None => (ask.thinks && !refused).then_some(THOUGHTS),
        };
        let finish = match script.finish.as_deref() {
            Some("stop") => Finish::Stop,
            Some("length") => Finish::Length,
            Some("tool_calls") => Finish::ToolCalls,
            Some("content_filter") => Finish::ContentFilter,
            Some(own) => Finish::Own(own),
            None if script.blocked.is_some() => Finish::ContentFilter,
            None if script.refusal.is_some() => Finish::Refusal,
            None if !calls.is_empty() => Finish::ToolCalls,
            None => Finish::Stop,
        };
        let mut speech = Self {
            script,
            model: ask.model,
            thinking,
            text,
            refusal: script.refusal.as_deref(),
            blocked: script.blocked.as_deref(),
            calls,
            usage: Usage::default(),
            finish,
            now_ms: now_ms(),
            number,
        };
        speech.usage = script.usage.unwrap_or_else(|| speech.counted(ask.turns));
        speech
    }

    /// The usage, as a count of words.
    fn counted(&self, turns: usize) -> Usage {
        let words = |text: &str| text.split_whitespace().count() as u64;
        let reasoning_tokens = self.thinking.map_or(0, words);
        let said = self.text.as_deref().or(self.refusal).map_or(0, words);
        let called: u64 = self.calls.iter().map(|call| 1 + words(&call.arguments)).sum();
        Usage {
            prompt_tokens: 9 * turns as u64,
            completion_tokens: reasoning_tokens + said + called,
            cached_tokens: 0,
            reasoning_tokens,
        }
    }

    /// The time when the answer was made, in epoch seconds.
    pub(crate) fn created(&self) -> i64 {
        self.now_ms / 1000
    }

    /// An id of this answer under `prefix`.
    pub(crate) fn id(&self, prefix: &str) -> String {
        format!("{prefix}fake-{:x}-{:x}", self.now_ms, self.number)
    }

    /// The id of call number `index` under `prefix`.
    pub(crate) fn call_id(&self, prefix: &str, index: usize) -> String {
        format!("{}_{index}", self.id(prefix))
    }

    /// The text, piece by piece as a stream says it.
    pub(crate) fn text_deltas(&self) -> Vec<Cow<'_, str>> {
        self.text.as_deref().map(words).unwrap_or_default()
    }

    /// The thoughts, piece by piece as a stream says them.
    pub(crate) fn thinking_deltas(&self) -> Vec<Cow<'_, str>> {
        self.thinking.map(words).unwrap_or_default()
    }

    /// The refusal, piece by piece as a stream says it.
    pub(crate) fn refusal_deltas(&self) -> Vec<Cow<'_, str>> {
        self.refusal.map(words).unwrap_or_default()
    }
}

/// The arguments of a call, in fragments that end anywhere, as in a stream.
pub(crate) fn argument_deltas(call: &ToolCall) -> Vec<String> {
    let characters: Vec<char> = call.arguments.chars().collect();
    characters.chunks(6).map(|fragment| fragment.iter().collect()).collect()
}

fn words(text: &str) -> Vec<Cow<'_, str>> {
    text.split_inclusive(' ').map(Cow::Borrowed).collect()
}
