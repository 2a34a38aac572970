use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use shared::pb;
use shared::pb::usage_record::{Outcome, UsageSource};
use shared::telemetry::Metrics;
use translation::ir::{Event, MOST_TOKENS, Usage};

use super::{Meter, Recorder};
use crate::error::GatewayError;
use crate::metrics::{Api, AttemptResult, RequestMetrics};
use crate::node::Node;
use crate::route::fixtures::{candidate, group, key};
use crate::route::occupied::Occupied;
use crate::usage::attempts::{AttemptRecord, Tried};
use crate::usage::estimate::request::tokens_of_request;
use crate::usage::estimate::tokens_of_text;
use crate::usage::{UsageMetrics, UsageSink};

const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"Tell me a story of two foxes."}]}"#;
const STORY: &str = "Once upon a time there were two foxes.";

/// The record of a request that goes as `course` says.
fn record(course: impl FnOnce(&mut Meter)) -> pb::UsageRecord {
    let (sink, mut records) = UsageSink::channel(1, &UsageMetrics::default());
    let node = Arc::new(Node::new("n"));
    let metrics = RequestMetrics::register(&Metrics::new(), &node);
    let recorder = Arc::new(Recorder { sink, node, metrics, refusals: Arc::default() });
    let (parts, ()) = Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
    let mut meter = Meter::start(&recorder, Api::OpenAiChat, &parts);
    meter.proxy_key = Some(Arc::new(key("k", "sk")));
    meter.asked(&Bytes::from_static(BODY.as_bytes()));
    course(&mut meter);
    drop(meter);
    records.try_recv().unwrap().counted()
}

/// An attempt that begins now.
fn begun() -> AttemptRecord {
    let group = Arc::new(group("g", &["m"]));
    AttemptRecord::begin(Tried::new(&group, &group.upstream_keys[0], &Arc::from("m")))
}

fn sent(meter: &mut Meter) {
    meter.attempted(begun().abandon());
}

fn ended(meter: &mut Meter, result: AttemptResult, status: u16) {
    meter.attempted(begun().end(result, status, "".into()));
}

fn answered(meter: &mut Meter) {
    ended(meter, AttemptResult::Success, 200);
}

fn counts(record: &pb::UsageRecord) -> (u64, u64, UsageSource) {
    (record.input_tokens, record.output_tokens, record.usage_source())
}

fn reported(input: u64, output: u64) -> Usage {
    Usage { input, output, cached: 1, ..Usage::default() }
}

#[test]
fn what_reached_no_provider_is_not_estimated() {
    assert_eq!(counts(&record(|_| {})), (0, 0, UsageSource::None));
    let refused = record(|meter| {
        ended(meter, AttemptResult::RateLimited, 429);
    });
    assert_eq!(counts(&refused), (0, 0, UsageSource::None));
}

#[test]
fn a_cut_answer_counts_what_was_asked_and_what_had_come() {
    let input = tokens_of_request(BODY.as_bytes());
    assert!(input > 8);
    let silent = record(sent);
    assert_eq!((counts(&silent), silent.outcome()), ((input, 0, UsageSource::Partial), Outcome::ClientGone));
    let cut = record(|meter| {
        answered(meter);
        meter.heard.event(&Event::Text(STORY.to_owned()));
        meter.broke(&GatewayError::Cut);
    });
    assert_eq!(counts(&cut), (input, tokens_of_text(STORY), UsageSource::Partial));
}

#[test]
fn a_whole_answer_without_usage_is_estimated() {
    let record = record(|meter| {
        answered(meter);
        meter.heard.event(&Event::Text(STORY.to_owned()));
        meter.succeeded();
    });
    let expected = (tokens_of_request(BODY.as_bytes()), tokens_of_text(STORY), UsageSource::Estimated);
    assert_eq!(counts(&record), expected);
}

#[test]
fn what_is_reported_stands() {
    let whole = record(|meter| {
        answered(meter);
        meter.heard.event(&Event::Text(STORY.to_owned()));
        meter.usage = Some(reported(9, 3));
        meter.succeeded();
    });
    assert_eq!(counts(&whole), (9, 3, UsageSource::Reported));
    // All had come but the end.
    let left = record(|meter| {
        answered(meter);
        meter.finished = true;
        meter.usage = Some(reported(9, 3));
    });
    assert_eq!((counts(&left), left.outcome()), ((9, 3, UsageSource::Reported), Outcome::ClientGone));
}

#[test]
fn usage_from_the_beginning_of_a_stream_that_is_cut_is_not_the_whole() {
    let record = record(|meter| {
        answered(meter);
        meter.usage = Some(reported(9, 1));
        meter.heard.event(&Event::Text(STORY.to_owned()));
    });
    assert_eq!(counts(&record), (9, tokens_of_text(STORY), UsageSource::Partial));
    assert_eq!(record.cached_tokens, 1);
}

/// Promise 40 in `docs/PROMISES.md`.
#[test]
fn p40_a_request_that_never_authenticates_leaves_no_record() {
    let (sink, mut records) = UsageSink::channel(1, &UsageMetrics::default());
    let node = Arc::new(Node::new("n"));
    let registry = Metrics::new();
    let metrics = RequestMetrics::register(&registry, &node);
    let recorder = Arc::new(Recorder { sink, node, metrics, refusals: Arc::default() });
    let (parts, ()) = Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
    for error in [Some(GatewayError::InvalidKey), Some(GatewayError::NotReady), None] {
        let mut meter = Meter::start(&recorder, Api::OpenAiChat, &parts);
        if let Some(error) = error {
            meter.failed(&error);
        }
    }
    assert!(records.try_recv().is_none());
    let scrape = registry.encode().unwrap();
    for reason in ["wrong_key", "not_ready", "client_gone"] {
        assert!(scrape.contains(&format!("unauthenticated_requests_total{{reason=\"{reason}\"}} 1")), "{scrape}");
    }
}

#[test]
fn usage_that_cannot_be_is_capped_and_marked() {
    assert_eq!(MOST_TOKENS, shared::tokens::MOST_TOKENS, "both planes mean the same");
    for finished in [true, false] {
        let record = record(|meter| {
            answered(meter);
            meter.usage = Some(reported(u64::MAX, 3));
            if finished {
                meter.succeeded();
            }
        });
        assert_eq!(counts(&record), (MOST_TOKENS, 3, UsageSource::Capped));
    }
}

#[test]
fn what_is_reported_of_the_cache_is_told_to_the_model_that_answered() {
    let candidate = candidate();
    let answer = |finish: fn(&mut Meter)| {
        let running = Some(Arc::new(Occupied::begin(&candidate).unwrap()));
        record(|meter| {
            let record = begun().end(AttemptResult::Success, 200, "".into());
            meter.attempted(AttemptRecord { running, ..record });
            meter.usage = Some(Usage { cached: 60, ..reported(100, 5) });
            finish(meter);
        });
        candidate.state.cached.counts()
    };
    assert_eq!(answer(Meter::succeeded), (100, 60));
    // What a provider reports at the beginning need not be all, and what costs nothing says nothing.
    assert_eq!(answer(|meter| meter.broke(&GatewayError::Cut)), (100, 60));
    assert_eq!(answer(Meter::costs_nothing), (100, 60));
    assert_eq!(candidate.state.load.in_flight(), 0, "the attempt is over with its request");
}
