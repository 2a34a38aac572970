//! An answer that is written whole, in another format than it came in.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use translation::Format;
use translation::back::Back;
use translation::format::Family;
use translation::ir;

use super::collected::collected;
use super::wish::Wish;
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::opening::Opened;
use crate::opening::whole::whole;
use crate::respond::headers::COST;
use crate::respond::idle::KEEP_ALIVE;
use crate::route::table::RoutedKey;
use crate::usage::estimate::heard::Heard;
use crate::usage::estimate::tokens_of_response;
use crate::usage::meter::Meter;

/// How an answer becomes a whole one of the client's format.
pub(super) struct WholeConversion {
    pub(super) format: Format,
    pub(super) back: Back,
    /// Whose signatures in the answer are kept.
    pub(super) family: Option<Family>,
    pub(super) key: Arc<RoutedKey>,
    pub(super) patience: Patience,
    pub(super) wish: Wish,
}

/// An answer in its own format: its body, its content type, and what its client is told that it costs.
#[derive(Debug)]
pub(super) struct WrittenAnswer {
    pub(super) body: Bytes,
    pub(super) content_type: &'static str,
    pub(super) cost: Option<HeaderValue>,
}

/// An answer, or why there is none.
type Made = Result<WrittenAnswer, (GatewayError, Meter)>;

impl WholeConversion {
    /// The answer that has come whole.
    pub(super) async fn at_once(
        self,
        opened: Opened,
        head: &Parts,
        meter: Meter,
    ) -> Result<Response, (GatewayError, Meter)> {
        self.make(opened, head, meter).await.map(answered)
    }

    /// The answer that comes as a stream. It may take long to be whole. White space, which may stand in front of any
    /// JSON, then keeps the client's connection alive. From there on a broken connection is the only way to say that
    /// the answer has failed.
    pub(super) async fn in_time(
        self,
        opened: Opened,
        head: &Parts,
        mut meter: Meter,
    ) -> Result<Response, (GatewayError, Meter)> {
        meter.answering(head.status);
        let (wish_streams, head) = (self.wish.stream, head.clone());
        let mut making: Making = Box::pin(async move { self.make(opened, &head, meter).await });
        if wish_streams {
            return making.await.map(answered);
        }
        match timeout(KEEP_ALIVE, &mut making).await {
            Ok(made) => made.map(answered),
            Err(_elapsed) => {
                let mut response = Response::new(Body::new(SlowAnswer::new(making)));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Ok(response)
            }
        }
    }

    async fn make(self, opened: Opened, head: &Parts, mut meter: Meter) -> Made {
        let Self { format, back, family, key, patience, mut wish } = self;
        let decode = |body: &[u8]| format.protocol().decode_response(body).map_err(GatewayError::from);
        let read = match opened {
            Opened::Stream(body) => collected(format, body, patience, &mut meter).await,
            Opened::Decoded(response) => Ok(*response),
            Opened::Whole(body, usage) => {
                // What cannot be used was paid for all the same.
                meter.usage = usage;
                decode(&body)
            }
            Opened::Unread(body) => whole(head, body, patience).await.and_then(|body| {
                meter.usage = format.protocol().usage(&body).ok().flatten();
                decode(&body)
            }),
        };
        let mut neutral = match read {
            Ok(neutral) => neutral,
            Err(error) => return Err((redacted(&key, error), meter)),
        };
        back.response(&mut neutral);
        if let Some(family) = family {
            wish.signatures.remember(family, &neutral);
        }
        meter.usage = neutral.usage;
        meter.served_by(neutral.service_tier.clone());
        if neutral.usage.is_none() {
            meter.heard = Heard::Counted(tokens_of_response(&neutral));
        }
        meter.first_byte();
        meter.answering(head.status);
        let (conversation, streams) = (wish.conversation.take(), wish.stream);
        let (body, content_type) = written(neutral, wish);
        let body = key.leak.redact(body.into());
        if let Some(conversation) = conversation {
            conversation.keep(&body);
        }
        meter.response_bytes = body.len() as u64;
        meter.succeeded();
        Ok(WrittenAnswer { body, content_type, cost: if streams { None } else { meter.shown_cost() } })
    }
}

fn answered(answer: WrittenAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    response.headers_mut().extend(answer.cost.map(|cost| (COST, cost)));
    response
}

pub(super) type Making = Pin<Box<dyn Future<Output = Made> + Send>>;

/// A whole answer that is still being made. Dropping it ends the request at the provider.
pub(super) struct SlowAnswer {
    /// None when it is over.
    making: Option<Making>,
    /// When the client hears something next.
    beat: Pin<Box<Sleep>>,
}

impl SlowAnswer {
    /// The answer that `making` gives. Its client has waited long enough to hear something at once.
    pub(super) fn new(making: Making) -> Self {
        Self { making: Some(making), beat: Box::pin(sleep_until(Instant::now())) }
    }
}

impl http_body::Body for SlowAnswer {
    type Data = Bytes;
    type Error = GatewayError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let Some(making) = &mut this.making else { return Poll::Ready(None) };
        let frame = match making.as_mut().poll(context) {
            Poll::Ready(Ok(answer)) => Ok(Frame::data(answer.body)),
            Poll::Ready(Err((error, mut meter))) => {
                meter.broke(&error);
                Err(error)
            }
            Poll::Pending => {
                std::task::ready!(this.beat.as_mut().poll(context));
                this.beat.as_mut().reset(Instant::now() + KEEP_ALIVE);
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"\n")))));
            }
        };
        this.making = None;
        Poll::Ready(Some(frame))
    }
}

/// The bytes of the answer, and their content type.
fn written(neutral: ir::Response, wish: Wish) -> (Vec<u8>, &'static str) {
    if !wish.stream {
        return (wish.format.protocol().encode_response(&neutral, &wish.asked), "application/json");
    }
    let mut encoder = wish.encoder();
    let mut bytes = Vec::new();
    for event in neutral.into_events() {
        encoder.event(&event, &mut bytes);
    }
    encoder.end(&mut bytes);
    (bytes, encoder.content_type())
}

fn redacted(key: &RoutedKey, error: GatewayError) -> GatewayError {
    match error {
        GatewayError::Provider(mut error) => {
            key.leak.redact_error(&mut error);
            GatewayError::Provider(error)
        }
        other => other,
    }
}
