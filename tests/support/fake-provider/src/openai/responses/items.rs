//! The items of a request's input.

use serde_json::{Value, json};

use crate::fields::{list_of, text_of, words};
use crate::refusal::Refusal;

/// The input as a list, as the API gives it back.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) items: Vec<Value>,
}

const TYPES: &[&str] = &[
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "function_call",
    "function_call_output",
    "image_generation_call",
    "item_reference",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "message",
    "reasoning",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

/// Reads the input, and refuses what the API refuses: items of an unknown type, and outputs of calls that nobody made.
pub(super) fn read(request: &Value) -> Result<Input, Refusal> {
    let given = match request.get("input") {
        Some(Value::String(text)) => vec![json!({ "role": "user", "content": text })],
        Some(Value::Array(items)) => items.clone(),
        None if request.get("previous_response_id").is_some() || request.get("prompt").is_some() => Vec::new(),
        _ => {
            return Err(
                Refusal::param("input", "Missing required parameter: 'input'.").code("missing_required_parameter")
            );
        }
    };
    let mut items = Vec::with_capacity(given.len());
    let mut calls: Vec<String> = Vec::new();
    // The calls of an earlier response, to which the request refers, are not in this list.
    let all_here =
        request.get("previous_response_id").is_none_or(Value::is_null) && request.get("conversation").is_none();
    for (index, item) in given.into_iter().enumerate() {
        let kind = text_of(&item, "type").unwrap_or("message").to_owned();
        if !TYPES.contains(&kind.as_str()) {
            let message = format!("Invalid value: '{kind}'. Supported values are: {}.", supported());
            return Err(Refusal::param(&format!("input[{index}]"), message).code("invalid_value"));
        }
        let call_id = text_of(&item, "call_id").unwrap_or_default().to_owned();
        match kind.as_str() {
            "function_call" | "custom_tool_call" => calls.push(call_id),
            "function_call_output" | "custom_tool_call_output" if all_here && !calls.contains(&call_id) => {
                let what = if kind.starts_with("custom") { "custom tool call" } else { "function call" };
                return Err(Refusal::param(
                    "input",
                    format!("No tool call found for {what} output with call_id {call_id}."),
                ));
            }
            _ => {}
        }
        items.push(complete(item, &kind, index));
    }
    Ok(Input { items })
}

fn supported() -> String {
    TYPES.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// The item with the id and the form that the API gives it.
fn complete(mut item: Value, kind: &str, index: usize) -> Value {
    if item.get("type").is_none() {
        item["type"] = json!(kind);
    }
    if kind == "message" {
        let part = if item["role"] == "assistant" { "output_text" } else { "input_text" };
        if let Some(text) = text_of(&item, "content").map(str::to_owned) {
            item["content"] = json!([{ "type": part, "text": text }]);
        }
    }
    if item.get("id").is_none() {
        let prefix = if kind == "message" { "msg" } else { "item" };
        item["id"] = json!(format!("{prefix}_fake_input_{index}"));
    }
    item
}

impl Input {
    /// Whether a call has just been answered.
    pub(super) fn ends_with_output(&self) -> bool {
        self.items.last().and_then(|item| text_of(item, "type")).is_some_and(|kind| kind.ends_with("_output"))
    }

    /// The count of tokens, by words.
    pub(super) fn words(&self) -> usize {
        let text = |item: &Value| -> usize {
            let parts = list_of(item, "content").iter().filter_map(|part| text_of(part, "text"));
            parts.map(words).sum::<usize>() + text_of(item, "output").map_or(0, words)
        };
        self.items.iter().map(text).sum()
    }
}
