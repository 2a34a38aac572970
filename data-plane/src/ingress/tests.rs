mod able;
mod added;
mod anthropic;
mod attempts;
mod caching;
mod carried;
mod chains;
mod conversations;
mod errors;
mod fallbacks;
mod gemini;
mod groups;
mod hedging;
mod large;
pub(crate) mod matrix;
mod opening;
mod own;
mod streaming;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::pb;
use shared::pb::usage_record::{Outcome, UsageSource};
use shared::snapshot::{Group, ProxyKey};
use shared::telemetry::Metrics;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use super::{Gateway, router};
use crate::limits::{MediaPolicy, RequestLimits};
use crate::node::Node;
use crate::route::current::ConfigState;
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::health::{Health, KeyState};
use crate::route::table::RouteTable;
use crate::usage::{UsageMetrics, UsageQueue, UsageSink};

struct Bench {
    provider: FakeProvider,
    config: ConfigState,
    router: axum::Router,
    records: UsageQueue,
    key_states: mpsc::Receiver<KeyState>,
    metrics: Metrics,
}

/// A group with two keys that reaches a fake provider.
async fn bench(change: impl FnOnce(&mut Group)) -> Bench {
    let provider = FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut group = group("g", &["gpt-4o"]);
    group.base_url = provider.base_url().into();
    group.upstream_keys.push(upstream_key("g-2"));
    group.model_aliases.insert("fast".into(), "gpt-4o-mini".into());
    change(&mut group);
    serving(provider, [group])
}

/// A gateway with `groups`, which are to reach `provider`.
fn serving(provider: FakeProvider, groups: impl IntoIterator<Item = Group>) -> Bench {
    serving_key(provider, groups, key("k", "sk-client"))
}

/// The same, for a client with this proxy `key`.
fn serving_key(provider: FakeProvider, groups: impl IntoIterator<Item = Group>, key: ProxyKey) -> Bench {
    let config = ConfigState::default();
    config.replace(RouteTable::compile(Arc::new(snapshot(groups, [key])), None));
    let (sink, records) = UsageSink::channel(100, &UsageMetrics::default());
    let (sender, key_states) = mpsc::channel(10);
    let media = MediaPolicy { private_networks: true, ..MediaPolicy::default() };
    let limits = RequestLimits { max_body_bytes: 10_000, media, ..RequestLimits::default() };
    let (metrics, node) = (Metrics::new(), Arc::new(Node::new("node-7")));
    let gateway = Gateway::new(config.clone(), sink, node, limits, sender, &metrics).unwrap();
    Bench { provider, config, router: router(gateway, None), records, key_states, metrics }
}

impl Bench {
    async fn send(&self, request: Request<Body>) -> Response {
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert!(response.headers().contains_key("x-request-id"));
        response
    }

    /// Has what failed forgiven, so that what fails again is asked again.
    fn forgive(&self) {
        for group in self.config.table().unwrap().groups() {
            for model in group.group.models.iter().chain(group.group.model_aliases.values()) {
                group.models.of(model).breaker.forgive();
            }
            group.keys.iter().for_each(|key| key.breaker.forgive());
        }
    }

    async fn chat(&self, body: &Value) -> (u16, String) {
        let response = self.send(chat(body)).await;
        let status = response.status().as_u16();
        (status, text(response).await)
    }

    fn record(&mut self) -> pb::UsageRecord {
        let record = self.records.try_recv().expect("one record").counted();
        assert!(self.records.try_recv().is_none(), "one record and no more");
        record
    }

    fn keys_used(&self) -> Vec<String> {
        self.provider.journal().requests().iter().map(|request| request.key().to_owned()).collect()
    }
}

fn chat(body: &Value) -> Request<Body> {
    Request::post("/v1/chat/completions")
        .header("authorization", "Bearer sk-client")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn plain(model: &str, stream: bool) -> Value {
    json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] })
}

fn error(text: &str) -> Value {
    serde_json::from_str::<Value>(text).unwrap()["error"].clone()
}

#[tokio::test]
async fn an_answer_is_passed_on_and_counted() {
    let mut bench = bench(|_| {}).await;
    bench.provider.script(Target::All, Script::saying("Hi").usage(9, 3));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["choices"][0]["message"]["content"], "Hi");
    let record = bench.record();
    assert_eq!((record.status, record.outcome()), (200, Outcome::Success));
    assert_eq!((record.input_tokens, record.output_tokens, record.usage_source()), (9, 3, UsageSource::Reported));
    assert_eq!((record.requested_model.as_str(), record.upstream_model.as_str()), ("gpt-4o", "gpt-4o"));
    assert_eq!((record.attempts.len(), record.proxy_key_name.as_str()), (1, "k"));
    let sent = bench.provider.journal().last().unwrap();
    assert_eq!(sent.json(), plain("gpt-4o", false));
    assert_eq!(sent.key(), "sk-upstream-g-1");
}

