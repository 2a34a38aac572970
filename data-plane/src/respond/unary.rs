//! An answer in one piece.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http_body::Frame;
use hyper::body::Incoming;
use translation::ir::Usage;
use translation::protocol::Format;

use super::convert::is_stream;
use super::counts;
use super::headers::forward;
use super::idle::IdleTimer;
use super::learn::Learn;
use super::stream::as_stream;
use crate::answer::Answer;
use crate::body::collect::{CollectError, Collected, Patience, collect};
use crate::body::unpack::{UnpackError, is_packed, unpack};
use crate::error::GatewayError;
use crate::provider::redact::Redactor;
use crate::route::table::RoutedKey;
use crate::usage::estimate::heard::Heard;
use crate::usage::meter::Meter;

/// Larger answers are not held, but written on as they come.
const HELD: usize = 1024 * 1024;

/// Compressed answers, which are not asked for, may unpack to so much.
const UNPACKED: usize = 16 * 1024 * 1024;

/// As much of the end of a large answer as its usage stands in.
const TAIL: usize = 16 * 1024;

/// Writes `answer` on, with `patience` until it is whole or large; of a large one, each further part has its pause to
/// come. `learn` takes note of the id in it.
///
/// # Errors
/// [`GatewayError`] when the answer breaks off, or is not JSON, before anything of it has left; the meter is given
/// back.
pub async fn respond(
    answer: Answer,
    learn: Option<Learn>,
    mut meter: Meter,
    patience: Patience,
) -> Result<Response, (GatewayError, Meter)> {
    let Answer { head, body, candidate, format, .. } = answer;
    let protocol = format.protocol();
    let body = match read(&head, body, HELD, patience).await {
        Ok(Read::Whole(body)) => body,
        Ok(Read::Larger { start, rest }) => {
            if let (Some(learn), Some(first)) = (&learn, start.first()) {
                learn.start(first);
            }
            let kind = Kind { format, chat: true };
            return Ok(large(&head, start, rest, Arc::clone(&candidate.key), patience.pause, kind, meter));
        }
        Err(error) => return Err((error, meter)),
    };
    match protocol.usage(&body) {
        Ok(None) if is_error(&body) => match protocol.decode_response(&body) {
            Err(mut error) => {
                error.message = candidate.key.leak.redact_text(error.message);
                return Err((GatewayError::Provider(Box::new(error)), meter));
            }
            Ok(_) => meter.heard = Heard::Whole { format, body: body.clone() },
        },
        Ok(None) if !body.trim_ascii_start().starts_with(b"{") => {
            return Err((GatewayError::Unusable("it is no JSON object"), meter));
        }
        Ok(None) => meter.heard = Heard::Whole { format, body: body.clone() },
        Ok(usage) => meter.usage = usage,
        Err(_) => return Err((GatewayError::Unusable("it is not JSON"), meter)),
    }
    if let Some(learn) = &learn {
        learn.whole(&body);
    }
    Ok(held(&head, body, &candidate.key, format, meter))
}

/// Writes `answer` on, whatever it is: JSON, sound, text, a file, nothing, a stream of another kind than chat. What is
/// not JSON is not held, but written on as it comes. `learn` takes note of the ids in it.
///
/// # Errors
/// [`GatewayError`] when the answer breaks off before anything of it has left; the meter is given back.
pub async fn pass(
    answer: Answer,
    learn: Option<Learn>,
    mut meter: Meter,
    patience: Patience,
) -> Result<Response, (GatewayError, Meter)> {
    let Answer { head, body, candidate, format, .. } = answer;
    let json = is_json(&head.headers);
    // Behind the first bytes it is known that the provider has begun.
    let bound = if json || is_packed(&head.headers) { HELD } else { 0 };
    let body = match read(&head, body, bound, patience).await {
        Ok(Read::Whole(body)) => body,
        Ok(Read::Larger { start, rest }) => {
            if let (Some(learn), Some(first)) = (&learn, start.first()) {
                learn.start(first);
            }
            let key = Arc::clone(&candidate.key);
            let kind = Kind { format, chat: false };
            let mut response = large(&head, start, rest, key, patience.pause, kind, meter);
            if is_stream(&head.headers) {
                as_stream(&mut response);
            }
            return Ok(response);
        }
        Err(error) => return Err((error, meter)),
    };
    if json {
        meter.usage = counts::usage(&body);
        if let Some(learn) = &learn {
            learn.whole(&body);
        }
    }
    Ok(held(&head, body, &candidate.key, format, meter))
}

/// The whole of an answer that the gateway reads and does not pass on. Its usage is the caller's to note.
///
/// # Errors
/// [`GatewayError`] when it breaks off, or is too large to be held.
pub async fn take(answer: Answer, patience: Patience) -> Result<Bytes, GatewayError> {
    whole(&answer.head, answer.body, patience).await
}

fn held(head: &Parts, body: Bytes, key: &RoutedKey, format: Format, mut meter: Meter) -> Response {
    let body = key.leak.redact(body);
    meter.first_byte();
    meter.answering(head.status);
    meter.response_bytes = body.len() as u64;
    meter.succeeded();
    with_head(head, Body::from(body), key, format)
}

