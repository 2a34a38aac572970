//! Writes an answer on in another format than it came in: event by event where both sides stream, and whole where one
//! does not.

mod collected;
mod note;
mod stream;
mod wish;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, HeaderValue};
use translation::Format;
use translation::ir;

use self::collected::collected;
use self::stream::{ConvertedStream, Converter};
use super::flow::Flow;
use super::headers::{as_stream, forward, name_dropped};
use super::idle::IdleTimer;
use super::opening::{first_portion, is_stream};
use super::whole::whole;
use crate::answer::Answer;
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::request::Conversion;
use crate::route::table::RoutedKey;
use crate::usage::estimate::heard::Heard;
use crate::usage::estimate::tokens_of_response;
use crate::usage::meter::Meter;

pub use wish::{Conversation, Wish};

/// How long a client hears nothing before it gets what keeps its connection alive, and those of proxies on the way. The
/// provider's own pings do not pass.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Writes `answer` on as `wish` says, undoing what `conversion` did to the request.
///
/// # Errors
/// [`GatewayError`] when no part of an answer has come that could be written on; the meter is given back.
pub async fn respond(
    answer: Answer,
    conversion: Conversion,
    mut meter: Meter,
    patience: Patience,
    wish: Wish,
) -> Result<Response, (GatewayError, Meter)> {
    let Answer { head, mut body, candidate, format, .. } = answer;
    let Conversion { back, dropped } = conversion;
    let (key, client) = (&candidate.key, wish.format);
    // Signatures are kept under the ids of tool calls, so a request without tools has none to keep.
    let family = format.facts().reads_signatures.filter(|_| !wish.asked.request.tools.is_empty());
    let mut response = if is_stream(&head.headers) && wish.stream {
        let first = match first_portion(&head, &mut body, patience).await {
            Ok(first) => first,
            Err(error) => return Err((error, meter)),
        };
        let watch = family.map(|family| wish.signatures.watch(family));
        let mut wish = wish;
        let conversation = wish.conversation.take();
        let encoder = wish.encoder();
        let content_type = HeaderValue::from_static(encoder.content_type());
        let undo = (!back.is_empty()).then(|| back.stream());
        let decoder = format.protocol().decoder();
        let converter = Converter { decoder, undo, watch, conversation, encoder };
        let ending = Box::pin(meter.closing());
        let timer = IdleTimer::beating(patience.pause, KEEP_ALIVE);
        let mut stream = ConvertedStream::new(converter, Arc::clone(key), meter);
        let next = match stream.begin(first) {
            Ok(next) => next,
            Err(error) => return Err((error, stream.into_meter())),
        };
        stream.answering(head.status);
        let mut flow = Flow::new(body, timer, Some(ending), stream);
        flow.go(next);
        let mut response = Response::new(Body::new(flow));
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        as_stream(&mut response);
        response
    } else {
        let read = if is_stream(&head.headers) {
            collected(format, &head, body, patience, &mut meter).await
        } else {
            match whole(&head, body, patience).await {
                Ok(body) => {
                    let protocol = format.protocol();
                    // What cannot be used was paid for all the same.
                    meter.usage = protocol.usage(&body).ok().flatten();
                    protocol.decode_response(&body).map_err(GatewayError::from)
                }
                Err(error) => Err(error),
            }
        };
        let mut neutral = match read {
            Ok(neutral) => neutral,
            Err(error) => return Err((redacted(key, error), meter)),
        };
        back.response(&mut neutral);
        if let Some(family) = family {
            wish.signatures.remember(family, &neutral);
        }
        meter.usage = neutral.usage;
        if neutral.usage.is_none() {
            meter.heard = Heard::Counted(tokens_of_response(&neutral));
        }
        meter.first_byte();
        meter.answering(head.status);
        let mut wish = wish;
        let conversation = wish.conversation.take();
        let (body, content_type) = written(neutral, wish);
        let body = key.leak.redact(body.into());
        if let Some(conversation) = conversation {
            conversation.keep(&body);
        }
        meter.response_bytes = body.len() as u64;
        meter.succeeded();
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    };
    *response.status_mut() = head.status;
    pass_headers(&head, &mut response, key, client);
    name_dropped(&mut response, &dropped);
    Ok(response)
}

/// Passes on those of the provider's headers that mean the same in every format.
fn pass_headers(head: &Parts, response: &mut Response, key: &RoutedKey, client: Format) {
    let mut forwarded = HeaderMap::new();
    forward(&head.headers, &mut forwarded, key, client);
    let headers = response.headers_mut();
    for (name, value) in forwarded {
        if let Some(name) = name.filter(|name| !headers.contains_key(name)) {
            headers.insert(name, value);
        }
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
            error.message = key.leak.redact_text(std::mem::take(&mut error.message));
            GatewayError::Provider(error)
        }
        other => other,
    }
}
