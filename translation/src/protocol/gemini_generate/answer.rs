//! What a provider answers: `GenerateContentResponse` (Gemini API reference, "Generating content"), whole or a chunk of
//! a stream.
//!
//! Every field may be missing, and a field of an unexpected type counts as missing.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{self, Word};
use crate::ir::{MediaSource, Usage};

/// A whole answer, or a chunk of one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Answer<'a> {
    #[serde(borrow, deserialize_with = "lenient::list")]
    pub(super) candidates: Vec<Candidate<'a>>,
    #[serde(borrow, deserialize_with = "lenient::object")]
    pub(super) prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow, deserialize_with = "lenient::object")]
    pub(super) usage_metadata: Option<UsageMetadata<'a>>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) model_version: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) response_id: Option<String>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// One answer of those that were asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Candidate<'a> {
    #[serde(borrow, deserialize_with = "lenient::object")]
    pub(super) content: Option<Content<'a>>,
    #[serde(borrow, deserialize_with = "lenient::word")]
    pub(super) finish_reason: Option<Word<'a>>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) finish_message: Option<String>,
    #[serde(deserialize_with = "lenient::count")]
    pub(super) index: Option<u64>,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) citation_metadata: Option<CitationMetadata>,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) grounding_metadata: Option<GroundingMetadata>,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) logprobs_result: Option<LogprobsResult>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Content<'a> {
    #[serde(borrow, deserialize_with = "lenient::list")]
    pub(super) parts: Vec<Part<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Part<'a> {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) text: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    pub(super) thought: bool,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) thought_signature: Option<String>,
    #[serde(borrow, deserialize_with = "lenient::object")]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) inline_data: Option<Blob>,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) file_data: Option<FileData>,
    #[serde(borrow)]
    pub(super) executable_code: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) code_execution_result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_call: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_response: Option<&'a RawValue>,
}

impl<'a> Part<'a> {
    /// The block of the provider's own tools that the part holds, and its name.
    pub(super) fn own_block(&self) -> Option<(&'static str, &'a RawValue)> {
        [
            ("executableCode", self.executable_code),
            ("codeExecutionResult", self.code_execution_result),
            ("toolCall", self.tool_call),
            ("toolResponse", self.tool_response),
        ]
        .into_iter()
        .find_map(|(name, block)| Some((name, block?)))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FunctionCall<'a> {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) name: Option<String>,
    #[serde(borrow)]
    pub(super) args: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "lenient::list")]
    pub(super) partial_args: Vec<PartialArg<'a>>,
    #[serde(deserialize_with = "lenient::flag")]
    pub(super) will_continue: bool,
}

/// A piece of a call's arguments (Vertex AI, `streamFunctionCallArguments`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PartialArg<'a> {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) json_path: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) string_value: Option<String>,
    #[serde(borrow)]
    pub(super) number_value: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) bool_value: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Blob {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) mime_type: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) data: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FileData {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) mime_type: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) file_uri: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PromptFeedback<'a> {
    #[serde(borrow, deserialize_with = "lenient::word")]
    pub(super) block_reason: Option<Word<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UsageMetadata<'a> {
    #[serde(deserialize_with = "lenient::count")]
    prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    candidates_token_count: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    thoughts_token_count: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    cached_content_token_count: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    total_token_count: Option<u64>,
    #[serde(borrow, deserialize_with = "lenient::list")]
    prompt_tokens_details: Vec<ModalityCount<'a>>,
    #[serde(borrow, deserialize_with = "lenient::list")]
    candidates_tokens_details: Vec<ModalityCount<'a>>,
    #[serde(borrow, deserialize_with = "lenient::word")]
    pub(super) service_tier: Option<Word<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ModalityCount<'a> {
    #[serde(borrow, deserialize_with = "lenient::word")]
    modality: Option<Word<'a>>,
    #[serde(deserialize_with = "lenient::count")]
    token_count: Option<u64>,
}

