//! Writes a client's stream, in the one sequence of chunks that every SDK reads (client conformance, 3).

use serde::Serialize;
use serde_json::Value;

use super::super::answer::encode::{
    AnnotationOut, BlockOut, ExtraOut, REFUSED, annotation, audio_out, block, extra, finish_word, full_logprobs, id,
    image_out, redacted,
};
use super::super::answer::usage::CountsOut;
use crate::ir::{CallKind, Event, Finish, ProviderError, Signature, Start, Usage};
use crate::json::Json;
use crate::protocol::{Asked, StreamEncoder, openai_error};

/// Writes a stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    asked: Asked,
    /// What every chunk begins with, up to its choices.
    head: Vec<u8>,
    /// What every chunk with a choice ends with.
    tail: &'static [u8],
    usage: Option<Usage>,
    calls: Vec<Told>,
    /// The thought under way: its signature comes with all of it.
    thought: String,
    /// Text or a refusal has been told.
    said: bool,
    closed: bool,
}

/// A call that the client was told of.
#[derive(Debug)]
struct Told {
    /// Its number in events.
    call: usize,
    kind: CallKind,
    arguments: bool,
}

/// What every chunk says.
#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_blocks: Option<[BlockOut<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallDelta<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<[AnnotationOut<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<[Value; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraOut<'a>>,
}

#[derive(Serialize)]
struct CallDelta<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<FunctionDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CustomDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraOut<'a>>,
}

#[derive(Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CustomDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    input: &'a str,
}

impl Encoder {
    /// For the answer to `asked`.
    pub(in super::super) fn new(asked: Asked) -> Self {
        let tail: &[u8] = if asked.request.include_usage { b"}],\"usage\":null}\n\n" } else { b"}]}\n\n" };
        let (head, calls, thought) = (Vec::new(), Vec::new(), String::new());
        Self { asked, head, tail, usage: None, calls, thought, said: false, closed: false }
    }

    /// Begins the stream, once: with the role, which some clients take from the first chunk only.
    fn begin(&mut self, start: &Start, bytes: &mut Vec<u8>) {
        if !self.head.is_empty() {
            return;
        }
        let head = Head {
            id: &id(start.id.as_deref(), &self.asked),
            object: "chat.completion.chunk",
            created: self.asked.created,
            model: &self.asked.request.model,
            service_tier: start.service_tier.as_deref(),
        };
        self.head.extend_from_slice(b"data: ");
        json_into(&mut self.head, &head);
        self.head.pop();
        self.head.extend_from_slice(b",\"choices\":[");
        self.usage = start.usage.or(self.usage);
        self.delta(Delta { role: Some("assistant"), content: Some(""), ..Delta::default() }, bytes);
    }

    fn delta(&self, delta: Delta<'_>, bytes: &mut Vec<u8>) {
        self.chunk(&delta, None, None, bytes);
    }

    fn chunk(&self, delta: &Delta<'_>, logprobs: Option<&Json>, finish: Option<&str>, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.head);
        bytes.extend_from_slice(b"{\"index\":0,\"delta\":");
        json_into(bytes, delta);
        if let Some(logprobs) = logprobs {
            bytes.extend_from_slice(b",\"logprobs\":");
            bytes.extend_from_slice(full_logprobs(logprobs).get().as_bytes());
        }
        bytes.extend_from_slice(b",\"finish_reason\":");
        json_into(bytes, &finish);
        bytes.extend_from_slice(self.tail);
    }

