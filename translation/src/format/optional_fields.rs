//! Which fields of a provider's request tune the answer and no more, by format.

/// A field of a request that tunes the answer and does not change what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionalField {
    /// The name by which providers speak of the field.
    pub name: &'static str,
    /// Where the field stands in a request. `*` stands for each element of a list.
    pub paths: &'static [&'static str],
    /// The field that means the same to other providers, which is written in its place.
    pub instead: Option<&'static str>,
    /// Whether the name is an ordinary word, which an error may hold for other reasons.
    pub is_word: bool,
}

impl OptionalField {
    /// A field of the request itself.
    const fn top(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, paths, instead: None, is_word: false }
    }

    /// The same for a name that is an ordinary word.
    const fn word(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, paths, instead: None, is_word: true }
    }

    /// A field that has another name at other providers.
    const fn renamed(name: &'static str, paths: &'static [&'static str], instead: &'static str) -> Self {
        Self { name, paths, instead: Some(instead), is_word: false }
    }
}

/// OpenAI chat completions, and vendors compatible with it.
pub(super) const OPENAI_CHAT: &[OptionalField] = &[
    OptionalField::top("stream_options", &["stream_options"]),
    OptionalField::top("include_usage", &["stream_options"]),
    OptionalField::top("parallel_tool_calls", &["parallel_tool_calls"]),
    OptionalField::top("reasoning_effort", &["reasoning_effort"]),
    OptionalField::word("verbosity", &["verbosity"]),
    OptionalField::renamed("max_completion_tokens", &["max_completion_tokens"], "max_tokens"),
    OptionalField::renamed("max_tokens", &["max_tokens"], "max_completion_tokens"),
    OptionalField::word("strict", &["tools.*.function.strict", "response_format.json_schema.strict"]),
    OptionalField::top("service_tier", &["service_tier"]),
    OptionalField::top("prompt_cache_key", &["prompt_cache_key"]),
    OptionalField::top("prompt_cache_retention", &["prompt_cache_retention"]),
    OptionalField::top("safety_identifier", &["safety_identifier"]),
    OptionalField::word("metadata", &["metadata"]),
    OptionalField::word("store", &["store"]),
    OptionalField::word("user", &["user"]),
    OptionalField::word("seed", &["seed"]),
    OptionalField::word("temperature", &["temperature"]),
    OptionalField::top("top_p", &["top_p"]),
    OptionalField::top("top_k", &["top_k"]),
    OptionalField::top("presence_penalty", &["presence_penalty"]),
    OptionalField::top("frequency_penalty", &["frequency_penalty"]),
    OptionalField::top("logit_bias", &["logit_bias"]),
    OptionalField::top("top_logprobs", &["top_logprobs", "logprobs"]),
    OptionalField::word("logprobs", &["logprobs", "top_logprobs"]),
];

/// OpenAI's responses.
pub(super) const OPENAI_RESPONSES: &[OptionalField] = &[
    OptionalField::top("parallel_tool_calls", &["parallel_tool_calls"]),
    OptionalField::word("effort", &["reasoning.effort"]),
    OptionalField::word("summary", &["reasoning.summary"]),
    OptionalField::word("reasoning", &["reasoning"]),
    OptionalField::word("verbosity", &["text.verbosity"]),
    OptionalField::word("strict", &["tools.*.strict", "text.format.strict"]),
    OptionalField::word("include", &["include"]),
    OptionalField::word("store", &["store"]),
    OptionalField::word("truncation", &["truncation"]),
    OptionalField::top("service_tier", &["service_tier"]),
    OptionalField::top("prompt_cache_key", &["prompt_cache_key"]),
    OptionalField::top("prompt_cache_retention", &["prompt_cache_retention"]),
    OptionalField::top("safety_identifier", &["safety_identifier"]),
    OptionalField::word("metadata", &["metadata"]),
    OptionalField::word("user", &["user"]),
    OptionalField::word("temperature", &["temperature"]),
    OptionalField::top("top_p", &["top_p"]),
    OptionalField::top("top_logprobs", &["top_logprobs"]),
];

/// Anthropic's messages.
pub(super) const ANTHROPIC_MESSAGES: &[OptionalField] = &[
    OptionalField::word("effort", &["output_config.effort"]),
    OptionalField::word("strict", &["tools.*.strict"]),
    OptionalField::word("disable_parallel_tool_use", &["tool_choice.disable_parallel_tool_use"]),
    OptionalField::top("service_tier", &["service_tier"]),
    OptionalField::word("metadata", &["metadata"]),
    OptionalField::word("temperature", &["temperature"]),
    OptionalField::top("top_p", &["top_p"]),
    OptionalField::top("top_k", &["top_k"]),
];

/// Gemini's generated content.
pub(super) const GEMINI_GENERATE: &[OptionalField] = &[
    OptionalField::top("thinkingLevel", &["generationConfig.thinkingConfig.thinkingLevel"]),
    OptionalField::top("thinkingBudget", &["generationConfig.thinkingConfig.thinkingBudget"]),
    OptionalField::top("includeThoughts", &["generationConfig.thinkingConfig.includeThoughts"]),
    OptionalField::top("thinkingConfig", &["generationConfig.thinkingConfig"]),
    OptionalField::top("mediaResolution", &["generationConfig.mediaResolution"]),
    OptionalField::top("presencePenalty", &["generationConfig.presencePenalty"]),
    OptionalField::top("frequencyPenalty", &["generationConfig.frequencyPenalty"]),
    OptionalField::top("responseLogprobs", &["generationConfig.responseLogprobs", "generationConfig.logprobs"]),
    OptionalField::word("logprobs", &["generationConfig.logprobs", "generationConfig.responseLogprobs"]),
    OptionalField::word("seed", &["generationConfig.seed"]),
    OptionalField::word("temperature", &["generationConfig.temperature"]),
    OptionalField::top("topP", &["generationConfig.topP"]),
    OptionalField::top("topK", &["generationConfig.topK"]),
    OptionalField::word("labels", &["labels"]),
];

/// Amazon Bedrock's Converse.
pub(super) const BEDROCK_CONVERSE: &[OptionalField] = &[
    OptionalField::word("temperature", &["inferenceConfig.temperature"]),
    OptionalField::top("topP", &["inferenceConfig.topP"]),
    OptionalField::top("top_p", &["inferenceConfig.topP", "additionalModelRequestFields.top_p"]),
    OptionalField::top("top_k", &["additionalModelRequestFields.top_k"]),
    OptionalField::top("reasoning_effort", &["additionalModelRequestFields.reasoning_effort"]),
    OptionalField::word("effort", &["additionalModelRequestFields.output_config.effort"]),
    OptionalField::word("serviceTier", &["serviceTier"]),
    OptionalField::top("requestMetadata", &["requestMetadata"]),
];
