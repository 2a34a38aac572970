use bytes::Bytes;
use http::HeaderValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

impl SessionKey {
    /// A session of a test.
    pub(in crate::route) fn named(number: usize) -> Self {
        Self(xxh3_64(&number.to_le_bytes()))
    }
}

fn of(format: Format, headers: &[(&'static str, &str)], body: &Value) -> Option<SessionKey> {
    let headers = headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    let body = Bytes::from(body.to_string());
    SessionKey::of(&"key".into(), format, &headers.collect(), &Object::read(&body).unwrap())
}

fn chat(turns: &[&str]) -> Value {
    let mut messages = vec![json!({"role": "system", "content": "be brief"})];
    for (index, text) in turns.iter().enumerate() {
        messages.push(json!({"role": if index % 2 == 0 { "user" } else { "assistant" }, "content": text}));
    }
    json!({"model": "m", "messages": messages})
}

#[test]
fn a_conversation_is_known_by_its_beginning() {
    let first = of(Format::OpenAiChat, &[], &chat(&["hello, [\"you\"]"]));
    assert!(first.is_some());
    assert_eq!(first, of(Format::OpenAiChat, &[], &chat(&["hello, [\"you\"]", "hi", "and now?"])));
    assert_ne!(first, of(Format::OpenAiChat, &[], &chat(&["hallo"])));
    let mut other = chat(&["hello, [\"you\"]"]);
    other["tools"] = json!([{"name": "f"}]);
    assert_ne!(first, of(Format::OpenAiChat, &[], &other));
}

#[test]
fn each_format_says_it_in_its_own_fields() {
    for (format, begun, gone_on, other) in [
        (
            Format::AnthropicMessages,
            json!({"system": "s", "messages": [{"role": "user", "content": "a"}]}),
            json!({"system": "s", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}),
            json!({"system": "t", "messages": [{"role": "user", "content": "a"}]}),
        ),
        (
            Format::GeminiGenerate,
            json!({"systemInstruction": {"parts": [{"text": "s"}]}, "contents": [{"parts": [{"text": "a"}]}]}),
            json!({"systemInstruction": {"parts": [{"text": "s"}]}, "contents": [{"parts": [{"text": "a"}]}, {"role": "model", "parts": []}]}),
            json!({"contents": [{"parts": [{"text": "a"}]}]}),
        ),
        (
            Format::OpenAiResponses,
            json!({"instructions": "s", "input": [{"role": "user", "content": "a"}]}),
            json!({"instructions": "s", "input": [{"role": "user", "content": "a"}, {"type": "reasoning"}]}),
            json!({"instructions": "s", "input": "a"}),
        ),
    ] {
        let session = of(format, &[], &begun);
        assert!(session.is_some(), "{format}");
        assert_eq!(session, of(format, &[], &gone_on), "{format}");
        assert_ne!(session, of(format, &[], &other), "{format}");
    }
}

#[test]
fn what_the_client_says_counts_before_what_is_seen_in_order() {
    let with = |field: &str, value: Value| {
        let mut body = chat(&["a"]);
        body[field] = value;
        body
    };
    let by_header = |name: &'static str| of(Format::OpenAiChat, &[(name, "s1")], &with("user", json!("u")));
    let named = by_header("x-session-id");
    for name in ["x-claude-code-session-id", "session-id", "session_id", "x-litellm-session-id"] {
        assert_eq!(by_header(name), named, "{name}");
    }
    let both = of(Format::OpenAiChat, &[("x-session-id", "s1"), ("session-id", "s2")], &chat(&["b"]));
    assert_eq!(both, named);
    for (field, value, other) in [
        ("prompt_cache_key", json!("p"), json!("q")),
        ("conversation", json!({"id": "c"}), json!({"id": "d"})),
        ("conversation", json!("c"), json!("d")),
        ("metadata", json!({"user_id": "m"}), json!({"user_id": "n"})),
        ("user", json!("u"), json!("v")),
    ] {
        let session = of(Format::OpenAiChat, &[], &with(field, value.clone()));
        let mut longer = chat(&["something else"]);
        longer[field] = value;
        assert_eq!(session, of(Format::OpenAiChat, &[], &longer), "{field}");
        assert_ne!(session, of(Format::OpenAiChat, &[], &with(field, other)), "{field}");
    }
    // What says nothing does not count.
    let plain = of(Format::OpenAiChat, &[], &chat(&["a"]));
    for (field, value) in [("metadata", json!({"topic": "t"})), ("user", json!("")), ("conversation", json!(null))] {
        assert_eq!(of(Format::OpenAiChat, &[], &with(field, value)), plain, "{field}");
    }
    assert_eq!(of(Format::OpenAiChat, &[], &json!({"model": "m"})), None);
}

#[test]
fn two_proxy_keys_share_no_session() {
    let body = Bytes::from(chat(&["a"]).to_string());
    let object = Object::read(&body).unwrap();
    let of = |key: &str| SessionKey::of(&key.into(), Format::OpenAiChat, &HeaderMap::new(), &object);
    assert_ne!(of("one"), of("two"));
}

proptest! {
    #[test]
    fn the_elements_of_any_list_are_found(texts in proptest::collection::vec(".{0,20}", 0..6), pretty in any::<bool>()) {
        let list: Vec<_> = texts.iter().map(|text| json!({"role": "user", "content": [text, 1, {"a": text}]})).collect();
        let text = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) }.unwrap();
        let found: Vec<Value> = elements(&text).map(|element| serde_json::from_str(element).unwrap()).collect();
        prop_assert_eq!(found, list);
    }
}
