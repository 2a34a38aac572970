//! What a client is told is well-formed in its format, and says what the provider said.

use serde_json::Value;
use translation::Format;
use translation::ir::{CallKind, Event};

use super::contract::{Said, checked};
use super::fixtures::{events as read_again, told_as_array};

/// One event of a client's stream: its name, where it has one, and its data.
pub(crate) struct Frame {
    pub(crate) name: Option<String>,
    pub(crate) data: Value,
}

/// Checks what `client` is told of `events`, which say `said`.
pub(crate) fn check_client(client: Format, said: &Said, events: &[Event], bytes: &[u8], include_usage: bool) {
    let text = std::str::from_utf8(bytes).unwrap();
    let context = format!("{client} is told:\n{text}\nof {events:#?}");
    match client {
        Format::OpenAiChat => super::chat::check(text, said, include_usage, &context),
        Format::OpenAiResponses => super::responses::check(&frames(text, "\n\n"), said, &context),
        Format::AnthropicMessages => super::anthropic::check(&frames(text, "\n\n"), said, &context),
        _ => {
            let frames = frames(text, "\r\n\r\n");
            super::gemini::check(&frames, said, &context);
            let array: Vec<Value> = serde_json::from_slice(&told_as_array(events)).unwrap();
            assert!(array.iter().eq(frames.iter().map(|frame| &frame.data)), "an array of the same: {context}");
        }
    }
    again(client, said, bytes, include_usage, &context);
}

/// Splits a stream into its events: each ends with `between`, and has at most a name besides its data.
pub(crate) fn frames(text: &str, between: &str) -> Vec<Frame> {
    assert!(text.is_empty() || text.ends_with(between), "{text}");
    let frames = text.split_terminator(between);
    frames
        .map(|frame| {
            let mut name = None;
            let mut rest = frame;
            if let Some(named) = frame.strip_prefix("event: ") {
                let (line, data) = named.split_once('\n').unwrap();
                (name, rest) = (Some(line.to_owned()), data);
            }
            let data = rest.strip_prefix("data: ").unwrap_or_else(|| panic!("{frame}"));
            assert!(!data.contains(['\n', '\r']), "one line of data: {frame}");
            Frame { name, data: serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {frame}")) }
        })
        .collect()
}

/// A client's stream, read as a provider's would be, says the same.
fn again(client: Format, said: &Said, bytes: &[u8], include_usage: bool, context: &str) {
    let told = checked(&read_again(client, bytes), context);
    assert_eq!(told.failed, said.failed, "{context}");
    if said.failed {
        return;
    }
    // A refusal has a place of its own with OpenAI only; elsewhere it is text, or a reason.
    let spoken = |said: &Said| match client {
        Format::AnthropicMessages | Format::GeminiGenerate => None,
        _ => Some((said.text.clone(), said.refusal.clone())),
    };
    if said.refusal.is_empty() && told.refusal.is_empty() {
        assert_eq!(told.text, said.text, "{context}");
    } else if !said.refusal.is_empty() {
        assert_eq!(spoken(&told), spoken(said), "{context}");
    }
    // OpenAI chat has one text for all thoughts, which blank lines part.
    let thoughts = |said: &Said| {
        if client == Format::OpenAiChat { said.thoughts.replace("\n\n", "") } else { said.thoughts.clone() }
    };
    assert_eq!(thoughts(&told), thoughts(said), "{context}");
    assert_eq!(told.calls.len(), said.calls.len(), "{context}");
    for (told, said) in told.calls.iter().zip(&said.calls) {
        assert_eq!((&told.id, &told.name), (&said.id, &said.name), "{context}");
        let (told, kind) = (&told.arguments, said.kind);
        let object = serde_json::from_str::<Value>(&said.arguments).is_ok_and(|value| value.is_object());
        if kind == CallKind::Function && !object {
            // What a provider broke stays broken, in each format's way.
            continue;
        }
        match (client, kind) {
            // Free text is in an object where there are only functions.
            (Format::AnthropicMessages | Format::GeminiGenerate, CallKind::Custom) => {
                let told: Value = serde_json::from_str(told).unwrap();
                assert_eq!(told["input"], *said.arguments, "{context}");
            }
            // Where calls of free text interleave, brackets may seem to end one.
            (Format::OpenAiChat, CallKind::Custom) => assert!(said.arguments.starts_with(told), "{context}"),
            (Format::GeminiGenerate, CallKind::Function) => {
                let [told, said] = [told, &said.arguments].map(|text| serde_json::from_str::<Value>(text).unwrap());
                assert_eq!(told, said, "{context}");
            }
            _ => assert_eq!(*told, said.arguments, "{context}"),
        }
    }
    if include_usage || client != Format::OpenAiChat {
        let told = told.usage.unwrap_or_default();
        let said = said.usage.unwrap_or_default();
        assert_eq!((told.input, told.output, told.cached), (said.input, said.output, said.cached), "{context}");
    }
}