impl UsageMetadata<'_> {
    /// The usage (`docs/TRANSLATION.md` section 7). None where nothing is counted: the first chunks of a stream may
    /// name only a traffic type.
    pub(super) fn usage(&self) -> Option<Usage> {
        let counts = [
            self.prompt_token_count,
            self.candidates_token_count,
            self.thoughts_token_count,
            self.total_token_count,
            self.tool_use_prompt_token_count,
            self.cached_content_token_count,
        ];
        if counts.iter().all(Option::is_none) {
            return None;
        }
        let of = Option::unwrap_or_default;
        let input = of(self.prompt_token_count).saturating_add(of(self.tool_use_prompt_token_count));
        let reasoning = of(self.thoughts_token_count);
        let output = of(self.candidates_token_count).saturating_add(reasoning);
        let usage = Usage {
            input,
            cached: of(self.cached_content_token_count),
            input_audio: of_kind(&self.prompt_tokens_details, ("AUDIO", 4)),
            input_image: of_kind(&self.prompt_tokens_details, ("IMAGE", 2)),
            output,
            reasoning,
            output_audio: of_kind(&self.candidates_tokens_details, ("AUDIO", 4)),
            output_image: of_kind(&self.candidates_tokens_details, ("IMAGE", 2)),
            ..Usage::default()
        };
        Some(usage.fitted())
    }

    /// OpenAI's word for the tier that served the answer.
    pub(super) fn service_tier(&self) -> Option<String> {
        match &self.service_tier {
            Some(Word::Name(name)) => Some(match name.to_ascii_lowercase().as_str() {
                "standard" => "default".to_owned(),
                other => other.to_owned(),
            }),
            _ => None,
        }
    }
}

/// The tokens of the modality of this name and number.
fn of_kind(details: &[ModalityCount<'_>], (word, digit): (&str, u64)) -> u64 {
    let is_meant = |count: &&ModalityCount<'_>| match &count.modality {
        Some(Word::Name(name)) => name == word,
        Some(Word::Number(number)) => *number == digit,
        None => false,
    };
    details.iter().filter(is_meant).filter_map(|count| count.token_count).fold(0, u64::saturating_add)
}

/// Sources that were recited. AI Studio calls the list `citationSources`, Vertex `citations`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CitationMetadata {
    #[serde(deserialize_with = "lenient::list", alias = "citations")]
    pub(super) citation_sources: Vec<CitationSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CitationSource {
    #[serde(deserialize_with = "lenient::count")]
    pub(super) start_index: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    pub(super) end_index: Option<u64>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) uri: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) title: Option<String>,
}

/// What a search gave.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GroundingMetadata {
    #[serde(deserialize_with = "lenient::list")]
    pub(super) grounding_chunks: Vec<GroundingChunk>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) grounding_supports: Vec<GroundingSupport>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GroundingChunk {
    #[serde(deserialize_with = "lenient::object")]
    pub(super) web: Option<Web>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Web {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) uri: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) title: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GroundingSupport {
    #[serde(deserialize_with = "lenient::object")]
    pub(super) segment: Option<Segment>,
    #[serde(deserialize_with = "lenient::counts")]
    pub(super) grounding_chunk_indices: Vec<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Segment {
    #[serde(deserialize_with = "lenient::count")]
    pub(super) part_index: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    pub(super) start_index: Option<u64>,
    #[serde(deserialize_with = "lenient::count")]
    pub(super) end_index: Option<u64>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogprobsResult {
    #[serde(deserialize_with = "lenient::list")]
    pub(super) top_candidates: Vec<TopCandidates>,
    #[serde(deserialize_with = "lenient::list")]
    pub(super) chosen_candidates: Vec<TokenLogprob>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TopCandidates {
    #[serde(deserialize_with = "lenient::list")]
    pub(super) candidates: Vec<TokenLogprob>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TokenLogprob {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) token: Option<String>,
    #[serde(deserialize_with = "lenient::real")]
    pub(super) log_probability: Option<f64>,
}

/// Base64 in the standard alphabet, padded. JSON of protocol buffers allows the alphabet of URLs as well, and Google's
/// Python SDK writes it.
pub(super) fn standard_base64(mut data: String) -> String {
    if memchr::memchr2(b'-', b'_', data.as_bytes()).is_some() {
        data = data.replace('-', "+").replace('_', "/");
    }
    if data.bytes().any(|byte| byte.is_ascii_whitespace()) {
        data.retain(|c| !c.is_ascii_whitespace());
    }
    while data.len() % 4 > 1 {
        data.push('=');
    }
    data
}

/// A source of base64 data.
pub(super) fn base64_source(data: String) -> MediaSource {
    MediaSource::Base64(standard_base64(data))
}
