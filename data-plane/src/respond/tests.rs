//! How long clients of streams hear nothing, on passing and converted paths.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::Request;
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use shared::telemetry::Metrics;
use tokio::time::{Instant, sleep};
use translation::Format;
use translation::ir;
use translation::protocol::contract::AnswerContext;

use super::convert::tests::converted;
use super::flow::Flow;
use super::idle::{IdleTimer, KEEP_ALIVE};
use super::stream::tests::passed;
use crate::error::GatewayError;
use crate::metrics::{Api, RequestMetrics};
use crate::node::Node;
use crate::usage::meter::{Meter, Recorder};
use crate::usage::{UsageMetrics, UsageSink};

/// The longest time for which a client may hear nothing, in seconds.
const LONGEST: u64 = 15;

type Portion = Result<Frame<Bytes>, std::io::Error>;

pub(super) fn meter() -> Meter {
    let (sink, _) = UsageSink::channel(1, &UsageMetrics::default());
    let node = Arc::new(Node::new("n"));
    let metrics = RequestMetrics::register(&Metrics::new(), &node);
    let recorder = Arc::new(Recorder { sink, node, metrics, refusals: Arc::default() });
    let (parts, ()) = Request::post("/v1/chat/completions").body(()).unwrap().into_parts();
    Meter::start(&recorder, Api::OpenAiChat, &parts)
}

/// Anthropic's stream of a model that thinks for a minute, in which pings come each `every` seconds.
fn thinking(every: u64) -> impl Stream<Item = Portion> + Unpin {
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let start = event(
        "message_start",
        r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":9,"output_tokens":1}}}"#,
    );
    let ping = event("ping", r#"{"type": "ping"}"#);
    let text = event(
        "content_block_delta",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
    );
    let pings = usize::try_from(60 / every).unwrap();
    let events = std::iter::once((0, start)).chain(std::iter::repeat_n((every, ping), pings)).chain([(1, text)]);
    Box::pin(stream::iter(events).then(|(pause, event)| async move {
        sleep(Duration::from_secs(pause)).await;
        Ok(Frame::data(Bytes::from(event)))
    }))
}

/// The longest time for which the client heard nothing until the text came, in seconds.
async fn longest_silence(mut body: impl Body<Data = Bytes, Error = GatewayError> + Unpin) -> u64 {
    let (mut last, mut longest) = (Instant::now(), 0);
    loop {
        let frame = body.frame().await.expect("the text").expect("no error").into_data().unwrap();
        longest = longest.max(last.elapsed().as_secs());
        last = Instant::now();
        if frame.windows(4).any(|part| part == b"\"Hi\"") {
            return longest;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clients_hear_something_in_time_whatever_arrives_upstream() {
    for every in [4, 10, 30] {
        let timer = || IdleTimer::beating(Duration::from_mins(5), KEEP_ALIVE);
        let stream = passed(Format::AnthropicMessages, meter());
        let flow = Flow::new(StreamBody::new(thinking(every)), timer(), None, stream);
        assert!(longest_silence(flow).await <= LONGEST, "passed, pings each {every} s");
        for client in [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::GeminiGenerate] {
            let asked =
                AnswerContext { id: "1".to_owned(), created: 1, request: Arc::new(ir::Request::new(client, "m")) };
            let stream = converted(Format::AnthropicMessages, client.protocol().encoder(asked), meter());
            let flow = Flow::new(StreamBody::new(thinking(every)), timer(), None, stream);
            let silence = longest_silence(flow).await;
            // Google's SDKs take nothing in a stream but data.
            assert_eq!(
                silence <= LONGEST,
                client != Format::GeminiGenerate,
                "{client}, pings each {every} s: {silence} s"
            );
        }
    }
}
