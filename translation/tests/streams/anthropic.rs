//! Anthropic's events: blocks follow each other without a gap, each whole before the next.

use super::clients::Frame;
use super::contract::Said;

pub(crate) fn check(frames: &[Frame], said: &Said, context: &str) {
    for frame in frames {
        assert_eq!(frame.name.as_deref(), frame.data["type"].as_str(), "{context}");
    }
    let frames = if said.failed {
        let (error, frames) = frames.split_last().unwrap();
        assert_eq!(error.data["type"], "error", "{context}");
        assert!(error.data["error"]["type"].is_string() && error.data["error"]["message"].is_string(), "{context}");
        frames
    } else {
        let [frames @ .., end, stop] = frames else { panic!("{context}") };
        assert_eq!(
            (&end.data["type"], &stop.data["type"]),
            (&"message_delta".into(), &"message_stop".into()),
            "{context}"
        );
        let reasons = ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"];
        assert!(reasons.contains(&end.data["delta"]["stop_reason"].as_str().unwrap()), "{context}");
        assert!(end.data["usage"]["output_tokens"].is_u64(), "{context}");
        frames
    };
    let Some((start, blocks)) = frames.split_first() else {
        assert!(said.failed, "{context}");
        return;
    };
    assert_eq!(start.data["type"], "message_start", "{context}");
    let message = &start.data["message"];
    assert!(message["id"].is_string() && message["usage"]["input_tokens"].is_u64(), "{context}");
    let (mut open, mut next) = (None, 0);
    for frame in blocks {
        let index = frame.data["index"].as_u64().unwrap_or_else(|| panic!("{context}"));
        match frame.data["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!((&open, index), (&None, next), "{context}");
                open = Some((index, frame.data["content_block"]["type"].as_str().unwrap().to_owned()));
                next += 1;
            }
            "content_block_delta" => {
                let (at, kind) = open.as_ref().unwrap_or_else(|| panic!("{context}"));
                assert_eq!(*at, index, "{context}");
                let fits = match frame.data["delta"]["type"].as_str().unwrap() {
                    "text_delta" | "citations_delta" => kind == "text",
                    "thinking_delta" | "signature_delta" => kind == "thinking",
                    "input_json_delta" => kind == "tool_use",
                    _ => false,
                };
                assert!(fits, "a piece is of its block's kind: {context}");
            }
            "content_block_stop" => {
                assert_eq!(open.take().map(|(at, _)| at), Some(index), "{context}");
            }
            _ => panic!("{context}"),
        }
    }
    assert!(open.is_none() || said.failed, "every block ends: {context}");
}
