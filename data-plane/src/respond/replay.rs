//! Writes an answer on that was given before, as it was.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use translation::protocol::sse;

use crate::error::GatewayError;
use crate::usage::meter::Meter;

/// Writes `body` on with `headers`. One that `streams` goes event by event, as fast as the client takes them.
pub fn respond(headers: HeaderMap, body: Bytes, streams: bool, mut meter: Meter) -> Response {
    meter.costs_nothing();
    meter.first_byte();
    meter.answering(StatusCode::OK);
    let body = if streams {
        let events: Events = Box::new(sse::events(body));
        Body::new(Replay { events, meter: Some(meter) })
    } else {
        meter.response_bytes = body.len() as u64;
        meter.succeeded();
        Body::from(body)
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

type Events = Box<dyn Iterator<Item = Bytes> + Send>;

/// A stream that is given again. Where it is dropped before its end, the client has left.
struct Replay {
    events: Events,
    meter: Option<Meter>,
}

impl http_body::Body for Replay {
    type Data = Bytes;
    type Error = GatewayError;

    fn poll_frame(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let (Some(event), Some(meter)) = (this.events.next(), &mut this.meter) {
            meter.response_bytes += event.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(event))));
        }
        if let Some(mut meter) = this.meter.take() {
            meter.succeeded();
        }
        Poll::Ready(None)
    }
}