#[tokio::test]
async fn a_stream_hides_the_usage_that_was_not_asked_for() {
    let mut bench = bench(|_| {}).await;
    bench.provider.always(Target::All, Script::saying("one two three").usage(5, 3));
    let (_, hidden) = bench.chat(&plain("fast", true)).await;
    assert!(!hidden.contains("prompt_tokens"), "{hidden}");
    assert!(hidden.ends_with("data: [DONE]\n\n"));
    let sent = bench.provider.journal().last().unwrap().json();
    assert_eq!((&sent["model"], &sent["stream_options"]["include_usage"]), (&json!("gpt-4o-mini"), &json!(true)));
    let record = bench.record();
    assert_eq!((record.input_tokens, record.output_tokens, record.outcome()), (5, 3, Outcome::Success));
    assert!(record.first_byte_us > 0 && record.streamed);

    let mut asking = plain("gpt-4o", true);
    asking["stream_options"] = json!({ "include_usage": true });
    let (_, shown) = bench.chat(&asking).await;
    assert!(shown.contains("\"prompt_tokens\":5"), "{shown}");
}

#[tokio::test]
async fn a_passed_stream_is_closed_with_usage_also_where_the_provider_counts_nothing() {
    let mut bench = bench(|_| {}).await;
    let mut asking = plain("gpt-4o", true);
    asking["stream_options"] = json!({ "include_usage": true });
    let silent = Script { no_usage: true, ..Script::saying("one two three") };
    bench.provider.script(Target::All, silent.clone());
    let (_, told) = bench.chat(&asking).await;
    let data: Vec<&str> = told.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let [.., before, closing, "[DONE]"] = data[..] else { panic!("{told}") };
    let (before, closing): (Value, Value) =
        (serde_json::from_str(before).unwrap(), serde_json::from_str(closing).unwrap());
    assert_eq!(
        (&closing["id"], &closing["created"], &closing["model"]),
        (&before["id"], &before["created"], &before["model"])
    );
    assert_eq!((&closing["choices"], &closing["usage"]["total_tokens"]), (&json!([]), &json!(0)));
    assert_eq!(bench.record().usage_source(), UsageSource::Estimated);

    // Not where nobody asked, and not behind a stream that broke off.
    bench.provider.script(Target::All, silent.clone());
    assert!(!bench.chat(&plain("gpt-4o", true)).await.1.contains("total_tokens"));
    bench.provider.script(Target::All, silent.cut(Cut::AfterChunks(2)));
    let (_, cut) = bench.chat(&asking).await;
    assert!(!cut.contains("total_tokens") && cut.contains("\"error\""), "{cut}");
}

#[tokio::test]
async fn any_split_of_the_stream_is_the_same_to_the_client() {
    let bench = bench(|_| {}).await;
    let script = Script { content: Some("one two".to_owned()), ..Script::default() };
    bench.provider.script(Target::All, script.clone());
    let strip = |text: String| -> Vec<Value> {
        let data = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
        let values = data.filter_map(|data| serde_json::from_str(data).ok());
        values.map(|mut value: Value| value["choices"].take()).collect()
    };
    let whole = strip(bench.chat(&plain("gpt-4o", true)).await.1);
    for split in [1, 2, 7, 64] {
        bench.provider.script(Target::All, Script { split_bytes: Some(split), ..script.clone() });
        assert_eq!(strip(bench.chat(&plain("gpt-4o", true)).await.1), whole, "{split}");
    }
}

#[tokio::test]
async fn the_next_key_is_tried_once() {
    for first in [Script::error(500), Script::error(429), Script::default().cut(Cut::BeforeHead)] {
        let mut bench = bench(|_| {}).await;
        bench.provider.script(Target::All, first);
        assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 200);
        assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2"]);
        assert_eq!(bench.record().attempts.len(), 2);
    }
    let mut bench = bench(|group| {
        group.upstream_keys.push(upstream_key("g-3"));
        group.retry_count = 1;
    })
    .await;
    bench.provider.always(Target::All, Script::error(503));
    assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 503);
    assert_eq!(bench.keys_used().len(), 2);
    let record = bench.record();
    assert_eq!((record.outcome(), record.usage_source()), (Outcome::UpstreamError, UsageSource::None));
}

