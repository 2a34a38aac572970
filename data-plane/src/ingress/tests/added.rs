//! What the gateway adds to a request, and a provider refuses.

use axum::body::Body;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use http::Request;
use serde_json::{Value, json};
use shared::pb::usage_record::{Outcome, UsageSource};
use shared::snapshot::UnsupportedParameters;
use translation::Format;

use super::matrix::{bench_with, request};
use super::{Bench, bench, chat, plain, text};

fn refusing(message: &str) -> Script {
    let document =
        json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": null } });
    Script::verbatim(400, "application/json", document.to_string())
}

fn sent(bench: &Bench) -> Vec<Value> {
    bench.provider.journal().requests().iter().map(|request| request.json()).collect()
}

#[tokio::test]
async fn a_provider_that_refuses_stream_options_is_asked_without_and_the_client_sees_nothing_of_it() {
    for refusal in [
        refusing("Unrecognized request argument supplied: stream_options"),
        refusing("Unknown parameter: 'stream_options.include_usage'."),
        Script::verbatim(
            422,
            "application/json",
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted","input":{}}]}"#,
        ),
        // The refusal comes with the status of success.
        Script::verbatim(
            200,
            "application/json",
            r#"{"error":{"message":"Unknown parameter: 'stream_options'.","type":"invalid_request_error","param":"stream_options","code":"unknown_parameter"}}"#,
        ),
    ] {
        let mut bench = bench(|_| {}).await;
        bench.provider.script(Target::All, refusal);
        for _ in 0..2 {
            let (status, body) = bench.chat(&plain("gpt-4o", true)).await;
            assert!(status == 200 && body.ends_with("data: [DONE]\n\n"), "{status} {body}");
            assert_eq!(bench.record().outcome(), Outcome::Success);
        }
        let asked: Vec<_> = sent(&bench).iter().map(|body| body.get("stream_options").is_some()).collect();
        assert_eq!(asked, [true, false, false], "it is remembered");
        assert_eq!(bench.keys_used()[..2], ["sk-upstream-g-1", "sk-upstream-g-1"], "it is no fault of the key");
    }
}

#[tokio::test]
async fn a_refusal_of_what_the_client_asks_for_is_the_clients() {
    let mut bench = bench(|_| {}).await;
    bench.provider.always(Target::All, refusing("Unknown parameter: 'stream_options'."));
    let mut body = plain("gpt-4o", true);
    body["stream_options"] = json!({ "include_usage": true });
    assert_eq!(bench.chat(&body).await.0, 400);
    assert_eq!((bench.keys_used().len(), bench.record().status), (1, 400));

    // Its own options stay as it sent them.
    bench.provider.clear_scripts();
    bench.provider.script(Target::All, refusing("Unknown parameter: 'stream_options.include_usage'."));
    body["stream_options"] = json!({ "include_obfuscation": false });
    assert_eq!(bench.chat(&body).await.0, 200);
    let sent = sent(&bench);
    assert_eq!(sent[1]["stream_options"], json!({ "include_obfuscation": false, "include_usage": true }));
    assert_eq!(sent[2]["stream_options"], body["stream_options"]);

    bench.provider.clear_scripts();
    bench.provider.always(Target::All, refusing("Unknown parameter: 'seed'."));
    let mut body = plain("gpt-4o", false);
    body["seed"] = json!(1);
    let before = bench.keys_used().len();
    assert_eq!(bench.chat(&body).await.0, 400);
    assert_eq!(bench.keys_used().len(), before + 1);
}

/// A request of Anthropic's client that becomes one with fields of OpenAI's.
fn translated(stream: bool) -> Request<Body> {
    let body = json!({ "model": "m", "stream": stream, "max_tokens": 100, "temperature": 0.5,
        "tools": [{ "name": "weather", "input_schema": { "type": "object", "properties": {} } }],
        "tool_choice": { "type": "auto", "disable_parallel_tool_use": true },
        "messages": [{ "role": "user", "content": "Hello" }] });
    let request =
        Request::post("/v1/messages").header("x-api-key", "sk-client").header("anthropic-version", "2023-06-01");
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn a_provider_that_refuses_what_a_translation_adds_is_asked_without() {
    for stream in [false, true] {
        let mut bench = bench_with("openai_compatible", true, "llama-3", |_| {}).await;
        bench.provider.script(Target::All, refusing("property 'parallel_tool_calls' is unsupported"));
        bench.provider.script(
            Target::All,
            refusing("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
        );
        bench.provider.script(Target::All, refusing("'temperature' is not supported with this model."));
        for _ in 0..2 {
            let response = bench.send(translated(stream)).await;
            assert_eq!(response.status(), 200, "{}", text(response).await);
            let dropped =
                response.headers().get("x-orchestration-dropped").map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(dropped.as_deref(), Some("temperature"), "what the client asked for is named");
            text(response).await;
            assert_eq!(bench.record().outcome(), Outcome::Success);
        }
        let fields = |body: &Value| {
            ["parallel_tool_calls", "max_tokens", "max_completion_tokens", "temperature"]
                .map(|name| body.get(name).is_some())
        };
        let asked: Vec<_> = sent(&bench).iter().map(fields).collect();
        let expected = [
            [true, true, false, true],
            [false, true, false, true],
            [false, false, true, true],
            [false, false, true, false],
            [false, false, true, false],
        ];
        assert_eq!(asked, expected, "{stream}");
    }
}

#[tokio::test]
async fn a_group_that_refuses_what_it_would_leave_out_is_not_asked_for_less() {
    let mut bench = bench_with("openai_compatible", true, "llama-3", |group| {
        group.unsupported_parameters = UnsupportedParameters::Reject;
    })
    .await;
    bench.provider.always(Target::All, refusing("'temperature' is not supported with this model."));
    assert_eq!(bench.send(translated(false)).await.status(), 400);
    assert_eq!(bench.keys_used().len(), 1);
    bench.record();
}

#[tokio::test]
async fn an_older_version_of_azures_api_is_not_asked_for_what_it_lacks() {
    for (version, asks) in [("2024-06-01", false), ("2024-10-21", true)] {
        let mut bench = bench_with("azure_openai", false, "gpt-4o", |group| {
            group.api_version = Some(version.into());
        })
        .await;
        let response = bench.send(request(Format::OpenAiChat, "Hello", true, false)).await;
        assert_eq!(response.status(), 200, "{}", text(response).await);
        text(response).await;
        assert_eq!(sent(&bench)[0].get("stream_options").is_some(), asks, "{version}");
        let source = if asks { UsageSource::Reported } else { UsageSource::Estimated };
        assert_eq!(bench.record().usage_source(), source, "{version}");
    }
}

#[tokio::test]
async fn a_request_that_is_refused_for_another_reason_is_sent_once() {
    let bench = bench(|_| {}).await;
    bench.provider.always(Target::All, refusing("The model does not support images."));
    assert_eq!(bench.send(chat(&plain("gpt-4o", true))).await.status(), 400);
    assert_eq!(bench.keys_used().len(), 1);
}
