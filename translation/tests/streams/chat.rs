//! The one sequence of chunks that every SDK of OpenAI's chat completions reads (`docs/CONFORMANCE.md` section 3).

use serde_json::Value;

use super::clients::frames;
use super::contract::Said;

pub(crate) fn check(text: &str, said: &Said, include_usage: bool, context: &str) {
    let chunks = if said.failed {
        let frames = frames(text, "\n\n");
        let (error, chunks) = frames.split_last().unwrap();
        assert!(error.data["error"]["message"].is_string(), "{context}");
        chunks.iter().map(|frame| frame.data.clone()).collect()
    } else {
        let text = text.strip_suffix("data: [DONE]\n\n").unwrap_or_else(|| panic!("it ends: {context}"));
        let frames = frames(text, "\n\n");
        assert!(frames.iter().all(|frame| frame.name.is_none()), "{context}");
        frames.into_iter().map(|frame| frame.data).collect::<Vec<_>>()
    };
    let mut choices = Vec::new();
    for (at, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk["object"], "chat.completion.chunk", "{context}");
        for field in ["id", "created", "model"] {
            assert_eq!(chunk[field], chunks[0][field], "every chunk has the same: {context}");
            assert!(!chunk[field].is_null(), "{context}");
        }
        match chunk["choices"].as_array().unwrap().as_slice() {
            [choice] => {
                assert_eq!(chunk.get("usage").is_some(), include_usage, "{context}");
                assert!(chunk["usage"].is_null(), "{context}");
                assert_eq!(choice["index"], 0, "{context}");
                choices.push(choice);
            }
            [] => {
                assert!(include_usage && at + 1 == chunks.len(), "counts come last, if asked for: {context}");
                let usage = &chunk["usage"];
                let [input, output, total] = ["prompt_tokens", "completion_tokens", "total_tokens"]
                    .map(|name| usage[name].as_u64().unwrap_or_else(|| panic!("{context}")));
                assert_eq!(total, input.saturating_add(output), "{context}");
            }
            _ => panic!("{context}"),
        }
    }
    check_choices(&choices, said, context);
}

fn check_choices(choices: &[&Value], said: &Said, context: &str) {
    let Some((first, rest)) = choices.split_first() else {
        assert!(said.failed, "{context}");
        return;
    };
    assert_eq!(first["delta"]["role"], "assistant", "the role comes first: {context}");
    assert_eq!(first["delta"]["content"], "", "{context}");
    let mut calls = 0;
    for (at, choice) in rest.iter().enumerate() {
        assert!(choice["delta"].get("role").is_none(), "and once: {context}");
        let last = at + 1 == rest.len() && !said.failed;
        assert_eq!(!choice["finish_reason"].is_null(), last, "the reason comes once, at the end: {context}");
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().unwrap();
            let begins = call.get("id").is_some();
            let names = call["function"]["name"].is_string() || call["custom"]["name"].is_string();
            assert_eq!((begins, begins), (call["type"].is_string(), names), "id, type and name come once: {context}");
            if begins {
                assert_eq!(index, calls, "indices have no gap: {context}");
                calls += 1;
            } else {
                assert!(index < calls, "{context}");
            }
        }
    }
    if !said.failed {
        let reason = rest.last().map(|choice| choice["finish_reason"].as_str().unwrap());
        let known = ["stop", "length", "tool_calls", "content_filter"];
        assert!(reason.is_some_and(|reason| known.contains(&reason)), "{context}");
        assert_eq!(usize::try_from(calls).unwrap(), said.calls.len(), "{context}");
    }
}
