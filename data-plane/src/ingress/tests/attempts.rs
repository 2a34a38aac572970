//! How often a request is sent, and for how long it is waited for.

use std::time::{Duration, Instant};

use axum::body::Body;
use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use http::Request;
use serde_json::json;
use shared::pb::usage_record::Outcome;
use shared::snapshot::Group;

use super::matrix::{CLIENTS, VENDORS, bench_with, request};
use super::{bench, chat, plain, text};

/// A request for an image.
fn image() -> Request<Body> {
    Request::post("/v1/images/generations")
        .header("authorization", "Bearer sk-client")
        .header("content-type", "application/json")
        .body(Body::from(json!({ "model": "gpt-4o", "prompt": "a dot" }).to_string()))
        .unwrap()
}

/// However often a provider fails, retries add no more than the budget allows, and clients are told not to retry either
/// once it is spent. Scaled to 100 requests.
#[tokio::test]
async fn p08_retries_keep_within_their_budget() {
    let bench = bench(|_| {}).await;
    bench.provider.always(Target::All, Script::error(503));
    let begun = Instant::now();
    let mut told = false;
    for _ in 0..100 {
        bench.forgive();
        let response = bench.send(chat(&plain("gpt-4o", false))).await;
        assert_eq!(response.status(), 503);
        told |= response.headers().get("x-should-retry").is_some_and(|value| value == "false");
    }
    let sent = u64::try_from(bench.keys_used().len()).unwrap();
    assert!(sent > 100 && sent <= 100 + 30 + 3 * (begun.elapsed().as_secs() + 1), "{sent}");
    assert!(told);
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_sent_again_only_where_that_is_safe() {
    let busy = || Script::error(503);
    let failed = || Script::error(500);
    let cut = || Script::default().cut(Cut::BeforeHead);
    for (unsafe_too, script, attempts) in [
        (false, failed(), 1),
        (false, cut(), 1),
        (false, Script::error(504), 1),
        // It says that it has not been.
        (false, busy(), 2),
        (false, Script::error(429), 2),
        (true, failed(), 2),
        (true, cut(), 2),
    ] {
        let bench = bench(|group| group.routing.retry_unsafe_requests = unsafe_too).await;
        bench.provider.always(Target::All, script.clone());
        bench.send(image()).await;
        assert_eq!(bench.keys_used().len(), attempts, "an image, {unsafe_too}: {script:?}");
    }
    for script in [failed(), cut()] {
        let bench = bench(|_| {}).await;
        bench.provider.script(Target::All, script.clone());
        assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 200);
        assert_eq!(bench.keys_used().len(), 2, "a chat: {script:?}");
    }
    // A connection that was refused has carried nothing.
    let mut bench = bench(|group| group.base_url = "http://127.0.0.1:1/v1".into()).await;
    bench.send(image()).await;
    assert_eq!(bench.record().attempts.len(), 2);
}

#[tokio::test]
async fn a_group_has_a_time_of_its_own_for_pauses_and_for_the_whole() {
    let paced = || Script::paced(50, Duration::from_millis(200));
    // Between two chunks.
    let mut silent = bench(|group| group.routing.chunk_timeout = Some(Duration::from_millis(100))).await;
    silent.provider.always(Target::All, Script::paced(3, Duration::from_mins(1)));
    let (status, body) = silent.chat(&plain("gpt-4o", true)).await;
    assert!(status == 504 || (status == 200 && body.contains("\"error\"")), "{status} {body}");
    assert_eq!(silent.record().outcome(), Outcome::Timeout);
    // All of it, though each chunk comes in time.
    let mut long = bench(|group| group.routing.total_timeout = Some(Duration::from_millis(900))).await;
    long.provider.always(Target::All, paced());
    let begun = Instant::now();
    let (status, body) = long.chat(&plain("gpt-4o", true)).await;
    assert!(status == 200 && body.contains("\"error\"") && !body.contains("[DONE]"), "{status} {body}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(long.record().outcome(), Outcome::Timeout);
    // The first byte.
    let mut late = bench(|group| group.timeout = Duration::from_millis(100)).await;
    late.provider.always(Target::All, Script::default().head_delay(Duration::from_mins(1)));
    assert_eq!(late.chat(&plain("gpt-4o", false)).await.0, 504);
    assert_eq!(late.record().attempts.len(), 2);
}

#[tokio::test]
async fn a_client_lowers_the_time_for_its_answer_and_cannot_raise_it() {
    let asking = |stream, timeout: &str| {
        let mut request = chat(&plain("gpt-4o", stream));
        request.headers_mut().insert("x-orchestration-timeout", timeout.parse().unwrap());
        request
    };
    let bench = bench(|group| group.timeout = Duration::from_millis(300)).await;
    bench.provider.always(Target::All, Script::default().head_delay(Duration::from_mins(1)));
    let response = bench.send(asking(false, "0.2")).await;
    assert_eq!(response.status(), 504);
    // There was no time for the second key.
    assert_eq!(bench.keys_used().len(), 1);
    assert_eq!(bench.send(asking(false, "600")).await.status(), 504);
    bench.provider.clear_scripts();
    bench.provider.always(Target::All, Script::paced(50, Duration::from_millis(200)));
    let response = bench.send(asking(true, "0.9")).await;
    assert_eq!(response.status(), 200);
    let body = text(response).await;
    assert!(body.contains("\"error\"") && !body.contains("[DONE]"), "{body}");
    for wrong in ["soon", "-1", "0", "NaN"] {
        assert_eq!(bench.send(asking(false, wrong)).await.status(), 400, "{wrong}");
    }
}

/// An answer that ends well and holds nothing counts as a failure where the group says so, whole or as a stream, passed
/// or translated; one that calls a tool, declines, or ran out of tokens holds something.
#[tokio::test]
async fn an_empty_answer_goes_to_the_next_key_where_the_group_says_so() {
    let empty = || Script { content: Some(String::new()), ..Script::default() };
    for (vendor, versioned, model) in VENDORS {
        for (format, stream) in CLIENTS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
            for (again, first, asked) in [
                (true, empty(), 2),
                (false, empty(), 1),
                (true, Script::saying("Hi"), 1),
                (true, empty().finish("length"), 1),
                (true, Script::tool_calls([("weather", "{}")]), 1),
            ] {
                let about = format!("{format} from {vendor}, stream {stream}: {first:?}");
                let change = |group: &mut Group| group.routing.retry_empty_answers = again;
                let bench = bench_with(vendor, versioned, model, change).await;
                bench.provider.script(Target::All, first);
                bench.provider.always(Target::All, Script::saying("Found"));
                let response = bench.send(request(format, "Hello", stream, true)).await;
                let status = response.status();
                let body = text(response).await;
                assert_eq!(bench.keys_used().len(), asked, "{about}: {status} {body:.300}");
                assert_eq!(body.contains("Found"), asked == 2, "{about}: {status} {body:.300}");
            }
        }
    }
}
