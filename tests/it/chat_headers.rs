//! Tests of the headers that go up, of those that come down, and of `x-request-id`.

use std::collections::HashSet;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::http::{Connection, bare};
use harness::planes::{chat, chat_request, group};
use hyper::Method;
use serde_json::json;

use crate::support::{Bed, provider, split, standalone};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_matter_go_up_and_others_never() {
    let bed = Bed::start(standalone()).await.unwrap();
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let up = [
        ("openai-organization", "org-1"),
        ("openai-project", "proj-1"),
        ("openai-beta", "assistants=v2"),
        ("idempotency-key", "once-and-only-once"),
    ];
    let never = [
        ("cookie", "authToken=jwt"),
        ("proxy-authorization", "Basic eA=="),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("x-hop", "hop"),
        ("connection", "x-hop"),
        ("keep-alive", "timeout=5"),
        ("x-api-key", "sk-of-the-client"),
        ("x-goog-api-key", "sk-of-the-client"),
        ("upgrade", "websocket"),
    ];
    let mut headers = vec![("traceparent", traceparent.as_str()), ("tracestate", "vendor=1")];
    headers.extend(up);
    headers.extend(never);
    let answer = bed.post(&headers, chat("gpt-4o", false).to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = bed.provider.journal().last().unwrap();
    for (name, value) in up {
        assert_eq!(received.header(name), value, "{name}");
    }
    for (name, value) in never.iter().filter(|(name, _)| *name != "connection") {
        assert_ne!(received.header(name), *value, "{name}");
    }
    assert_eq!(received.key(), "sk-upstream-key-0001");
    let all = format!("{:?}", received.headers);
    assert!(!all.contains(&bed.key.value) && !all.contains("sk-of-the-client"), "{all}");

    let parts: Vec<&str> = received.header("traceparent").split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[1]), (4, "00", TRACE), "{parts:?}");
    assert!(parts[2] != SPAN && parts[2].len() == 16 && parts[2] != "0000000000000000", "{parts:?}");
    assert_eq!(parts[3], "01", "the sampling decision is the caller's");
    assert_eq!(received.header("tracestate"), "vendor=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traceparent_that_is_none_is_not_passed_on() {
    let bed = Bed::start(standalone()).await.unwrap();
    let zero = format!("00-{}-{SPAN}-01", "0".repeat(32));
    for wrong in ["nonsense", zero.as_str(), "00-short-b7ad6b7169203331-01"] {
        let answer = bed.post(&[("traceparent", wrong)], chat("gpt-4o", false).to_string()).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_ne!(bed.provider.journal().last().unwrap().header("traceparent"), wrong);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_groups_own_headers_win() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut body = group("headers", &provider.base_url(), &["sk-upstream-key-0001"], &["gpt-4o"]);
    body["headers"] = json!({ "OpenAI-Organization": "org-of-the-group", "X-Vendor": "v" });
    planes.admin.create_group(&body).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "headers" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let mut request = chat_request(&key.value, &chat("gpt-4o", false)).unwrap();
    request.headers_mut().insert("openai-organization", "org-of-the-client".parse().unwrap());
    assert_eq!(Connection::to(planes.api().http).fetch(request).await.unwrap().status, 200);
    let received = provider.journal().last().unwrap();
    assert_eq!(received.header("x-vendor"), "v");
    let organizations: Vec<_> = received.headers.get_all("openai-organization").iter().collect();
    assert_eq!(organizations, ["org-of-the-group"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_a_request_id_of_its_own() {
    let bed = Bed::start(standalone()).await.unwrap();
    let api = bed.planes.api();
    let key = &bed.key.value;
    let mut ids = HashSet::new();
    let mut note = |what: &str, id: &str| {
        assert!(!id.is_empty(), "{what} has no x-request-id");
        assert!(id != "req_fake", "{what}: the id is the provider's");
        assert!(ids.insert(id.to_owned()), "{what}: the id came twice");
    };
    for model in
        ["gpt-4o", "fake-error-400", "fake-error-429", "fake-error-503", "fake-cut-head", "fake-html", "no-such"]
    {
        note(model, api.chat(key, &chat(model, false)).await.unwrap().header("x-request-id"));
        note(model, api.chat_stream(key, &chat(model, true)).await.unwrap().header("x-request-id"));
    }
    note("a wrong key", api.chat("sk-wrong", &chat("gpt-4o", false)).await.unwrap().header("x-request-id"));
    note("no JSON", bed.post(&[], "{").await.unwrap().header("x-request-id"));
    for (method, path) in
        [(Method::GET, "/v1/models"), (Method::GET, "/v1/chat/completions"), (Method::GET, "/v1/no/such/path")]
    {
        let request = bare(method.clone(), path, key).unwrap();
        note(path, Connection::to(api.http).fetch(request).await.unwrap().header("x-request-id"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_and_the_log_carry_the_request_id() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.provider.script(Target::All, Script::saying("one"));
    let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
    let id = answer.header("x-request-id");
    let records = bed.chat_records(1).await.unwrap();
    assert_eq!(records[0]["requestId"], id);
    let log = bed.planes.api().process().unwrap().log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
    assert!(!lines.is_empty(), "no line of the log has {id}");
    for line in lines {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(!log.contains(&bed.key.value) && !log.contains("sk-upstream-key-0001"), "a secret is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_the_next_hop_alone_or_holds_the_key_stays_here() {
    let bed = Bed::start(standalone()).await.unwrap();
    let with_key = format!("trace of {}", bed.key.value);
    let headers = [
        ("connection", "keep-alive, OpenAI-Beta"),
        ("openai-beta", "for-this-hop"),
        ("openai-project", "proj-1"),
        ("x-client-request-id", with_key.as_str()),
        ("traceparent", "malformed"),
        ("tracestate", "vendor=1"),
    ];
    let answer = bed.post(&headers, chat("gpt-4o", false).to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = bed.provider.journal().last().unwrap();
    assert_eq!(received.header("openai-project"), "proj-1");
    for name in ["openai-beta", "x-client-request-id", "tracestate", "traceparent"] {
        assert_eq!(received.header(name), "", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_paths_that_are_not_served_have_a_request_id_too() {
    let bed = Bed::start(split(1)).await.unwrap();
    for (path, status) in
        [("/health", 200), ("/health/live", 200), ("/health/ready", 200), ("/", 404), ("/nope", 404), ("/v1/", 404)]
    {
        let answer = bed.planes.api().get(path).await.unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
        assert!(status == 200 || answer.json()["error"]["code"] == "unknown_url", "{path}: {}", answer.text());
    }
    bed.chat(&chat("gpt-4o", false)).await.unwrap();
    bed.chat_records(1).await.unwrap();
    let logs = bed.planes.admin.logs().await.unwrap();
    assert!(logs.iter().all(|record| record["path"].as_str().unwrap().starts_with("/v1")), "a scan fills the ledger");
}
