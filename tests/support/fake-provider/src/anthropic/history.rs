//! What the API refuses in a conversation: results that are apart from their calls, thoughts that are not its own,
//! blocks that it does not know.

use serde_json::{Value, json};

use crate::fields::{list_of, text_of};
use crate::refusal::Refusal;
use crate::signature;

/// Blocks that a client may send.
const BLOCKS: &[&str] = &[
    "bash_code_execution_tool_result",
    "code_execution_tool_result",
    "compaction",
    "container_upload",
    "document",
    "fallback",
    "image",
    "mcp_tool_result",
    "mcp_tool_use",
    "redacted_thinking",
    "search_result",
    "server_tool_use",
    "text",
    "text_editor_code_execution_tool_result",
    "thinking",
    "tool_reference",
    "tool_result",
    "tool_search_tool_result",
    "tool_use",
    "web_fetch_tool_result",
    "web_search_tool_result",
];

/// Checks the messages of `request`.
pub(super) fn check(request: &Value) -> Result<(), Refusal> {
    let Some(messages) = request["messages"].as_array() else {
        return Err(Refusal::invalid("messages: Input should be a valid array"));
    };
    if messages.is_empty() {
        return Err(Refusal::invalid("messages: at least one message is required"));
    }
    for (at, message) in messages.iter().enumerate() {
        shape(at, message)?;
    }
    adjacency(messages)?;
    ending(request, messages)
}

fn shape(at: usize, message: &Value) -> Result<(), Refusal> {
    if !message.is_object() {
        return Err(Refusal::invalid(format!("messages.{at}: Input does not match the expected shape.")));
    }
    if let Some((name, _)) =
        message.as_object().into_iter().flatten().find(|(name, _)| *name != "role" && *name != "content")
    {
        return Err(Refusal::invalid(format!("messages.{at}.{name}: Extra inputs are not permitted")));
    }
    let role = text_of(message, "role").unwrap_or_default();
    if !matches!(role, "user" | "assistant" | "system") {
        return Err(Refusal::invalid(format!(
            "messages: Unexpected role \"{role}\". Allowed roles are \"user\" or \"assistant\""
        )));
    }
    match &message["content"] {
        Value::String(text) if text.is_empty() => {
            Err(Refusal::invalid(format!("messages.{at}: user messages must have non-empty content")))
        }
        Value::String(_) => Ok(()),
        Value::Array(blocks) => {
            blocks.iter().enumerate().try_for_each(|(place, block)| self::block(at, place, role, block))
        }
        _ => Err(Refusal::invalid(format!("messages.{at}.content: Field required"))),
    }
}

fn block(at: usize, place: usize, role: &str, block: &Value) -> Result<(), Refusal> {
    let path = format!("messages.{at}.content.{place}");
    let kind = text_of(block, "type").unwrap_or_default();
    if !BLOCKS.contains(&kind) {
        return Err(Refusal::invalid(format!(
            "{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {}",
            BLOCKS.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
        )));
    }
    match kind {
        "text" if text_of(block, "text").is_none_or(str::is_empty) => {
            Err(Refusal::invalid("messages: text content blocks must be non-empty"))
        }
        "tool_use" | "thinking" | "redacted_thinking" if role != "assistant" => {
            Err(Refusal::invalid(format!("messages.{at}: `{kind}` blocks can only be in `assistant` messages")))
        }
        "tool_result" if role != "user" => {
            Err(Refusal::invalid(format!("messages.{at}: `tool_result` blocks can only be in `user` messages")))
        }
        "tool_use" => {
            let id = text_of(block, "id").unwrap_or_default();
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
                let message = format!("{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
                return Err(Refusal::invalid(message));
            }
            if !block["input"].is_object() {
                return Err(Refusal::invalid(format!("{path}.tool_use.input: Input should be a valid dictionary")));
            }
            Ok(())
        }
        "thinking" => match text_of(block, "signature") {
            None => Err(Refusal::invalid(format!("{path}.thinking.signature: Field required"))),
            Some(signature) if signature::fits(signature, text_of(block, "thinking").unwrap_or_default()) => Ok(()),
            Some(_) => Err(Refusal::invalid(format!("{path}: Invalid `signature` in `thinking` block"))),
        },
        "redacted_thinking" if !signature::is_ours(text_of(block, "data").unwrap_or_default()) => {
            Err(Refusal::invalid(format!("{path}: Invalid `data` in `redacted_thinking` block")))
        }
        _ => Ok(()),
    }
}

/// The ids of the blocks of `kind` in a run of messages.
fn ids<'a>(messages: &[&'a Value], kind: &str, name: &str) -> Vec<&'a str> {
    let blocks = messages.iter().flat_map(|message| list_of(message, "content"));
    blocks.filter(|block| text_of(block, "type") == Some(kind)).filter_map(|block| text_of(block, name)).collect()
}

/// Checks that the very next message answers all calls of a message and nothing else. Neighbours of one role count as
/// one message.
fn adjacency(messages: &[Value]) -> Result<(), Refusal> {
    let mut turns: Vec<(usize, Vec<&Value>)> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        match turns.last_mut() {
            Some((_, turn)) if turn[0]["role"] == message["role"] => turn.push(message),
            _ => turns.push((at, vec![message])),
        }
    }
    for (number, (at, turn)) in turns.iter().enumerate() {
        let calls = ids(turn, "tool_use", "id");
        let answers =
            turns.get(number + 1).map(|(_, next)| ids(next, "tool_result", "tool_use_id")).unwrap_or_default();
        let open: Vec<&str> = calls.iter().filter(|id| !answers.contains(id)).copied().collect();
        if !open.is_empty() {
            return Err(Refusal::invalid(format!(
                "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` \
                 block must have a corresponding `tool_result` block in the next message.",
                open.join(", ")
            )));
        }
        let before = number.checked_sub(1).map(|before| ids(&turns[before].1, "tool_use", "id")).unwrap_or_default();
        if let Some(stray) = ids(turn, "tool_result", "tool_use_id").iter().find(|id| !before.contains(id)) {
            return Err(Refusal::invalid(format!(
                "messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {stray}. Each `tool_result` \
                 block must have a corresponding `tool_use` block in the previous message."
            )));
        }
    }
    Ok(())
}

/// Checks the end of the conversation: a prefill, or a turn of tools that goes on.
fn ending(request: &Value, messages: &[Value]) -> Result<(), Refusal> {
    let Some(last) = messages.last() else { return Ok(()) };
    if last["role"] == "assistant" {
        let blocks = list_of(last, "content");
        let text = last["content"].as_str().or_else(|| text_of(blocks.last()?, "text"));
        if text.is_some_and(|text| text.ends_with(char::is_whitespace)) {
            return Err(Refusal::invalid("messages: final assistant content cannot end with trailing whitespace"));
        }
    }
    let thinks = request.pointer("/thinking/type") == Some(&json!("enabled"));
    let answers = list_of(last, "content").iter().any(|block| text_of(block, "type") == Some("tool_result"));
    let assistant = messages.iter().rposition(|message| message["role"] == "assistant");
    if let Some(at) = assistant.filter(|_| thinks && answers) {
        let first =
            list_of(&messages[at], "content").first().and_then(|block| text_of(block, "type")).unwrap_or("text");
        if !matches!(first, "thinking" | "redacted_thinking") {
            return Err(Refusal::invalid(format!(
                "messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` \
                 is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of \
                 `tool_use` and `tool_result` blocks). We recommend you include thinking blocks from previous turns. To avoid \
                 this requirement, disable `thinking`. Please consult our documentation at \
                 https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
            )));
        }
    }
    Ok(())
}