#[tokio::test]
async fn a_provider_has_its_own_words() {
    let bench = bench(|_| {}).await;
    let words = json!({ "message": "too hot", "type": "x", "code": "y", "param": null });
    bench.provider.script(Target::All, Script { error: Some(words.clone()), ..Script::error(422) });
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert_eq!((status, error(&body)), (422, words));
    assert_eq!(bench.keys_used().len(), 1);

    bench.provider.always(Target::All, Script::html_502());
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert_eq!((status, &error(&body)["code"]), (502, &json!("bad_upstream_response")));
    assert!(!body.contains("cloudflare"), "{body}");
}

#[tokio::test]
async fn a_refused_key_is_left_alone_and_others_are_told() {
    let mut bench = bench(|_| {}).await;
    bench.provider.always(Target::Key("sk-upstream-g-1".to_owned()), Script::error(401));
    assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 200);
    assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 200);
    assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2", "sk-upstream-g-2"]);
    let state = bench.key_states.try_recv().unwrap();
    assert_eq!((&*state.upstream_key_id, state.health), ("g-1", Health::Invalid));

    bench.provider.always(Target::All, Script::error(401));
    let response = bench.send(chat(&plain("gpt-4o", false))).await;
    assert_eq!(response.headers()["x-should-retry"], "false");
    assert_eq!(
        (response.status().as_u16(), &error(&text(response).await)["code"]),
        (502, &json!("upstream_authentication_failed"))
    );
}

#[tokio::test]
async fn a_provider_that_is_silent_is_a_timeout() {
    let mut bench = bench(|group| group.timeout = Duration::from_millis(50)).await;
    bench.provider.always(Target::All, Script::default().head_delay(Duration::from_mins(1)));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert_eq!((status, &error(&body)["code"]), (504, &json!("upstream_timeout")));
    assert_eq!(bench.record().outcome(), Outcome::Timeout);
}

#[tokio::test]
async fn no_provider_at_all_is_a_bad_gateway() {
    let mut bench = bench(|group| group.base_url = "http://127.0.0.1:1/v1".into()).await;
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert_eq!((status, &error(&body)["code"]), (502, &json!("upstream_connect_error")));
    assert!(!body.contains("127.0.0.1"), "where providers are is the operator's to know: {body}");
    let attempts = bench.record().attempts;
    assert_eq!(attempts.len(), 2);
    let why = "no connection (http://127.0.0.1:1/v1/chat/completions: tcp connect error: Connection refused";
    assert!(attempts[0].error.starts_with(why), "{}", attempts[0].error);
}

#[tokio::test]
async fn a_base_url_that_leads_nowhere_shows_in_the_record() {
    let mut bench = bench(|_| {}).await;
    bench.provider.script(Target::All, Script::verbatim(404, "text/plain", "not found"));
    assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 404);
    let error = bench.record().attempts.remove(0).error;
    assert!(error.starts_with("the provider found nothing at http://") && error.ends_with("/v1/chat/completions"));
}

#[tokio::test]
async fn a_hostile_provider_gives_a_clean_error() {
    let bench = bench(|_| {}).await;
    for script in [
        Script::verbatim(200, "text/html", "<html>"),
        Script::verbatim(200, "application/json", "{\"id\":"),
        Script::verbatim(200, "text/event-stream", "x".repeat(2 << 20)),
        Script::error(302).header("location", "http://127.0.0.1:1/"),
        Script { raw: Some("junk\r\n\r\n".to_owned()), ..Script::default() },
    ] {
        bench.provider.clear_scripts();
        bench.provider.always(Target::All, script.clone());
        let (status, body) = bench.chat(&plain("gpt-4o", true)).await;
        if status == 200 {
            assert!(body.starts_with("data: {\"error\""), "{script:?}: {body:.200}");
        } else {
            assert_eq!(status, 502, "{script:?}");
            assert!(error(&body)["message"].is_string(), "{script:?}");
        }
    }
}

#[tokio::test]
async fn an_error_in_the_guise_of_an_answer_is_an_error() {
    let bench = bench(|_| {}).await;
    let document = json!({ "error": { "message": "Too busy.", "type": "server_error", "param": null, "code": null } });
    bench.provider.always(Target::All, Script::json(document));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert!(status >= 500, "{status}");
    assert_eq!(error(&body)["message"], "Too busy.");
    assert_eq!(bench.keys_used().len(), 2, "the next key is tried");
    bench.provider.clear_scripts();
    // Other answers without usage pass, whatever is in them.
    bench.provider.script(Target::All, Script { no_usage: true, ..Script::saying("{\"error\": {}}") });
    assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 200);
}

