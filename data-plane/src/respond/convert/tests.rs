use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep};
use translation::Format;
use translation::ir::Event;
use translation::protocol::contract::StreamEncoder;

use super::spoken::SpokenTexts;
use super::stream::{ConvertedStream, Converter};
use super::whole::{Making, SlowAnswer, WrittenAnswer};
use crate::error::GatewayError;
use crate::provider::redact::Leak;
use crate::respond::flow::Writer;
use crate::respond::tests::meter;
use crate::route::fixtures::candidate;
use crate::usage::meter::Meter;

/// A stream of `format` that `encoder` writes for a client.
pub(in crate::respond) fn converted(format: Format, encoder: Box<dyn StreamEncoder>, meter: Meter) -> impl Writer {
    let decoder = format.protocol().decoder();
    let converter = Converter { decoder, undo: None, watch: None, conversation: None, encoder };
    ConvertedStream::new(converter, Arc::clone(&candidate().key), meter)
}

#[test]
fn a_secret_across_the_deltas_of_a_converted_stream_is_taken_out() {
    let leak = Leak::of(&"sk-upstream-1".into());
    let make: [fn(String) -> Event; 3] = [Event::Text, Event::Thinking, |text| Event::ToolArguments { call: 0, text }];
    for make in make {
        let mut texts = SpokenTexts::default();
        let mut told = String::new();
        let mut take = |events: (Option<Event>, Option<Event>)| {
            for event in [events.0, events.1].into_iter().flatten() {
                match event {
                    Event::Text(text) | Event::Thinking(text) | Event::ToolArguments { text, .. } => {
                        told.push_str(&text);
                    }
                    _ => told.push('|'),
                }
            }
        };
        for piece in ["a sk", "-up", "stream-", "1 b sk-", "up"] {
            take(texts.push(&leak, make(piece.to_owned())));
            // Token counts do not end a text.
            take(texts.push(&leak, Event::Usage(translation::ir::Usage::default())));
        }
        take(texts.push(&leak, Event::ToolEnd { call: 0 }));
        assert_eq!(told.replace('|', ""), "a sk[redacted] b sk-up");
        assert!(told.ends_with('|'), "what was held back comes before the end: {told}");
    }
}

/// What a client hears of a whole answer that is still being made, and after how many seconds.
async fn heard(making: Making) -> Vec<(u64, Result<Bytes, &'static str>)> {
    let start = Instant::now();
    let mut answer = SlowAnswer::new(making);
    let mut heard = Vec::new();
    while let Some(frame) = answer.frame().await {
        heard.push((
            start.elapsed().as_secs(),
            frame.map(|frame| frame.into_data().unwrap()).map_err(|error| error.code()),
        ));
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn a_client_of_a_whole_answer_that_comes_slowly_is_kept_alive() {
    let white = |at| (at, Ok(Bytes::from_static(b"\n")));
    let made: Making = Box::pin(async {
        sleep(Duration::from_secs(25)).await;
        Ok(WrittenAnswer { body: Bytes::from_static(b"{}"), content_type: "application/json", cost: None })
    });
    assert_eq!(heard(made).await, [white(0), white(10), white(20), (25, Ok(Bytes::from_static(b"{}")))]);
    let failed: Making = Box::pin(async {
        sleep(Duration::from_secs(5)).await;
        Err((GatewayError::Cut, meter()))
    });
    assert_eq!(heard(failed).await, [white(0), (5, Err("upstream_connection_closed"))]);
}
