//! Tests that those who have no key, and what cost nothing, do no harm to the records of those who pay: promise 40 in
//! `docs/PROMISES.md`, and what a node does on a full disk.

use std::collections::HashSet;
use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::http::Connection;
use harness::planes::{chat, chat_request};
use harness::wait;
use hyper::Method;
use serde_json::json;

use crate::support::{Bed, SOON, ledger, split, standalone};

/// Promise 40 in `docs/PROMISES.md`: a flood of wrong keys, and one of requests that cost nothing, push no record that
/// was paid for out of a small spool. Scale: 3,000 requests of noise.
#[tokio::test(flavor = "multi_thread")]
async fn p40_noise_pushes_no_paid_record_out_of_the_spool() {
    const PAID: usize = 120;
    const WRONG: usize = 1_500;
    let setup = split(1).set("Usage:SpoolMaxBytes", 128 * 1024).set("Usage:SegmentBytes", 16 * 1024);
    let mut bed = Bed::start(setup).await.unwrap();
    bed.chat(&chat("gpt-4o", false)).await.unwrap();
    bed.chat_records(1).await.unwrap();
    let node = bed.planes.api();
    let before = unauthenticated(&node.scrape().await.unwrap());
    bed.planes.control.kill().await.unwrap();

    let mut paid = HashSet::new();
    let mut client = Connection::to(bed.planes.api().http);
    for _ in 0..PAID / 2 {
        let answer = client.fetch(chat_request(&bed.key.value, &chat("gpt-4o", false)).unwrap()).await.unwrap();
        assert_eq!(answer.status, 200);
        paid.insert(answer.header("x-request-id").to_owned());
    }
    let flood = (0..4).map(async |number| {
        let mut connection = Connection::to(bed.planes.api().http);
        let (key, model, status) = match number % 2 {
            0 => ("sk-no-such-key", "gpt-4o", 401),
            _ => (bed.key.value.as_str(), "no-such-model", 404),
        };
        for _ in 0..WRONG / 2 {
            let answer = connection.fetch(chat_request(key, &chat(model, false)).unwrap()).await.unwrap();
            assert_eq!(answer.status, status);
        }
    });
    futures_util::future::join_all(flood).await;
    for _ in 0..PAID / 2 {
        let answer = client.fetch(chat_request(&bed.key.value, &chat("gpt-4o", false)).unwrap()).await.unwrap();
        paid.insert(answer.header("x-request-id").to_owned());
    }

    bed.planes.control.start().await.unwrap();
    let mut lost = 0;
    let all_there = wait::until_async("what was paid for is in the ledger", SOON * 2, async || {
        let records = ledger(&bed.planes).await.ok()?;
        let found: HashSet<&str> = records.iter().filter_map(|record| record["requestId"].as_str()).collect();
        lost = paid.iter().filter(|id| !found.contains(id.as_str())).count();
        let free = records.iter().filter(|record| record["status"] == 404).count();
        let scrape = bed.planes.api().scrape().await.ok()?;
        let dropped = scrape.sum("usage_records_dropped")?;
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let (counted, all) = (free as f64 + dropped, WRONG as f64);
        (lost == 0 && counted >= all).then_some((records, scrape, counted))
    })
    .await;
    assert!(all_there.is_ok(), "{lost} of {PAID} paid records are lost");
    let (records, scrape, counted) = all_there.unwrap();
    assert!((counted - 1_500.0).abs() < 0.5, "stored and dropped are {counted} of {WRONG}");
    assert!(records.iter().all(|record| record["proxyKeyId"] == bed.key.id.as_str()), "a row without a key");
    let dropped = |kind: &str| {
        let wanted = format!("kind=\"{kind}\"");
        let lines = scrape.text().lines().filter(|line| line.contains("usage_records_dropped_total{"));
        let values = lines.filter(|line| line.contains(&wanted)).filter_map(|line| line.rsplit_once(' '));
        values.filter_map(|(_, value)| value.parse::<u64>().ok()).sum::<u64>()
    };
    assert_eq!(dropped("paid"), 0);
    assert!(dropped("free") > 0);
    assert_eq!(unauthenticated(&scrape) - before, WRONG as u64);

    // The log is sampled, and says so.
    let told = wait::until("the log says what it left out", SOON, || {
        let log = bed.planes.api().process().ok()?.log();
        log.lines().any(|line| line.contains("left out of the log")).then_some(log)
    });
    let refused = told.await.unwrap().lines().filter(|line| line.contains("\"status\":401")).count();
    assert!((1..=200).contains(&refused), "{refused} lines for {WRONG} requests without a key");
}

