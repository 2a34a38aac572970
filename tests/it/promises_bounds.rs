//! Tests of what the node holds: promise 39 in `docs/PROMISES.md`, a room of its own for every tenant's bodies.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fake_provider::queue::Target;
use fake_provider::script::Script;
use futures_util::future::join_all;
use harness::http::{Answer, Connection};
use harness::planes::{Planes, Setup, chat_request, group};
use harness::wait;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Bed, SOON, provider, raw_post, split, tell};

const MIB: usize = 1024 * 1024;

/// A chat completion with a picture of `bytes` bytes of base64.
fn picture(bytes: usize) -> Value {
    let url = format!("data:image/png;base64,{}", "QUJD".repeat(bytes / 4));
    let parts =
        json!([{ "type": "text", "text": "What is this?" }, { "type": "image_url", "image_url": { "url": url } }]);
    json!({ "model": "m", "max_tokens": 5, "messages": [{ "role": "user", "content": parts }] })
}

/// A deployment with one group of `vendor`.
async fn served(setup: Setup, vendor: &str, base_url: &str) -> (Planes, String) {
    with_group(setup.start().await.unwrap(), vendor, base_url).await
}

/// `planes` with one group of `vendor`.
async fn with_group(planes: Planes, vendor: &str, base_url: &str) -> (Planes, String) {
    let mut body = group("g", base_url, &["sk-upstream-key-0001"], &["m"]);
    body["providerType"] = json!(vendor);
    planes.admin.create_group(&body).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "bounds" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    (planes, key.value)
}

