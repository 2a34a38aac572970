use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use shared::telemetry::Metrics;
use shared::time::steady_ms;
use tokio::time::Instant;
use translation::Format;

use super::{LARGEST_ANSWER, Recording};
use crate::cache::flight::{Flights, Joined};
use crate::cache::inquiry::CacheKey;
use crate::cache::kept::Maker;
use crate::cache::{LookedUp, ResponseCache};

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;

type Piece = Result<Frame<Bytes>, std::io::Error>;

struct Bench {
    cache: Arc<ResponseCache>,
    key: CacheKey,
}

impl Bench {
    fn new() -> Self {
        Self { cache: ResponseCache::new(64 * 1024 * 1024, &Metrics::new()), key: CacheKey::numbered(1) }
    }

    /// A recording of the one that leads, and what says that its client has all.
    async fn recording(&self) -> (Recording, Arc<AtomicBool>) {
        let joined = Flights::join(&self.cache.flights, self.key, Instant::now() + Duration::from_secs(5)).await;
        let Joined::Lead(lead) = joined else { panic!("nobody else asks") };
        let maker = Maker { group: "g".into(), config: 1, model: None };
        let time = Duration::from_mins(1);
        Recording::begin(&self.cache, (self.key, Some(lead)), time, Some(Format::OpenAiChat), maker)
    }

    fn kept(&self) -> Option<Bytes> {
        self.cache.store.get(&self.key, steady_ms()).map(|kept| kept.body.clone())
    }

    /// What one that waits for the answer gets once `done` is.
    async fn waits(&self, done: impl Future<Output = ()>) -> LookedUp {
        let until = Instant::now() + Duration::from_mins(1);
        let wishes = crate::cache::wishes::Wishes::default();
        tokio::join!(self.cache.find(self.key, wishes, until, |_| true), done).0
    }
}

fn whole(body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
    response.headers_mut().insert("set-cookie", "secret=1".parse().unwrap());
    response.headers_mut().insert("x-request-id", "1".parse().unwrap());
    response
}

fn pieces(pieces: impl IntoIterator<Item = Piece, IntoIter: Send + 'static>) -> Response {
    Response::new(Body::new(StreamBody::new(stream::iter(pieces))))
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_client_had_whole_is_kept_and_given_to_those_that_wait() {
    let bench = Bench::new();
    let (recording, succeeded) = bench.recording().await;
    let response = recording.of(whole(ANSWER));
    succeeded.store(true, Ordering::Release);
    let found = bench.waits(async {
        tokio::task::yield_now().await;
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), ANSWER);
    });
    let LookedUp::Hit(kept) = found.await else { panic!("who waits gets it") };
    assert_eq!(kept.body, ANSWER);
    assert_eq!(kept.headers.len(), 1, "no header of the one request: {:?}", kept.headers);
    assert_eq!(kept.until_ms - kept.made_ms, 60_000);
    assert_eq!(bench.kept().unwrap(), ANSWER);
    assert!(bench.cache.take_room(8 * 1024 * 1024), "its room is given back");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_client_did_not_have_whole_is_not_kept_and_another_asks() {
    let broken = || std::io::Error::other("broken");
    let first = || Ok(Frame::data(Bytes::from_static(ANSWER.as_bytes())));
    for (response, succeeds) in
        [(whole(ANSWER), false), (pieces([first(), Err(broken())]), true), (pieces([Err(broken())]), true)]
    {
        let bench = Bench::new();
        let (recording, succeeded) = bench.recording().await;
        let response = recording.of(response);
        succeeded.store(succeeds, Ordering::Release);
        let found = bench.waits(async {
            tokio::task::yield_now().await;
            let _broken = response.into_body().collect().await;
        });
        assert!(matches!(found.await, LookedUp::Miss(Some(_))), "one that waits asks in its place");
        assert_eq!(bench.kept(), None);
    }
    // The client leaves within the answer.
    let bench = Bench::new();
    let (recording, succeeded) = bench.recording().await;
    let mut response = recording.of(pieces([first(), first()]));
    succeeded.store(true, Ordering::Release);
    assert!(response.body_mut().frame().await.is_some());
    let found = bench.waits(async { drop(response) });
    assert!(matches!(found.await, LookedUp::Miss(Some(_))));
    assert_eq!(bench.kept(), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_none_to_keep_holds_nobody_back() {
    let long = Bytes::from(vec![b' '; LARGEST_ANSWER / 2 + 1]);
    let piece = move || Ok(Frame::data(long.clone()));
    for response in [whole(r#"{"choices":[]}"#), pieces([piece(), piece(), piece()])] {
        let bench = Bench::new();
        let (recording, succeeded) = bench.recording().await;
        let response = recording.of(response);
        succeeded.store(true, Ordering::Release);
        let found = bench.waits(async {
            tokio::task::yield_now().await;
            response.into_body().collect().await.unwrap();
        });
        assert!(matches!(found.await, LookedUp::Miss(None)), "all ask for themselves");
        assert_eq!(bench.kept(), None);
    }
}

#[tokio::test]
async fn an_error_is_not_written_down() {
    let bench = Bench::new();
    let (recording, succeeded) = bench.recording().await;
    succeeded.store(true, Ordering::Release);
    let mut response = whole(ANSWER);
    *response.status_mut() = http::StatusCode::BAD_GATEWAY;
    recording.of(response).into_body().collect().await.unwrap();
    assert_eq!(bench.kept(), None);
    assert_eq!(bench.cache.flights.len(), 0);
}
