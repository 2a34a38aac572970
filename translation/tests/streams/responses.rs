//! The events of OpenAI's Responses API: numbers count up, what begins ends, and the last event holds what the others
//! told.

use std::collections::HashMap;

use serde_json::Value;

use super::clients::Frame;
use super::contract::Said;

pub(crate) fn check(frames: &[Frame], said: &Said, context: &str) {
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(frame.name.as_deref(), frame.data["type"].as_str(), "{context}");
        assert_eq!(frame.data["sequence_number"], at, "{context}");
    }
    let kinds: Vec<&str> = frames.iter().map(|frame| frame.data["type"].as_str().unwrap()).collect();
    let between = if said.failed {
        assert!(kinds.ends_with(&["error", "response.failed"]), "{context}");
        let failed = &frames[frames.len() - 1].data["response"];
        assert_eq!(failed["status"], "failed", "{context}");
        assert!(failed["error"]["code"].is_string() && failed["error"]["message"].is_string(), "{context}");
        &frames[..frames.len() - 2]
    } else {
        let last = kinds.last().copied().unwrap();
        assert!(matches!(last, "response.completed" | "response.incomplete"), "{context}");
        &frames[..frames.len() - 1]
    };
    if between.is_empty() {
        assert!(said.failed, "{context}");
        return;
    }
    assert!(kinds.starts_with(&["response.created", "response.in_progress"]), "{context}");
    let items = check_items(&between[2..], said, context);
    if !said.failed {
        let response = &frames[frames.len() - 1].data["response"];
        assert!(response["usage"]["total_tokens"].is_u64(), "{context}");
        let output: Vec<&Value> = response["output"].as_array().unwrap().iter().collect();
        assert_eq!(output, items, "the whole answer is what was told: {context}");
        let reason = &response["incomplete_details"]["reason"];
        assert_eq!(response["status"] == "incomplete", reason.is_string(), "{context}");
    }
}

/// An item that is under way.
#[derive(Default)]
struct Item {
    id: String,
    /// The pieces that are open, by the field of their index.
    pieces: Vec<(&'static str, u64)>,
    texts: HashMap<(&'static str, u64), String>,
    arguments: String,
}

fn check_items<'f>(frames: &'f [Frame], said: &Said, context: &str) -> Vec<&'f Value> {
    let mut open: HashMap<u64, Item> = HashMap::new();
    let mut done: Vec<Option<&Value>> = Vec::new();
    for Frame { data, .. } in frames {
        let kind = data["type"].as_str().unwrap();
        let index = data["output_index"].as_u64().unwrap_or_else(|| panic!("{kind}: {context}"));
        if kind == "response.output_item.added" {
            assert_eq!(usize::try_from(index).unwrap(), done.len(), "indices have no gap: {context}");
            done.push(None);
            let id = data["item"]["id"].as_str().unwrap().to_owned();
            open.insert(index, Item { id, ..Item::default() });
            continue;
        }
        let item = open.get_mut(&index).unwrap_or_else(|| panic!("{kind} of an item that is open: {context}"));
        if kind == "response.output_item.done" {
            assert_eq!(data["item"]["id"], *item.id, "{context}");
            assert!(item.pieces.is_empty(), "its pieces end first: {context}");
            done[usize::try_from(index).unwrap()] = Some(&data["item"]);
            open.remove(&index);
            continue;
        }
        assert_eq!(data["item_id"], *item.id, "{kind}: {context}");
        item.event(kind, data, context);
    }
    assert!(open.is_empty() || said.failed, "every item ends: {context}");
    done.into_iter().flatten().collect()
}

impl Item {
    fn event(&mut self, kind: &str, data: &Value, context: &str) {
        let field = if data.get("summary_index").is_some() { "summary_index" } else { "content_index" };
        let piece = data[field].as_u64().map(|at| (field, at));
        let what = kind.strip_prefix("response.").unwrap();
        match what.rsplit_once('.').unwrap() {
            ("content_part" | "reasoning_summary_part", "added") => {
                let piece = piece.unwrap();
                assert!(!self.pieces.contains(&piece) && !self.texts.contains_key(&piece), "{context}");
                self.pieces.push(piece);
                self.texts.insert(piece, String::new());
            }
            ("content_part" | "reasoning_summary_part", "done") => {
                let piece = piece.unwrap();
                let part = &data["part"];
                let text = part["text"].as_str().or(part["refusal"].as_str()).unwrap();
                assert_eq!(self.texts[&piece], text, "{context}");
                self.pieces.retain(|open| *open != piece);
            }
            ("output_text" | "refusal" | "reasoning_summary_text" | "reasoning_text", end) => {
                let text = self.texts.entry(piece.unwrap()).or_default();
                let whole = data["text"].as_str().or(data["refusal"].as_str());
                match end {
                    "delta" => text.push_str(data["delta"].as_str().unwrap()),
                    _ => assert_eq!(Some(text.as_str()), whole, "{context}"),
                }
            }
            ("function_call_arguments" | "custom_tool_call_input", end) => {
                let whole = data["arguments"].as_str().or(data["input"].as_str());
                match end {
                    "delta" => self.arguments.push_str(data["delta"].as_str().unwrap()),
                    _ => assert_eq!(Some(self.arguments.as_str()), whole, "{context}"),
                }
            }
            ("output_text.annotation", "added") => assert!(self.pieces.contains(&piece.unwrap()), "{context}"),
            _ => panic!("{kind}: {context}"),
        }
    }
}
