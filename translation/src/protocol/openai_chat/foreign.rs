//! Removes what other families signed from the history that a client sends to OpenAI itself. OpenAI knows nothing of
//! it, and limits the length of ids (`docs/TRANSLATION.md` sections 10 and 11).

use memchr::memmem;
use serde_json::Value;

/// Stands in an id of a tool call before a signature of Gemini's, by the convention of some gateways.
const IN_ID: &str = "__thought__";

/// The text `messages` without signatures and thoughts of other families. None where there are none, which is usual and
/// costs a search.
pub(super) fn without_foreign(messages: &str) -> Option<String> {
    let holds = |name: &str| memmem::find(messages.as_bytes(), name.as_bytes()).is_some();
    if !["\"thinking_blocks\"", "\"extra_content\"", IN_ID].into_iter().any(holds) {
        return None;
    }
    let mut messages: Value = serde_json::from_str(messages).ok()?;
    for message in messages.as_array_mut()? {
        let Some(message) = message.as_object_mut() else { continue };
        for name in ["thinking_blocks", "extra_content", "reasoning_content"] {
            message.shift_remove(name);
        }
        message.get_mut("tool_call_id").map(shorten);
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(call) = call.as_object_mut() {
                call.shift_remove("extra_content");
                call.get_mut("id").map(shorten);
            }
        }
    }
    Some(messages.to_string())
}

fn shorten(id: &mut Value) {
    if let Some((bare, _)) = id.as_str().and_then(|id| id.split_once(IN_ID)) {
        *id = Value::from(bare);
    }
}

#[cfg(test)]
mod tests;
