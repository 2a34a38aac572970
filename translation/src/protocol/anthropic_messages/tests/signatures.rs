//! Signatures of all families survive a client of Anthropic's.

use serde_json::{Value, json};

use super::super::signature::holds_foreign;
use super::history::call;
use super::{answered, decoded, events_of, frames, stream_of};
use crate::format::Family;
use crate::ir::{CallKind, Choice, Event, Finish, Part, Response, Signature, Start};

fn signature(family: Family) -> Signature {
    Signature { family, data: "EqQB+/=".to_owned() }
}

/// What a client that gives the answer back as it came says to the gateway.
fn given_back(parts: Vec<Part>) -> Vec<Part> {
    let choice = Choice { parts, finish: Some(Finish::ToolCalls), ..Choice::default() };
    let answer = answered(&Response { choices: vec![choice], ..Response::default() });
    read_back(&answer["content"])
}

fn read_back(content: &Value) -> Vec<Part> {
    let messages = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]);
    let mut request = decoded(&json!({"model": "m", "max_tokens": 1, "messages": messages}));
    request.messages.remove(1).parts
}

fn signed_call(family: Family) -> Part {
    let Part::ToolCall(mut call) = call("a", "f", "{}") else { panic!() };
    call.signature = Some(signature(family));
    Part::ToolCall(call)
}

#[test]
fn point_20_a_call_keeps_its_signature() {
    let parts = vec![signed_call(Family::Gemini), call("b", "f", "{}")];
    assert_eq!(given_back(parts.clone()), parts);
}

#[test]
fn point_21_thoughts_keep_theirs() {
    for family in [Family::Anthropic, Family::OpenAi, Family::Gemini] {
        let parts = vec![
            Part::Thinking { text: "Hm".to_owned(), signature: Some(signature(family)) },
            Part::Thinking { text: String::new(), signature: Some(signature(family)) },
            Part::RedactedThinking(signature(family)),
            Part::text("Hi"),
        ];
        assert_eq!(given_back(parts.clone()), parts);
    }
}

#[test]
fn a_thought_without_one_has_none_afterwards() {
    let parts = vec![Part::Thinking { text: "Hm".to_owned(), signature: None }];
    assert_eq!(given_back(parts.clone()), parts);
}

#[test]
fn anthropics_own_are_not_touched() {
    let choice = Choice {
        parts: vec![Part::Thinking { text: "Hm".to_owned(), signature: Some(signature(Family::Anthropic)) }],
        ..Choice::default()
    };
    let answer = answered(&Response { choices: vec![choice], ..Response::default() });
    assert_eq!(answer["content"][0]["signature"], "EqQB+/=");
    assert!(!holds_foreign(answer.to_string().as_bytes()));
}

#[test]
fn a_stream_carries_them_too() {
    let call = Event::ToolStart {
        call: 0,
        id: "a".to_owned(),
        name: "f".to_owned(),
        kind: CallKind::Function,
        signature: Some(signature(Family::Gemini)),
    };
    let events = [
        Event::Start(Start::default()),
        Event::Thinking("Hm".to_owned()),
        Event::ThinkingSignature(signature(Family::OpenAi)),
        call,
        Event::ToolArguments { call: 0, text: "{}".to_owned() },
        Event::ToolEnd { call: 0 },
        Event::Finish { reason: Finish::ToolCalls, stop_sequence: None },
    ];
    let stream = stream_of(&events);
    assert!(holds_foreign(stream.as_bytes()));
    // What an SDK builds of it.
    let mut content: Vec<Value> = Vec::new();
    for (_, data) in frames(&stream) {
        match data["type"].as_str().unwrap() {
            "content_block_start" => content.push(data["content_block"].clone()),
            "content_block_delta" => {
                let block = content.last_mut().unwrap();
                for field in ["thinking", "signature"] {
                    if let Some(text) = data["delta"][field].as_str() {
                        block[field] = format!("{}{text}", block[field].as_str().unwrap()).into();
                    }
                }
            }
            _ => {}
        }
    }
    let expected = [
        Part::Thinking { text: "Hm".to_owned(), signature: Some(signature(Family::OpenAi)) },
        signed_call(Family::Gemini),
    ];
    assert_eq!(read_back(&Value::from(content)), expected);
    assert!(matches!(events_of(stream.as_bytes(), &[]).last(), Some(Event::Finish { .. })));
}

#[test]
fn requests_that_hold_foreign_thoughts_are_found() {
    assert!(holds_foreign(br#"{"signature":""}"#) && holds_foreign(br#"{"signature": ""}"#));
    assert!(!holds_foreign(br#"{"signature":"EqQB"}"#));
}

#[test]
fn what_is_carried_and_cannot_be_read_is_no_signature() {
    let content = json!([{"type": "thinking", "thinking": "Hm", "signature": "gateway-signature-1:moon.x"}]);
    assert_eq!(read_back(&content), [Part::Thinking { text: "Hm".to_owned(), signature: None }]);
}
