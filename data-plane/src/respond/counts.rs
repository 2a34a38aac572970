//! Reads the usage in an answer that is no chat. Each endpoint of OpenAI's API has its own words for the same thing:
//! `prompt_tokens` (completions, embeddings) or `input_tokens` (images, transcriptions). Vendors of reranking and
//! embeddings report nothing but a total.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use translation::ir::Usage;

#[derive(Deserialize)]
struct Answer<'b> {
    #[serde(borrow)]
    usage: Option<&'b RawValue>,
    #[serde(borrow, rename = "usageMetadata")]
    usage_metadata: Option<&'b RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    #[serde(rename = "promptTokenCount")]
    prompt_token_count: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    input_tokens_details: Option<Details>,
    input_token_details: Option<Details>,
    completion_tokens_details: Option<Details>,
    output_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(rename = "cached_tokens")]
    cached: Option<u64>,
    #[serde(rename = "audio_tokens")]
    audio: Option<u64>,
    #[serde(rename = "reasoning_tokens")]
    reasoning: Option<u64>,
}

/// The usage that a whole JSON answer reports.
pub(super) fn usage(body: &[u8]) -> Option<Usage> {
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let counts = answer.usage.or(answer.usage_metadata)?;
    serde_json::from_str::<Counts>(counts.get()).ok()?.usage()
}

/// The usage at the end of a stream, or of an answer that is too large to hold. It is the last object in a field of
/// that name.
pub(super) fn usage_in_tail(tail: &[u8]) -> Option<Usage> {
    let at = memmem::rfind(tail, br#""usage""#)?;
    let rest = tail[at + br#""usage""#.len()..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Counts>();
    values.next()?.ok()?.usage()
}

impl Counts {
    fn usage(self) -> Option<Usage> {
        let output = self.completion_tokens.or(self.output_tokens);
        let input = self.prompt_tokens.or(self.input_tokens).or(self.prompt_token_count);
        let rest = self.total_tokens.map(|total| total.saturating_sub(output.unwrap_or_default()));
        let input = input.or(rest);
        if input.is_none() && output.is_none() {
            return None;
        }
        let details = self.prompt_tokens_details.or(self.input_tokens_details).or(self.input_token_details);
        let details = details.unwrap_or_default();
        let output_details = self.completion_tokens_details.or(self.output_tokens_details).unwrap_or_default();
        let usage = Usage {
            input: input.unwrap_or_default(),
            cached: details.cached.unwrap_or_default(),
            input_audio: details.audio.unwrap_or_default(),
            output: output.unwrap_or_default(),
            output_audio: output_details.audio.unwrap_or_default(),
            reasoning: output_details.reasoning.unwrap_or_default(),
            ..Usage::default()
        };
        Some(usage.fitted())
    }
}

#[cfg(test)]
mod tests;
