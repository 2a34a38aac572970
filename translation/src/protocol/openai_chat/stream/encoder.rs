//! Writes a client's stream, in the one sequence of chunks that every SDK reads (`docs/CONFORMANCE.md` section 3).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::super::answer::encode::{
    AnnotationOut, BlockOut, ExtraOut, annotation, audio_out, block, extra, finish_word, full_logprobs, id, image_out,
    redacted,
};
use super::super::answer::usage::CountsOut;
use super::super::answer::wire::Answer;
use super::super::soft::Soft;
use crate::ir::{CallKind, Citation, DECLINED, Event, Finish, ProviderError, Signature, Start, Usage};
use crate::json::Json;
use crate::protocol::contract::{AnswerContext, StreamEncoder};
use crate::protocol::openai_error;

/// Writes a stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    asked: AnswerContext,
    /// The beginning of every chunk, up to its choices.
    head: Vec<u8>,
    /// The end of every chunk with a choice.
    tail: &'static [u8],
    usage: Option<Usage>,
    calls: Vec<Told>,
    /// The thought that is under way. Its signature is told together with all of it.
    thought: String,
    thoughts: Thoughts,
    /// How many thoughts and images the client has: official SDKs add lists up by an `index` in each entry.
    blocks: usize,
    images: usize,
    /// The citations. They come in one chunk before the reason, as OpenAI sends them, since their entries have no
    /// `index`.
    citations: Vec<Citation>,
    /// The last signature of a text. Clients that add texts up would append a second one to it.
    text_signature: Option<Signature>,
    /// Whether text or a refusal has been told.
    said: bool,
    closed: bool,
}

/// A call that the client was told of.
#[derive(Debug)]
struct Told {
    /// The number of the call in events.
    call: usize,
    kind: CallKind,
    arguments: bool,
}

/// Whether words of a thought were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thoughts {
    None,
    /// They were told last.
    Now,
    /// They were told before something else.
    Past,
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
    thinking_blocks: Option<[Entry<BlockOut<'a>>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallDelta<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Vec<AnnotationOut<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<[Entry<Value>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraOut<'a>>,
}