#[tokio::test]
async fn an_upstream_key_never_comes_back() {
    let bench = bench(|_| {}).await;
    for stream in [false, true] {
        bench.provider.always(
            Target::All,
            Script { echo: true, ..Script::default() }.header("x-ratelimit-limit-requests", "sk-upstream-g-1"),
        );
        let response = bench.send(chat(&plain("gpt-4o", stream))).await;
        assert!(!format!("{:?}", response.headers()).contains("sk-upstream"), "{:?}", response.headers());
        let body = text(response).await;
        assert!(!body.contains("sk-upstream"), "{body}");
    }
}

#[tokio::test]
async fn refusals_are_in_the_clients_shape() {
    let mut bench = bench(|_| {}).await;
    let large = json!({ "model": "gpt-4o", "pad": "x".repeat(20_000) });
    let cases = [
        (chat(&plain("gpt-9", false)), 404, "model_not_found"),
        (chat(&json!({})), 400, "invalid_request"),
        (chat(&large), 413, "request_too_large"),
        (Request::post("/v1/chat/completions").body(Body::empty()).unwrap(), 401, "invalid_api_key"),
        (
            Request::post("/v1/chat/completions").header("authorization", "Bearer x").body(Body::empty()).unwrap(),
            401,
            "invalid_api_key",
        ),
        (Request::get("/v1/chat/completions").body(Body::empty()).unwrap(), 405, "method_not_allowed"),
        (Request::get("/v1/nothing").body(Body::empty()).unwrap(), 404, "unknown_url"),
        (
            Request::post("/v1/chat/completions")
                .header("authorization", "Bearer sk-client")
                .header("content-encoding", "br")
                .body(Body::from("x"))
                .unwrap(),
            415,
            "unsupported_encoding",
        ),
    ];
    for (request, status, code) in cases {
        let response = bench.send(request).await;
        assert_eq!(response.status().as_u16(), status, "{code}");
        assert_eq!(response.headers().contains_key("connection"), status == 413, "{code}");
        let error = error(&text(response).await);
        assert_eq!(error["code"], code);
        assert!(error["message"].is_string() && error["type"].is_string());
        if matches!(code, "invalid_api_key" | "method_not_allowed" | "unknown_url") {
            assert!(bench.records.try_recv().is_none(), "{code}: it was never known whose the request is");
            continue;
        }
        let record = bench.record();
        assert_eq!(
            (record.status, record.error_code.as_str(), record.outcome()),
            (u32::from(status), code, Outcome::Refused)
        );
    }
    assert_eq!(bench.keys_used().len(), 0);
}

#[tokio::test]
async fn the_list_of_models() {
    let bench = bench(|_| {}).await;
    let get = |path: &str| Request::get(path).header("authorization", "Bearer sk-client").body(Body::empty()).unwrap();
    let list: Value = serde_json::from_str(&text(bench.send(get("/v1/models")).await).await).unwrap();
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["fast", "gpt-4o"]);
    assert_eq!(bench.send(get("/v1/models/gpt%2D4o")).await.status(), 200);
    assert_eq!(bench.send(get("/v1/models/a/b")).await.status(), 404);
}

fn holds_words(data: &[u8]) -> bool {
    let events = String::from_utf8_lossy(data).into_owned();
    events.replace("\"content\":\"\"", "").contains("\"content\":\"")
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded() {
    let mut bench = bench(|_| {}).await;
    bench.provider.always(Target::All, Script::endless(Duration::from_millis(5)));
    let mut body = bench.send(chat(&plain("gpt-4o", true))).await.into_body();
    // The first events name the speaker and hold no content.
    while !body.frame().await.unwrap().unwrap().data_ref().is_some_and(|data| holds_words(data)) {}
    drop(body);
    let record = bench.record();
    assert_eq!(
        (record.status, record.outcome(), record.usage_source()),
        (200, Outcome::ClientGone, UsageSource::Partial)
    );
    assert!(record.input_tokens > 0 && record.output_tokens > 0, "estimated from what had come");
}

#[tokio::test]
async fn a_provider_that_reports_no_usage_has_it_estimated() {
    for stream in [false, true] {
        let mut bench = bench(|_| {}).await;
        bench.provider.script(Target::All, Script { no_usage: true, ..Script::saying("one two three four") });
        assert_eq!(bench.chat(&plain("gpt-4o", stream)).await.0, 200);
        let record = bench.record();
        assert_eq!((record.outcome(), record.usage_source()), (Outcome::Success, UsageSource::Estimated));
        // The input is "Hello" and the frame of a message. The output is the four words.
        assert_eq!((record.input_tokens, record.output_tokens), (5, 4), "{stream}");
    }
}
