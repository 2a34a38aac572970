use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::pb::usage_record::{Outcome, UsageSource};

use super::{bench, plain, post, request};

#[tokio::test]
async fn each_endpoint_passes_and_leaves_one_record() {
    let mut bench = plain(&[("g", "openai")]).await;
    let cases = [
        ("/v1/completions", json!({ "prompt": "Hello" }), "completions", "choices"),
        ("/v1/embeddings", json!({ "input": "Hello" }), "embeddings", "data"),
        ("/v1/moderations", json!({ "input": "Hello" }), "moderations", "results"),
        ("/v1/rerank", json!({ "query": "a", "documents": ["a", "b"] }), "rerank", "results"),
        ("/v1/images/generations", json!({ "prompt": "a cat" }), "images", "data"),
    ];
    for (path, mut body, api, field) in cases {
        body["model"] = json!("alias");
        body["unknown"] = json!({ "kept": 1.50 });
        let got = bench.post(path, &body).await;
        assert_eq!((got.status, got.content_type.as_str()), (200, "application/json"), "{path}: {}", got.text());
        assert!(got.json()[field].is_array(), "{path}: {}", got.text());
        let sent = bench.providers[0].journal().last().unwrap();
        body["model"] = json!("upstream-m");
        assert_eq!((sent.path.as_str(), sent.json()), (path, body));
        assert_eq!(sent.key(), "sk-upstream-g-1");
        let record = bench.record();
        assert_eq!((record.api.as_str(), record.status, record.outcome()), (api, 200, Outcome::Success), "{path}");
        assert_eq!((record.requested_model.as_str(), record.upstream_model.as_str()), ("alias", "upstream-m"));
        if api != "moderations" && api != "rerank" {
            assert_eq!(record.usage_source(), UsageSource::Reported, "{path}");
            assert!(record.input_tokens > 0, "{path}");
        }
    }
}

#[tokio::test]
async fn the_model_is_optional_where_openai_has_a_default() {
    let mut bench = plain(&[("g", "openai")]).await;
    assert_eq!(bench.post("/v1/moderations", &json!({ "input": "x" })).await.status, 200);
    assert_eq!(bench.record().requested_model, "omni-moderation-latest");
    assert_eq!(bench.providers[0].journal().last().unwrap().json(), json!({ "input": "x" }));
    assert_eq!(bench.post("/v1/images/generations", &json!({ "prompt": "x" })).await.status, 200);
    assert_eq!(bench.record().requested_model, "dall-e-2");
    let got = bench.post("/v1/completions", &json!({ "prompt": "x" })).await;
    assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!("model")));
    assert_eq!(bench.record().outcome(), Outcome::Refused);
}

#[tokio::test]
async fn sound_passes_as_it_comes() {
    let mut bench = plain(&[("g", "openai")]).await;
    let body = json!({ "model": "m", "input": "one two", "voice": "alloy" });
    let got = bench.post("/v1/audio/speech", &body).await;
    assert_eq!((got.status, got.content_type.as_str()), (200, "audio/mpeg"));
    assert!(got.body.starts_with(&[0xff, 0xfb, 0x90, 0x64]) && got.body.len() == 834);
    assert_eq!(bench.providers[0].journal().last().unwrap().header("accept"), "*/*");
    let record = bench.record();
    assert_eq!((record.outcome(), record.response_bytes, record.api.as_str()), (Outcome::Success, 834, "audio"));

    let large = Script { body_bytes: Some(5 << 20), ..Script::verbatim(200, "audio/wav", "RIFF") };
    bench.providers[0].script(Target::All, large);
    assert_eq!(bench.post("/v1/audio/speech", &body).await.body.len(), 5 << 20);
    assert_eq!(bench.record().response_bytes, 5 << 20);

    bench.providers[0].script(Target::All, Script::verbatim(200, "audio/wav", "RIFF").cut(Cut::InsideChunk(1)));
    let response = bench.raw(0, post("/v1/audio/speech", &body)).await;
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(bench.record().outcome(), Outcome::UpstreamError);
}

#[tokio::test]
async fn sound_that_is_made_slowly_is_heard_from_the_start() {
    let mut bench = plain(&[("g", "openai")]).await;
    let slow = Script { split_bytes: Some(2), ..Script::verbatim(200, "audio/wav", "RIFF") };
    bench.providers[0].script(Target::All, slow);
    let body = json!({ "model": "m", "input": "x", "voice": "alloy" });
    let mut body = bench.raw(0, post("/v1/audio/speech", &body)).await.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(b"RIFF".starts_with(&first) && first.len() < 4, "{first:?}");
    assert_eq!(body.collect().await.unwrap().to_bytes().len() + first.len(), 4);
    assert_eq!(bench.record().outcome(), Outcome::Success);
}

