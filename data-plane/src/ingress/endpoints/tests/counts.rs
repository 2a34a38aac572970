use fake_provider::queue::Target;
use fake_provider::script::Script;
use serde_json::json;
use shared::pb::usage_record::Outcome;

use super::plain;

#[tokio::test]
async fn rule_12_a_count_passes_to_the_provider_of_the_clients_format() {
    let mut bench = plain(&[("o", "openai"), ("a", "anthropic"), ("g", "gemini")]).await;
    let body = json!({ "model": "alias", "messages": [{ "role": "user", "content": "Hello there" }] });
    for path in ["/v1/messages/count_tokens?beta=true", "/claude/v1/messages/count_tokens?beta=true"] {
        let got = bench.post(path, &body).await;
        assert!(got.status == 200 && got.json()["input_tokens"].as_u64().unwrap() > 0, "{}", got.text());
        let record = bench.record();
        assert_eq!((record.api.as_str(), record.group_id.as_str(), record.attempts.len()), ("count_tokens", "a", 1));
    }
    let sent = bench.providers[1].journal().last().unwrap();
    assert_eq!(
        (sent.path.as_str(), &sent.json()["model"]),
        ("/v1/messages/count_tokens?beta=true", &json!("upstream-m"))
    );

    let body = json!({ "contents": [{ "parts": [{ "text": "Hello" }] }] });
    let got = bench.post("/v1beta/models/alias:countTokens?key=sk-client&alt=json", &body).await;
    assert!(got.json()["totalTokens"].as_u64().unwrap() > 0, "{}", got.text());
    let sent = bench.providers[2].journal().last().unwrap();
    assert_eq!(sent.path, "/v1beta/models/upstream-m:countTokens?alt=json");
    assert_eq!(bench.record().group_id, "g");

    let got = bench.post("/v1/responses/input_tokens", &json!({ "model": "m", "input": "Hello there" })).await;
    assert_eq!(got.json(), json!({ "object": "response.input_tokens", "input_tokens": 2 }));
    assert_eq!(bench.record().group_id, "o");
}

#[tokio::test]
async fn where_no_provider_counts_the_gateway_estimates() {
    let mut bench = plain(&[("o", "openai_compatible")]).await;
    let anthropic = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello there" }] });
    let got = bench.post("/v1/messages/count_tokens", &anthropic).await;
    assert!(got.json()["input_tokens"].as_u64().unwrap() > 0, "{}", got.text());
    let record = bench.record();
    assert_eq!((record.status, record.outcome(), record.attempts.len()), (200, Outcome::Success, 0));
    let gemini = json!({ "contents": [{ "parts": [{ "text": "Hello" }] }] });
    let got = bench.post("/v1/models/m:countTokens?key=sk-client", &gemini).await;
    assert!(got.json()["totalTokens"].as_u64().unwrap() > 0, "{}", got.text());
    let got = bench.post("/v1/responses/input_tokens", &json!({ "model": "m", "input": "Hello" })).await;
    assert!(got.json()["input_tokens"].as_u64().unwrap() > 0, "{}", got.text());
    assert_eq!(bench.asked()[0].len(), 0);

    // Some providers speak a format for chat, but do not count tokens in it.
    let bench = plain(&[("a", "anthropic")]).await;
    bench.providers[0].script(Target::All, Script::verbatim(404, "text/plain", "404 page not found"));
    let got = bench.post("/v1/messages/count_tokens", &anthropic).await;
    assert!(got.status == 200 && got.json()["input_tokens"].is_u64(), "{}", got.text());
}

#[tokio::test]
async fn errors_of_counts_have_the_clients_shape() {
    let bench = plain(&[("a", "anthropic"), ("g", "gemini")]).await;
    let got = bench.post("/v1/messages/count_tokens", &json!({ "model": "unknown", "messages": [] })).await;
    assert_eq!((got.status, &got.json()["type"]), (404, &json!("error")));
    assert_eq!(got.json()["error"]["type"], "not_found_error");
    let got = bench.post("/v1beta/models/unknown:countTokens?key=sk-client", &json!({})).await;
    assert_eq!((got.status, &got.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    bench.providers[0].script(Target::All, Script::error(400));
    let got = bench.post("/v1/messages/count_tokens", &json!({ "model": "m", "messages": [] })).await;
    assert_eq!((got.status, &got.json()["error"]["type"]), (400, &json!("invalid_request_error")));
}
