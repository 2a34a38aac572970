//! Tests that each request leaves exactly one usage record, on every path.

use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script, Usage};
use harness::http::{Connection, bare};
use harness::planes::{chat, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Bed, SOON, a_group_for_each, chat_records, provider, raw_post, split, standalone};

/// The fields that a record of each path must have right.
fn shape(record: &Value) -> (&str, u64, &str) {
    let text = |name: &str| record[name].as_str().unwrap_or_else(|| panic!("no {name} in {record}"));
    (text("outcome"), record["status"].as_u64().unwrap(), text("usageSource"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_is_recorded_with_its_tokens() {
    for setup in [standalone(), split(1)] {
        let bed = Bed::start(setup).await.unwrap();
        let usage = Usage { prompt_tokens: 100, completion_tokens: 40, cached_tokens: 60, reasoning_tokens: 25 };
        bed.provider.always(Target::All, Script { usage: Some(usage), ..Script::saying("one two three") });
        let mut request = chat("gpt-4o", false);
        request["tools"] = json!([{ "type": "function", "function": { "name": "f" } }]);
        let answer = bed.chat(&request).await.unwrap();
        let mut stream = bed.planes.api().chat_stream(&bed.key.value, &chat("gpt-4o", true)).await.unwrap();
        stream.rest().await.unwrap();
        let records = bed.chat_records(2).await.unwrap();
        for record in &records {
            assert_eq!(shape(record), ("success", 200, "reported"));
            for (field, value) in
                [("inputTokens", 100), ("outputTokens", 40), ("cachedTokens", 60), ("reasoningTokens", 25)]
            {
                assert_eq!(record[field], value, "{field} in {record}");
            }
            for (field, value) in [
                ("proxyKeyId", bed.key.id.as_str()),
                ("proxyKeyName", "test"),
                ("groupName", "fake"),
                ("providerType", "openai"),
                ("upstreamKeyMasked", "sk-u****0001"),
                ("api", "openai_chat"),
                ("method", "POST"),
                ("requestedModel", "gpt-4o"),
                ("upstreamModel", "gpt-4o"),
                ("clientIp", "127.0.0.1"),
            ] {
                assert_eq!(record[field], value, "{field} in {record}");
            }
            assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1));
            assert_eq!(record["attempts"][0]["status"], 200);
            let micros = |name: &str| record[name].as_u64().unwrap_or_else(|| panic!("no {name} in {record}"));
            assert!(
                micros("firstByteUs") >= micros("queueUs") && micros("totalUs") >= micros("firstByteUs"),
                "{record}"
            );
            assert!(micros("requestBytes") > 0 && micros("responseBytes") > 0, "{record}");
            assert!(record["snapshotVersion"].as_u64().is_some_and(|version| version > 0), "{record}");
            assert!(!record["nodeId"].as_str().unwrap().is_empty());
        }
        // The newest record comes first.
        assert_eq!((&records[0]["streamed"], &records[1]["streamed"]), (&json!(true), &json!(false)));
        assert_eq!((&records[0]["hasTools"], &records[1]["hasTools"]), (&json!(false), &json!(true)));
        assert_eq!(records[1]["requestId"], answer.header("x-request-id"));

        let keys = bed.planes.admin.get(&format!("/admin/proxy-keys/{}", bed.key.id)).await.unwrap();
        assert!(keys["usageCount"].as_i64().is_some_and(|count| count >= 2), "{keys}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_recorded_once() {
    let bed = Bed::start(standalone().set("Limits:MaxBodyBytes", 65536)).await.unwrap();
    let api = bed.planes.api();
    let plain = chat("gpt-4o", false);
    assert_eq!(api.chat("sk-unknown", &plain).await.unwrap().status, 401);
    assert_eq!(api.chat("", &plain).await.unwrap().status, 401);
    assert_eq!(bed.chat(&chat("no-such", false)).await.unwrap().status, 404);
    assert_eq!(bed.post(&[], "{").await.unwrap().status, 400);
    assert_eq!(bed.post(&[], " ".repeat(65537)).await.unwrap().status, 413);
    // A request that never authenticates leaves none (promise 40).
    let records = bed.chat_records(3).await.unwrap();
    let mut statuses: Vec<u64> = records.iter().map(|record| record["status"].as_u64().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [400, 404, 413]);
    for record in &records {
        let (outcome, _, source) = shape(record);
        assert_eq!((outcome, source), ("refused", "none"), "{record}");
        assert!(!record["errorCode"].as_str().unwrap().is_empty(), "{record}");
        assert_eq!(record["inputTokens"].as_u64().unwrap() + record["outputTokens"].as_u64().unwrap(), 0);
        assert_eq!(record["attempts"], json!([]));
        assert_eq!(record["proxyKeyId"], bed.key.id.as_str(), "{record}");
    }
    assert!(!json!(records).to_string().contains("sk-unknown"), "what a client sent as a key is in the ledger");
    assert_eq!(bed.provider.journal().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_the_provider_is_recorded_once() {
    let cases = [
        ("fake-error-400", 400),
        ("fake-error-429", 429),
        ("fake-error-500", 500),
        ("fake-error-503", 503),
        ("fake-cut-head", 502),
        ("fake-html", 502),
    ];
    let models: Vec<String> = cases.iter().map(|(model, _)| (*model).to_owned()).collect();
    let bed = a_group_for_each(standalone(), &models).await.unwrap();
    for (number, (model, status)) in cases.into_iter().enumerate() {
        let answer = bed.chat(&chat(model, number % 2 == 0)).await.unwrap();
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
    }
    for record in bed.chat_records(cases.len()).await.unwrap() {
        assert_eq!(record["outcome"], "upstream_error", "{record}");
        assert!(!record["errorMessage"].as_str().unwrap().is_empty(), "{record}");
        assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1), "{record}");
        assert!(record["groupName"].as_str().unwrap().starts_with("group-"), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_recorded_once() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut silent = group("silent", &provider.base_url(), &["sk-upstream-key-0001"], &["fake-silent"]);
    silent["timeout"] = json!(1);
    planes.admin.create_group(&silent).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "timeout" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    assert_eq!(planes.api().chat(&key.value, &chat("fake-silent", false)).await.unwrap().status, 504);
    let records = chat_records(&planes, 1, SOON).await.unwrap();
    assert_eq!((&records[0]["outcome"], &records[0]["status"]), (&json!("timeout"), &json!(504)));
    assert!(records[0]["totalUs"].as_u64().unwrap() >= 900_000, "{}", records[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_silent_ends_in_an_error_and_is_recorded_as_partial() {
    let bed = Bed::start(standalone().set("Limits:StreamIdleTimeoutSeconds", 0.5)).await.unwrap();
    let silent = Script { chunks: Some(5), cut: Some(Cut::SilentAfter(1)), ..Script::new() };
    bed.provider.script(Target::All, silent);
    let mut stream = bed.planes.api().chat_stream(&bed.key.value, &chat("gpt-4o", true)).await.unwrap();
    let chunks = crate::support::chunks(&stream.rest().await.unwrap());
    assert!(chunks.last().unwrap()["error"].is_object(), "{chunks:?}");
    let records = bed.chat_records(1).await.unwrap();
    assert_eq!((&records[0]["outcome"], &records[0]["usageSource"]), (&json!("timeout"), &json!("partial")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_recorded_once() {
    let bed = Bed::start(standalone()).await.unwrap();
    // The client leaves before the head, before the first token, and within the stream.
    bed.provider.script(Target::Model("gpt-4o".into()), Script::new().head_delay(Duration::from_hours(1)));
    bed.provider.script(Target::Model("gpt-4o".into()), Script { first_chunk_delay_ms: 3_600_000, ..Script::new() });
    bed.provider.script(Target::Model("gpt-4o".into()), Script::endless(Duration::from_millis(5)));
    for number in 0..3 {
        let request = harness::planes::chat_request(&bed.key.value, &chat("gpt-4o", true)).unwrap();
        let mut connection = Connection::to(bed.planes.api().http);
        let journal = bed.provider.journal();
        let arrived = wait::until("the provider has the request", SOON, || {
            (journal.total() == number + 1).then(|| journal.last()).flatten()
        });
        let received = if number < 2 {
            tokio::select! {
                answered = connection.send(request) => panic!("answered: {answered:?}"),
                received = arrived => received.unwrap(),
            }
        } else {
            let mut stream = connection.stream(request).await.unwrap();
            let received = arrived.await.unwrap();
            for _ in 0..3 {
                stream.data().await.unwrap().unwrap();
            }
            received
        };
        wait::until("the provider's request is cancelled", SOON, || received.end()).await.unwrap();
    }
    let records = bed.chat_records(3).await.unwrap();
    for record in &records {
        assert_eq!(record["outcome"], "client_gone", "{record}");
        assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1), "{record}");
    }
    assert_eq!(shape(&records[0]).2, "partial", "newest first: the one that left within the stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_is_recorded_as_partial() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.provider.script(Target::All, Script { chunks: Some(9), ..Script::new() }.cut(Cut::AfterChunks(4)));
    let mut stream = bed.planes.api().chat_stream(&bed.key.value, &chat("gpt-4o", true)).await.unwrap();
    stream.rest().await.unwrap();
    let records = bed.chat_records(1).await.unwrap();
    assert_eq!((&records[0]["outcome"], &records[0]["usageSource"]), (&json!("upstream_error"), &json!("partial")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_whose_provider_reports_nothing_is_not_called_reported() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.provider.always(Target::All, Script { no_usage: true, ..Script::new() });
    for stream in [false, true] {
        assert_eq!(bed.chat(&chat("gpt-4o", stream)).await.unwrap().status, 200);
    }
    for record in bed.chat_records(2).await.unwrap() {
        assert_eq!(record["outcome"], "success");
        assert_ne!(record["usageSource"], "reported", "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_on_one_connection_are_as_many_records() {
    let bed = Bed::start(split(1)).await.unwrap();
    let mut connection = Connection::to(bed.planes.api().http);
    let request = || raw_post("/v1/chat/completions", &bed.key.value, chat("gpt-4o", false).to_string()).unwrap();
    for _ in 0..100 {
        assert_eq!(connection.fetch(request()).await.unwrap().status, 200);
    }
    let records = bed.chat_records(100).await.unwrap();
    let ids: std::collections::HashSet<&str> =
        records.iter().map(|record| record["requestId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_on_disk_while_the_control_plane_is_away() {
    let mut bed = Bed::start(split(1)).await.unwrap();
    bed.planes.control.kill().await.unwrap();
    for _ in 0..20 {
        assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
    }
    // A node that is asked to end flushes what it has, and keeps what it cannot report.
    bed.planes.nodes[0].stop(SOON).await.unwrap();
    bed.planes.control.start().await.unwrap();
    bed.planes.nodes[0].start().await.unwrap();
    bed.chat_records(20).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_list_leaves_a_record_too() {
    let bed = Bed::start(standalone()).await.unwrap();
    let request = bare(Method::GET, "/v1/models", &bed.key.value).unwrap();
    let answer = Connection::to(bed.planes.api().http).fetch(request).await.unwrap();
    let id = answer.header("x-request-id").to_owned();
    let record = wait::until_async("the record is in the ledger", SOON, async || {
        let logs = bed.planes.admin.logs().await.ok()?;
        logs.into_iter().find(|record| record["requestId"] == id.as_str())
    })
    .await
    .unwrap();
    assert_eq!((&record["api"], &record["outcome"]), (&json!("models"), &json!("success")));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_every_kind_are_in_the_record() {
    let bed = Bed::start(standalone()).await.unwrap();
    let usage = json!({
        "prompt_tokens": 90, "completion_tokens": 30, "total_tokens": 120,
        "prompt_tokens_details": { "cached_tokens": 10, "audio_tokens": 40, "cache_write_tokens": 5 },
        "completion_tokens_details": { "reasoning_tokens": 4, "audio_tokens": 20 },
    });
    let choice = json!({ "index": 0, "message": { "role": "assistant", "content": "Hi" }, "finish_reason": "stop" });
    let answer = json!({ "id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage });
    bed.provider.script(Target::All, Script::json(answer));
    bed.chat(&chat("gpt-4o", false)).await.unwrap();
    let record = &bed.chat_records(1).await.unwrap()[0];
    for (field, value) in [
        ("inputTokens", 90),
        ("outputTokens", 30),
        ("cachedTokens", 10),
        ("cacheWriteTokens", 5),
        ("cacheWrite1hTokens", 0),
        ("reasoningTokens", 4),
        ("inputAudioTokens", 40),
        ("outputAudioTokens", 20),
    ] {
        assert_eq!(record[field], value, "{field} in {record}");
    }
}
