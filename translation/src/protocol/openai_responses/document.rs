//! The response object that a client gets (API reference, "The response object"): the output, within what the client
//! has asked for.

use std::io::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::shape::{Shape, summary_word, tier_word};
use super::tools::{Written, WrittenChoice};
use crate::ir::{Finish, ProviderError, Reasoning, Request, Role, Tool, ToolChoice, Usage};
use crate::names::namespace_of;
use crate::protocol::contract::AnswerContext;
use crate::protocol::openai_error;

/// The members of the object that stay the same while an answer grows.
pub(super) struct Frame {
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// The members that change.
pub(super) struct State<'s> {
    pub(super) status: &'static str,
    /// The JSON of each item, empty until the item is whole.
    pub(super) output: &'s [Vec<u8>],
    pub(super) usage: Option<Usage>,
    pub(super) service_tier: Option<&'s str>,
    pub(super) incomplete: Option<&'static str>,
    pub(super) error: Option<&'s ProviderError>,
}

/// Appends `value` as JSON. Texts and plain data always serialise.
pub(super) fn push<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}

/// Appends a member and its comma.
fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    let _ = write!(out, "\"{name}\":");
    push(out, value);
    out.push(b',');
}

impl Frame {
    pub(super) fn new(asked: &AnswerContext) -> Self {
        let request = &*asked.request;
        let mut head = Vec::with_capacity(128);
        let _ =
            write!(head, "{{\"id\":\"resp_{}\",\"object\":\"response\",\"created_at\":{},", asked.id, asked.created);
        Self { head, tail: tail(request) }
    }

    /// Appends the object.
    pub(super) fn write(&self, out: &mut Vec<u8>, state: &State<'_>) {
        let output: usize = state.output.iter().map(|item| item.len() + 1).sum();
        out.reserve(self.head.len() + self.tail.len() + output + 400);
        out.extend_from_slice(&self.head);
        member(out, "status", state.status);
        let error = state.error.map(|error| Failure { code: failure_code(error), message: &error.message });
        member(out, "error", &error);
        member(out, "incomplete_details", &state.incomplete.map(|reason| Incomplete { reason }));
        out.extend_from_slice(b"\"output\":[");
        for (at, item) in state.output.iter().filter(|item| !item.is_empty()).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(item);
        }
        out.extend_from_slice(b"],");
        member(out, "usage", &state.usage.as_ref().map(Counted::of));
        member(out, "service_tier", &state.service_tier);
        out.extend_from_slice(&self.tail);
    }
}

#[derive(Serialize)]
struct Failure<'e> {
    code: &'e str,
    message: &'e str,
}

#[derive(Serialize)]
struct Incomplete {
    reason: &'static str,
}

/// The code of a failed response, which is never null.
fn failure_code(error: &ProviderError) -> &str {
    match error.code.as_deref() {
        Some(code) => code,
        None if error.kind == crate::ir::ErrorKind::RateLimited => "rate_limit_exceeded",
        None if error.kind == crate::ir::ErrorKind::InvalidRequest => "invalid_prompt",
        None => "server_error",
    }
}

/// The error of a stream's `error` event.
#[derive(Serialize)]
pub(super) struct StreamError<'e> {
    r#type: &'static str,
    code: &'e str,
    message: &'e str,
    param: Option<&'e str>,
}

impl<'e> StreamError<'e> {
    pub(super) fn of(error: &'e ProviderError) -> Self {
        Self {
            r#type: openai_error::kind_word(error),
            code: failure_code(error),
            message: &error.message,
            param: error.param.as_deref(),
        }
    }
}

/// Token counts, as integers whose sum is the total.
#[derive(Serialize)]
struct Counted {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl Counted {
    fn of(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.input,
            input_tokens_details: InputDetails { cached_tokens: usage.cached, cache_write_tokens: usage.cache_write },
            output_tokens: usage.output,
            output_tokens_details: OutputDetails { reasoning_tokens: usage.reasoning },
            total_tokens: usage.total(),
        }
    }
}

