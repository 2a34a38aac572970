//! An answer in another format than the client's: event by event where both sides stream, and whole where one does not.

mod stream;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, HeaderValue};
use hyper::body::Incoming;
use memchr::memmem;
use translation::ir;
use translation::ir::{Collector, Event, ProviderError};
use translation::protocol::openai_responses::resolve::resolve;
use translation::protocol::{Asked, Format, StreamEncoder, gemini_generate};

use self::stream::{ConvertedStream, Converter};
use super::headers::forward;
use super::stream::{as_stream, first_portion, portion};
use super::unary::whole;
use crate::answer::Answer;
use crate::body::collect::Patience;
use crate::conversations::ClientConversations;
use crate::error::GatewayError;
use crate::request::Conversion;
use crate::route::table::RoutedKey;
use crate::signatures::{ClientSignatures, family_of};
use crate::usage::estimate::heard::Heard;
use crate::usage::estimate::tokens_of_response;
use crate::usage::meter::Meter;

/// A stream that is collected may hold so many bytes of what it came in.
const COLLECTED: usize = 64 * 1024 * 1024;

/// What the client is to get.
#[derive(Debug)]
pub struct Wish {
    /// In which format.
    pub format: Format,
    /// As a stream.
    pub stream: bool,
    /// The stream as a JSON array (Gemini without `alt=sse`).
    pub array: bool,
    /// What it asked for.
    pub asked: Asked,
    /// Where what the answer is signed with is kept.
    pub signatures: ClientSignatures,
    /// Where the answer itself is kept, for a client of an API that refers to earlier ones.
    pub conversation: Option<Conversation>,
}

/// A turn of a conversation that the client may refer to later.
#[derive(Debug)]
pub struct Conversation {
    /// Where it is kept.
    pub kept: ClientConversations,
    /// The request, as the client sent it.
    pub asked: Bytes,
}

impl Conversation {
    /// The request with all that it refers to. None where it refers to nothing that is kept here.
    pub fn resolved(&self) -> Option<Bytes> {
        resolve(&self.asked, &self.kept).map(Into::into)
    }

    /// Keeps the answer, if its end is in `written`. Gives whether it was.
    fn keep(&self, written: &[u8]) -> bool {
        // No text that is written looks like these lines: within it, ends of lines are escaped.
        const ENDS: [&[u8]; 2] = [b"event: response.completed\n", b"event: response.incomplete\n"];
        let ended = written.starts_with(b"{") || ENDS.iter().any(|end| memmem::find(written, end).is_some());
        if ended {
            self.kept.keep(&self.asked, written);
        }
        ended
    }
}

impl Wish {
    fn encoder(self) -> Box<dyn StreamEncoder> {
        if self.array {
            return gemini_generate::array_encoder(self.asked);
        }
        self.format.protocol().encoder(self.asked)
    }
}

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
    // Without a tool there is no call under whose id something could be kept.
    let family = family_of(format).filter(|_| !wish.asked.request.tools.is_empty());
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
        let mut stream = ConvertedStream::new(body, converter, patience.pause, Arc::clone(key), meter);
        if let Some(error) = stream.begin(first) {
            return Err((error, stream.into_meter()));
        }
        stream.answering(head.status);
        let mut response = Response::new(Body::new(stream));
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        as_stream(&mut response);
        response
    } else {
        let read = if is_stream(&head.headers) {
            collected(format, &head, body, patience, &mut meter).await
        } else {
            match whole(&head, body, patience).await {
                Ok(body) => format.protocol().decode_response(&body).map_err(failed),
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
    if let Ok(value) = HeaderValue::from_str(&dropped.names().join(","))
        && !dropped.is_empty()
    {
        response.headers_mut().insert("x-orchestration-dropped", value);
    }
    Ok(response)
}

/// Those of the provider's headers that mean the same in every format.
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

/// The answer's bytes, and their type.
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

async fn collected(
    format: Format,
    head: &Parts,
    mut body: Incoming,
    patience: Patience,
    meter: &mut Meter,
) -> Result<ir::Response, GatewayError> {
    let mut decoder = format.protocol().decoder();
    let mut collector = Collector::default();
    let (mut events, mut size) = (Vec::new(), 0);
    let mut patience = patience;
    let mut further = first_portion(head, &mut body, patience).await;
    loop {
        match further {
            Ok(portion) => {
                size += portion.len();
                decoder.push(portion, &mut events);
            }
            // An empty stream has given nothing; another has ended.
            Err(GatewayError::Unusable(_)) if size > 0 => break,
            // Behind the end of the answer nothing is missing.
            Err(GatewayError::Cut) if meter.has_all() => break,
            Err(error) => return Err(error),
        }
        if size > COLLECTED {
            return Err(GatewayError::Unusable("it is a stream of more than 64 MiB"));
        }
        for event in events.drain(..) {
            note(meter, &event);
            collector.event(event).map_err(failed)?;
        }
        if decoder.done() {
            break;
        }
        patience.first = (tokio::time::Instant::now() + patience.pause).min(patience.whole);
        further = portion(&mut body, patience).await;
    }
    decoder.end(&mut events);
    for event in events.drain(..) {
        note(meter, &event);
        collector.event(event).map_err(failed)?;
    }
    collector.finish().map_err(failed)
}

/// Notes what `event` says of usage, and what will have to be counted if nothing does.
fn note(meter: &mut Meter, event: &Event) {
    match event {
        Event::Start(start) if start.usage.is_some() => meter.usage = start.usage,
        Event::Usage(usage) => meter.usage = Some(*usage),
        Event::Finish { .. } => meter.finished = true,
        _ => meter.heard.event(event),
    }
}

fn failed(error: ProviderError) -> GatewayError {
    GatewayError::Provider(Box::new(error))
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

/// Whether a provider's answer is a stream.
pub fn is_stream(headers: &HeaderMap) -> bool {
    const STREAMS: [&[u8]; 2] = [b"text/event-stream", b"application/vnd.amazon.eventstream"];
    let value = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    STREAMS.iter().any(|stream| value.get(..stream.len()).is_some_and(|start| start.eq_ignore_ascii_case(stream)))
}
