//! Reads a provider's whole answer (API reference, "The response object").

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::item::{Annotation, Item, Kind, Piece, Thought, call_kind, opaque};
use super::lenient::{Content, Count, Text, maybe};
use super::meter::Counts;
use crate::ir::{Choice, ErrorKind, Finish, Part, ProviderError, Response, Signature};
use crate::json::Json;
use crate::protocol::openai_error;

/// The top level of an answer, which stands alone or in the events of a stream.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) object: Text<'a>,
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) model: Text<'a>,
    pub(super) created_at: Count,
    #[serde(borrow)]
    pub(super) status: Text<'a>,
    #[serde(borrow)]
    pub(super) service_tier: Text<'a>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Incomplete<'a> {
    #[serde(borrow)]
    reason: Text<'a>,
}

impl<'a> Answer<'a> {
    /// The items of output.
    pub(super) fn items(&self) -> Vec<&'a RawValue> {
        match self.output.and_then(maybe) {
            Some(Content::List(items)) => items,
            _ => Vec::new(),
        }
    }

    /// The tier that served the answer. At the beginning of a stream it is only the one that was asked for.
    pub(super) fn served_by(&self) -> Option<String> {
        self.service_tier.given().filter(|tier| *tier != "auto").map(str::to_owned)
    }

    /// Why the answer is none.
    pub(super) fn failure(&self) -> Option<ProviderError> {
        if let Some(error) = self.error {
            return Some(failure(error));
        }
        match self.status.or_empty() {
            "failed" => Some(ProviderError::new(ErrorKind::Server, "")),
            "cancelled" => Some(ProviderError::new(ErrorKind::Server, "the response was cancelled").code("cancelled")),
            _ => None,
        }
    }

    /// Why the model stopped. None while it has not stopped.
    pub(super) fn finish(&self, said: Said) -> Option<Finish> {
        match self.status.or_empty() {
            "queued" | "in_progress" => None,
            "incomplete" => {
                let details = self.incomplete_details.and_then(maybe::<Incomplete<'_>>).unwrap_or_default();
                Some(match details.reason.or_empty() {
                    "content_filter" => Finish::ContentFilter,
                    _ => Finish::Length,
                })
            }
            // A vendor that gives no status has said all that it has to say.
            _ => Some(said.finish()),
        }
    }
}

/// What an answer held, as far as it shows why the model stopped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// Whether it held a call that the client is to make.
    pub(super) call: bool,
    /// Whether it held a refusal.
    pub(super) refusal: bool,
}

impl Said {
    /// Notes `part`.
    fn note(&mut self, part: &Part) {
        self.call |= matches!(part, Part::ToolCall(_));
        self.refusal |= matches!(part, Part::Refusal(_));
    }

    /// Why the model stopped, of an answer that is complete.
    pub(super) fn finish(self) -> Finish {
        match self {
            Self { call: true, .. } => Finish::ToolCalls,
            Self { refusal: true, .. } => Finish::ContentFilter,
            Self { .. } => Finish::Stop,
        }
    }
}

/// An error within an answer whose HTTP status said that all is well.
pub(super) fn failure(error: &RawValue) -> ProviderError {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Failure<'a> {
        #[serde(borrow)]
        code: Text<'a>,
        #[serde(borrow)]
        r#type: Text<'a>,
    }

    let words = maybe::<Failure<'_>>(error).unwrap_or_default();
    let status = match (words.code.or_empty(), words.r#type.or_empty()) {
        ("rate_limit_exceeded" | "insufficient_quota", _)
        | (_, "rate_limit_error" | "tokens" | "requests" | "insufficient_quota") => 429,
        ("server_overloaded" | "overloaded" | "slow_down", _) => 503,
        ("model_not_found", _) => 404,
        ("context_length_exceeded" | "invalid_prompt" | "unsupported_parameter", _) | (_, "invalid_request_error") => {
            400
        }
        (code, _) if code.contains("image") || code.starts_with("bio_") || code.starts_with("cyber_") => 400,
        _ => 502,
    };
    openai_error::decode(status, format!("{{\"error\":{}}}", error.get()).as_bytes())
}

