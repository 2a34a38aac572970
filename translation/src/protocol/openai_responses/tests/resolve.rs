use bytes::Bytes;
use serde_json::{Value, json};

use crate::object::Object;
use crate::protocol::openai_responses::resolve::{KeptTurns, Text, Turn, resolve, response_in};

struct Known;

impl KeptTurns for Known {
    fn item(&self, id: &str) -> Option<Text> {
        let call = json!({ "type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}" });
        (id == "fc_1").then(|| Text::from(&*call.to_string()))
    }

    fn turn(&self, id: &str) -> Option<Turn> {
        let message = |text: &str| Text::from(&*json!({ "role": "user", "content": text }).to_string());
        match id {
            "resp_1" => Some(Turn { previous: None, input: message("1"), output: message("a1") }),
            "resp_2" => Some(Turn { previous: Some("resp_1".to_owned()), input: message("2"), output: message("a2") }),
            _ => None,
        }
    }
}

fn resolved(body: &Value) -> Option<Value> {
    let body = Bytes::from(body.to_string());
    let object = Object::read(&body).unwrap();
    let resolved = resolve(&object, &Known)?;
    let written = resolved.write();
    assert!(written.len() <= resolved.bytes() && resolved.bytes() <= written.len() + 4);
    Some(serde_json::from_slice(&written).unwrap())
}

#[test]
fn a_conversation_is_put_together_in_order() {
    let body = resolved(&json!({ "model": "m", "previous_response_id": "resp_2", "input": "3" })).unwrap();
    let texts: Vec<_> =
        body["input"].as_array().unwrap().iter().map(|item| item["content"].as_str().unwrap()).collect();
    assert_eq!(texts, ["1", "a1", "2", "a2", "3"]);
    assert!(body.get("previous_response_id").is_none());
    assert_eq!(body["model"], "m");
}

#[test]
fn items_by_reference_stand_where_they_were_referred_to() {
    let input = json!([{ "role": "user", "content": "x" }, { "type": "item_reference", "id": "fc_1" }]);
    let body = resolved(&json!({ "input": input })).unwrap();
    assert_eq!((&body["input"][0]["content"], &body["input"][1]["name"]), (&json!("x"), &json!("f")));
}

#[test]
fn what_is_not_kept_leaves_the_request_as_it_is() {
    assert_eq!(resolved(&json!({ "previous_response_id": "resp_9", "input": "x" })), None);
    assert_eq!(resolved(&json!({ "input": [{ "type": "item_reference", "id": "fc_9" }] })), None);
    assert_eq!(resolved(&json!({ "input": "plain" })), None);
}

#[test]
fn the_response_is_found_in_what_was_written() {
    assert_eq!(response_in(br#"{"id":"resp_1"}"#), Some(r#"{"id":"resp_1"}"#));
    let stream = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\"}}\n\n";
    assert_eq!(response_in(stream.as_bytes()), Some(r#"{"id":"resp_1"}"#));
    let repeated = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"instructions\":\"Say response.completed\"}}\n\n";
    assert_eq!(response_in(repeated.as_bytes()), None);
    assert_eq!(response_in(b"event: error\ndata: {}\n\n"), None);
}
