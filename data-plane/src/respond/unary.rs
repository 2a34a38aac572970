//! Writes on an answer in one piece.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::response::Parts;
use translation::protocol::embeddings::openai;
use translation::protocol::served;

use super::counts;
use super::flow::Flow;
use super::headers::{COST, as_stream, forward};
use super::idle::IdleTimer;
use super::kind;
use super::large::{Kind, LargeAnswer, NO_TEXT};
use super::learn::Learn;
use super::legible::Legibility;
use crate::answer::Answer;
use crate::body::collect::{CollectError, Collected, Patience, collect};
use crate::body::unpack::is_packed;
use crate::error::GatewayError;
use crate::opening::whole::{Read, UNPACKED, read};
use crate::opening::{HELD, Opened, ProviderBody, is_json, is_stream};
use crate::route::table::RoutedKey;
use crate::usage::estimate::heard::Heard;
use crate::usage::meter::Meter;

/// Writes `answer` on. `patience` bounds the time until it is whole, or known to be large. Each further part of a large
/// answer may take as long as the pause of `patience`. `learn` takes note of the id in it.
///
/// # Errors
/// [`GatewayError`] when the answer breaks off before anything of it has left; the meter is given back.
pub async fn respond(
    answer: Answer,
    learn: Option<Learn>,
    mut meter: Meter,
    patience: Patience,
) -> Result<Response, (GatewayError, Meter)> {
    let Answer { head, opened, candidate, format, .. } = answer;
    let (body, usage) = match opened {
        Opened::Whole(body, usage) => (body, usage),
        opened => {
            let (start, rest) = match read(&head, opened.into_body(), HELD, patience).await {
                Ok(Read::Larger { start, rest }) => (start, rest),
                // What has been opened and is not large is known to be whole.
                Ok(Read::Whole(_)) => return Err((GatewayError::Unusable("it is no JSON object"), meter)),
                Err(error) => return Err((error, meter)),
            };
            if let (Some(learn), Some(first)) = (&learn, start.first()) {
                learn.start(first);
            }
            let kind = Kind { format, chat: true };
            let mut legibility = Legibility::default();
            if !start.iter().all(|piece| legibility.goes_on(piece)) {
                return Err((NO_TEXT, meter));
            }
            let key = Arc::clone(&candidate.key);
            return Ok(large(&head, (start, legibility), rest, key, patience, kind, meter));
        }
    };
    meter.served_by(served::service_tier(&body));
    if usage.is_none() {
        meter.heard = Heard::Whole { format, body: body.clone() };
    }
    meter.usage = usage;
    if let Some(learn) = &learn {
        learn.whole(&body);
    }
    Ok(held(&head, body, &candidate.key, Kind { format, chat: true }, meter))
}

/// Writes on an `answer` of any kind, such as JSON, sound, text, a file, nothing, or a stream that is no chat. An
/// answer that is not JSON is not held, but written on as it comes. `learn` takes note of the ids in it.
///
/// # Errors
/// [`GatewayError`] when the answer breaks off before anything of it has left; the meter is given back.
pub async fn pass(
    answer: Answer,
    learn: Option<Learn>,
    mut meter: Meter,
    patience: Patience,
) -> Result<Response, (GatewayError, Meter)> {
    let Answer { head, opened, candidate, format, .. } = answer;
    let body = opened.into_body();
    let json = is_json(&head.headers);
    // An answer that is not held is written on once its first bytes have come.
    let bound = if json || is_packed(&head.headers) { HELD } else { 0 };
    let body = match read(&head, body, bound, patience).await {
        Ok(Read::Whole(body)) => body,
        Ok(Read::Larger { start, rest }) => {
            if let (Some(learn), Some(first)) = (&learn, start.first()) {
                learn.start(first);
            }
            let key = Arc::clone(&candidate.key);
            let kind = Kind { format, chat: false };
            let mut response = large(&head, (start, Legibility::default()), rest, key, patience, kind, meter);
            if is_stream(&head.headers) {
                as_stream(&mut response);
            }
            return Ok(response);
        }
        Err(error) => return Err((error, meter)),
    };
    if json {
        meter.usage = counts::usage(&body);
        meter.units = counts::units(&body);
        meter.served_by(served::service_tier(&body));
        if let Some(learn) = &learn {
            learn.whole(&body);
        }
    }
    Ok(held(&head, body, &candidate.key, Kind { format, chat: false }, meter))
}

/// Writes on an answer with vectors for a client that wants them in base64, whatever the provider has written.
///
/// # Errors
/// As [`pass`].
pub async fn pass_in_base64(
    answer: Answer,
    mut meter: Meter,
    patience: Patience,
) -> Result<Response, (GatewayError, Meter)> {
    let Answer { head, opened, candidate, format, .. } = answer;
    let (key, held_back) = (&candidate.key, read(&head, opened.into_body(), HELD, patience).await);
    let body = match held_back {
        Ok(Read::Whole(body)) => body,
        Ok(Read::Larger { start, rest }) => {
            let beginning = start.concat();
            if !openai::begins_with_numbers(&beginning) {
                let kind = Kind { format, chat: false };
                let begun = (start, Legibility::default());
                return Ok(large(&head, begun, rest, Arc::clone(key), patience, kind, meter));
            }
            match collect(rest, UNPACKED, patience).await {
                Ok(Collected::Whole(rest)) => [&beginning[..], &rest[..]].concat().into(),
                Ok(Collected::Larger { .. }) => {
                    let why = "it holds numbers where base64 was asked for, and more of them than can be written anew";
                    return Err((GatewayError::Unusable(why), meter));
                }
                Err(CollectError::Broken(_)) => return Err((GatewayError::Cut, meter)),
                Err(CollectError::TimedOut) => return Err((GatewayError::Timeout, meter)),
            }
        }
        Err(error) => return Err((error, meter)),
    };
    meter.usage = counts::usage(&body);
    let body = openai::in_base64(&body).unwrap_or(body);
    Ok(held(&head, body, key, Kind { format, chat: false }, meter))
}

fn held(head: &Parts, body: Bytes, key: &RoutedKey, kind: Kind, mut meter: Meter) -> Response {
    let body = key.leak.redact(body);
    meter.first_byte();
    meter.answering(head.status);
    meter.response_bytes = body.len() as u64;
    meter.succeeded();
    let cost = meter.shown_cost();
    let mut response = with_head(head, Body::from(body), key, kind);
    response.headers_mut().extend(cost.map(|cost| (COST, cost)));
    response
}

fn with_head(head: &Parts, body: Body, key: &RoutedKey, kind: Kind) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    forward(&head.headers, response.headers_mut(), key, kind.format);
    if kind.chat {
        kind::set(response.headers_mut(), "application/json");
    } else {
        kind::make_safe(response.headers_mut());
    }
    response
}

fn large(
    head: &Parts,
    (start, legibility): (Vec<Bytes>, Legibility),
    rest: ProviderBody,
    key: Arc<RoutedKey>,
    patience: Patience,
    kind: Kind,
    mut meter: Meter,
) -> Response {
    meter.first_byte();
    meter.answering(head.status);
    let answer = LargeAnswer::new(start, legibility, kind, Arc::clone(&key), meter);
    let body = Flow::new(rest, IdleTimer::new(patience.pause).ending(patience.end), None, answer);
    with_head(head, Body::new(body), &key, kind)
}
