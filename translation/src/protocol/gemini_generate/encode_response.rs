//! An answer for a client, whole and as the chunks of a stream.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use super::part::{Written, for_client};
use super::{finish, logprobs};
use crate::ir::{Choice, Citation, Finish, Part, Response, Usage};
use crate::protocol::contract::AnswerContext;

/// `GenerateContentResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    pub(super) candidates: Vec<Candidate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<UsageMetadata>,
    pub(super) model_version: &'a str,
    pub(super) response_id: &'a str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    pub(super) content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_message: Option<Cow<'a, str>>,
    pub(super) index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grounding_metadata: Option<Grounding<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs_result: Option<logprobs::Result>,
}

#[derive(Serialize)]
pub(super) struct Content<'a> {
    pub(super) parts: Vec<Written<'a>>,
    pub(super) role: &'static str,
}

impl Default for Content<'_> {
    fn default() -> Self {
        Self { parts: Vec::new(), role: "model" }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageMetadata {
    prompt_token_count: u64,
    candidates_token_count: u64,
    total_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cached_content_token_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    thoughts_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<Vec<ModalityCount>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates_tokens_details: Option<Vec<ModalityCount>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModalityCount {
    modality: &'static str,
    token_count: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl UsageMetadata {
    pub(super) fn of(usage: &Usage, tier: Option<&str>) -> Self {
        let details = |all: u64, audio: u64, image: u64| {
            let text = all.saturating_sub(audio).saturating_sub(image);
            let count = |modality, token_count| ModalityCount { modality, token_count };
            let others =
                [count("AUDIO", audio), count("IMAGE", image)].into_iter().filter(|other| other.token_count > 0);
            (audio > 0 || image > 0).then(|| [count("TEXT", text)].into_iter().chain(others).collect())
        };
        let said = usage.output.saturating_sub(usage.reasoning);
        Self {
            prompt_token_count: usage.input,
            candidates_token_count: said,
            total_token_count: usage.total(),
            cached_content_token_count: usage.cached,
            thoughts_token_count: usage.reasoning,
            prompt_tokens_details: details(usage.input, usage.input_audio, usage.input_image),
            candidates_tokens_details: details(said, usage.output_audio, usage.output_image),
            service_tier: tier.map(|tier| if tier == "default" { "standard" } else { tier }.to_owned()),
        }
    }
}

/// What texts rest on, as a search's result.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grounding<'a> {
    grounding_chunks: Vec<Chunk<'a>>,
    grounding_supports: Vec<Support<'a>>,
}

#[derive(Serialize)]
struct Chunk<'a> {
    web: Web<'a>,
}

#[derive(Serialize)]
struct Web<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Support<'a> {
    segment: Segment<'a>,
    grounding_chunk_indices: [usize; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Segment<'a> {
    part_index: usize,
    start_index: u64,
    end_index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl<'a> Grounding<'a> {
    /// Adds what part number `part` rests on. `bytes` returns the byte at which a character begins.
    pub(super) fn add(&mut self, part: usize, citation: &'a Citation, bytes: impl Fn(u64) -> Option<u64>) {
        let (uri, title) = (citation.url.as_deref(), citation.title.as_deref());
        if uri.is_none() {
            return;
        }
        let known = self.grounding_chunks.iter().position(|chunk| chunk.web.uri == uri && chunk.web.title == title);
        let chunk = known.unwrap_or_else(|| {
            self.grounding_chunks.push(Chunk { web: Web { uri, title } });
            self.grounding_chunks.len() - 1
        });
        let offsets = citation.start.zip(citation.end).and_then(|(start, end)| Some((bytes(start)?, bytes(end)?)));
        if let Some((start_index, end_index)) = offsets {
            let segment = Segment { part_index: part, start_index, end_index, text: citation.quote.as_deref() };
            self.grounding_supports.push(Support { segment, grounding_chunk_indices: [chunk] });
        }
    }

    pub(super) fn non_empty(self) -> Option<Self> {
        (!self.grounding_chunks.is_empty()).then_some(self)
    }
}

/// The byte at which character number `character` of `text` begins.
fn byte(text: &str, character: u64) -> Option<u64> {
    let character = usize::try_from(character).ok()?;
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().nth(character).and_then(|at| u64::try_from(at).ok())
}

/// Writes a whole answer.
pub(super) fn encode(response: &Response, asked: &AnswerContext) -> Vec<u8> {
    let document = Document {
        candidates: response.choices.iter().enumerate().map(|(index, choice)| candidate(index, choice)).collect(),
        usage_metadata: Some(UsageMetadata::of(&response.usage.unwrap_or_default(), response.service_tier.as_deref())),
        model_version: response.model.as_deref().unwrap_or(&asked.request.model),
        response_id: response.id.as_deref().unwrap_or(&asked.id),
    };
    // Texts and numbers always serialise.
    serde_json::to_vec(&document).unwrap_or_default()
}

fn candidate(index: usize, choice: &Choice) -> Candidate<'_> {
    let mut parts = Vec::with_capacity(choice.parts.len());
    let mut grounding = Grounding::default();
    let mut refusal = String::new();
    for part in &choice.parts {
        match part {
            Part::Text { text, citations, .. } => {
                for citation in citations {
                    grounding.add(parts.len(), citation, |character| byte(text, character));
                }
            }
            Part::Refusal(words) => {
                let _ = write!(refusal, "{words}");
            }
            _ => {}
        }
        parts.extend(for_client(part));
    }
    let declined = !refusal.is_empty();
    Candidate {
        content: Content { parts, role: "model" },
        finish_reason: Some(reason(choice.finish, declined)),
        finish_message: declined.then_some(Cow::Owned(refusal)),
        index,
        grounding_metadata: grounding.non_empty(),
        logprobs_result: choice.logprobs.as_ref().and_then(logprobs::write),
    }
}

/// The provider's word for why the model stopped, and words beside it. A client of Gemini's API reads a refusal as an
/// answer that was stopped for safety.
pub(super) fn reason(finish: Option<Finish>, declined: bool) -> &'static str {
    if declined { "SAFETY" } else { finish::word(finish) }
}
