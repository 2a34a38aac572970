//! What each format calls the fields that have a neutral form.

/// The names that a client of one format knows the fields of a request by: a dotted path below the top level.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "named as the request's fields")]
pub struct FieldNames {
    pub max_output_tokens: &'static str,
    pub temperature: &'static str,
    pub top_p: &'static str,
    pub top_k: &'static str,
    pub seed: &'static str,
    pub presence_penalty: &'static str,
    pub frequency_penalty: &'static str,
    pub stop: &'static str,
    pub candidates: &'static str,
    pub logprobs: &'static str,
    pub top_logprobs: &'static str,
    pub output: &'static str,
    pub reasoning: &'static str,
    pub verbosity: &'static str,
    pub modalities: &'static str,
    pub user: &'static str,
    pub service_tier: &'static str,
    pub cache: &'static str,
    pub tools: &'static str,
    pub tool_choice: &'static str,
    pub parallel_tool_calls: &'static str,
    pub messages: &'static str,
    pub system: &'static str,
    pub detail: &'static str,
    pub name: &'static str,
    pub strict_tools: &'static str,
}

impl FieldNames {
    /// OpenAI chat completions. The other formats start from these.
    pub const OPENAI_CHAT: Self = Self {
        max_output_tokens: "max_completion_tokens",
        temperature: "temperature",
        top_p: "top_p",
        top_k: "top_k",
        seed: "seed",
        presence_penalty: "presence_penalty",
        frequency_penalty: "frequency_penalty",
        stop: "stop",
        candidates: "n",
        logprobs: "logprobs",
        top_logprobs: "top_logprobs",
        output: "response_format",
        reasoning: "reasoning_effort",
        verbosity: "verbosity",
        modalities: "modalities",
        user: "user",
        service_tier: "service_tier",
        cache: "cache_control",
        tools: "tools",
        tool_choice: "tool_choice",
        parallel_tool_calls: "parallel_tool_calls",
        messages: "messages",
        system: "messages",
        detail: "detail",
        name: "name",
        strict_tools: "tools.strict",
    };

    /// OpenAI's Responses API.
    pub const OPENAI_RESPONSES: Self = Self {
        max_output_tokens: "max_output_tokens",
        logprobs: "include",
        output: "text.format",
        reasoning: "reasoning",
        verbosity: "text.verbosity",
        messages: "input",
        system: "instructions",
        ..Self::OPENAI_CHAT
    };

    /// Anthropic's Messages API.
    pub const ANTHROPIC_MESSAGES: Self = Self {
        max_output_tokens: "max_tokens",
        stop: "stop_sequences",
        output: "output_config.format",
        reasoning: "thinking",
        user: "metadata.user_id",
        parallel_tool_calls: "tool_choice.disable_parallel_tool_use",
        system: "system",
        ..Self::OPENAI_CHAT
    };

    /// Gemini's `generateContent`.
    pub const GEMINI_GENERATE: Self = Self {
        max_output_tokens: "generationConfig.maxOutputTokens",
        temperature: "generationConfig.temperature",
        top_p: "generationConfig.topP",
        top_k: "generationConfig.topK",
        seed: "generationConfig.seed",
        presence_penalty: "generationConfig.presencePenalty",
        frequency_penalty: "generationConfig.frequencyPenalty",
        stop: "generationConfig.stopSequences",
        candidates: "generationConfig.candidateCount",
        logprobs: "generationConfig.responseLogprobs",
        top_logprobs: "generationConfig.logprobs",
        output: "generationConfig.responseSchema",
        reasoning: "generationConfig.thinkingConfig",
        modalities: "generationConfig.responseModalities",
        service_tier: "serviceTier",
        tool_choice: "toolConfig.functionCallingConfig",
        messages: "contents",
        system: "systemInstruction",
        ..Self::OPENAI_CHAT
    };

    /// Amazon Bedrock's Converse API.
    pub const BEDROCK_CONVERSE: Self = Self {
        max_output_tokens: "inferenceConfig.maxTokens",
        temperature: "inferenceConfig.temperature",
        top_p: "inferenceConfig.topP",
        stop: "inferenceConfig.stopSequences",
        output: "output_config.format",
        reasoning: "thinking",
        tools: "toolConfig.tools",
        tool_choice: "toolConfig.toolChoice",
        system: "system",
        ..Self::OPENAI_CHAT
    };
}
