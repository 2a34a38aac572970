use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use tokio::time::advance;
use translation::Format;

use super::{Outgoing, SOONEST, Watch};
use crate::route::candidate::Candidate;
use crate::route::fixtures::candidate;

fn asked(stream: bool) -> Outgoing {
    let outgoing = Outgoing::json(Uri::from_static("http://127.0.0.1:9/"), Bytes::new(), Format::OpenAiChat);
    Outgoing { stream, ..outgoing }
}

/// An answer of `candidate` begins after `time`.
async fn answered(candidate: &Candidate, outgoing: &Outgoing, time: Duration) {
    let watch = Watch::begin(candidate, outgoing);
    advance(time).await;
    watch.over();
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_late_beyond_the_time_of_most_and_never_before_50_ms() {
    let candidate = candidate();
    let (stream, whole) = (asked(true), asked(false));
    let patience = |outgoing: &Outgoing| Watch::begin(&candidate, outgoing).patience();
    for _ in 0..20 {
        assert_eq!(patience(&stream), None, "too few are known");
        answered(&candidate, &stream, Duration::from_millis(3)).await;
    }
    assert_eq!(patience(&stream), Some(SOONEST));
    assert_eq!(patience(&whole), None, "a whole answer takes longer than the beginning of a stream");
    for _ in 0..20 {
        answered(&candidate, &whole, Duration::from_secs(4)).await;
    }
    assert_eq!((patience(&stream), patience(&whole)), (Some(SOONEST), Some(Duration::from_secs(4))));
}

/// What is cancelled would have been later still, so that cancelling does not make everything look fast.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_given_up_counts_as_late() {
    let (candidate, stream) = (candidate(), asked(true));
    for _ in 0..20 {
        answered(&candidate, &stream, Duration::from_millis(100)).await;
    }
    let patience = || Watch::begin(&candidate, &stream).patience().unwrap();
    let before = patience();
    for _ in 0..50 {
        let late = patience() + Duration::from_millis(1);
        answered(&candidate, &stream, late).await;
    }
    assert!(patience() > before, "{before:?} {:?}", patience());
}
