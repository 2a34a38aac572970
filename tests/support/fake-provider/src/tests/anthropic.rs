use serde_json::{Value, json};

use super::{Got, post, provider, send, weather};
use crate::FakeProvider;
use crate::queue::Target;
use crate::script::{Cut, Script};

const HEADERS: &str = "x-api-key: sk-ant\nanthropic-version: 2023-06-01\ncontent-type: application/json";

fn request() -> Value {
    json!({ "model": "claude-haiku-4-5", "max_tokens": 4096, "messages": [{ "role": "user", "content": "Hi" }] })
}

fn with(name: &str, value: &Value) -> Value {
    let mut request = request();
    request[name] = value.clone();
    request
}

async fn messages(provider: &FakeProvider, body: &Value) -> Got {
    post(provider, &format!("/v1/messages\n{HEADERS}"), body).await
}

#[tokio::test]
async fn a_message_has_the_vendor_s_shape() {
    let provider = provider().await;
    provider.script(
        Target::All,
        Script { cache_write_tokens: 20, ..Script::saying("Bonjour").usage(100, 7).cached(30, 2) },
    );
    let got = messages(&provider, &request()).await;
    assert_eq!((got.status, got.header("request-id")), (200, Some("req_fake")));
    assert!(got.header("anthropic-ratelimit-tokens-limit").is_some());
    let answer = got.json();
    assert_eq!(answer["content"], json!([{ "type": "text", "text": "Bonjour" }]));
    assert_eq!((&answer["stop_reason"], &answer["type"]), (&json!("end_turn"), &json!("message")));
    let usage = &answer["usage"];
    let counts = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"];
    assert_eq!(counts.map(|name| usage[name].as_u64().unwrap()), [50, 20, 30, 7]);
    assert_eq!(provider.journal().last().unwrap().key(), "sk-ant");
}

