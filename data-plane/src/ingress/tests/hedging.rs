//! A second attempt elsewhere, where the first is late.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use fake_provider::journal::{End, Received};
use fake_provider::queue::Target;
use fake_provider::script::Script;
use futures_util::FutureExt as _;
use http::Request;
use serde_json::json;
use shared::pb::usage_record::Outcome;
use shared::snapshot::Group;
use shared::time::{now_ms, steady_ms};
use tokio::task::yield_now;

use super::{Bench, bench, chat, plain, text};
use crate::route::fixtures::upstream_key;
use crate::route::health::{Health, KeyState};

const MINUTE: Duration = Duration::from_mins(1);

/// A group of three keys that hedges, and of whose model it is known that it answers within 60 ms. The keys are asked
/// in their order.
async fn hedging(change: impl FnOnce(&mut Group)) -> Bench {
    let bench = bench(|group| {
        group.routing.hedging = true;
        group.upstream_keys.push(upstream_key("g-3"));
        change(group);
    })
    .await;
    known(&bench, 20);
    bench
}

/// Has it known of so many answers how long they took.
fn known(bench: &Bench, answers: usize) {
    let model = bench.config.table().unwrap().groups()[0].models.of(&Arc::from("gpt-4o"));
    for streams in [false, true] {
        (0..answers).for_each(|_| model.tail(streams).took(Duration::from_millis(60)));
    }
}

fn key(number: usize) -> Target {
    Target::Key(format!("sk-upstream-g-{number}"))
}

fn slow(delay: Duration) -> Script {
    Script::saying("first").head_delay(delay)
}

/// The request that was received with the key `number`, once it has ended.
async fn ended(bench: &Bench, number: usize) -> Arc<Received> {
    let name = format!("sk-upstream-g-{number}");
    loop {
        let requests = bench.provider.journal().requests();
        if let Some(received) = requests.into_iter().find(|request| request.key() == name && request.end().is_some()) {
            return received;
        }
        yield_now().await;
    }
}