fn unauthenticated(scrape: &harness::metrics::Scrape) -> u64 {
    let lines =
        scrape.text().lines().filter(|line| line.contains("unauthenticated_requests_total{reason=\"wrong_key\"}"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn p40_requests_that_never_authenticate_leave_no_row() {
    let bed = Bed::start(standalone()).await.unwrap();
    let api = bed.planes.api();
    // While the node did not know the key yet, it was asked with it.
    let before = unauthenticated(&api.scrape().await.unwrap());
    assert_eq!(api.chat("sk-unknown", &chat("gpt-4o", false)).await.unwrap().status, 401);
    assert_eq!(api.chat("", &chat("gpt-4o", false)).await.unwrap().status, 401);
    let mut connection = Connection::to(api.http);
    for (method, path) in [
        (Method::GET, "/v1/no-such-path"),
        (Method::GET, "/v1/chat/completions"),
        (Method::GET, "/chat/completions"),
        (Method::GET, "/openai/v1/models"),
    ] {
        let request = harness::http::bare(method, path, "sk-unknown").unwrap();
        assert!((404..=405).contains(&connection.fetch(request).await.unwrap().status), "{path}");
    }
    assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
    bed.chat_records(1).await.unwrap();
    let rows = bed.planes.admin.logs().await.unwrap();
    assert!(rows.iter().all(|row| row["proxyKeyId"] == bed.key.id.as_str()), "{rows:?}");
    let scrape = api.scrape().await.unwrap();
    assert_eq!(unauthenticated(&scrape) - before, 1);
    for (reason, count) in [("no_key", 1), ("unknown_url", 3), ("wrong_method", 1)] {
        let line = format!("unauthenticated_requests_total{{reason=\"{reason}\"}} {count}");
        assert!(scrape.text().contains(&line), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_fails_no_request_and_loses_no_record() {
    let setup = split(1).set("Usage:SegmentBytes", 4096).set("Usage:SpoolMaxBytes", 1024 * 1024);
    let mut bed = Bed::start(setup).await.unwrap();
    bed.chat(&chat("gpt-4o", false)).await.unwrap();
    bed.chat_records(1).await.unwrap();
    bed.planes.control.kill().await.unwrap();
    // Where the next segment should be there is something else.
    let usage = bed.planes.api().data.join("usage");
    let numbers = std::fs::read_dir(&usage)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".segment")?.parse::<u64>().ok());
    let obstacle = usage.join(format!("{:020}.segment", numbers.max().unwrap() + 1));
    std::fs::create_dir(&obstacle).unwrap();
    for _ in 0..40 {
        assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
    }
    let degraded = wait::until_async("the node says that it is degraded", SOON, async || {
        let ready = bed.planes.api().get("/health/ready").await.ok()?;
        let told = ready.json();
        (ready.status == 200 && told["status"] == "degraded").then_some(told)
    });
    let told = degraded.await.unwrap();
    assert!(told["degraded"]["usageSpool"]["problem"].as_str().is_some_and(|text| text.contains("cannot be written")));
    let scrape = bed.planes.api().scrape().await.unwrap();
    assert!(scrape.sum("usage_memory_records").unwrap() >= 20.0, "{}", scrape.text());
    let log = bed.planes.api().process().unwrap().log();
    let warnings = log.lines().filter(|line| line.contains("cannot be written")).count();
    assert!((1..=3).contains(&warnings), "{warnings} warnings");

    // What waits in memory is reported from there.
    bed.planes.control.start().await.unwrap();
    bed.chat_records(41).await.unwrap();
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
    wait::until_async("the node is well again", SOON, async || {
        let ready = bed.planes.api().get("/health/ready").await.ok()?.json();
        (ready["status"] == "ready" && ready.get("degraded").is_none()).then_some(())
    })
    .await
    .unwrap();
    bed.chat_records(42).await.unwrap();
    let dropped = bed.planes.api().scrape().await.unwrap().sum("usage_records_dropped");
    assert_eq!(dropped, Some(0.0));
}

/// Promise 23 in `docs/PROMISES.md`, at the end of a node: what is settled while it drains is reported, or on disk,
/// even where a client does not read its answer.
#[tokio::test(flavor = "multi_thread")]
async fn p23_what_is_settled_during_the_drain_is_kept() {
    const READERS: usize = 8;
    let setup = split(1).set("Server:DrainDeadlineSeconds", 1).set("Server:DrainDelaySeconds", 0);
    let mut bed = Bed::start(setup).await.unwrap();
    // The answers are larger than what the kernel holds for a client that reads nothing of them.
    bed.provider.always(Target::All, Script::endless(Duration::ZERO));
    let mut idle = Vec::new();
    for _ in 0..READERS {
        let request = chat_request(&bed.key.value, &chat("gpt-4o", true)).unwrap();
        let mut connection = Connection::to(bed.planes.api().http);
        let answer = connection.send(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        idle.push((connection, answer));
    }
    bed.planes.nodes[0].stop(SOON).await.unwrap();
    bed.planes.nodes[0].start().await.unwrap();
    let records = bed.chat_records(READERS).await.unwrap();
    assert!(records.iter().all(|record| record["usageSource"] == "partial"), "{records:?}");
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_that_cannot_be_is_capped_and_marked_in_the_ledger() {
    let bed = Bed::start(standalone()).await.unwrap();
    let message = json!({ "role": "assistant", "content": "Hi" });
    for (input, output) in [(json!(u64::MAX), json!(3)), (json!(-5), json!(3)), (json!(9), json!(1e30))] {
        let answer = json!({
            "id": "a", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": input, "completion_tokens": output, "total_tokens": 3 },
        });
        bed.provider.script(Target::All, Script::json(answer));
        assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
    }
    for record in bed.chat_records(3).await.unwrap() {
        assert_eq!(record["usageSource"], "capped", "{record}");
        for field in ["inputTokens", "outputTokens", "totalTokens"] {
            assert!(record[field].as_i64().is_some_and(|tokens| (0..=40_000_000).contains(&tokens)), "{record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_groups_models_and_statuses_apart() {
    let bed = Bed::start(standalone()).await.unwrap();
    assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
    assert_eq!(bed.chat(&chat("fake-error-400", false)).await.unwrap().status, 400);
    assert_eq!(bed.chat(&chat("never-heard-of", false)).await.unwrap().status, 404);
    bed.chat_records(3).await.unwrap();
    let scrape = bed.planes.api().scrape().await.unwrap();
    let of = |model: &str| format!("group=\"fake\",provider=\"openai\",model=\"{model}\"");
    for line in [
        format!("group_requests_total{{{},status=\"200\"}} 1", of("gpt-4o")),
        format!("group_requests_total{{{},status=\"400\"}} 1", of("fake-error-400")),
        format!("group_attempts_total{{{},result=\"success\"}} 1", of("gpt-4o")),
        format!("group_tokens_total{{{},kind=\"output\",source=\"reported\"}}", of("gpt-4o")),
        "group_request_duration_seconds_count{group=\"fake\",outcome=\"success\"} 1".to_owned(),
        "group_request_duration_seconds_count{group=\"fake\",outcome=\"failure\"} 1".to_owned(),
    ] {
        assert!(scrape.text().contains(&line), "{line} in {}", scrape.text());
    }
    assert!(!scrape.text().contains("never-heard-of"), "a label holds what a client sent");

    // A provider that reports nothing: what is estimated is counted as such.
    let answer = json!({
        "id": "a", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hi" }, "finish_reason": "stop" }],
    });
    bed.provider.script(Target::All, Script::json(answer));
    assert_eq!(bed.chat(&chat("gpt-4o-mini", false)).await.unwrap().status, 200);
    wait::until_async("the estimate is counted", SOON, async || {
        let scrape = bed.planes.api().scrape().await.ok()?;
        let is_counted = |line: String| scrape.text().lines().any(|shown| shown.contains(&line));
        let of_group =
            |kind: &str| format!("group_tokens_total{{{},kind=\"{kind}\",source=\"estimated\"}}", of("gpt-4o-mini"));
        let all = |kind: &str| format!("_tokens_total{{kind=\"{kind}\",source=\"estimated\"}} 0");
        let counted = ["input", "output"].iter().all(|kind| is_counted(of_group(kind)) && !is_counted(all(kind)));
        counted.then_some(())
    })
    .await
    .unwrap();
    assert!(
        !bed.planes
            .api()
            .scrape()
            .await
            .unwrap()
            .text()
            .contains("model=\"gpt-4o-mini\",kind=\"output\",source=\"reported\"")
    );
}