/// Whether an answer is an error and nothing else, as some vendors send it with the status 200: clients would take it
/// for an answer without content.
fn is_error(body: &[u8]) -> bool {
    const STARTS: [[&[u8]; 4]; 2] = [[b"{", b"\"error\"", b":", b"{"], [b"{", b"\"type\"", b":", b"\"error\""]];
    STARTS.iter().any(|tokens| {
        tokens.iter().try_fold(body, |rest, token| rest.trim_ascii_start().strip_prefix(*token)).is_some()
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

enum Read {
    Whole(Bytes),
    Larger { start: Vec<Bytes>, rest: Incoming },
}

async fn read(head: &Parts, body: Incoming, bound: usize, patience: Patience) -> Result<Read, GatewayError> {
    let body = match collect(body, bound, patience).await {
        Ok(Collected::Whole(body)) => body,
        Ok(Collected::Larger { .. }) if is_packed(&head.headers) => {
            return Err(GatewayError::Unusable("it is compressed, which was not asked for, and large"));
        }
        Ok(Collected::Larger { start, rest }) => return Ok(Read::Larger { start, rest }),
        Err(CollectError::Broken(_)) => return Err(GatewayError::Cut),
        Err(CollectError::TimedOut) => return Err(GatewayError::Timeout),
    };
    unpack(&head.headers, body, UNPACKED).map(Read::Whole).map_err(|error| match error {
        UnpackError::Unknown(_) => GatewayError::Unusable("its content-encoding is not known"),
        UnpackError::TooLarge => GatewayError::Unusable("it unpacks to more than 16 MiB"),
        UnpackError::Damaged => GatewayError::Unusable("its compression is damaged"),
    })
}

/// The whole of an answer that is to be translated.
///
/// # Errors
/// [`GatewayError`] when it breaks off, or is too large to be held.
pub(super) async fn whole(head: &Parts, body: Incoming, patience: Patience) -> Result<Bytes, GatewayError> {
    match collect(body, UNPACKED, patience).await {
        Ok(Collected::Whole(body)) => unpack(&head.headers, body, UNPACKED)
            .map_err(|_| GatewayError::Unusable("its compression is damaged, unknown, or too much")),
        Ok(Collected::Larger { .. }) => Err(GatewayError::Unusable("it is larger than 16 MiB")),
        Err(CollectError::Broken(_)) => Err(GatewayError::Cut),
        Err(CollectError::TimedOut) => Err(GatewayError::Timeout),
    }
}

fn with_head(head: &Parts, body: Body, key: &RoutedKey, format: Format) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    forward(&head.headers, response.headers_mut(), key, format);
    response
}

fn large(
    head: &Parts,
    start: Vec<Bytes>,
    rest: Incoming,
    key: Arc<RoutedKey>,
    pause: Duration,
    kind: Kind,
    mut meter: Meter,
) -> Response {
    meter.first_byte();
    meter.answering(head.status);
    let body = LargeBody {
        start: start.into(),
        rest: Some(rest),
        timer: IdleTimer::new(pause),
        tail: BytesMut::new(),
        redactor: Redactor::default(),
        kind,
        meter,
        key: Arc::clone(&key),
    };
    with_head(head, Body::new(body), &key, kind.format)
}

/// What a large answer is.
#[derive(Clone, Copy)]
struct Kind {
    format: Format,
    /// An answer of `format`; otherwise one of another endpoint of that API.
    chat: bool,
}

impl Kind {
    /// The usage at the end of the answer.
    fn usage_in_tail(self, tail: &[u8]) -> Option<Usage> {
        if self.chat { self.format.protocol().usage_in_tail(tail) } else { counts::usage_in_tail(tail) }
    }
}

/// A large answer on its way. Its usage is read from its end. Where there is none, its output is not estimated: most of
/// it is no text.
struct LargeBody {
    start: VecDeque<Bytes>,
    /// None when it has ended.
    rest: Option<Incoming>,
    timer: IdleTimer,
    tail: BytesMut,
    redactor: Redactor,
    kind: Kind,
    meter: Meter,
    key: Arc<RoutedKey>,
}

impl LargeBody {
    /// What of the answer goes to the client after `data`.
    fn pass(&mut self, data: Bytes) -> Bytes {
        let seen = &data[data.len().saturating_sub(TAIL)..];
        if self.tail.len() + seen.len() > 2 * TAIL {
            let old = self.tail.len().saturating_sub(TAIL);
            self.tail = BytesMut::from(&self.tail[old..]);
        }
        self.tail.extend_from_slice(seen);
        self.redactor.push(&self.key.leak, data)
    }

    /// The head has left, so a broken connection is the only way to say that the answer is not whole.
    fn break_off(&mut self, error: GatewayError) -> GatewayError {
        self.rest = None;
        self.meter.broke(&error);
        error
    }
}

impl http_body::Body for LargeBody {
    type Data = Bytes;
    type Error = GatewayError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            let data = if let Some(start) = self.start.pop_front() {
                self.pass(start)
            } else {
                let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
                match Pin::new(rest).poll_frame(context) {
                    Poll::Ready(Some(Ok(frame))) => {
                        self.timer.touch();
                        // Trailers say nothing that a client of this API reads.
                        self.pass(frame.into_data().unwrap_or_default())
                    }
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(self.break_off(GatewayError::Cut)))),
                    Poll::Ready(None) => {
                        self.rest = None;
                        self.meter.usage = self.kind.usage_in_tail(&self.tail);
                        self.meter.succeeded();
                        self.redactor.finish()
                    }
                    Poll::Pending => {
                        ready!(self.timer.poll_expired(context));
                        return Poll::Ready(Some(Err(self.break_off(GatewayError::Timeout))));
                    }
                }
            };
            if !data.is_empty() {
                self.meter.response_bytes += data.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }
}