/// An entry of a list that grows.
#[derive(Serialize)]
struct Entry<T> {
    index: usize,
    #[serde(flatten)]
    entry: T,
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
    /// An encoder for the answer in the context of `asked`.
    pub(in super::super) fn new(asked: AnswerContext) -> Self {
        let tail: &[u8] = if asked.request.include_usage { b"}],\"usage\":null}\n\n" } else { b"}]}\n\n" };
        Self {
            asked,
            head: Vec::new(),
            tail,
            usage: None,
            calls: Vec::new(),
            thought: String::new(),
            thoughts: Thoughts::None,
            blocks: 0,
            images: 0,
            citations: Vec::new(),
            text_signature: None,
            said: false,
            closed: false,
        }
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
            // The older form holds one call.
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

    /// Tells a piece of a thought. Thoughts stand apart, as in an answer in one piece (`docs/TRANSLATION.md` section
    /// 3).
    fn thinking(&mut self, text: &str, bytes: &mut Vec<u8>) {
        self.thought.push_str(text);
        let apart = self.thoughts == Thoughts::Past && !text.is_empty();
        let words = if apart { Cow::Owned(format!("\n\n{text}")) } else { Cow::Borrowed(text) };
        if !text.is_empty() {
            self.thoughts = Thoughts::Now;
        }
        self.delta(Delta { reasoning_content: Some(&words), ..Delta::default() }, bytes);
    }

    /// Tells a thought together with its signature.
    fn block(&mut self, entry: BlockOut<'_>, bytes: &mut Vec<u8>) {
        let index = self.blocks;
        self.blocks += 1;
        self.delta(Delta { thinking_blocks: Some([Entry { index, entry }]), ..Delta::default() }, bytes);
    }

    /// Tells what was held until the end.
    fn held(&mut self, bytes: &mut Vec<u8>) {
        let citations = std::mem::take(&mut self.citations);
        let annotations: Vec<_> = citations.iter().filter_map(|citation| annotation(citation, 0)).collect();
        let signature = self.text_signature.take();
        let extra_content = signature.as_ref().and_then(extra);
        if !annotations.is_empty() || extra_content.is_some() {
            let annotations = (!annotations.is_empty()).then_some(annotations);
            self.delta(Delta { annotations, extra_content, ..Delta::default() }, bytes);
        }
    }

    fn finish(&mut self, reason: Finish, bytes: &mut Vec<u8>) {
        self.held(bytes);
        let called = !self.calls.is_empty();
        if reason == Finish::ContentFilter && !self.said && !called {
            self.delta(Delta { refusal: Some(DECLINED), ..Delta::default() }, bytes);
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
        if self.thoughts == Thoughts::Now && !matches!(event, Event::Thinking(_)) {
            self.thoughts = Thoughts::Past;
        }
        match event {
            Event::Text(text) => {
                self.said = true;
                self.delta(Delta { content: Some(text), ..Delta::default() }, bytes);
            }
            Event::Thinking(text) => self.thinking(text, bytes),
            Event::ThinkingSignature(signature) => {
                let mut thought = std::mem::take(&mut self.thought);
                if let Some(block) = block(&thought, Some(signature)) {
                    self.block(block, bytes);
                }
                // The buffer is used again.
                thought.clear();
                self.thought = thought;
            }
            Event::RedactedThinking(signature) => {
                if let Some(block) = redacted(signature) {
                    self.block(block, bytes);
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
                // A reader of JSON fails on nothing (`docs/TRANSLATION.md` section 4.4).
                let told = self.calls.iter().find(|told| told.call == *call);
                if told.is_some_and(|told| !told.arguments && told.kind == CallKind::Function) {
                    self.tool_arguments(*call, "{}", bytes);
                }
            }
            Event::Citation(citation) => self.citations.push(citation.clone()),
            Event::Media(media) if media.kind == crate::ir::MediaKind::Audio => {
                self.said = true;
                self.delta(Delta { audio: Some(audio_out(media)), ..Delta::default() }, bytes);
            }
            Event::Media(media) => {
                if let Some(entry) = image_out(media) {
                    self.said = true;
                    let index = self.images;
                    self.images += 1;
                    self.delta(Delta { images: Some([Entry { index, entry }]), ..Delta::default() }, bytes);
                }
            }
            Event::TextSignature(signature) => self.text_signature = Some(signature.clone()),
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
        if self.asked.request.include_usage {
            // A client that asked waits for the counts, also where the provider has none.
            let usage = self.usage.unwrap_or_default();
            bytes.extend_from_slice(&self.head);
            bytes.extend_from_slice(b"],\"usage\":");
            json_into(bytes, &CountsOut::from(usage));
            bytes.extend_from_slice(b"}\n\n");
        }
        bytes.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn keep_alive(&self) -> &'static [u8] {
        crate::protocol::sse::KEEP_ALIVE
    }
}

/// The chunk that closes a passed stream with zeros. `last` is the data of a chunk before, whose id, time and model it
/// has.
pub(in super::super) fn usage_event(last: &[u8]) -> Vec<u8> {
    let said = serde_json::from_slice::<Soft<Answer<'_>>>(last).ok().and_then(|said| said.0).unwrap_or_default();
    let created = said.created.0.unwrap_or_default();
    let head = Head {
        id: said.id.as_str(),
        object: "chat.completion.chunk",
        created,
        model: said.model.as_str(),
        service_tier: None,
    };
    let mut event = b"data: ".to_vec();
    json_into(&mut event, &head);
    // The head ends in a brace, before which the rest belongs.
    event.pop();
    event.extend_from_slice(b",\"choices\":[],\"usage\":");
    json_into(&mut event, &CountsOut::from(Usage::default()));
    event.extend_from_slice(b"}\n\n");
    event
}
