use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use shared::ids::Id;
use shared::telemetry::Metrics;
use tokio::sync::mpsc;
use tokio::time::Instant;
use translation::Format;

use super::{Course, MOST_TRIES, Walker, worth_more};
use crate::answer::{Failure, ProviderAnswer};
use crate::attempt::ClientHeaders;
use crate::error::GatewayError;
use crate::metrics::{Api, RequestMetrics};
use crate::node::Node;
use crate::request::{Outbound, Outgoing, Preparation};
use crate::route::candidate::Candidate;
use crate::route::fixtures::{candidate, group, key, snapshot, upstream_key};
use crate::route::plan::Plan;
use crate::route::table::RouteTable;
use crate::upstream::Upstream;
use crate::usage::meter::{Meter, Recorder};
use crate::usage::{UsageMetrics, UsageSink};
use shared::verdict::Step;

/// A walk that has been at these groups, and what each said of what comes next.
fn after(tried: &[(&str, Step)]) -> Course {
    let mut course = Course::default();
    for (group, step) in tried {
        course.tried(&Id::from(*group), *step);
    }
    course
}

#[test]
fn a_group_gets_as_many_further_attempts_as_its_retry_count_says() {
    use Step::{NextGroup, NextKey};
    // What was tried, the group of the next candidate with its retry count, and whether that one may be tried.
    type Case<'c> = (&'c [(&'c str, Step)], &'c str, u32, bool);
    const A: (&str, Step) = ("a", NextKey);
    const B: (&str, Step) = ("b", NextKey);
    let cases: &[Case<'_>] = &[
        (&[], "a", 3, true),
        // The first attempt is no further one.
        (&[], "a", 0, true),
        (&[A], "a", 0, false),
        (&[A], "a", 1, true),
        (&[A, A], "a", 1, false),
        (&[A, A, A], "a", 3, true),
        (&[A, A, A, A], "a", 3, false),
        // Each group has a count of its own, and one without any is passed over.
        (&[A], "b", 0, false),
        (&[A], "c", 3, true),
        (&[A, A, A, A], "b", 3, true),
        (&[A, A, B], "b", 1, false),
        (&[A, A, B], "b", 2, true),
        // A group without the model is done with, whatever its count.
        (&[("a", NextGroup)], "a", 9, false),
        (&[("a", NextGroup)], "b", 1, true),
    ];
    for (tried, group, retry_count, allowed) in cases {
        let course = after(tried);
        assert_eq!(course.may_try(&Id::from(*group), *retry_count), *allowed, "{tried:?} {group} {retry_count}");
    }
}

#[test]
fn a_walk_goes_on_in_time_and_within_its_bound() {
    use Step::{End, NextGroup, NextKey, Unsigned};
    assert!(after(&[]).goes_on(false) && after(&[("a", NextKey), ("a", NextGroup)]).goes_on(false));
    // The first finds out for itself that there is no time left.
    assert!(after(&[]).goes_on(true) && !after(&[("a", NextKey)]).goes_on(true));
    assert!(!after(&[("a", End)]).goes_on(false) && !after(&[("a", NextKey), ("a", Unsigned)]).goes_on(false));
    let most = usize::try_from(MOST_TRIES).unwrap();
    let groups: Vec<String> = (0..most).map(|number| number.to_string()).collect();
    let tried: Vec<_> = groups.iter().map(|group| (group.as_str(), NextKey)).collect();
    assert!(after(&tried[1..]).goes_on(false) && !after(&tried).goes_on(false));
}

#[test]
fn what_a_provider_said_outlives_that_the_next_could_not_be_reached() {
    let said = |status| {
        let format = Format::OpenAiChat;
        let error = format.protocol().decode_error(status, b"");
        Failure::Provider(Box::new(ProviderAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            candidate: candidate(),
            format,
            error,
            usage: None,
        }))
    };
    let status = |failure| match failure {
        Failure::Provider(said) => said.status.as_u16(),
        Failure::Gateway(_) => 0,
    };
    let unreached = || Failure::Gateway(GatewayError::Connect("no connection"));
    let worth_more = |before: Option<(Step, Failure)>, step, newest| status(worth_more(before, step, newest).1);
    let next = |failure| Some((Step::NextKey, failure));
    assert_eq!(worth_more(None, Step::NextKey, unreached()), 0);
    assert_eq!(worth_more(next(said(500)), Step::NextKey, unreached()), 500);
    assert_eq!(worth_more(next(unreached()), Step::NextKey, said(500)), 500);
    assert_eq!(worth_more(next(said(500)), Step::NextKey, said(503)), 503);
    // What ends the walk is what the client gets.
    assert_eq!(worth_more(next(said(500)), Step::End, Failure::Gateway(GatewayError::Loop)), 0);
    assert_eq!(worth_more(next(said(500)), Step::End, said(400)), 400);
    // That a group has no such model is worth less than why another failed that may have it.
    let no_model = || Some((Step::NextGroup, said(404)));
    assert_eq!(worth_more(next(said(503)), Step::NextGroup, said(404)), 503);
    assert_eq!(worth_more(no_model(), Step::NextKey, said(503)), 503);
    assert_eq!(worth_more(no_model(), Step::NextKey, unreached()), 0);
    assert_eq!(worth_more(no_model(), Step::NextGroup, said(404)), 404);
}

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

#[tokio::test]
async fn nothing_is_prepared_for_a_candidate_that_is_not_tried() {
    let of = |name: &str, retry_count| {
        let mut group = group(name, &["m"]);
        (group.retry_count, group.priority) = (retry_count, -i32::from(name.as_bytes()[0]));
        group
    };
    let mut first = of("a", 1);
    first.upstream_keys.extend([upstream_key("a-2"), upstream_key("a-3")]);
    let key = key("k", "sk");
    let groups = [first, of("b", 0), of("c", 3)];
    let table = RouteTable::compile(Arc::new(snapshot(groups, [key.clone()])), None);
    let plan = Plan::make(&table, table.client(&key.digest).unwrap(), "m");

    let (sink, _records) = UsageSink::channel(1, &UsageMetrics::default());
    let node = Arc::new(Node::new("n"));
    let metrics = RequestMetrics::register(&Metrics::new(), &node);
    let recorder = Arc::new(Recorder { sink, node, metrics, refusals: Arc::default() });
    let (parts, ()) = Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
    let meter = Meter::start(&recorder, Api::OpenAiChat, &parts);
    let headers = ClientHeaders::new(&parts, Format::OpenAiChat);
    let (states, _learnt) = mpsc::channel(1);
    let walker = Walker::new(Upstream::new().unwrap(), states, Duration::from_secs(10));
    let (request, deadline) = (Noting::default(), Instant::now() + Duration::from_mins(1));
    walker.walk(plan, &request, &headers, &meter, deadline).await.unwrap_err();
    assert_eq!(*request.prepared.lock().unwrap(), ["a", "a", "c"]);
    assert_eq!(*request.written.lock().unwrap(), ["a", "a", "c"]);
}
