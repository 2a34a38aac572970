//! Bedrock, from a client's request to what arrives there, and back.

use std::sync::Arc;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use shared::drain::Tasks;
use shared::pb::usage_record::Outcome;
use shared::snapshot::UpstreamKey;
use tokio::net::{TcpListener, TcpStream};
use translation::Format;

use super::vertex::{Bench, serving};
use super::{Fake, Say, Seen, say};
use crate::ingress::tests::matrix::{CLIENTS, request, streamed};
use crate::route::fixtures::{group, upstream_key};

const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

async fn bench(answer: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Bench {
    let fake = Fake::new(move |_, seen| answer(seen)).await;
    let mut group = group("g", &["claude"]);
    group.models.clear();
    group.model_aliases.insert("claude".into(), MODEL.into());
    group.provider_type = "bedrock".into();
    group.base_url = fake.url.clone().into();
    Arc::make_mut(&mut group.upstream_keys[0]).secret = "AKIA1:secret@us-east-1".into();
    serving(fake, group)
}

/// The frame of the event `name`, or of the exception of that name.
fn frame(name: &str, payload: &Value) -> Vec<u8> {
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let kind = if name.ends_with("Exception") { "exception" } else { "event" };
    let message = Message::new(payload.to_string().into_bytes())
        .add_header(Header::new(format!(":{kind}-type"), text(name)))
        .add_header(Header::new(":message-type", text(kind)));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn hello(stream: bool) -> Value {
    json!({"model": "claude", "stream": stream, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50})
}

#[tokio::test]
async fn a_client_of_openais_gets_an_answer_of_bedrocks() {
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 8, "outputTokens": 3, "totalTokens": 11},
    });
    let mut bench = bench(move |_| say(200, answer.to_string())).await;
    let (status, body) = bench.send("/v1/chat/completions", &hello(false)).await;
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Hello.");
    assert_eq!(body["usage"]["total_tokens"], 11);
    let seen = bench.fake.seen();
    assert_eq!(seen[0].uri.path(), "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    assert!(seen[0].header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIA1/"));
    let sent: Value = serde_json::from_slice(&seen[0].body).unwrap();
    let messages = json!([{"role": "user", "content": [{"text": "Hi"}]}]);
    assert_eq!(sent, json!({"messages": messages, "inferenceConfig": {"maxTokens": 50}}));
    let record = bench.records.try_recv().unwrap().counted();
    assert_eq!((record.outcome(), record.input_tokens, record.output_tokens), (Outcome::Success, 8, 3));
}

#[tokio::test]
async fn a_stream_of_bedrocks_becomes_the_clients() {
    let frames = [
        frame("messageStart", &json!({"role": "assistant"})),
        frame("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "Hello."}})),
        frame("contentBlockStop", &json!({"contentBlockIndex": 0})),
        frame("messageStop", &json!({"stopReason": "end_turn"})),
        frame("metadata", &json!({"usage": {"inputTokens": 8, "outputTokens": 3, "totalTokens": 11}})),
    ];
    let bytes = frames.concat();
    let mut bench =
        bench(move |_| Say { content_type: "application/vnd.amazon.eventstream", ..say(200, bytes.clone()) }).await;
    let (status, body) = bench.send("/v1/chat/completions", &hello(true)).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""content":"Hello.""#) && body.ends_with("data: [DONE]\n\n"), "{body}");
    let seen = bench.fake.seen();
    assert!(seen[0].uri.path().ends_with("/converse-stream"));
    assert_eq!(seen[0].header("accept"), "application/vnd.amazon.eventstream");
    assert_eq!(bench.records.try_recv().unwrap().counted().output_tokens, 3);
    // The same for a client of Anthropic's.
    let (status, body) = bench.send("/v1/messages", &hello(true)).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("event: message_stop"), "{body}");
}

#[tokio::test]
async fn a_model_that_failed_is_the_providers_fault() {
    let mut bench = bench(|_| say(424, r#"{"message":"The model failed.","originalStatusCode":500}"#)).await;
    let (status, body) = bench.send("/v1/chat/completions", &hello(false)).await;
    assert_eq!(status, 502, "{body}");
    assert!(body.contains("The model failed."), "{body}");
    assert_eq!(bench.records.try_recv().unwrap().counted().attempts[0].status, 424);
}

fn streaming(bytes: Vec<u8>) -> Say {
    Say { content_type: "application/vnd.amazon.eventstream", ..say(200, bytes) }
}

fn start() -> Vec<u8> {
    frame("messageStart", &json!({"role": "assistant"}))
}

fn delta(text: &str) -> Vec<u8> {
    frame("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": text}}))
}

/// A whole stream that says "one two".
fn whole() -> Vec<u8> {
    let usage = json!({"usage": {"inputTokens": 20, "outputTokens": 7, "totalTokens": 27}});
    let stop = frame("contentBlockStop", &json!({"contentBlockIndex": 0}));
    let end = frame("messageStop", &json!({"stopReason": "end_turn"}));
    [start(), delta("one two"), stop, end, frame("metadata", &usage)].concat()
}