#[tokio::test]
async fn streams_of_other_events_pass_as_bytes_of_any_size() {
    let mut bench = plain(&[("g", "openai")]).await;
    let picture = "A".repeat(3 << 20);
    let usage = r#""usage":{"input_tokens":7,"output_tokens":9}"#;
    let events = format!(
        "event: image_generation.completed\ndata: {{\"type\":\"image_generation.completed\",\"b64_json\":\"{picture}\",{usage}}}\n\n"
    );
    bench.providers[0].script(Target::All, Script::sse(events.clone()));
    let got = bench.post("/v1/images/generations", &json!({ "model": "m", "prompt": "x", "stream": true })).await;
    assert!(got.status == 200 && got.body == events);
    let record = bench.record();
    assert!(record.streamed);
    assert_eq!((record.input_tokens, record.output_tokens, record.outcome()), (7, 9, Outcome::Success));
}

#[tokio::test]
async fn a_stream_of_completions_is_counted_and_hides_what_was_not_asked_for() {
    let mut bench = plain(&[("g", "openai")]).await;
    bench.providers[0].always(Target::All, Script::saying("one two").usage(5, 2));
    let mut body = json!({ "model": "m", "prompt": "x", "stream": true });
    let got = bench.post("/v1/completions", &body).await;
    assert!(got.text().ends_with("data: [DONE]\n\n") && !got.text().contains("prompt_tokens"), "{}", got.text());
    let record = bench.record();
    assert_eq!((record.input_tokens, record.output_tokens, record.outcome()), (5, 2, Outcome::Success));
    body["stream_options"] = json!({ "include_usage": true });
    assert!(bench.post("/v1/completions", &body).await.text().contains("prompt_tokens"));
}

#[tokio::test]
async fn the_next_group_answers_and_errors_have_the_clients_shape() {
    let mut bench = bench(&[("a", "openai"), ("b", "anthropic"), ("c", "openai")], |group, _, _| {
        group.timeout = Duration::from_secs(5);
    })
    .await;
    let body = json!({ "model": "m", "input": "x" });
    bench.providers[0].script(Target::All, Script::error(500));
    assert_eq!(bench.post("/v1/embeddings", &body).await.status, 200);
    let record = bench.record();
    let groups: Vec<_> = record.attempts.iter().map(|attempt| attempt.group_id.as_str()).collect();
    assert_eq!(groups, ["a", "c"]);

    let words = json!({ "message": "no", "type": "x", "code": "y", "param": null });
    bench.providers[0].script(Target::All, Script { error: Some(words.clone()), ..Script::error(400) });
    let got = bench.post("/v1/embeddings", &body).await;
    assert_eq!((got.status, &got.json()["error"]), (400, &words));
    let got = bench.post("/v1/embeddings", &json!({ "model": "unknown", "input": "x" })).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (404, &json!("model_not_found")));
    let got =
        bench.send(0, request(http::Method::GET, "/v1/embeddings").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (405, &json!("method_not_allowed")));
    let got = bench.send(0, http::Request::post("/v1/rerank").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (401, &json!("invalid_api_key")));
}

#[tokio::test]
async fn a_vendor_without_the_endpoint_is_named() {
    let mut bench = plain(&[("a", "anthropic")]).await;
    let got = bench.post("/v1/rerank", &json!({ "model": "m", "query": "x", "documents": ["x"] })).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (400, &json!("unsupported_endpoint")));
    assert!(got.json()["error"]["message"].as_str().unwrap().contains("Anthropic"));
    assert_eq!((bench.asked(), bench.record().attempts.len()), (vec![Vec::<String>::new()], 0));
}

#[tokio::test]
async fn json_that_is_none_passes_where_it_is_not_chat() {
    let bench = plain(&[("g", "openai")]).await;
    bench.providers[0].script(Target::All, Script::verbatim(200, "application/json", "{\"id\":"));
    let got = bench.post("/v1/rerank", &json!({ "model": "m" })).await;
    assert_eq!((got.status, got.text().as_str()), (200, "{\"id\":"));
    bench.providers[0].script(Target::All, Script::verbatim(200, "application/json", ""));
    assert_eq!(bench.post("/v1/rerank", &json!({ "model": "m" })).await.body.len(), 0);
    let large = Script { body_bytes: Some(3 << 20), ..Script::verbatim(200, "application/json", "[1,2] ") };
    bench.providers[0].script(Target::All, large);
    assert_eq!(bench.post("/v1/rerank", &json!({ "model": "m" })).await.body.len(), 3 << 20);
    let value: Value =
        bench.post("/v1/rerank", &json!({ "model": "m", "query": "x", "documents": ["x"] })).await.json();
    assert!(value["results"].is_array());
}
