use serde_json::{Value, json};

use crate::facts::Facts;
use crate::format::Format;
use crate::protocol::contract::{Quirks, Target};

/// What a provider is sent for `more` of a client of Anthropic's, by each of the two APIs.
fn sent(model: &str, more: &Value) -> [Value; 2] {
    let mut body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = Format::AnthropicMessages.protocol().decode_request(body.to_string().as_bytes()).unwrap();
    [Format::OpenAiChat, Format::OpenAiResponses].map(|format| {
        let target = Target { model, facts: Facts::built_in().of(model), quirks: &Quirks::NONE, stream: false };
        serde_json::from_slice(&format.protocol().encode_request(&request, &target).unwrap().body).unwrap()
    })
}

#[test]
fn a_function_names_its_properties_if_none() {
    let schemas = [
        json!({"type": "object"}),
        json!({}),
        json!({"additionalProperties": false}),
        json!({"type": null, "properties": null}),
        json!({"type": ["object"]}),
    ];
    let names: Vec<_> = (0..schemas.len()).map(|at| format!("f{at}")).collect();
    let tools: Vec<_> =
        names.iter().zip(&schemas).map(|(name, schema)| json!({"name": name, "input_schema": schema})).collect();
    let [chat, responses] = sent("gpt-5.1", &json!({"tools": tools}));
    let expected = [
        json!({"type": "object", "properties": {}}),
        json!({"type": "object", "properties": {}}),
        json!({"additionalProperties": false, "type": "object", "properties": {}}),
        json!({"type": "object", "properties": {}}),
        json!({"type": ["object"]}),
    ];
    for (at, expected) in expected.iter().enumerate() {
        assert_eq!(chat["tools"][at]["function"]["parameters"], *expected);
        assert_eq!(responses["tools"][at]["parameters"], *expected);
    }
    // All that it says stays as it was written.
    let kept = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "$defs": {}});
    let [chat, responses] = sent("gpt-5.1", &json!({"tools": [{"name": "f", "input_schema": kept}]}));
    assert_eq!((&chat["tools"][0]["function"]["parameters"], &responses["tools"][0]["parameters"]), (&kept, &kept));
}

#[test]
fn a_long_user_is_cut_and_stays_one_of_its_own() {
    let of = |end: &str| sent("gpt-5.1", &json!({"metadata": {"user_id": format!("{}{end}", "u".repeat(150))}}));
    for (a, b) in of("a").into_iter().zip(of("b")) {
        let (a, b) = (a["user"].as_str().unwrap(), b["user"].as_str().unwrap());
        assert!(a.len() <= 64 && b.len() <= 64 && a != b, "{a} {b}");
    }
    assert!(sent("gpt-5.1", &json!({"metadata": {"user_id": "short"}})).iter().all(|body| body["user"] == "short"));
}

#[test]
fn a_file_has_a_name_that_tells_its_type() {
    for (title, name) in [
        (json!(null), "document.pdf"),
        (json!("Report"), "Report.pdf"),
        (json!("v1.2"), "v1.2.pdf"),
        (json!("a.PDF"), "a.PDF"),
    ] {
        let source = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="});
        let document = json!({"type": "document", "source": source, "title": title});
        let [chat, responses] = sent("gpt-5.1", &json!({"messages": [{"role": "user", "content": [document]}]}));
        assert_eq!(chat["messages"][0]["content"][0]["file"]["filename"], name);
        assert_eq!(responses["input"][0]["content"][0]["filename"], name);
    }
}

#[test]
fn texts_to_stop_at_and_longer_answers_are_for_models_that_have_them() {
    let ask = json!({"stop_sequences": ["END"], "max_tokens": 1_000_000});
    for (model, stops, most) in [
        ("gpt-4o", true, json!(16_384)),
        ("gpt-4.1-mini", true, json!(32_768)),
        ("o3", false, json!(100_000)),
        ("gpt-5.1", false, json!(128_000)),
        ("gpt-5.5", true, json!(128_000)),
        ("gpt-5-pro", false, json!(272_000)),
        ("acme", true, json!(1_000_000)),
    ] {
        let [chat, responses] = sent(model, &ask);
        assert_eq!(chat.get("stop"), stops.then_some(&json!(["END"])), "{model}");
        assert_eq!((&chat["max_completion_tokens"], &responses["max_output_tokens"]), (&most, &most), "{model}");
    }
}
