use serde_json::json;

use super::*;

fn growth(body: &serde_json::Value) -> Growth {
    Growth::of(body.to_string().as_bytes())
}

#[test]
fn messages_and_parts_are_counted_where_they_stand() {
    let part = json!({ "type": "text", "text": "a [\"{,\\\" b" });
    let body = json!({
        "model": "m",
        "messages": [
            { "role": "user", "content": [part, part] },
            { "role": "assistant", "content": "x, y", "tool_calls": [{ "id": "1", "function": { "arguments": "[1,2]" } }] },
            { "role": "user", "content": [] },
        ],
        "tools": [{ "name": "f" }],
    });
    let counted = growth(&body);
    assert_eq!((counted.messages, counted.parts), (3, 3));
    assert_eq!(counted.bytes, body.to_string().len());
    assert_eq!(growth(&json!({})).values, 0);
    assert_eq!(growth(&json!({ "a": [1, 2, 3] })), Growth { bytes: 13, values: 4, messages: 3, parts: 0, levels: 2 });
}

#[test]
fn what_is_no_json_is_counted_without_a_panic() {
    for body in ["", "\"", "\"\\", "]]]}}", "[[[[[", "{\"a\":[", ",,,,"] {
        let _counted = Growth::of(body.as_bytes());
    }
    let deep = "[".repeat(100_000);
    let counted = Growth::of(deep.as_bytes());
    assert_eq!((counted.values, counted.levels), (100_000, 100_000));
}

#[test]
fn p39_a_request_of_too_many_messages_parts_or_values_is_refused_with_the_bound() {
    let messages = |number| json!({ "messages": vec![json!({ "role": "user" }); number] });
    assert!(growth(&messages(MOST_MESSAGES)).check().is_ok());
    let refused = growth(&messages(MOST_MESSAGES + 1)).check().unwrap_err();
    assert!(refused.to_string().contains("20001") && refused.to_string().contains("20000 messages"), "{refused}");

    let parts = json!({ "messages": [{ "content": vec![1; MOST_PARTS + 1] }] });
    assert!(growth(&parts).check().unwrap_err().to_string().contains("50000 parts"));
    let values = json!({ "schema": { "a": vec![1; MOST_VALUES + 1] } });
    assert!(growth(&values).check().unwrap_err().to_string().contains("500000 JSON values"));

    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Growth::of(nested(MOST_LEVELS).as_bytes()).check().is_ok());
    let refused = Growth::of(nested(MOST_LEVELS + 1).as_bytes()).check().unwrap_err();
    assert!(refused.to_string().contains("128 levels"), "{refused}");
}
