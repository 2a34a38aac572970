//! The words by which providers say that a request itself is at fault, whatever the format of their answers.

/// What is said of a request that is too long, in small letters.
pub(crate) const TOO_LONG: &[&str] = &[
    // OpenAI (chat completions), vLLM.
    "maximum context length",
    // xAI.
    "maximum prompt length is",
    // Moonshot.
    "exceeded model token limit",
    // Alibaba Cloud Model Studio (error codes, `InvalidParameter`).
    "range of input length should be",
    // Groq.
    "reduce the length of the messages",
    // Together, and what serves models with Text Generation Inference.
    "than the model's context length",
    "than the context length of the model",
    "tokens + `max_new_tokens` must be",
    // OpenRouter.
    "maximum allowed input length",
    // Ollama.
    "prompt too long",
    // Anthropic.
    "prompt is too long",
    // Bedrock.
    "input is too long",
    // Zhipu (error codes, 1261).
    "prompt 超长",
    "prompt exceeds max length",
    // Gemini.
    "exceeds the maximum number of tokens",
];

/// The same, in two pieces: "exceeds the context window" (OpenAI, Responses), "exceeds the available context size"
/// (llama.cpp), "exceed context limit" (Anthropic); "token count of … exceeds the maximum" (Gemini).
const TOO_LONG_IN_PIECES: &[[&str; 2]] = &[["exceed", "context"], ["token count", "exceeds the maximum"]];

/// What is said of a request whose content a filter refuses, in small letters.
pub(crate) const FILTERED: &[&str] = &[
    // OpenRouter (API reference, "Errors": 403 is moderation).
    "your input was flagged",
    // xAI.
    "content violates usage guidelines",
    "safety_check_type",
];

/// OpenAI's code for what a provider's `message` says is wrong with the request. None where it says something else.
pub(crate) fn code(message: &str) -> Option<&'static str> {
    let lower = message.to_ascii_lowercase();
    let says = |words: &&str| lower.contains(words);
    if FILTERED.iter().any(says) {
        return Some("content_policy_violation");
    }
    let too_long = TOO_LONG.iter().any(says) || TOO_LONG_IN_PIECES.iter().any(|pieces| pieces.iter().all(says));
    too_long.then_some("context_length_exceeded")
}

#[cfg(test)]
mod tests;