    fn tool_start(
        &mut self,
        call: usize,
        id: &str,
        name: &str,
        kind: CallKind,
        signed: Option<&Signature>,
        bytes: &mut Vec<u8>,
    ) {
        let index = self.calls.len();
        self.calls.push(Told { call, kind, arguments: false });
        if self.asked.request.legacy_functions {
            // The form of before holds one call.
            if index == 0 {
                let function_call = Some(FunctionDelta { name: Some(name), arguments: "" });
                self.delta(Delta { function_call, ..Delta::default() }, bytes);
            }
            return;
        }
        let (function, custom) = match kind {
            CallKind::Function => (Some(FunctionDelta { name: Some(name), arguments: "" }), None),
            CallKind::Custom => (None, Some(CustomDelta { name: Some(name), input: "" })),
        };
        let r#type = Some(if custom.is_some() { "custom" } else { "function" });
        let extra_content = signed.and_then(extra);
        let delta = CallDelta { index, id: Some(id), r#type, function, custom, extra_content };
        self.delta(Delta { tool_calls: Some([delta]), ..Delta::default() }, bytes);
    }

    fn tool_arguments(&mut self, call: usize, text: &str, bytes: &mut Vec<u8>) {
        let Some(index) = self.calls.iter().rposition(|told| told.call == call) else { return };
        let told = &mut self.calls[index];
        told.arguments = true;
        let kind = told.kind;
        if self.asked.request.legacy_functions {
            if index == 0 {
                let function_call = Some(FunctionDelta { name: None, arguments: text });
                self.delta(Delta { function_call, ..Delta::default() }, bytes);
            }
            return;
        }
        let (function, custom) = match kind {
            CallKind::Function => (Some(FunctionDelta { name: None, arguments: text }), None),
            CallKind::Custom => (None, Some(CustomDelta { name: None, input: text })),
        };
        let delta = CallDelta { index, id: None, r#type: None, function, custom, extra_content: None };
        self.delta(Delta { tool_calls: Some([delta]), ..Delta::default() }, bytes);
    }

    fn finish(&mut self, reason: Finish, bytes: &mut Vec<u8>) {
        let called = !self.calls.is_empty();
        if reason == Finish::ContentFilter && !self.said && !called {
            self.delta(Delta { refusal: Some(REFUSED), ..Delta::default() }, bytes);
        }
        let word = finish_word(Some(reason), called, self.asked.request.legacy_functions);
        self.chunk(&Delta::default(), None, Some(word), bytes);
    }

    fn error(&mut self, error: &ProviderError, bytes: &mut Vec<u8>) {
        self.closed = true;
        bytes.extend_from_slice(b"data: ");
        bytes.extend_from_slice(&openai_error::encode(error).1);
        bytes.extend_from_slice(b"\n\n");
    }
}

/// Appends `value` as JSON. Texts and numbers always serialise.
fn json_into<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) {
    let length = bytes.len();
    if serde_json::to_writer(&mut *bytes, value).is_err() {
        bytes.truncate(length);
        bytes.extend_from_slice(b"null");
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event, bytes: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        match event {
            Event::Error(error) => return self.error(error, bytes),
            Event::Start(start) => return self.begin(start, bytes),
            Event::Usage(usage) => {
                self.usage = Some(*usage);
                return;
            }
            _ => self.begin(&Start::default(), bytes),
        }
        match event {
            Event::Text(text) => {
                self.said = true;
                self.delta(Delta { content: Some(text), ..Delta::default() }, bytes);
            }
            Event::Thinking(text) => {
                self.thought.push_str(text);
                self.delta(Delta { reasoning_content: Some(text), ..Delta::default() }, bytes);
            }
            Event::ThinkingSignature(signature) => {
                if let Some(block) = block(&self.thought, Some(signature)) {
                    self.delta(Delta { thinking_blocks: Some([block]), ..Delta::default() }, bytes);
                }
                self.thought.clear();
            }
            Event::RedactedThinking(signature) => {
                if let Some(block) = redacted(signature) {
                    self.delta(Delta { thinking_blocks: Some([block]), ..Delta::default() }, bytes);
                }
            }
            Event::Refusal(text) => {
                self.said = true;
                self.delta(Delta { refusal: Some(text), ..Delta::default() }, bytes);
            }
            Event::ToolStart { call, id, name, kind, signature } => {
                self.tool_start(*call, id, name, *kind, signature.as_ref(), bytes);
            }
            Event::ToolArguments { call, text } => self.tool_arguments(*call, text, bytes),
            Event::ToolEnd { call } => {
                // A reader of JSON fails on nothing (4.4).
                let told = self.calls.iter().find(|told| told.call == *call);
                if told.is_some_and(|told| !told.arguments && told.kind == CallKind::Function) {
                    self.tool_arguments(*call, "{}", bytes);
                }
            }
            Event::Citation(citation) => {
                if let Some(annotation) = annotation(citation, 0) {
                    self.delta(Delta { annotations: Some([annotation]), ..Delta::default() }, bytes);
                }
            }
            Event::Media(media) if media.kind == crate::ir::MediaKind::Audio => {
                self.said = true;
                self.delta(Delta { audio: Some(audio_out(media)), ..Delta::default() }, bytes);
            }
            Event::Media(media) => {
                if let Some(image) = image_out(media) {
                    self.said = true;
                    self.delta(Delta { images: Some([image]), ..Delta::default() }, bytes);
                }
            }
            Event::TextSignature(signature) => {
                if let Some(extra_content) = extra(signature) {
                    self.delta(Delta { extra_content: Some(extra_content), ..Delta::default() }, bytes);
                }
            }
            Event::Logprobs(logprobs) => {
                let delta = Delta { content: Some(""), ..Delta::default() };
                self.chunk(&delta, Some(logprobs), None, bytes);
            }
            Event::Finish { reason, .. } => self.finish(*reason, bytes),
            Event::Start(_) | Event::Usage(_) | Event::Error(_) => {}
        }
    }

    fn end(&mut self, bytes: &mut Vec<u8>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.begin(&Start::default(), bytes);
        if let Some(usage) = self.usage.filter(|_| self.asked.request.include_usage) {
            bytes.extend_from_slice(&self.head);
            bytes.extend_from_slice(b"],\"usage\":");
            json_into(bytes, &CountsOut::from(usage));
            bytes.extend_from_slice(b"}\n\n");
        }
        bytes.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn keep_alive(&self) -> &'static [u8] {
        b": keep-alive\n\n"
    }
}
