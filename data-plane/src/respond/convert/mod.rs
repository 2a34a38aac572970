//! Writes an answer on in another format than it came in: event by event where both sides stream, and whole where one
//! does not.

mod collected;
mod note;
mod spoken;
mod stream;
mod whole;
mod wish;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, HeaderValue};
use translation::Format;

use self::stream::{ConvertedStream, Converter};
use self::whole::WholeConversion;
use super::flow::Flow;
use super::headers::{as_stream, forward, name_dropped};
use super::idle::{IdleTimer, KEEP_ALIVE};
use crate::answer::Answer;
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::request::Conversion;
use crate::route::table::RoutedKey;
use crate::usage::meter::Meter;

pub use wish::{Conversation, Wish};

/// Writes `answer` on as `wish` says, undoing what `conversion` did to the request.
///
/// # Errors
/// [`GatewayError`] when no part of an answer has come that could be written on; the meter is given back.
pub async fn respond(
    answer: Answer,
    conversion: Conversion,
    meter: Meter,
    patience: Patience,
    wish: Wish,
) -> Result<Response, (GatewayError, Meter)> {
    let streams = answer.streams();
    let Answer { head, opened, candidate, format, .. } = answer;
    let Conversion { back, dropped } = conversion;
    let (key, client) = (&candidate.key, wish.format);
    // Signatures are kept under the ids of tool calls, so a request without tools has none to keep.
    let family = format.facts().reads_signatures.filter(|_| !wish.asked.request.tools.is_empty());
    let mut response = if streams && wish.stream {
        let watch = family.map(|family| wish.signatures.watch(family));
        let mut wish = wish;
        let conversation = wish.conversation.take();
        let encoder = wish.encoder();
        let content_type = HeaderValue::from_static(encoder.content_type());
        let undo = (!back.is_empty()).then(|| back.stream());
        let decoder = format.protocol().decoder();
        let converter = Converter { decoder, undo, watch, conversation, encoder };
        let ending = Box::pin(meter.closing());
        let timer = IdleTimer::beating(patience.pause, KEEP_ALIVE).ending(patience.end);
        let mut stream = ConvertedStream::new(converter, Arc::clone(key), meter);
        stream.answering(head.status);
        let flow = Flow::new(opened.into_body(), timer, Some(ending), stream);
        let mut response = Response::new(Body::new(flow));
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        as_stream(&mut response);
        response
    } else {
        let conversion = WholeConversion { format, back, family, key: Arc::clone(key), patience, wish };
        if streams {
            conversion.in_time(opened, &head, meter).await?
        } else {
            conversion.at_once(opened, &head, meter).await?
        }
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

#[cfg(test)]
pub(super) mod tests;
