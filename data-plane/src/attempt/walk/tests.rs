use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use shared::snapshot::{Group, ProxyKey};
use shared::telemetry::Metrics;
use shared::time::steady_ms;
use tokio::sync::mpsc;
use tokio::time::Instant;
use translation::Format;

use super::Walker;
use crate::answer::Failure;
use crate::attempt::ClientHeaders;
use crate::error::GatewayError;
use crate::metrics::{Api, RequestMetrics};
use crate::node::Node;
use crate::request::{Outbound, Outgoing, Preparation};
use crate::route::candidate::Candidate;
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::plan::Plan;
use crate::route::table::{RouteTable, RoutedGroup};
use crate::upstream::Upstream;
use crate::usage::meter::{Meter, Recorder};
use crate::usage::{UsageMetrics, UsageSink};

/// Notes of which group a request was prepared and written for.
#[derive(Default)]
struct Noting {
    prepared: Mutex<Vec<String>>,
    written: Mutex<Vec<String>>,
}

impl Outbound for Noting {
    fn prepare<'p>(
        &'p self,
        candidate: &'p Candidate,
        _upstream: &'p Upstream,
        _until: Instant,
    ) -> Option<Preparation<'p>> {
        self.prepared.lock().unwrap().push(candidate.group.group.name.to_string());
        None
    }

    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        self.written.lock().unwrap().push(candidate.group.group.name.to_string());
        // Nobody listens there.
        let uri = candidate.endpoint()?.uri(Format::OpenAiChat, "m", false)?;
        Ok(Outgoing::json(uri, Bytes::from_static(b"{}"), Format::OpenAiChat))
    }
}

/// A config of `groups` and a proxy key that may use all of them.
fn table(groups: impl IntoIterator<Item = Group>) -> (RouteTable, ProxyKey) {
    let key = key("k", "sk");
    (RouteTable::compile(Arc::new(snapshot(groups, [key.clone()])), None), key)
}

/// A group whose further attempts are so many, with so many keys. Groups go in the order of their names.
fn of(name: &str, retry_count: u32, keys: usize) -> Group {
    let mut group = group(name, &["m"]);
    (group.retry_count, group.priority) = (retry_count, -i32::from(name.as_bytes()[0]));
    group.upstream_keys.extend((2..=keys).map(|number| upstream_key(&format!("{name}-{number}"))));
    group
}

thread_local! {
    /// The longest pauses that were drawn from.
    static PAUSES: RefCell<Vec<Duration>> = const { RefCell::new(Vec::new()) };
}

/// Walks the plan of `table` for a client of `key`, where nobody listens: what it ended in, which groups were prepared
/// for, and the longest pauses in between. Pauses are as long as `draw` says.
async fn walk(
    (table, key): &(RouteTable, ProxyKey),
    left: Duration,
    draw: fn(Duration) -> Duration,
) -> (Failure, Vec<String>, Vec<Duration>) {
    let plan = Plan::make(table, table.client(&key.digest).unwrap(), "m");
    let (sink, _records) = UsageSink::channel(1, &UsageMetrics::default());
    let node = Arc::new(Node::new("n"));
    let metrics = RequestMetrics::register(&Metrics::new(), &node);
    let recorder = Arc::new(Recorder { sink, node, metrics, refusals: Arc::default() });
    let (parts, ()) = Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
    let meter = Meter::start(&recorder, Api::OpenAiChat, &parts);
    let headers = ClientHeaders::new(&parts, Format::OpenAiChat);
    let (states, _learnt) = mpsc::channel(1);
    let mut walker = Walker::new(Upstream::new().unwrap(), states, Duration::from_secs(10));
    walker.draw = draw;
    let request = Noting::default();
    let failure = walker.walk(plan, &request, &headers, &meter, Instant::now() + left).await.unwrap_err();
    assert_eq!(*request.prepared.lock().unwrap(), *request.written.lock().unwrap());
    (failure, request.prepared.into_inner().unwrap(), PAUSES.take())
}

/// Notes the longest pause, and makes none.
fn noted(longest: Duration) -> Duration {
    PAUSES.with_borrow_mut(|pauses| pauses.push(longest));
    Duration::ZERO
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn nothing_is_prepared_for_a_candidate_that_is_not_tried() {
    let (_, tried, _) = walk(&table([of("a", 1, 3), of("b", 0, 1), of("c", 3, 1)]), MINUTE, noted).await;
    assert_eq!(tried, ["a", "a", "c"]);
}

#[tokio::test]
async fn three_keys_of_a_group_and_six_attempts_in_all_are_tried() {
    let (_, tried, _) = walk(&table([of("a", 9, 9), of("b", 9, 2), of("c", 9, 9)]), MINUTE, noted).await;
    assert_eq!(tried, ["a", "a", "a", "b", "b", "c"]);
}

#[tokio::test]
async fn a_pause_stands_between_tries_at_the_same_group_and_another_begins_at_once() {
    let (_, tried, pauses) = walk(&table([of("a", 9, 3), of("b", 9, 2)]), MINUTE, noted).await;
    assert_eq!(tried, ["a", "a", "a", "b", "b"]);
    assert_eq!(pauses, [50, 100, 50].map(Duration::from_millis));
}

#[tokio::test]
async fn no_pause_goes_on_beyond_the_time_that_is_left() {
    // It would never end.
    let (failure, tried, _) = walk(&table([of("a", 9, 3)]), Duration::from_millis(200), |_| Duration::MAX).await;
    assert_eq!(tried, ["a"]);
    assert!(matches!(failure, Failure::Gateway(GatewayError::Connect(_))), "{failure:?}");
}

#[test]
fn pauses_are_drawn_from_nothing_to_the_longest() {
    let longest = Duration::from_millis(100);
    let drawn: Vec<_> = (0..1_000).map(|_| super::drawn(longest)).collect();
    assert!(drawn.iter().all(|pause| *pause <= longest));
    assert!(drawn.iter().any(|pause| *pause < longest / 10) && drawn.iter().any(|pause| *pause > longest * 9 / 10));
}

/// Spends all retries of `group`.
fn spend(group: &RoutedGroup) {
    // Each second allows some, and the request may meet the next ones, of which none may be left out.
    let now = steady_ms();
    for second in 0..10 {
        while group.retries.take(now + second * 1_000) {}
    }
}

#[tokio::test]
async fn with_the_retries_of_its_first_group_spent_a_walk_goes_on_to_a_group_that_is_well_alone() {
    let table = table([of("a", 9, 3), of("b", 9, 2), of("c", 9, 2)]);
    spend(&table.0.groups()[0]);
    for key in &table.0.groups()[2].keys {
        key.breaker.failed(steady_ms(), steady_ms());
    }
    let (failure, tried, _) = walk(&table, MINUTE, noted).await;
    // One of a group that is well is free, and c has failed of late. What is prepared is not sent.
    assert_eq!(tried, ["a", "a", "b"]);
    assert!(matches!(failure, Failure::Gateway(GatewayError::Connect(_))), "{failure:?}");
}
