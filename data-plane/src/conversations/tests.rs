use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use translation::protocol::openai_responses::resolve::KeptTurns as _;

use super::{ClientConversations, Conversations};

fn client() -> ClientConversations {
    Arc::new(Conversations::default()).of(&"k".into())
}

fn answer() -> Value {
    let message = json!({ "type": "message", "id": "msg_1", "role": "assistant", "content": [] });
    json!({ "id": "resp_1", "object": "response", "output": [message] })
}

#[test]
fn an_answer_is_found_by_its_id_and_those_of_its_items() {
    let client = client();
    let asked = json!({ "input": "Hello", "previous_response_id": "resp_0" });
    client.keep(&Bytes::from(asked.to_string()), answer().to_string().as_bytes());
    let turn = client.turn("resp_1").unwrap();
    assert_eq!(turn.previous.as_deref(), Some("resp_0"));
    let (input, output): (Value, Value) =
        (serde_json::from_str(turn.input.get()).unwrap(), serde_json::from_str(turn.output.get()).unwrap());
    assert_eq!((&input["content"], &output["id"]), (&json!("Hello"), &json!("msg_1")));
    assert_eq!(serde_json::from_str::<Value>(client.item("msg_1").unwrap().get()).unwrap()["role"], "assistant");
    assert_eq!(serde_json::from_str::<Value>(&client.response("resp_1").unwrap()).unwrap(), answer());
    let list: Value = serde_json::from_str(&client.input_list("resp_1").unwrap()).unwrap();
    assert_eq!((&list["data"][0]["content"], &list["has_more"]), (&json!("Hello"), &json!(false)));
    assert!(client.forget("resp_1") && !client.forget("resp_1"));
    assert!(client.turn("resp_1").is_none());
}

#[test]
fn another_key_finds_nothing() {
    let all = Arc::new(Conversations::default());
    all.of(&"k".into()).keep(&Bytes::from_static(b"{}"), answer().to_string().as_bytes());
    assert!(all.of(&"other".into()).turn("resp_1").is_none());
    assert!(all.of(&"k".into()).turn("resp_1").is_some());
}

#[test]
fn what_is_not_to_be_kept_is_not() {
    let client = client();
    client.keep(&Bytes::from_static(br#"{"store":false}"#), answer().to_string().as_bytes());
    client.keep(&Bytes::from_static(b"{}"), b"event: error\ndata: {}\n\n");
    assert!(client.turn("resp_1").is_none() && client.item("msg_1").is_none());
}

#[test]
fn many_turns_of_one_key_do_not_take_the_place_of_another_keys() {
    let all = Arc::new(Conversations::default());
    let (quiet, loud) = (all.of(&"quiet".into()), all.of(&"loud".into()));
    quiet.keep(&Bytes::from_static(b"{}"), answer().to_string().as_bytes());
    let long = "x".repeat(900 * 1024);
    for turn in 0..200 {
        let answer = json!({ "id": format!("resp_{turn}"), "text": long, "output": [] });
        loud.keep(&Bytes::from_static(b"{}"), answer.to_string().as_bytes());
    }
    assert!(loud.turn("resp_199").is_some() && loud.turn("resp_0").is_none());
    assert!(quiet.turn("resp_1").is_some(), "the other key's turn is still there");
}