#[tokio::test]
async fn a_stream_has_the_recorded_sequence() {
    let provider = provider().await;
    provider.script(Target::All, Script::saying("one two"));
    let got = messages(&provider, &with("stream", &json!(true))).await;
    assert_eq!(
        got.names(),
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert!(got.text().contains(" }\n\n"), "some lines are padded");
    for (name, data) in got.events() {
        assert_eq!(data["type"], name);
    }
    assert_eq!(got.events()[6].1["delta"]["stop_reason"], "end_turn");
}

#[tokio::test]
async fn an_answer_goes_on_from_its_beginning() {
    let provider = provider().await;
    let turns = json!([{ "role": "user", "content": "Hi" }, { "role": "assistant", "content": "{" }]);
    let answer = messages(&provider, &with("messages", &turns)).await.json();
    assert_eq!(answer["content"], json!([{ "type": "text", "text": r#""answer":"Paris"}"# }]));
}

#[tokio::test]
async fn a_tool_goes_round() {
    let provider = provider().await;
    let mut request = with("tools", &json!([{ "name": "weather", "input_schema": weather() }]));
    let answer = messages(&provider, &request).await.json();
    let call = &answer["content"][0];
    assert_eq!((&answer["stop_reason"], &call["input"]), (&json!("tool_use"), &json!({ "city": "Paris" })));
    let turns = request["messages"].as_array_mut().unwrap();
    turns.push(json!({ "role": "assistant", "content": answer["content"] }));
    turns.push(json!({ "role": "user", "content": [
        { "type": "tool_result", "tool_use_id": call["id"], "content": "21 degrees" }] }));
    assert_eq!(messages(&provider, &request).await.json()["stop_reason"], "end_turn");
    request["stream"] = json!(true);
    request["messages"].as_array_mut().unwrap().truncate(1);
    let events = messages(&provider, &request).await.events();
    let fragments = events.iter().filter_map(|(_, data)| data["delta"]["partial_json"].as_str()).collect::<Vec<_>>();
    assert_eq!((fragments[0], fragments.concat().as_str()), ("", r#"{"city":"Paris"}"#));
}

#[tokio::test]
async fn calls_and_results_are_neighbours() {
    let provider = provider().await;
    let call = json!({ "role": "assistant", "content": [
        { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": {} },
        { "type": "tool_use", "id": "toolu_2", "name": "weather", "input": {} }] });
    let result = |id: &str| json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id }] });
    let user = json!({ "role": "user", "content": "Hi" });
    let history = |turns: &[&Value]| with("messages", &json!(turns));
    let half = messages(&provider, &history(&[&user, &call, &result("toolu_1")])).await;
    half.refuses(400, "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_2.");
    // Results in separate messages are one turn.
    let both = messages(&provider, &history(&[&user, &call, &result("toolu_1"), &result("toolu_2")])).await;
    assert_eq!(both.status, 200, "{}", both.text());
    let stray = messages(&provider, &history(&[&user, &result("toolu_9")])).await;
    stray.refuses(400, "unexpected `tool_use_id` found in `tool_result` blocks: toolu_9.");
}

#[tokio::test]
async fn thoughts_are_signed_and_their_signatures_are_known_again() {
    let provider = provider().await;
    let mut request = with("thinking", &json!({ "type": "enabled", "budget_tokens": 2048 }));
    request["tools"] = json!([{ "name": "weather", "input_schema": weather() }]);
    let answer = messages(&provider, &request).await.json();
    assert_eq!(
        (&answer["content"][0]["type"], &answer["content"][1]["type"]),
        (&json!("thinking"), &json!("tool_use"))
    );
    let result = json!([{ "type": "tool_result", "tool_use_id": answer["content"][1]["id"], "content": "21" }]);
    let mut replay = async |content: &Value| {
        request["messages"] = json!([request["messages"][0], { "role": "assistant", "content": content },
            { "role": "user", "content": result }]);
        messages(&provider, &request).await
    };
    assert_eq!(replay(&answer["content"]).await.status, 200);
    let mut changed = answer["content"].clone();
    changed[0]["thinking"] = json!("Something else.");
    replay(&changed).await.refuses(400, "messages.1.content.0: Invalid `signature` in `thinking` block");
    let without = json!([answer["content"][1]]);
    replay(&without).await.refuses(400, "Expected `thinking` or `redacted_thinking`, but found `tool_use`");
}

#[tokio::test]
async fn thoughts_are_streamed_and_left_out_by_the_newer_models() {
    let provider = provider().await;
    let mut request = with("stream", &json!(true));
    request["thinking"] = json!({ "type": "enabled", "budget_tokens": 2048 });
    let text = messages(&provider, &request).await.text();
    assert!(text.contains("thinking_delta") && text.contains("signature_delta"), "{text}");
    request["model"] = json!("claude-opus-4-7");
    request["thinking"] = json!({ "type": "adaptive" });
    let text = messages(&provider, &request).await.text();
    assert!(!text.contains("thinking_delta") && text.contains("signature_delta"), "{text}");
    provider.script(Target::All, Script { redacted: true, ..Script::saying("x").thinking("secret") });
    let text = messages(&provider, &request).await.text();
    assert!(text.contains("redacted_thinking") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn requests_are_refused_as_the_vendor_does() {
    let provider = provider().await;
    let without = |name: &str| {
        let mut request = request();
        request.as_object_mut().unwrap().remove(name);
        request
    };
    let turn = |role: &str, content: Value| with("messages", &json!([{ "role": role, "content": content }]));
    let cases = [
        (without("max_tokens"), "max_tokens: Field required"),
        (with("max_tokens", &json!(0)), "max_tokens: Input should be greater than or equal to 1"),
        (with("logit_bias", &json!({})), "logit_bias: Extra inputs are not permitted"),
        (with("temperature", &json!(1.5)), "temperature: range: 0..1"),
        (with("stop_sequences", &json!("x")), "stop_sequences: Input should be a valid array"),
        (with("stop_sequences", &json!([" "])), "each stop sequence must contain non-whitespace"),
        (with("messages", &json!([])), "messages: at least one message is required"),
        (turn("tool", json!("x")), "Unexpected role"),
        (turn("user", json!([{ "type": "image_url" }])), "Input tag 'image_url' found using 'type'"),
        (turn("user", json!([{ "type": "text", "text": "" }])), "text content blocks must be non-empty"),
        (with("thinking", &json!({ "type": "enabled", "budget_tokens": 4096 })), "`max_tokens` must be greater than"),
        (with("tool_choice", &json!({ "type": "any" })), "may only be specified while providing `tools`"),
        (
            with("output_config", &json!({ "format": { "type": "json_schema", "schema": { "type": "object" } } })),
            "'additionalProperties' must be explicitly set to false",
        ),
    ];
    for (request, words) in cases {
        let got = messages(&provider, &request).await;
        got.refuses(400, words);
        let error = got.json();
        assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
        assert_eq!(error["request_id"], "req_fake");
    }
}

#[tokio::test]
async fn models_refuse_what_they_do_not_have() {
    let provider = provider().await;
    let effort = |level: &str| json!({ "effort": level });
    let cases = [
        ("claude-opus-4-7", "temperature", json!(0.5), "`temperature` is deprecated for this model."),
        ("claude-3-haiku-20240307", "max_tokens", json!(5000), "max_tokens: 5000 > 4096, which is the maximum"),
        ("claude-opus-4-6", "output_config", effort("xhigh"), "Supported levels: high, low, max, medium."),
        ("claude-haiku-4-5", "output_config", effort("low"), "does not support the effort parameter"),
        (
            "claude-opus-5",
            "thinking",
            json!({ "type": "enabled", "budget_tokens": 1024 }),
            "Use \\\"thinking.type.adaptive\\\"",
        ),
        ("claude-haiku-4-5", "thinking", json!({ "type": "adaptive" }), "adaptive thinking is not supported"),
        ("claude-opus-5-5", "thinking", json!({ "type": "disabled" }), "is not supported for this model"),
        (
            "claude-sonnet-4-6",
            "messages",
            json!([{ "role": "assistant", "content": "x" }]),
            "assistant message prefill",
        ),
    ];
    for (model, name, value, words) in cases {
        let mut request = with(name, &value);
        request["model"] = json!(model);
        messages(&provider, &request).await.refuses(400, words);
    }
}

#[tokio::test]
async fn headers_are_asked_for() {
    let provider = provider().await;
    let body = request().to_string();
    let no_key = send(&provider, "POST /v1/messages\nanthropic-version: 2023-06-01", body.as_bytes()).await;
    no_key.refuses(401, "authentication_error");
    let no_version = send(&provider, "POST /v1/messages\nx-api-key: sk", body.as_bytes()).await;
    no_version.refuses(400, "anthropic-version: header is required");
    let sampled = with("temperature", &json!(0.5));
    let newest =
        post(&provider, "/v1/messages\nauthorization: Bearer sk\nanthropic-version: 2026-10-21", &sampled).await;
    newest.refuses(400, "temperature: Extra inputs are not permitted");
    let beta = with("mcp_servers", &json!([]));
    messages(&provider, &beta).await.refuses(400, "mcp_servers: Extra inputs");
    let asked = post(&provider, &format!("/v1/messages?beta=true\n{HEADERS}"), &beta).await;
    assert_eq!(asked.status, 200);
}

#[tokio::test]
async fn scripts_apply_in_the_vendor_s_shape() {
    let provider = provider().await;
    provider.script(Target::All, Script::error(429));
    let got = messages(&provider, &request()).await;
    got.refuses(429, "rate_limit_error");
    assert_eq!((got.header("retry-after"), got.header("x-should-retry")), (Some("1"), Some("true")));
    messages(&provider, &with("model", &json!("fake-error-529"))).await.refuses(529, "overloaded_error");
    let own = Script { error: Some(json!({ "type": "api_error", "message": "Own" })), ..Script::error(500) };
    provider.script(Target::All, own);
    let error = messages(&provider, &request()).await.json();
    assert_eq!((&error["type"], &error["error"]["message"]), (&json!("error"), &json!("Own")));

    let streamed = with("stream", &json!(true));
    provider.script(Target::All, Script { error_after_chunks: Some(1), ..Script::saying("one two") });
    let got = messages(&provider, &streamed).await;
    let (name, data) = got.events().pop().unwrap();
    assert_eq!((name.as_str(), &data["error"]["type"]), ("error", &json!("overloaded_error")));
    provider.script(Target::All, Script::saying("one two").cut(Cut::AfterChunks(1)));
    let got = messages(&provider, &streamed).await;
    assert!(got.text().contains("one ") && !got.text().contains("message_stop"));
    provider.script(Target::All, Script::refusing("No."));
    let got = messages(&provider, &streamed).await;
    assert_eq!(got.names(), ["message_start", "ping", "message_delta", "message_stop"]);
    assert_eq!(got.events()[2].1["delta"]["stop_details"]["explanation"], "No.");
    provider.script(Target::All, Script::tool_calls([("now", "{}"), ("now", "{}")]));
    let got = messages(&provider, &streamed).await;
    assert_eq!(got.text().matches("partial_json").count(), 2, "calls without arguments have the empty fragment only");
}

#[tokio::test]
async fn tokens_are_counted_and_models_listed() {
    let provider = provider().await;
    let body = json!({ "model": "claude-haiku-4-5", "messages": [{ "role": "user", "content": "one two" }] });
    let got = post(&provider, &format!("/v1/messages/count_tokens\n{HEADERS}"), &body).await;
    assert_eq!(got.json(), json!({ "input_tokens": 10 }));
    let list = send(&provider, &format!("GET /v1/models\n{HEADERS}"), b"").await.json();
    assert_eq!((&list["data"][0]["type"], &list["has_more"]), (&json!("model"), &json!(false)));
    let one = send(&provider, &format!("GET /v1/models/claude-opus-5\n{HEADERS}"), b"").await.json();
    assert_eq!(one["display_name"], "Claude Opus 5");
    send(&provider, &format!("GET /v1/models/claude-1\n{HEADERS}"), b"").await.refuses(404, "not_found_error");
}
