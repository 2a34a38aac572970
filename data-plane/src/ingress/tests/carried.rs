//! What the gateway carries for clients that cannot: signatures that they lose, media that a provider does not fetch,
//! counts that nobody reports.

use axum::body::Body;
use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use http::Request;
use serde_json::{Value, json};
use shared::pb::usage_record::{Outcome, UsageSource};

use super::{Bench, bench, error, plain, text};
use crate::media::tests::fixtures::{self, Server};

async fn bench_of(provider_type: &'static str, model: &'static str) -> Bench {
    bench(|group| {
        group.provider_type = provider_type.into();
        group.models = [model.into()].into();
        group.base_url = group.base_url.trim_end_matches("/v1").into();
    })
    .await
}

/// The beginning of a turn with a tool.
fn with_tool(model: &str, stream: bool, further: &[Value]) -> Value {
    let mut body = plain(model, stream);
    body["tools"] = json!([{ "type": "function", "function": { "name": "f", "parameters": { "type": "object", "properties": {} } } }]);
    body["messages"].as_array_mut().unwrap().extend_from_slice(further);
    body
}

/// The id of the call in an answer, whole or as a stream.
fn call_id(answer: &str) -> String {
    let (_, from) = answer.split_once("\"tool_calls\":[{").unwrap_or_else(|| panic!("{answer}"));
    let (_, from) = from.split_once("\"id\":\"").unwrap();
    from.split_once('"').unwrap().0.to_owned()
}

/// The request of a client that keeps nothing but the call.
fn answered(id: &str) -> [Value; 2] {
    let call = json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
    [
        json!({ "role": "assistant", "content": null, "tool_calls": [call] }),
        json!({ "role": "tool", "tool_call_id": id, "content": "done" }),
    ]
}

#[tokio::test]
async fn point_20_geminis_signature_comes_back_though_the_client_loses_it() {
    for stream in [false, true] {
        let bench = bench_of("gemini", "gemini-3-pro-preview").await;
        bench.provider.script(Target::All, Script::tool_calls([("f", "{}")]));
        let (status, answer) = bench.chat(&with_tool("gemini-3-pro-preview", stream, &[])).await;
        assert_eq!(status, 200, "{answer}");
        let further = answered(&call_id(&answer));
        let (status, answer) = bench.chat(&with_tool("gemini-3-pro-preview", stream, &further)).await;
        assert_eq!(status, 200, "{answer}");
        let sent = bench.provider.journal().last().unwrap().json();
        let signature = sent["contents"][1]["parts"][0]["thoughtSignature"].as_str().unwrap();
        assert!(!signature.starts_with("c2tpcF90"), "not the word that stands for a signature that nobody has: {sent}");
    }
}

#[tokio::test]
async fn point_21_claudes_thoughts_come_back_though_the_client_loses_them() {
    for stream in [false, true] {
        let bench = bench_of("anthropic", "claude-sonnet-4-5").await;
        bench.provider.script(Target::All, Script::tool_calls([("f", "{}")]).thinking("I have to call f."));
        let asking = |further: &[Value]| {
            let mut body = with_tool("claude-sonnet-4-5", stream, further);
            body["reasoning_effort"] = json!("low");
            body
        };
        let (status, answer) = bench.chat(&asking(&[])).await;
        assert_eq!(status, 200, "{answer}");
        let (status, answer) = bench.chat(&asking(&answered(&call_id(&answer)))).await;
        assert_eq!(status, 200, "{answer}");
        let sent = bench.provider.journal().last().unwrap().json();
        let first = &sent["messages"][1]["content"][0];
        assert_eq!((&first["type"], &first["thinking"]), (&json!("thinking"), &json!("I have to call f.")), "{sent}");
        assert_eq!(sent["thinking"]["type"], "enabled", "with its thoughts at hand the model thinks on");
    }
}

#[tokio::test]
async fn point_22_a_picture_at_a_url_is_fetched_for_gemini() {
    let site = Server::start(|path, _| match path {
        "/a.png" => fixtures::answer("200 OK", "content-type: image/png\r\n", b"picture"),
        _ => fixtures::answer("404 Not Found", "", b""),
    })
    .await;
    let mut bench = bench_of("gemini", "gemini-2.5-flash").await;
    let asking = |path: &str| {
        let image = json!({ "type": "image_url", "image_url": { "url": site.url(path) } });
        json!({ "model": "gemini-2.5-flash", "messages": [{ "role": "user", "content": [image] }] })
    };
    let (status, answer) = bench.chat(&asking("/a.png")).await;
    assert_eq!(status, 200, "{answer}");
    let sent = bench.provider.journal().last().unwrap().json();
    assert_eq!(
        sent["contents"][0]["parts"][0]["inlineData"],
        json!({ "mimeType": "image/png", "data": "cGljdHVyZQ==" })
    );
    assert_eq!(bench.record().outcome(), Outcome::Success);

    let (status, answer) = bench.chat(&asking("/b.png")).await;
    assert_eq!((status, &error(&answer)["param"]), (400, &json!("messages[0].content[0]")), "{answer}");
    assert_eq!((bench.record().outcome(), bench.keys_used().len()), (Outcome::Refused, 1));
}

#[tokio::test]
async fn a_cut_stream_is_estimated_whatever_the_formats() {
    let words = "one two three four five six seven eight nine ten ".repeat(20);
    for (provider_type, model) in
        [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("gemini", "gemini-2.5-flash")]
    {
        for own in [false, true] {
            let mut bench = bench_of(provider_type, model).await;
            bench.provider.script(Target::All, Script::saying(&words).cut(Cut::AfterChunks(100)));
            let body = match (own, provider_type) {
                (true, "anthropic") => {
                    json!({ "model": model, "max_tokens": 99, "stream": true, "messages": [{ "role": "user", "content": "Hello" }] })
                }
                (true, "gemini") => json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hello" }] }] }),
                _ => plain(model, true),
            };
            let path = match (own, provider_type) {
                (true, "anthropic") => "/v1/messages".to_owned(),
                (true, "gemini") => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
                _ => "/v1/chat/completions".to_owned(),
            };
            let request = Request::post(path)
                .header("authorization", "Bearer sk-client")
                .body(Body::from(body.to_string()))
                .unwrap();
            let answer = text(bench.send(request).await).await;
            let record = bench.record();
            assert_eq!(record.usage_source(), UsageSource::Partial, "{provider_type} {own}: {answer}");
            let output = record.output_tokens;
            assert!((90..=115).contains(&output), "{provider_type} {own}: {output} for 100 words");
            assert!((1..=20).contains(&record.input_tokens), "{provider_type} {own}: {}", record.input_tokens);
        }
    }
}
