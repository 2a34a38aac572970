use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::{Instant, sleep};
use translation::Format;

use super::held::{Hold, hold};
use super::looks::{Looks, look};
use super::{HOLD, OpeningFault, ProviderBody};
use crate::body::collect::Patience;
use crate::error::GatewayError;

type Portion = Result<Frame<Bytes>, std::io::Error>;

/// A body of `texts`, one each second.
fn slow(texts: Vec<String>) -> impl Stream<Item = Portion> + Unpin {
    Box::pin(stream::iter(texts).then(|text| async move {
        sleep(Duration::from_secs(1)).await;
        Ok(Frame::data(Bytes::from(text)))
    }))
}

/// What comes of `body`, a passed stream of `format`, and after how many seconds: its first bytes, or why there are
/// none.
async fn held(format: Format, body: impl Stream<Item = Portion> + Unpin) -> (u64, Result<String, OpeningFault>) {
    let start = Instant::now();
    let until = start + Duration::from_mins(1);
    let patience = Patience { first: until, pause: Duration::from_mins(1), whole: until, end: None };
    let hold_for =
        Hold { format, passes: true, chat: true, wants: super::Wants::default(), until: start + HOLD, patience };
    let held = hold(ProviderBody::unread(StreamBody::new(body)), hold_for).await;
    let took = start.elapsed().as_secs();
    let Ok(mut body) = held else { return (took, held.map(|_| String::new())) };
    let mut text = String::new();
    while Instant::now() == start + Duration::from_secs(took)
        && let Some(Ok(frame)) = body.frame().await
        && start.elapsed().as_secs() == took
    {
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    (took, Ok(text))
}

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":9}}}\n\n";
const PING: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
const WORD: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_with_its_first_content() {
    let begun = [START, PING, WORD, WORD].map(str::to_owned).to_vec();
    let (took, text) = held(Format::AnthropicMessages, slow(begun)).await;
    assert_eq!((took, text.unwrap()), (3, [START, PING, WORD].concat()));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_begun_is_not_held_back_for_long() {
    let mut pings = vec![PING.to_owned(); 50];
    pings[0] = START.to_owned();
    let (took, text) = held(Format::AnthropicMessages, slow(pings)).await;
    let text = text.unwrap();
    let pings = text.strip_prefix(START).expect("it begins with what came first");
    assert_eq!((took, pings.replace(PING, "")), (10, String::new()));
    // Nor is one that sends much of what is not known.
    let event = format!("data: {{\"type\":\"new\",\"x\":\"{}\"}}\n\n", "x".repeat(30_000));
    let (took, text) = held(Format::AnthropicMessages, slow(vec![format!("{START}{event}"), event.repeat(2)])).await;
    assert!(took <= 2 && text.is_ok());
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_are_no_beginning() {
    for (format, sign) in [
        (Format::AnthropicMessages, PING),
        (Format::OpenAiChat, ": comment\n\n"),
        (Format::OpenAiChat, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n"),
        (Format::OpenAiResponses, "data: {\"type\":\"keepalive\",\"sequence_number\":1}\n\n"),
        (Format::GeminiGenerate, "data: {}\n\n"),
        (Format::GeminiGenerate, "d"),
    ] {
        let (took, fault) = held(format, slow(vec![sign.to_owned(); 100])).await;
        assert!(matches!(fault, Err(OpeningFault::Missing(GatewayError::Timeout))), "{format}: {sign} {fault:?}");
        assert_eq!(took, 60, "{format}: {sign}");
    }
    // However many come at once, they are not kept.
    let many = "data: {\"choices\":[{\"index\":0,\"delta\":{}}]}\n\n".repeat(10_000);
    let (_, fault) = held(Format::OpenAiChat, slow(vec![many]).chain(stream::pending())).await;
    assert!(matches!(fault, Err(OpeningFault::Missing(GatewayError::Timeout))), "{fault:?}");
}

#[tokio::test]
async fn what_an_answer_looks_like() {
    let long = Instant::now() + Duration::from_mins(1);
    for (text, expected) in [
        ("data: {}", Looks::Stream),
        ("\u{feff}\n event: x", Looks::Stream),
        (": comment", Looks::Stream),
        (" \n{\"id\"", Looks::Json),
        ("[{", Looks::Json),
        ("<html>", Looks::Other),
        ("dat", Looks::Other),
        (" \n", Looks::Nothing),
        ("", Looks::Nothing),
    ] {
        for size in [1, 100] {
            let pieces: Vec<Portion> =
                text.as_bytes().chunks(size).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
            let body = ProviderBody::unread(StreamBody::new(stream::iter(pieces)));
            let (body, looks) = look(Format::OpenAiChat, body, long).await.unwrap();
            assert_eq!(looks, expected, "{text:?} by {size}");
            let rest = body.collect().await.unwrap().to_bytes();
            assert!(text.as_bytes().ends_with(&rest) && !rest.starts_with(b" "), "{text:?} by {size}: {rest:?}");
        }
    }
}
