use std::future::{pending, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::Instant;

use super::{Ending, Flow, IdleTimer, Next, Writer};
use crate::error::GatewayError;

const PAUSE: Duration = Duration::from_secs(40);

/// Writes what it takes, but for `~`, which is a mere sign of life. The answer is over behind `.`, has all behind `!`,
/// and is left behind `#`.
#[derive(Default)]
struct Echo {
    ready: Vec<u8>,
    over: bool,
    has_all: bool,
    breaks: bool,
    lived: bool,
}

impl Writer for Echo {
    fn take(&mut self, portion: Bytes) -> Next {
        self.lived = &*portion != b"~";
        if self.lived {
            self.ready.extend_from_slice(&portion);
        }
        self.over = portion.ends_with(b".");
        self.has_all = portion.ends_with(b"!");
        if self.over {
            Next::Settles
        } else if portion.ends_with(b"#") {
            Next::Ends
        } else {
            Next::Goes
        }
    }

    fn end(&mut self) {
        self.ready.extend_from_slice(b"<end>");
    }

    fn break_off(&mut self, error: GatewayError) -> Result<(), GatewayError> {
        self.ready.extend_from_slice(error.code().as_bytes());
        if self.breaks { Err(error) } else { Ok(()) }
    }

    fn written(&mut self) -> Bytes {
        std::mem::take(&mut self.ready).into()
    }

    fn has_lived(&self) -> bool {
        self.lived
    }

    fn keep_alive(&mut self) {
        self.ready.extend_from_slice(b"<beat>");
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn has_all(&self) -> bool {
        self.has_all
    }

    fn count(&mut self, _bytes: u64) {}
}

type Portion = Result<Frame<Bytes>, &'static str>;

fn portions(texts: &'static [&'static str]) -> impl Stream<Item = Portion> + Unpin {
    stream::iter(texts.iter().map(|text| match *text {
        "cut" => Err("cut"),
        text => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
    }))
}

/// All that goes to the client, what breaks the connection, and after how many milliseconds.
async fn written(
    upstream: impl Stream<Item = Portion> + Unpin,
    ending: Option<Ending>,
    writer: Echo,
) -> (String, u128) {
    let start = Instant::now();
    let mut flow = Flow::new(StreamBody::new(upstream), IdleTimer::new(PAUSE), ending, writer);
    let mut text = String::new();
    while let Some(frame) = flow.frame().await {
        match frame {
            Ok(frame) => text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
            Err(error) => text.extend(["<broken: ", error.code(), ">"]),
        }
    }
    (text, start.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn what_comes_is_written_up_to_the_end_of_the_body() {
    assert_eq!(written(portions(&["a", "", "b"]), None, Echo::default()).await, ("ab<end>".to_owned(), 0));
    assert_eq!(written(portions(&["a", "b#", "c"]), None, Echo::default()).await, ("ab#".to_owned(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_told_unless_nothing_is_missing() {
    let told = |text: &str| (text.to_owned(), 0);
    assert_eq!(written(portions(&["a", "cut"]), None, Echo::default()).await, told("aupstream_connection_closed"));
    assert_eq!(written(portions(&["a!", "cut"]), None, Echo::default()).await, told("a!<end>"));
    let breaks = Echo { breaks: true, ..Echo::default() };
    let broken = "a<broken: upstream_connection_closed>upstream_connection_closed";
    assert_eq!(written(portions(&["a", "cut"]), None, breaks).await, told(broken));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_pauses_too_long_is_left() {
    let silent = || portions(&["a"]).chain(stream::pending());
    assert_eq!(written(silent(), None, Echo::default()).await, ("aupstream_timeout".to_owned(), 40_000));
    // Behind the end of the answer the body has a moment, and nothing of it is read.
    let over = portions(&["a.", "b"]).chain(stream::pending());
    assert_eq!(written(over, None, Echo::default()).await, ("a.".to_owned(), 250));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_gateway_breaks_off_what_the_provider_does_not_end() {
    let ending = || -> Option<Ending> { Some(Box::pin(ready(()))) };
    let silent = portions(&["a"]).chain(stream::pending());
    assert_eq!(written(silent, ending(), Echo::default()).await, ("agateway_draining".to_owned(), 0));
    // What has come is written first.
    assert_eq!(written(portions(&["a", "b"]), ending(), Echo::default()).await, ("ab<end>".to_owned(), 0));
    let never: Option<Ending> = Some(Box::pin(pending()));
    assert_eq!(written(portions(&["a"]), never, Echo::default()).await, ("a<end>".to_owned(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hears_nothing_is_kept_alive() {
    let timer = IdleTimer::beating(PAUSE, Duration::from_secs(15));
    let body = StreamBody::new(stream::pending::<Portion>());
    let mut flow = Flow::new(body, timer, None, Echo::default());
    let start = Instant::now();
    let mut heard = Vec::new();
    while let Some(Ok(frame)) = flow.frame().await {
        heard.push((start.elapsed().as_secs(), frame.into_data().unwrap()));
    }
    let expected = [(15, "<beat>"), (30, "<beat>"), (40, "upstream_timeout")];
    assert_eq!(heard, expected.map(|(at, text)| (at, Bytes::from(text))));
}

/// `text` each `seconds`.
fn each(text: &'static str, seconds: u64) -> impl Stream<Item = Portion> + Unpin {
    Box::pin(stream::repeat(()).then(move |()| async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }))
}

/// The first that a client gets of `upstream`, and after how many seconds.
async fn heard(upstream: impl Stream<Item = Portion> + Unpin) -> Vec<(u64, String)> {
    let timer = IdleTimer::beating(PAUSE, Duration::from_secs(15));
    let mut flow = Flow::new(StreamBody::new(upstream), timer, None, Echo::default());
    let start = Instant::now();
    let mut heard = Vec::new();
    while heard.len() < 4
        && let Some(Ok(frame)) = flow.frame().await
    {
        let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        heard.push((start.elapsed().as_secs(), text));
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn p06_signs_of_life_put_off_neither_the_end_of_a_pause_nor_the_beat() {
    let expected = [(15, "<beat>"), (30, "<beat>"), (40, "upstream_timeout")];
    assert_eq!(heard(each("~", 1)).await, expected.map(|(at, text)| (at, text.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn the_beat_is_counted_from_what_the_client_was_written_last() {
    let words = [(10, "a"), (20, "a"), (30, "a"), (40, "a")];
    assert_eq!(heard(each("a", 10)).await, words.map(|(at, text)| (at, text.to_owned())));
    let slow = [(15, "<beat>"), (20, "a"), (35, "<beat>"), (40, "a")];
    assert_eq!(heard(each("a", 20)).await, slow.map(|(at, text)| (at, text.to_owned())));
}