/// A stream whose checksum is wrong.
fn damaged() -> Vec<u8> {
    let mut bytes = delta("one two");
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

/// The exceptions of a stream that are the provider's fault.
const EXCEPTIONS: [&str; 5] = [
    "internalServerException",
    "modelStreamErrorException",
    "modelTimeoutException",
    "serviceUnavailableException",
    "throttlingException",
];

/// What the provider sends instead of a stream, or where it goes no further.
fn failures() -> Vec<(String, Vec<u8>)> {
    let named = |name: &&str| ((*name).to_owned(), frame(name, &json!({"message": "It failed."})));
    let mut failures: Vec<_> = EXCEPTIONS.iter().map(named).collect();
    failures.push(("a damaged frame".to_owned(), damaged()));
    failures.push(("half a frame".to_owned(), delta("three")[..20].to_vec()));
    failures.push(("the end".to_owned(), Vec::new()));
    failures
}

/// Two keys of Bedrock's at a fake whose first answer is `first`, and whose further ones are whole.
async fn failing_first(first: Vec<u8>) -> Bench {
    let fake = Fake::new(move |number, _| streaming(if number == 0 { first.clone() } else { whole() })).await;
    let mut group = group("g", &[]);
    group.model_aliases.insert("m".into(), MODEL.into());
    group.provider_type = "bedrock".into();
    group.base_url = fake.url.clone().into();
    let keys = ["AKIA1:secret@us-east-1", "AKIA2:secret@us-east-1"].into_iter().enumerate();
    let keys = keys.map(|(number, secret)| UpstreamKey {
        secret: secret.into(),
        ..UpstreamKey::clone(&upstream_key(&format!("g-{}", number + 1)))
    });
    group.upstream_keys = keys.map(Arc::new).collect();
    serving(fake, group)
}

/// Asks for a stream over a connection of its own, and gives the status and all that came.
async fn asked(bench: &Bench, format: Format) -> (u16, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tasks, router) = (Tasks::new(), bench.router.clone());
    tasks.spawn("the gateway", async move { axum::serve(listener, router).await });
    let connection = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.unwrap();
    tasks.spawn("the client", async move { drop(connection.await) });
    let mut request = request(format, "Hello", true, false);
    request.headers_mut().insert("host", "gateway".parse().unwrap());
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    tasks.stop();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn an_exception_before_the_first_content_goes_to_the_next_key() {
    for (name, failure) in failures() {
        for begun in [Vec::new(), start()] {
            for format in CLIENTS {
                let about = format!("{format}, {} bytes before: {name}", begun.len());
                let mut bench = failing_first([begun.clone(), failure.clone()].concat()).await;
                let (status, body) = asked(&bench, format).await;
                assert_eq!((status, streamed(format, &body).0.as_str()), (200, "one two"), "{about}: {body}");
                assert!(!body.contains("It failed.") && !body.contains("error\":{"), "{about}: {body}");
                let keys: Vec<_> =
                    bench.fake.seen().iter().map(|seen| seen.header("authorization")[..43].to_owned()).collect();
                assert_eq!(keys.len(), 2, "{about}");
                assert!(keys[0].contains("AKIA1") && keys[1].contains("AKIA2"), "{about}: {keys:?}");
                let record = bench.records.try_recv().unwrap().counted();
                assert_eq!((record.outcome(), record.output_tokens), (Outcome::Success, 7), "{about}");
                assert_eq!(record.attempts.len(), 2, "{about}");
            }
        }
    }
}

#[tokio::test]
async fn an_exception_that_is_the_clients_fault_ends_the_walk() {
    let refused = frame("validationException", &json!({"message": "Too many images."}));
    for format in CLIENTS {
        let mut bench = failing_first(refused.clone()).await;
        let (status, body) = asked(&bench, format).await;
        assert_eq!((status, bench.fake.seen().len()), (400, 1), "{format}: {body}");
        assert!(body.contains("Too many images."), "{format}: {body}");
        assert_eq!(bench.records.try_recv().unwrap().counted().outcome(), Outcome::UpstreamError, "{format}");
    }
}

/// Nothing is tried again once the client has content, and what follows an exception is no content.
#[tokio::test]
async fn an_exception_in_mid_stream_is_the_clients_error_event_and_an_error_in_the_ledger() {
    for (name, failure) in failures() {
        for format in CLIENTS {
            let about = format!("{format}: {name}");
            let mut bench = failing_first([start(), delta("one two"), failure.clone()].concat()).await;
            let (status, body) = asked(&bench, format).await;
            assert_eq!((status, bench.fake.seen().len()), (200, 1), "{about}: {body}");
            assert!(body.contains("one two") && !body.contains("three"), "{about}: {body}");
            assert!(!body.contains("[DONE]") && !body.contains("message_stop"), "{about}: {body}");
            let last = body.trim_end().rsplit("\n\n").next().unwrap().replace('\r', "");
            let last = last.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
            let last: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} {about}: {body}"));
            let error = if format == Format::OpenAiResponses { &last["response"]["error"] } else { &last["error"] };
            assert!(error["message"].is_string(), "{about}: {body}");
            if name.ends_with("Exception") {
                assert_eq!(error["message"], "It failed.", "{about}");
            }
            let record = bench.records.try_recv().unwrap().counted();
            assert_eq!(record.outcome(), Outcome::UpstreamError, "{about}");
            assert!(!record.error_code.is_empty() && !record.error_message.is_empty(), "{about}: {record:?}");
        }
    }
}