/// What the metrics count of second attempts that won, lost and failed.
fn counted(bench: &Bench) -> [u64; 3] {
    let text = bench.metrics.encode().unwrap();
    ["won", "lost", "failed"].map(|result| {
        let name = format!("orchestration_hedged_requests_total{{result=\"{result}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    })
}

#[tokio::test]
async fn what_is_late_has_a_second_attempt_elsewhere_and_the_first_one_is_closed() {
    for stream in [false, true] {
        let mut bench = hedging(|_| {}).await;
        bench.provider.always(key(1), slow(MINUTE));
        bench.provider.always(key(2), Script::saying("second").usage(9, 3));
        let response = bench.send(chat(&plain("gpt-4o", stream))).await;
        let answered = now_ms();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-orchestration-attempts"], "2");
        let gone = ended(&bench, 1).await;
        let (end, at) = gone.end().unwrap();
        assert_eq!(end, End::ClientGone);
        assert!(at - answered <= 100, "{} ms after the answer", at - answered);
        assert!(text(response).await.contains("second"));
        assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2"]);

        let record = bench.record();
        assert_eq!((record.outcome(), record.status), (Outcome::Success, 200));
        assert_eq!((record.upstream_key_id.as_str(), record.input_tokens, record.output_tokens), ("g-2", 9, 3));
        let mut attempts = record.attempts;
        attempts.sort_by_key(|attempt| attempt.started_us);
        let seen = |at: usize| (attempts[at].upstream_key_id.as_str(), attempts[at].status, attempts[at].hedged);
        assert_eq!((seen(0), seen(1)), (("g-1", 0, false), ("g-2", 200, true)));
        assert!(attempts[0].error.starts_with("cancelled: another attempt answered first"), "{}", attempts[0].error);
        assert!(attempts[1].started_us >= 50_000, "it waits until the first one is late");
        assert_eq!(counted(&bench), [1, 0, 0]);
    }
}

#[tokio::test]
async fn the_next_group_answers_where_the_first_has_no_other_key() {
    let mut bench = hedging(|group| group.upstream_keys.truncate(1)).await;
    // There is only one candidate.
    bench.provider.script(key(1), slow(Duration::from_millis(400)));
    assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 200);
    assert_eq!((bench.record().attempts.len(), bench.keys_used().len()), (1, 1));

    let provider = fake_provider::FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let groups = ["g", "h"].map(|name| {
        let mut group = crate::route::fixtures::group(name, &["gpt-4o"]);
        group.base_url = provider.base_url().into();
        (group.priority, group.routing.hedging) = (i32::from(name == "g"), name == "g");
        group
    });
    let mut bench = super::serving(provider, groups);
    known(&bench, 20);
    bench.provider.always(key(1), slow(MINUTE));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert_eq!(status, 200, "{body}");
    let record = bench.record();
    assert_eq!((record.group_id.as_str(), record.attempts.len()), ("h", 2));
}

#[tokio::test]
async fn the_second_attempt_is_cancelled_where_the_first_answers_after_all() {
    let mut bench = hedging(|_| {}).await;
    bench.provider.always(key(1), slow(Duration::from_secs(1)));
    bench.provider.always(key(2), slow(MINUTE));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert!(status == 200 && body.contains("first"), "{status} {body}");
    assert_eq!(ended(&bench, 2).await.end().unwrap().0, End::ClientGone);
    let record = bench.record();
    assert_eq!(record.upstream_key_id, "g-1");
    let attempts: Vec<_> = record.attempts.iter().map(|at| (at.upstream_key_id.as_str(), at.hedged)).collect();
    assert_eq!(attempts, [("g-1", false), ("g-2", true)]);
    assert_eq!(counted(&bench), [0, 1, 0]);
}

#[tokio::test]
async fn where_the_first_fails_the_second_is_waited_for_and_no_third_is_asked() {
    let mut bench = hedging(|_| {}).await;
    bench.provider.always(key(1), Script::error(503).head_delay(Duration::from_millis(300)));
    bench.provider.always(key(2), Script::saying("second").head_delay(Duration::from_millis(900)));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert!(status == 200 && body.contains("second"), "{status} {body}");
    assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2"]);
    let record = bench.record();
    let attempts: Vec<_> = record.attempts.iter().map(|at| (at.status, at.hedged)).collect();
    assert_eq!(attempts, [(503, false), (200, true)]);
    assert_eq!(counted(&bench), [1, 0, 0]);
}

#[tokio::test]
async fn where_the_second_fails_the_first_is_waited_for_and_there_is_no_further_one_beside_it() {
    let mut bench = hedging(|_| {}).await;
    bench.provider.always(key(1), slow(Duration::from_millis(900)));
    bench.provider.always(key(2), Script::error(503));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert!(status == 200 && body.contains("first"), "{status} {body}");
    assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2"]);
    let record = bench.record();
    let attempts: Vec<_> = record.attempts.iter().map(|at| (at.status, at.hedged)).collect();
    assert_eq!((attempts, record.upstream_key_id.as_str()), (vec![(503, true), (200, false)], "g-1"));
    assert_eq!(counted(&bench), [0, 0, 1]);
}

#[tokio::test]
async fn where_both_fail_the_walk_goes_on_behind_them() {
    let mut bench = hedging(|_| {}).await;
    bench.provider.always(key(1), Script::error(500).head_delay(Duration::from_millis(500)));
    bench.provider.always(key(2), Script::error(503));
    bench.provider.always(key(3), slow(Duration::from_millis(300)));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert!(status == 200 && body.contains("first"), "{status} {body}");
    assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2", "sk-upstream-g-3"]);
    assert_eq!(bench.record().attempts.iter().filter(|at| at.hedged).count(), 1, "a request hedges once");
}

/// The client is at fault, so the other attempt is no better.
#[tokio::test]
async fn a_failure_that_ends_the_walk_ends_the_other_attempt_too() {
    let mut bench = hedging(|_| {}).await;
    bench.provider.always(key(1), Script::error(400).head_delay(Duration::from_millis(500)));
    bench.provider.always(key(2), slow(MINUTE));
    assert_eq!(bench.chat(&plain("gpt-4o", false)).await.0, 400);
    assert_eq!(ended(&bench, 2).await.end().unwrap().0, End::ClientGone);
    let record = bench.record();
    assert_eq!((record.upstream_key_id.as_str(), record.attempts.len()), ("g-1", 2));
    assert_eq!(counted(&bench), [0, 1, 0]);
}

#[tokio::test]
async fn a_client_that_leaves_ends_both_attempts() {
    let mut bench = hedging(|_| {}).await;
    bench.provider.always(Target::All, slow(MINUTE));
    {
        let asked = bench.send(chat(&plain("gpt-4o", false)));
        let mut asked = std::pin::pin!(asked);
        while bench.keys_used().len() < 2 {
            assert!(asked.as_mut().now_or_never().is_none());
            yield_now().await;
        }
    }
    for number in [1, 2] {
        assert_eq!(ended(&bench, number).await.end().unwrap().0, End::ClientGone);
    }
    let record = bench.record();
    assert_eq!(record.outcome(), Outcome::ClientGone);
    assert!(record.attempts.iter().all(|attempt| attempt.error == "the client left"), "{:?}", record.attempts);
    assert_eq!(record.attempts.len(), 2);
}

/// Answers late with one attempt, whatever there is beside it.
async fn is_alone(mut bench: Bench, request: Request<Body>) {
    bench.provider.always(Target::All, slow(Duration::from_millis(400)));
    assert_eq!(bench.send(request).await.status(), 200);
    assert_eq!(bench.keys_used(), ["sk-upstream-g-1"]);
    assert_eq!((bench.record().attempts.len(), counted(&bench)), (1, [0, 0, 0]));
}

fn late() -> Request<Body> {
    chat(&plain("gpt-4o", false))
}

#[tokio::test]
async fn there_is_no_second_attempt_where_none_is_wanted_allowed_or_known_to_be_due() {
    is_alone(hedging(|group| group.routing.hedging = false).await, late()).await;
    is_alone(hedging(|group| group.retry_count = 0).await, late()).await;
    let few = bench(|group| group.routing.hedging = true).await;
    known(&few, 19);
    is_alone(few, late()).await;
}

#[tokio::test]
async fn what_may_not_be_done_twice_has_no_second_attempt() {
    let image = Request::post("/v1/images/generations")
        .header("authorization", "Bearer sk-client")
        .header("content-type", "application/json")
        .body(Body::from(json!({ "model": "gpt-4o", "prompt": "a dot" }).to_string()))
        .unwrap();
    is_alone(hedging(|group| group.routing.retry_unsafe_requests = true).await, image).await;
}

#[tokio::test]
async fn there_is_no_second_attempt_where_the_retries_are_spent() {
    let bench = hedging(|_| {}).await;
    {
        let table = bench.config.table().unwrap();
        let retries = &table.groups()[0].retries;
        // Each second allows some, and the request may meet the next ones.
        for second in 0..10 {
            while retries.take(steady_ms() + second * 1_000) {}
        }
    }
    is_alone(bench, late()).await;
}

/// What rests by a guess is tried when all else has failed, and a first attempt that is late has not.
#[tokio::test]
async fn what_rests_is_no_second_attempt_and_answers_where_the_first_has_failed() {
    let resting = async || {
        let bench = hedging(|_| {}).await;
        let now = steady_ms();
        for (key, until_ms) in [("g-2", now + 40_000), ("g-3", now + 60_000)] {
            let (upstream_key_id, group_id, model) = (key.into(), "g".into(), "".into());
            let (health, times, status, reason, observed_at_ms) = (Health::Guessed, 0, 429, "".into(), now);
            let state =
                KeyState { upstream_key_id, group_id, model, health, until_ms, times, status, reason, observed_at_ms };
            assert!(bench.config.table().unwrap().kept.observe(&state));
        }
        bench
    };
    is_alone(resting().await, late()).await;

    let bench = resting().await;
    bench.provider.always(key(1), Script::error(500).head_delay(Duration::from_millis(200)));
    assert_eq!(bench.send(late()).await.status(), 200);
    assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2"]);
}