/// The status of an answer that ended for this reason, and why it is incomplete.
pub(super) fn status(finish: Option<Finish>, refused: bool) -> (&'static str, Option<&'static str>) {
    match finish {
        Some(Finish::Length) => ("incomplete", Some("max_output_tokens")),
        // An answer that refuses in words is complete.
        Some(Finish::ContentFilter) if !refused => ("incomplete", Some("content_filter")),
        _ => ("completed", None),
    }
}

/// The members that repeat the client's request.
fn tail(request: &Request) -> Vec<u8> {
    let mut tail = Vec::with_capacity(512);
    let out = &mut tail;
    let extension = |name: &str| {
        request.extensions.iter().find(|(known, _)| known == name).map_or("null", |(_, value)| value.get())
    };
    let raw = |out: &mut Vec<u8>, name: &str, value: &str| {
        let _ = write!(out, "\"{name}\":{value},");
    };
    raw(out, "background", "false");
    let instructions = match request.messages.first() {
        Some(first) if first.role == Role::System => first.parts.first().and_then(crate::ir::Part::as_text),
        _ => None,
    };
    member(out, "instructions", &instructions);
    member(out, "max_output_tokens", &request.max_output_tokens);
    raw(out, "max_tool_calls", extension("max_tool_calls"));
    member(out, "model", &request.model);
    member(out, "parallel_tool_calls", &request.parallel_tool_calls.unwrap_or(true));
    raw(out, "previous_response_id", "null");
    raw(out, "prompt_cache_key", extension("prompt_cache_key"));
    member(out, "reasoning", &reasoning(request.reasoning.as_ref()));
    raw(out, "safety_identifier", extension("safety_identifier"));
    // The gateway keeps nothing, whatever the default of the API is.
    raw(out, "store", if extension("store") == "true" { "true" } else { "false" });
    member(out, "temperature", &request.temperature.unwrap_or(1.0));
    member(out, "text", &Shape::of(request, true));
    let choice = request.tool_choice.as_ref().unwrap_or(&ToolChoice::Auto);
    member(out, "tool_choice", &WrittenChoice { choice, tools: &request.tools, name: str::to_owned });
    member(out, "tools", &tools(&request.tools));
    member(out, "top_logprobs", &request.top_logprobs.unwrap_or(0));
    member(out, "top_p", &request.top_p.unwrap_or(1.0));
    let truncation = extension("truncation");
    raw(out, "truncation", if truncation == "null" { "\"disabled\"" } else { truncation });
    member(out, "user", &request.user);
    let metadata = extension("metadata");
    let _ = write!(out, "\"metadata\":{}}}", if metadata == "null" { "{}" } else { metadata });
    tail
}

/// A tool of the client's, or a namespace of them.
#[derive(Serialize)]
#[serde(untagged)]
enum Echoed<'a> {
    Tool(Written<'a>),
    Namespace { r#type: &'static str, name: &'a str, description: &'static str, tools: Vec<Written<'a>> },
}

/// The tools as the client may read them: those of a namespace in it.
fn tools(tools: &[Tool]) -> Vec<Echoed<'_>> {
    let mut echoed: Vec<Echoed<'_>> = Vec::with_capacity(tools.len());
    for tool in tools {
        let (namespace, name) = namespace_of(&tool.name);
        let written = Written::of(tool, name, true);
        match (namespace, echoed.last_mut()) {
            (None, _) => echoed.push(Echoed::Tool(written)),
            (Some(namespace), Some(Echoed::Namespace { name, tools, .. })) if *name == namespace => tools.push(written),
            (Some(name), _) => {
                echoed.push(Echoed::Namespace { r#type: "namespace", name, description: "", tools: vec![written] });
            }
        }
    }
    echoed
}

fn reasoning(asked: Option<&Reasoning>) -> Value {
    let effort = asked.and_then(Reasoning::in_words).map(crate::ir::Effort::word);
    json!({"effort": effort, "summary": asked.and_then(|asked| asked.summary).and_then(summary_word)})
}

/// The tier that served the answer, or else the one that was asked for.
pub(super) fn service_tier<'r>(served: Option<&'r str>, request: &'r Request) -> Option<&'r str> {
    served.or_else(|| request.service_tier.as_ref().map(tier_word))
}
