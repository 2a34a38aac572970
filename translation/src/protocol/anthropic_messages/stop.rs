//! Why the model stopped (`docs/TRANSLATION.md` section 3).

use crate::ir::Finish;

/// Why the model stopped, by Anthropic's `stop_reason` (`docs/TRANSLATION.md` section 3). A reason that is not known
/// says only that the model stopped.
pub(super) fn finish_of(stop_reason: &str, called: bool) -> Finish {
    match stop_reason {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "tool_use" => Finish::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" | "compaction" => Finish::Length,
        "refusal" => Finish::ContentFilter,
        "pause_turn" => Finish::Pause,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// The `stop_reason` for a client. Some vendors say that the model just stopped where it wants tools called. A client
/// of Anthropic's API would then not call them.
pub(super) fn stop_reason_of(finish: Option<Finish>, stop_sequence: bool, called: bool, refused: bool) -> &'static str {
    match finish {
        Some(Finish::ToolCalls) => "tool_use",
        Some(Finish::Length) => "max_tokens",
        Some(Finish::ContentFilter) => "refusal",
        Some(Finish::Pause) => "pause_turn",
        Some(Finish::Stop) | None if called => "tool_use",
        Some(Finish::Stop) | None if refused => "refusal",
        Some(Finish::Stop) if stop_sequence => "stop_sequence",
        Some(Finish::Stop) | None => "end_turn",
    }
}
