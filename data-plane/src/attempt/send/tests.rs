use std::sync::Arc;

use http::Request;
use shared::pb;
use shared::telemetry::Metrics;

use super::Attempt;
use crate::attempt::lane::Lane;
use crate::metrics::{Api, AttemptResult, RequestMetrics};
use crate::node::Node;
use crate::route::fixtures::{candidate, candidates, key};
use crate::usage::meter::{Meter, Recorder};
use crate::usage::{UsageMetrics, UsageSink};

/// The attempts of the record of a request that goes as `course` says, and what the metrics say of them.
fn attempts(course: impl FnOnce(&Lane<'_>)) -> (Vec<pb::Attempt>, String) {
    let (record, metrics) = record(|lane, _| course(lane));
    (record.attempts, metrics)
}

/// The record of a request that goes as `course` says, and what the metrics say of it.
fn record(course: impl FnOnce(&Lane<'_>, &Meter)) -> (pb::UsageRecord, String) {
    let (sink, mut records) = UsageSink::channel(1, &UsageMetrics::default());
    let node = Arc::new(Node::new("n"));
    let registry = Metrics::new();
    let metrics = RequestMetrics::register(&registry, &node);
    let recorder = Arc::new(Recorder { sink, node, metrics, refusals: Arc::default() });
    let (parts, ()) = Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
    let mut meter = Meter::start(&recorder, Api::OpenAiChat, &parts);
    meter.proxy_key = Some(Arc::new(key("k", "sk")));
    course(&Lane::first(&meter), &meter);
    drop(meter);
    (records.try_recv().unwrap().counted(), registry.encode().unwrap())
}

fn seen(attempts: &[pb::Attempt]) -> Vec<(&str, u32, &str)> {
    let seen = |attempt: &'_ pb::Attempt| (attempt.status, attempt.upstream_key_id == "g-1");
    assert!(attempts.iter().all(|attempt| seen(attempt).1));
    attempts.iter().map(|attempt| (&*attempt.group_id, attempt.status, &*attempt.error)).collect()
}

#[test]
fn an_attempt_leaves_its_record_when_it_ends() {
    let (attempts, metrics) = attempts(|lane| {
        let attempt = Attempt::begin(lane, &candidate()).unwrap();
        attempt.end(AttemptResult::ServerError, 500, "the provider failed");
        Attempt::begin(lane, &candidate()).unwrap().end(AttemptResult::Success, 200, "");
    });
    assert_eq!(seen(&attempts), [("g", 500, "the provider failed"), ("g", 200, "")]);
    assert!(metrics.contains(r#"upstream_attempts_total{result="success"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"upstream_attempts_total{result="server_error"} 1"#), "{metrics}");
}

#[test]
fn an_attempt_that_the_client_leaves_is_in_the_record_and_not_in_the_metrics() {
    let (attempts, metrics) = attempts(|lane| drop(Attempt::begin(lane, &candidate())));
    assert_eq!(seen(&attempts), [("g", 0, "the client left")]);
    assert!(!metrics.lines().any(|line| line.contains("upstream_attempts_total{") && !line.ends_with(" 0")));
}

#[test]
fn two_attempts_run_at_once() {
    let (attempts, _) = attempts(|lane| {
        let slow = Attempt::begin(lane, &candidate());
        Attempt::begin(lane, &candidate()).unwrap().end(AttemptResult::Success, 200, "");
        drop(slow);
    });
    assert_eq!(seen(&attempts), [("g", 200, ""), ("g", 0, "the client left")]);
}

/// An attempt that another one of its request was faster than says so, and does not stand for the request.
#[test]
fn an_attempt_that_was_outrun_is_no_word_of_the_client_and_is_not_the_last_one() {
    let mut candidates = candidates(2);
    let (second, first) = (candidates.pop().unwrap(), candidates.pop().unwrap());
    let key = |at: &pb::Attempt| (at.upstream_key_id.clone(), at.hedged, at.error.clone());
    let (record, metrics) = record(|lane, meter| {
        let slow = Attempt::begin(lane, &first);
        let beside = Lane::second(meter);
        Attempt::begin(&beside, &second).unwrap().end(AttemptResult::Success, 200, "");
        lane.outrun();
        drop(slow);
        assert_eq!(&*meter.last_tried().unwrap().key.id, "g-2");
    });
    let cancelled = "cancelled: another attempt answered first; the tokens that this one has used are not known";
    assert_eq!(
        record.attempts.iter().map(key).collect::<Vec<_>>(),
        [("g-2".to_owned(), true, String::new()), ("g-1".to_owned(), false, cancelled.to_owned())]
    );
    assert_eq!(record.upstream_key_id, "g-2");
    assert!(metrics.contains(r#"upstream_attempts_total{result="success"} 1"#), "{metrics}");
}
