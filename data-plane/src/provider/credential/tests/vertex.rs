//! Vertex AI, from a client's request to what arrives there.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::snapshot::Group;
use shared::telemetry::Metrics;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use super::google::{granted, key_file};
use super::{Fake, Say, Seen, say};
use crate::ingress::{Gateway, router};
use crate::limits::RequestLimits;
use crate::node::Node;
use crate::route::current::ConfigState;
use crate::route::fixtures::{group, key, snapshot};
use crate::route::health::{Health, KeyState};
use crate::route::table::RouteTable;
use crate::usage::{UsageMetrics, UsageQueue, UsageSink};

pub(super) struct Bench {
    pub(super) fake: Fake,
    pub(super) router: axum::Router,
    pub(super) records: UsageQueue,
    key_states: mpsc::Receiver<KeyState>,
}

/// A gateway with `group`, which is to reach `fake`.
pub(super) fn serving(fake: Fake, group: Group) -> Bench {
    let config = ConfigState::default();
    config.replace(RouteTable::compile(Arc::new(snapshot([group], [key("k", "sk-client")])), None));
    let (sink, records) = UsageSink::channel(100, &UsageMetrics::default());
    let (sender, key_states) = mpsc::channel(10);
    let node = Arc::new(Node::new("n"));
    let gateway = Gateway::new(config, sink, node, RequestLimits::default(), sender, &Metrics::new()).unwrap();
    Bench { fake, router: router(gateway, None), records, key_states }
}

/// A group of Vertex's at a fake that gives tokens, numbered, and answers other requests as `answer` says.
async fn bench(answer: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Bench {
    let fake = Fake::new(move |number, seen| if seen.uri.path() == "/token" { granted(number) } else { answer(seen) });
    let fake = fake.await;
    let mut group = group("g", &["gemini-2.5-flash", "claude-sonnet-4-5"]);
    group.provider_type = "vertex".into();
    group.base_url = format!("{}/v1/projects/p/locations/l", fake.url).into();
    Arc::make_mut(&mut group.upstream_keys[0]).secret = key_file(&fake.url).into();
    serving(fake, group)
}

impl Bench {
    pub(super) async fn send(&self, path: &str, body: &Value) -> (u16, String) {
        let request = Request::post(path).header("x-api-key", "sk-client").header("x-goog-api-key", "sk-client");
        let request = request.header("authorization", "Bearer sk-client").header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn asked(&self) -> Vec<Seen> {
        self.fake.seen().into_iter().filter(|seen| seen.uri.path() != "/token").collect()
    }
}

const GENERATE: &str = "/v1beta/models/gemini-2.5-flash:generateContent";

const ANSWER: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP"}]}"#;

fn contents() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]})
}

#[tokio::test]
async fn gemini_is_asked_with_an_access_token() {
    let mut bench = bench(|_| say(200, ANSWER)).await;
    assert_eq!(bench.send(GENERATE, &contents()).await, (200, ANSWER.to_owned()));
    let asked = bench.asked();
    let path = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent";
    assert_eq!((asked[0].uri.path(), asked[0].header("authorization")), (path, "Bearer ya29.0"));
    assert!(!asked[0].headers.contains_key("x-goog-api-key"));
    assert_eq!(bench.records.try_recv().unwrap().counted().attempts.len(), 1);
}

#[tokio::test]
async fn claude_is_asked_with_the_version_in_the_body_and_the_model_in_the_url() {
    let bench = bench(|_| say(200, r#"{"type":"message","content":[]}"#)).await;
    let body = json!({"model": "claude-sonnet-4-5", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(bench.send("/v1/messages", &body).await.0, 200);
    let asked = bench.asked();
    let path = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5:rawPredict";
    assert_eq!(asked[0].uri.path(), path);
    let sent: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!((&sent["anthropic_version"], sent.get("model")), (&json!("vertex-2023-10-16"), None));
    // Vertex does not count Claude's tokens: the gateway estimates.
    let (status, counted) = bench.send("/v1/messages/count_tokens", &body).await;
    assert!(status == 200 && counted.contains("input_tokens"), "{counted}");
    assert_eq!(bench.asked().len(), 1);
}

#[tokio::test]
async fn an_access_token_that_is_refused_is_renewed_once_and_the_key_is_not_harmed() {
    let mut bench = bench(|seen| {
        let withdrawn = seen.header("authorization") == "Bearer ya29.0";
        if withdrawn { say(401, r#"{"error":{"code":401,"status":"UNAUTHENTICATED"}}"#) } else { say(200, ANSWER) }
    })
    .await;
    assert_eq!(bench.send(GENERATE, &contents()).await.0, 200);
    let sent: Vec<_> = bench.asked().iter().map(|seen| seen.header("authorization").to_owned()).collect();
    // The second token is the third request that the fake gets.
    assert_eq!(sent, ["Bearer ya29.0", "Bearer ya29.2"]);
    assert!(bench.key_states.try_recv().is_err());
    let record = bench.records.try_recv().unwrap().counted();
    assert_eq!(record.attempts.iter().map(|attempt| attempt.status).collect::<Vec<_>>(), [401, 200]);
    assert_eq!(bench.send(GENERATE, &contents()).await.0, 200);
    assert_eq!(bench.fake.seen().iter().filter(|seen| seen.uri.path() == "/token").count(), 2);
}

#[tokio::test]
async fn a_key_whose_fresh_token_is_refused_too_is_refused() {
    let mut bench = bench(|_| say(401, r#"{"error":{"code":401,"message":"Invalid token"}}"#)).await;
    let (status, words) = bench.send(GENERATE, &contents()).await;
    assert_eq!(status, 502, "{words}");
    assert_eq!(bench.asked().len(), 2);
    assert_eq!(bench.key_states.try_recv().unwrap().health, Health::Invalid);
}

#[tokio::test]
async fn without_a_token_the_client_is_told() {
    let fake = Fake::new(|_, _| say(400, r#"{"error":"invalid_grant"}"#)).await;
    let mut group = group("g", &["gemini-2.5-flash"]);
    group.provider_type = "vertex".into();
    group.base_url = fake.url.clone().into();
    Arc::make_mut(&mut group.upstream_keys[0]).secret = key_file(&fake.url).into();
    let mut bench = serving(fake, group);
    assert_eq!(bench.send(GENERATE, &contents()).await.0, 502);
    assert!(bench.asked().is_empty());
    let record = bench.records.try_recv().unwrap().counted();
    assert!(record.attempts[0].error.contains("refused the key"), "{:?}", record.attempts);
}
