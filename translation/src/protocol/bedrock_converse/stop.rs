//! Why the model stopped.

use crate::ir::Finish;

/// Why the model stopped, by `stopReason`. A reason that is not known says only that the model stopped. Some makers'
/// models say that they just stopped where they want tools called.
pub(super) fn finish_of(stop_reason: &str, called: bool) -> Finish {
    match stop_reason {
        "tool_use" => Finish::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "guardrail_intervened" | "content_filtered" | "refusal" => Finish::ContentFilter,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// Whether the model wrote what Bedrock could not read.
pub(super) fn is_malformed(stop_reason: &str) -> bool {
    matches!(stop_reason, "malformed_model_output" | "malformed_tool_use")
}

/// The words of a refusal for which the model gives none.
pub(super) const REFUSAL: &str = "The answer was withheld by the provider's safety system.";
