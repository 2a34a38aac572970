use std::sync::Arc;

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
    client.keep(asked.to_string().as_bytes(), answer().to_string().as_bytes());
    let turn = client.turn("resp_1").unwrap();
    assert_eq!(turn.previous.as_deref(), Some("resp_0"));
    assert_eq!((&turn.input[0]["content"], &turn.output[0]["id"]), (&json!("Hello"), &json!("msg_1")));
    assert_eq!(client.item("msg_1").unwrap()["role"], "assistant");
    assert_eq!(serde_json::from_str::<Value>(&client.response("resp_1").unwrap()).unwrap(), answer());
    let list: Value = serde_json::from_str(&client.input_list("resp_1").unwrap()).unwrap();
    assert_eq!((&list["data"][0]["content"], &list["has_more"]), (&json!("Hello"), &json!(false)));
    assert!(client.forget("resp_1") && !client.forget("resp_1"));
    assert!(client.turn("resp_1").is_none());
}

#[test]
fn another_key_finds_nothing() {
    let all = Arc::new(Conversations::default());
    all.of(&"k".into()).keep(b"{}", answer().to_string().as_bytes());
    assert!(all.of(&"other".into()).turn("resp_1").is_none());
    assert!(all.of(&"k".into()).turn("resp_1").is_some());
}

#[test]
fn what_is_not_to_be_kept_is_not() {
    let client = client();
    client.keep(br#"{"store":false}"#, answer().to_string().as_bytes());
    client.keep(b"{}", b"event: error\ndata: {}\n\n");
    assert!(client.turn("resp_1").is_none() && client.item("msg_1").is_none());
}
