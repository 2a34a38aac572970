//! Gemini's chunks: nothing but data, of one candidate, the reason to stop in the last.

use super::clients::Frame;
use super::contract::Said;

pub(crate) fn check(frames: &[Frame], said: &Said, context: &str) {
    assert!(frames.iter().all(|frame| frame.name.is_none()), "{context}");
    let (last, chunks) = frames.split_last().unwrap_or_else(|| panic!("{context}"));
    if said.failed {
        let error = &last.data["error"];
        assert!(error["code"].is_u64() && error["message"].is_string() && error["status"].is_string(), "{context}");
    }
    let before = if said.failed { chunks } else { frames };
    for (at, Frame { data, .. }) in before.iter().enumerate() {
        let [candidate] = data["candidates"].as_array().unwrap().as_slice() else { panic!("{context}") };
        assert!(data["modelVersion"].is_string() && data["responseId"].is_string(), "{context}");
        assert_eq!(candidate["content"]["role"], "model", "{context}");
        let ends = at + 1 == before.len() && !said.failed;
        assert_eq!(candidate["finishReason"].is_string(), ends, "the reason comes once, at the end: {context}");
        assert_eq!(data["usageMetadata"]["totalTokenCount"].is_u64(), ends, "{context}");
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            if let Some(call) = part.get("functionCall") {
                assert!(call["name"].is_string() && call["args"].is_object(), "{context}");
            }
        }
    }
}