/// Reads `body`.
pub(super) fn decode(body: &[u8]) -> Result<Response, ProviderError> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| openai_error::decode(502, body))?;
    if let Some(failure) = answer.failure() {
        return Err(failure);
    }
    if answer.output.is_none() && answer.object.or_empty() != "response" {
        return Err(
            ProviderError::new(ErrorKind::Server, "the provider's answer is no response").code("bad_upstream_response")
        );
    }
    let mut reader = Reader::default();
    answer.items().into_iter().for_each(|item| reader.item(item));
    let mut said = Said::default();
    reader.parts.iter().for_each(|part| said.note(part));
    let text = |text: &Text<'_>| text.given().map(str::to_owned);
    let choice = Choice {
        finish: answer.finish(said),
        logprobs: (!reader.logprobs.is_empty()).then(|| logprobs(&reader.logprobs)),
        parts: reader.parts,
        stop_sequence: None,
    };
    Ok(Response {
        id: text(&answer.id),
        model: text(&answer.model),
        created: answer.created_at.0,
        choices: vec![choice.with_words()],
        usage: answer.usage.and_then(Counts::read),
        service_tier: answer.served_by(),
    })
}

/// A token and its log probability, as chat completions have it.
#[derive(Deserialize, Serialize)]
struct LogProbability<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    /// The number, as it was written.
    #[serde(borrow)]
    logprob: &'a RawValue,
    bytes: Option<Vec<u8>>,
    /// The alternatives. There are none within a list of them.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<LogProbability<'a>>>,
}

/// Log probabilities in the shape of chat completions, where bytes and alternatives are always there. Streams leave the
/// bytes out.
pub(super) fn logprobs(tokens: &[&RawValue]) -> Json {
    #[derive(Serialize)]
    struct Whole<'a> {
        content: Vec<LogProbability<'a>>,
    }

    let complete = |token: &mut LogProbability<'_>| {
        let bytes = || token.token.as_bytes().to_vec();
        token.bytes = Some(token.bytes.take().unwrap_or_else(bytes));
    };
    let mut content: Vec<LogProbability<'_>> = tokens.iter().filter_map(|token| maybe(token)).collect();
    for token in &mut content {
        complete(token);
        token.top_logprobs.get_or_insert_default().iter_mut().for_each(complete);
    }
    Json::of(&Whole { content })
}

#[derive(Default)]
struct Reader<'a> {
    parts: Vec<Part>,
    /// The signature of the call that comes next.
    signature: Option<Signature>,
    logprobs: Vec<&'a RawValue>,
}

impl<'a> Reader<'a> {
    fn item(&mut self, raw: &'a RawValue) {
        let Some(kind) = maybe::<Kind<'_>>(raw) else { return };
        let r#type = kind.r#type.or_empty();
        let Some(item) = maybe::<Item<'_>>(raw) else { return };
        match r#type {
            "message" => item.content.items().iter().for_each(|piece| self.piece(piece)),
            "reasoning" => match Thought::of(&item, false) {
                Thought::Part(part) => self.parts.push(part),
                Thought::ForCall(signature) => self.signature = Some(signature),
                Thought::Nothing => {}
            },
            "image_generation_call" => self.parts.extend(item.picture().map(Part::Media)),
            "" => {}
            r#type => match call_kind(r#type) {
                Some(kind) => {
                    let mut call = item.call(kind);
                    call.signature = self.signature.take();
                    self.parts.push(Part::ToolCall(call));
                }
                None => self.parts.push(opaque(raw)),
            },
        }
    }

    fn piece(&mut self, raw: &'a RawValue) {
        let Some(piece) = maybe::<Piece<'a>>(raw) else { return };
        match piece.r#type.or_empty() {
            "refusal" => self.parts.extend(piece.refusal.given().map(|words| Part::Refusal(words.to_owned()))),
            // Some vendors give no type to a text.
            "output_text" | "text" | "" if piece.text.given().is_some() => {
                let annotations = piece.annotations.items().iter().filter_map(|raw| maybe::<Annotation<'_>>(raw));
                let citations = annotations.filter_map(|annotation| annotation.citation(0)).collect();
                self.logprobs.extend(piece.logprobs.items());
                let text = piece.text.or_empty().to_owned();
                self.parts.push(Part::Text { text, cache: None, citations, signature: None });
            }
            _ => {}
        }
    }
}