/// Promise 39 in `docs/PROMISES.md`: beyond the sum of bodies held there is a 503 with `Retry-After` within 50 ms, and
/// what has ended is given back. Scale: 8 MiB in place of 512 MiB, and 500 ms, because the machine is busy.
#[tokio::test(flavor = "multi_thread")]
async fn p39_the_sum_of_request_bodies_is_bounded() {
    let bed = Bed::start(split(1).set("Limits:MaxBytesInFlight", 8 * MIB)).await.unwrap();
    let node = bed.planes.api();
    let large = |bytes: usize| {
        let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "x".repeat(bytes) }] });
        chat_request(&bed.key.value, &body).unwrap()
    };
    bed.provider.always(Target::All, Script { head_delay_ms: 3_600_000, ..Script::new() });
    let mut held: Vec<_> = (0..3).map(|_| Connection::to(node.http)).collect();
    {
        let waiting = join_all(held.iter_mut().map(|connection| connection.send(large(5 * MIB / 2))));
        let refused = async {
            wait::until("three are held", SOON, || (bed.provider.journal().total() == 3).then_some(())).await.unwrap();
            for _ in 0..20 {
                let began = Instant::now();
                let answer = Connection::to(node.http).fetch(large(MIB)).await.unwrap();
                assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
                assert_eq!(answer.json()["error"]["code"], "gateway_overloaded");
                assert!(began.elapsed() < Duration::from_millis(500), "took {:?}", began.elapsed());
            }
            let scrape = node.scrape().await.unwrap();
            let bytes = scrape.sum("request_bytes_held").unwrap();
            assert!((7.0e6..8.4e6).contains(&bytes), "{bytes}");
            assert!(scrape.sum("requests_without_room").unwrap() >= 20.0);
        };
        tokio::select! {
            _ = waiting => panic!("the provider does not answer"),
            () = refused => {}
        }
    }
    drop(held);
    wait::until_async("all is given back", SOON, async || {
        (node.scrape().await.ok()?.sum("request_bytes_held")? == 0.0).then_some(())
    })
    .await
    .unwrap();
    bed.provider.always(Target::All, Script::new());
    let answer = Connection::to(node.http).fetch(large(5 * MIB)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn respond(planes: &Planes, key: &str, body: &Value) -> Answer {
    let request = raw_post("/v1/responses", key, body.to_string()).unwrap();
    Connection::to(planes.api().http).fetch(request).await.unwrap()
}

/// Promise 39 in `docs/PROMISES.md`: a conversation that a small request refers to counts like a body.
#[tokio::test(flavor = "multi_thread")]
async fn p39_a_conversation_by_reference_counts_against_the_body_limit() {
    let provider = provider().await;
    let setup = split(1).set("Limits:MaxBodyBytes", 256 * 1024);
    let (planes, key) = served(setup, "anthropic", &provider.origin()).await;
    let mut previous = Value::Null;
    let mut refused = None;
    for turn in 0..8 {
        let mut body = json!({ "model": "m", "input": "x".repeat(60 * 1024) });
        if !previous.is_null() {
            body["previous_response_id"] = previous.clone();
        }
        let answer = respond(&planes, &key, &body).await;
        if answer.status != 200 {
            refused = Some((turn, answer));
            break;
        }
        previous = answer.json()["id"].clone();
    }
    let (turn, answer) = refused.expect("the chain is refused at some turn");
    assert_eq!(turn, 4);
    assert_eq!(answer.status, 413, "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "request_too_large");
    assert!(error["message"].as_str().unwrap().contains("262144 bytes"), "{error}");
    let small = json!({ "model": "m", "input": "And now?", "previous_response_id": previous });
    let sum: u32 = join_all((0..40).map(|_| respond(&planes, &key, &small)))
        .await
        .iter()
        .map(|a| u32::from(a.status == 200))
        .sum();
    assert_eq!(sum, 40, "what is within the limit goes on");
    let peak = planes.api().process().unwrap().peak_resident_bytes().unwrap();
    assert!(peak < 200 * 1024 * 1024, "{peak} bytes at the peak");
}

/// Promise 39 in `docs/PROMISES.md`: at the peak a translated request takes 4 bytes of memory for each of its own, and
/// one that passes 1.2, beside what does not grow with it. Scale: the bound of the first is 4.05, because memory is
/// given in pages and blocks.
#[tokio::test(flavor = "multi_thread")]
async fn p39_a_large_request_takes_little_more_than_itself() {
    // A stream of OpenAI's passes too, but for the wish that usage be told.
    let cases = [
        ("openai", false, 8 * MIB, 120),
        ("openai", true, 8 * MIB, 120),
        ("anthropic", false, 32 * MIB, 405),
        ("gemini", true, 32 * MIB, 405),
    ];
    for (vendor, stream, least, bound) in cases {
        let most = 3 * least;
        let provider = provider().await;
        let base_url = if vendor == "openai" { provider.base_url() } else { provider.origin() };
        let mut planes = split(0).set("Limits:MaxBodyBytes", most + MIB).start().await.unwrap();
        let mut node = planes.prepare_node().unwrap();
        // What is freed goes back to the system at once, so that the figure does not depend on when it would.
        node.launch.environment.push(("MIMALLOC_PURGE_DELAY".to_owned(), "0".to_owned()));
        node.start().await.unwrap();
        planes.nodes.push(node);
        let (planes, key) = with_group(planes, vendor, &base_url).await;
        let ask = async |bytes: usize| {
            let mut body = picture(bytes);
            body["stream"] = json!(stream);
            let body = &body;
            let answer = Connection::to(planes.api().http).fetch(chat_request(&key, body).unwrap()).await.unwrap();
            assert_eq!(answer.status, 200, "{vendor}: {}", answer.text());
        };
        let peak = || planes.api().process().unwrap().peak_resident_bytes().unwrap();
        ask(1024).await;
        // What does not grow with a request is no part of the figure.
        ask(least).await;
        let before = peak();
        ask(most).await;
        let grown = usize::try_from(peak() - before).unwrap();
        let hundredths = grown * 100 / (most - least);
        tell(&format!("{vendor}: {hundredths} hundredths of a byte are held for each byte of a request"));
        assert!(hundredths <= bound, "{vendor}: {grown} bytes more for {} more", most - least);
    }
}

/// Promise 39 in `docs/PROMISES.md`: the number of messages, parts and values is bounded before they take memory.
#[tokio::test(flavor = "multi_thread")]
async fn p39_many_tiny_messages_are_refused_with_the_bound() {
    let provider = provider().await;
    let (planes, key) = served(split(1), "anthropic", &provider.origin()).await;
    let list = |one: &str, count: usize| {
        let mut list = String::with_capacity(count * (one.len() + 1));
        for at in 0..count {
            let _written = write!(list, "{}{one}", if at > 0 { "," } else { "" });
        }
        list
    };
    let message = r#"{"role":"user","content":"a"}"#;
    let many = format!(r#"{{"model":"m","max_tokens":5,"messages":[{}]}}"#, list(message, 800_000));
    let part = r#"{"type":"text","text":"a"}"#;
    let parts =
        format!(r#"{{"model":"m","max_tokens":5,"messages":[{{"role":"user","content":[{}]}}]}}"#, list(part, 800_000));
    let fields = format!(r#"{{"model":"m","messages":[{message}],{}}}"#, list(r#""a":1"#, 800_000));
    let values =
        format!(r#"{{"model":"m","messages":[{message}],"tools":[{{"a":{{"b":[{}]}}}}]}}"#, list("[]", 5_000_000));
    for (body, bound) in [
        (many, "at most 20000 messages"),
        (parts, "at most 50000 parts"),
        (fields, "1000 fields"),
        (values, "at most 500000 JSON values"),
    ] {
        let request = raw_post("/v1/chat/completions", &key, body).unwrap();
        let answer = Connection::to(planes.api().http).fetch(request).await.unwrap();
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(bound), "{}", answer.text());
    }
    let peak = planes.api().process().unwrap().peak_resident_bytes().unwrap();
    assert!(peak < 200 * 1024 * 1024, "{peak} bytes at the peak");
}

/// What is nested without end takes neither the stack of the node nor its time, where it passes and where it is
/// translated.
#[tokio::test(flavor = "multi_thread")]
async fn deeply_nested_json_is_refused_or_passed_over() {
    let provider = provider().await;
    let (open, close) = (r#"{"type":"tool_result","tool_use_id":"t","thinking":1,"content":["#, "]}");
    let nested = format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let body = format!(
        r#"{{"model":"m","max_tokens":5,"messages":[{{"role":"user","content":"a"}},{{"role":"user","content":[{nested}]}}]}}"#
    );
    for (vendor, path, status) in [
        ("openai", "/v1/messages", Some(400)),
        ("gemini", "/v1/messages", Some(400)),
        ("anthropic", "/v1/chat/completions", Some(400)),
        ("anthropic", "/v1/messages", None),
        ("openai", "/v1/chat/completions", None),
    ] {
        let base_url = if vendor == "openai" { provider.base_url() } else { provider.origin() };
        let (planes, key) = served(split(1), vendor, &base_url).await;
        let request = raw_post(path, &key, body.clone()).unwrap();
        let answer = timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("in time").unwrap();
        assert!(status.is_none_or(|status| answer.status == status), "{vendor}{path}: {}", answer.text());
        assert_eq!(planes.api().get("/health/ready").await.unwrap().status, 200, "{vendor}{path}: the node lives");
    }
}

/// What a provider sends is no page on the gateway's own address.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_data_plane_cannot_be_pages() {
    let bed = Bed::start(split(1)).await.unwrap();
    let page = |status| {
        Script {
        status,
        body: Some(
            r#"{"id":"<script>alert(1)</script>","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}"#
                .to_owned(),
        ),
        content_type: Some("text/html".to_owned()),
        ..Script::new()
    }
    };
    for (path, status, kind) in [
        ("/v1/chat/completions", 200, "application/json"),
        ("/v1/chat/completions", 400, "application/json"),
        ("/v1/images/generations", 200, "application/octet-stream"),
        ("/v1/nothing", 404, "application/json"),
        ("/nothing", 404, "application/json"),
    ] {
        bed.provider.script(Target::All, page(status));
        let body = json!({ "model": "gpt-4o", "prompt": "x", "messages": [{ "role": "user", "content": "x" }] });
        let request = raw_post(path, &bed.key.value, body.to_string()).unwrap();
        let answer = Connection::to(bed.planes.api().http).fetch(request).await.unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (status, kind), "{path}: {}", answer.text());
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(answer.header("content-security-policy"), policy, "{path}");
        let saved = if kind.ends_with("octet-stream") { "attachment" } else { "" };
        assert_eq!(answer.header("content-disposition"), saved, "{path}");
    }
}
