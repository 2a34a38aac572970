use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::Instant;

use super::{CollectError, Collected, Patience, collect};

#[tokio::test]
async fn frames_are_put_together_up_to_the_bound() {
    let body = |frames: &[&'static str]| {
        let frames: Vec<_> =
            frames.iter().map(|text| Ok::<_, String>(Frame::data(Bytes::from_static(text.as_bytes())))).collect();
        StreamBody::new(stream::iter(frames))
    };
    let patience = Patience::within(Duration::from_secs(5));
    for (frames, expected) in [(&[] as &[_], ""), (&["one"], "one"), (&["one", "", "two", "3"], "onetwo3")] {
        match collect(body(frames), 7, patience).await.unwrap() {
            Collected::Whole(bytes) => assert_eq!(bytes, expected),
            Collected::Larger { .. } => panic!("{frames:?} is within the bound"),
        }
    }
    match collect(body(&["one", "two", "three"]), 5, patience).await.unwrap() {
        Collected::Larger { start, .. } => assert_eq!(start.concat(), b"onetwo"),
        Collected::Whole(_) => panic!("over the bound"),
    }
    let broken = StreamBody::new(stream::iter([Ok(Frame::data(Bytes::from_static(b"x"))), Err("cut")]));
    assert!(collect(broken, 10, patience).await.is_err());
    let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, String>>());
    assert!(collect(silent, 10, Patience::within(Duration::from_millis(20))).await.is_err());
}

/// A body whose frames each come after their wait. `None` is a wait that never ends.
fn slow(waits: &'static [Option<u64>]) -> impl http_body::Body<Data = Bytes, Error = String> + Unpin {
    Box::pin(StreamBody::new(stream::iter(waits).then(|wait| async move {
        match wait {
            Some(milliseconds) => tokio::time::sleep(Duration::from_millis(*milliseconds)).await,
            None => std::future::pending().await,
        }
        Ok(Frame::data(Bytes::from_static(b"x")))
    })))
}

#[tokio::test]
async fn a_body_has_a_deadline_for_its_first_bytes_each_part_and_all_of_it() {
    let (short, long) = (Duration::from_millis(20), Duration::from_mins(1));
    let patience = |first: Duration, pause: Duration, whole: Duration| {
        let now = Instant::now();
        Patience { first: now + first, pause, whole: now + whole, end: None }
    };
    let timed_out =
        async |waits, patience| matches!(collect(slow(waits), 9, patience).await, Err(CollectError::TimedOut));
    assert!(timed_out(&[None], patience(short, long, long)).await);
    assert!(timed_out(&[None], patience(long, long, short)).await);
    assert!(timed_out(&[Some(0), None], patience(long, short, long)).await);
    assert!(timed_out(&[Some(0), Some(0), None], patience(long, long, short)).await);
    assert!(!timed_out(&[Some(0), Some(40), Some(40)], patience(short, long, long)).await);
}
