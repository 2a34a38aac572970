use std::sync::Arc;
use std::thread;

use tokio::time::Instant;

use super::{AttemptRecord, LONGEST_TEXT, Trail, Tried};
use crate::metrics::AttemptResult;
use crate::route::fixtures::group;

fn begun() -> AttemptRecord {
    let group = Arc::new(group("g", &["m"]));
    AttemptRecord::begin(Tried::new(&group, &group.upstream_keys[0], &Arc::from("m")))
}

#[test]
fn records_stay_in_the_order_in_which_they_were_left() {
    let trail = Trail::default();
    assert!(trail.last().is_none());
    for status in 200..205 {
        trail.leave(begun().end(AttemptResult::Success, status, "".into()));
    }
    assert_eq!(trail.iter().map(|record| record.status).collect::<Vec<_>>(), [200, 201, 202, 203, 204]);
    assert_eq!(trail.last().unwrap().status, 204);
}

#[test]
fn records_that_are_left_at_once_are_all_there() {
    let trail = Trail::default();
    thread::scope(|scope| {
        for thread in 0..4 {
            let trail = &trail;
            scope.spawn(move || {
                for at in 0..25 {
                    trail.leave(begun().end(AttemptResult::Success, thread * 25 + at, "".into()));
                }
            });
        }
    });
    let mut statuses: Vec<_> = trail.iter().map(|record| record.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_provider_may_be_at_work_where_it_has_not_said_that_it_is_not() {
    let ended = |result| begun().end(result, 0, "".into()).may_spend();
    assert!(begun().abandon().may_spend() && ended(AttemptResult::Success) && ended(AttemptResult::Timeout));
    for result in [
        AttemptResult::ClientFault,
        AttemptResult::RateLimited,
        AttemptResult::KeyRefused,
        AttemptResult::ServerError,
        AttemptResult::ConnectError,
        AttemptResult::Unusable,
    ] {
        assert!(!ended(result), "{result:?}");
    }
}

#[test]
fn long_words_of_a_provider_are_cut() {
    let long = "ä".repeat(LONGEST_TEXT);
    let written = begun().end(AttemptResult::KeyRefused, 401, long.into()).written(Instant::now());
    assert_eq!((written.error.len(), written.status), (LONGEST_TEXT, 401));
}
