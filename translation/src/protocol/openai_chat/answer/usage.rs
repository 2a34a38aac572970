//! Token counts, as OpenAI and vendors compatible with it write them.

use serde::{Deserialize, Serialize};

use super::super::soft::{Soft, soft_object};
use crate::ir::Usage;

/// `usage`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Counts {
    prompt_tokens: Soft<u64>,
    completion_tokens: Soft<u64>,
    total_tokens: Soft<u64>,
    prompt_tokens_details: Soft<PromptDetails>,
    completion_tokens_details: Soft<CompletionDetails>,
    /// DeepSeek.
    prompt_cache_hit_tokens: Soft<u64>,
    /// Moonshot.
    cached_tokens: Soft<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "named as the documentation names them")]
struct PromptDetails {
    cached_tokens: Soft<u64>,
    cache_write_tokens: Soft<u64>,
    audio_tokens: Soft<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Soft<u64>,
    audio_tokens: Soft<u64>,
}

soft_object!(Counts, PromptDetails, CompletionDetails);

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let (input, output) =
            (counts.prompt_tokens.0.unwrap_or_default(), counts.completion_tokens.0.unwrap_or_default());
        let prompt = counts.prompt_tokens_details.0.unwrap_or_default();
        let completion = counts.completion_tokens_details.0.unwrap_or_default();
        let reasoning = completion.reasoning_tokens.0.unwrap_or_default();
        // xAI, and Gemini's compatible endpoint, count thoughts in the total only.
        let total = counts.total_tokens.0.unwrap_or_default();
        let apart =
            if counts.prompt_tokens.0.is_some() { total.saturating_sub(input.saturating_add(output)) } else { 0 };
        let cached = prompt.cached_tokens.0.or(counts.prompt_cache_hit_tokens.0).or(counts.cached_tokens.0);
        let usage = Self {
            capped: false,
            input_image: 0,
            output_image: 0,
            input,
            cached: cached.unwrap_or_default(),
            cache_write: prompt.cache_write_tokens.0.unwrap_or_default(),
            cache_write_1h: 0,
            input_audio: prompt.audio_tokens.0.unwrap_or_default(),
            output: output.saturating_add(apart),
            reasoning: reasoning.max(apart),
            output_audio: completion.audio_tokens.0.unwrap_or_default(),
        };
        usage.fitted()
    }
}

/// `usage` for a client: all that OpenAI itself writes, in whole numbers (`docs/TRANSLATION.md` section 0.4).
#[derive(Debug, Serialize)]
pub(in super::super) struct CountsOut {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetailsOut,
    completion_tokens_details: CompletionDetailsOut,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "named as the documentation names them")]
struct PromptDetailsOut {
    cached_tokens: u64,
    cache_write_tokens: u64,
    audio_tokens: u64,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "named as the documentation names them")]
struct CompletionDetailsOut {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

impl From<Usage> for CountsOut {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.total(),
            prompt_tokens_details: PromptDetailsOut {
                cached_tokens: usage.cached,
                cache_write_tokens: usage.cache_write,
                audio_tokens: usage.input_audio,
            },
            completion_tokens_details: CompletionDetailsOut {
                reasoning_tokens: usage.reasoning,
                audio_tokens: usage.output_audio,
                accepted_prediction_tokens: 0,
                rejected_prediction_tokens: 0,
            },
        }
    }
}
