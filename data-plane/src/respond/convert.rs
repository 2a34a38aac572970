//! An answer in another format than the client's: event by event where both sides stream, and whole where one does not.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use hyper::body::Incoming;
use translation::back::Undo;
use translation::ir;
use translation::ir::{Collector, Event, ProviderError};
use translation::protocol::{Asked, Format, StreamDecoder, StreamEncoder, gemini_generate};

use super::collect::Patience;
use super::headers::forward;
use super::idle::{IdleTimer, Silence};
use super::redact::{redact, redact_text};
use super::stream::{END_GRACE, as_stream, first_portion};
use super::unary::whole;
use crate::attempt::Answer;
use crate::error::GatewayError;
use crate::request::Conversion;
use crate::route::table::RoutedKey;
use crate::signatures::{ClientSignatures, Watch, family_of};
use crate::usage::estimate::heard::Heard;
use crate::usage::estimate::tokens_of_response;
use crate::usage::meter::Meter;

/// A client that hears nothing for so long gets what keeps its connection, and those of proxies on the way, alive: the provider's own pings do not pass.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

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
    let key = &candidate.key;
    // Without a tool there is no call under whose id something could be kept.
    let family = family_of(format).filter(|_| !wish.asked.request.tools.is_empty());
    let mut response = if is_stream(&head.headers) && wish.stream {
        let first = match first_portion(&mut body, patience).await {
            Ok(first) => first,
            Err(error) => return Err((error, meter)),
        };
        let watch = family.map(|family| wish.signatures.watch(family));
        let encoder = wish.encoder();
        let content_type = HeaderValue::from_static(encoder.content_type());
        let mut stream = ConvertedStream {
            upstream: Some(body),
            decoder: format.protocol().decoder(),
            undo: (!back.is_empty()).then(|| back.stream()),
            watch,
            encoder,
            events: Vec::new(),
            ready: Vec::new(),
            timer: IdleTimer::beating(patience.pause, KEEP_ALIVE),
            closing: Box::pin(meter.closing()),
            ended: false,
            key: Arc::clone(key),
            meter,
        };
        if let Some(error) = stream.begin(first) {
            return Err((error, stream.meter));
        }
        stream.meter.first_byte();
        stream.meter.answering(head.status);
        let mut response = Response::new(Body::new(stream));
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        as_stream(&mut response);
        response
    } else {
        let read = if is_stream(&head.headers) {
            collected(format, body, patience, &mut meter).await
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
        let (body, content_type) = written(neutral, wish);
        let body = redact(key, body.into());
        meter.response_bytes = body.len() as u64;
        meter.succeeded();
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    };
    *response.status_mut() = head.status;
    pass_headers(&head, &mut response, key);
    if let Ok(value) = HeaderValue::from_str(&dropped.names().join(","))
        && !dropped.is_empty()
    {
        response.headers_mut().insert("x-orchestration-dropped", value);
    }
    Ok(response)
}

/// Those of the provider's headers that mean the same in every format.
fn pass_headers(head: &Parts, response: &mut Response, key: &RoutedKey) {
    let mut forwarded = HeaderMap::new();
    forward(&head.headers, &mut forwarded, key);
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
    mut body: Incoming,
    patience: Patience,
    meter: &mut Meter,
) -> Result<ir::Response, GatewayError> {
    let mut decoder = format.protocol().decoder();
    let mut collector = Collector::default();
    let (mut events, mut size) = (Vec::new(), 0);
    let mut patience = patience;
    loop {
        match first_portion(&mut body, patience).await {
            Ok(portion) => {
                size += portion.len();
                decoder.push(portion, &mut events);
            }
            // An empty stream has given nothing; another has ended.
            Err(GatewayError::Unusable(_)) if size > 0 => break,
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
            error.message = redact_text(key, std::mem::take(&mut error.message));
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

/// A stream on its way from one format into another. Dropping it ends the request at the provider, and settles the meter.
struct ConvertedStream {
    upstream: Option<Incoming>,
    decoder: Box<dyn StreamDecoder>,
    undo: Option<Undo>,
    /// Where the provider signs what it says.
    watch: Option<Watch>,
    encoder: Box<dyn StreamEncoder>,
    /// Kept for its room.
    events: Vec<Event>,
    /// To be written next.
    ready: Vec<u8>,
    timer: IdleTimer,
    /// The gateway ends.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The client has all that it gets.
    ended: bool,
    key: Arc<RoutedKey>,
    meter: Meter,
}

impl ConvertedStream {
    /// Takes the first portion. An error before all else is the answer itself, with a status of its own.
    fn begin(&mut self, first: Bytes) -> Option<GatewayError> {
        self.decoder.push(first, &mut self.events);
        let said = self.events.iter().find(|event| !matches!(event, Event::Start(_) | Event::Usage(_)));
        if let Some(Event::Error(error)) = said {
            return Some(redacted(&self.key, failed(error.clone())));
        }
        self.write();
        None
    }

    /// Takes a portion of the provider's body.
    fn take(&mut self, portion: Bytes) {
        self.timer.touch();
        self.decoder.push(portion, &mut self.events);
        self.write();
        if !self.ended && self.decoder.done() {
            // The provider may keep the connection open; nothing more comes on it.
            self.complete();
        }
    }

    /// Writes the events that have come.
    fn write(&mut self) {
        if let Some(undo) = &mut self.undo {
            undo.events(&mut self.events);
        }
        for event in self.events.drain(..) {
            if self.ended {
                break;
            }
            if let Event::Error(error) = &event {
                self.ended = true;
                self.timer.shorten(END_GRACE);
                let message = redact_text(&self.key, error.message.clone());
                self.meter.provider_failed(&message);
                let error = ProviderError { message, ..error.clone() };
                self.encoder.event(&Event::Error(error), &mut self.ready);
                continue;
            }
            note(&mut self.meter, &event);
            if let Some(watch) = &mut self.watch {
                watch.event(&event);
            }
            self.encoder.event(&event, &mut self.ready);
        }
    }

    /// All that the client gets is written; the provider has a moment to end its body, so that the connection can be used again.
    fn settle(&mut self) {
        self.ended = true;
        self.timer.shorten(END_GRACE);
    }

    /// The provider's stream has ended.
    fn finish(&mut self) {
        self.upstream = None;
        if !self.ended {
            self.complete();
        }
    }

    /// Writes the end of the answer.
    fn complete(&mut self) {
        self.decoder.end(&mut self.events);
        self.write();
        if !self.ended {
            self.settle();
            self.encoder.end(&mut self.ready);
            self.meter.succeeded();
        }
    }

    /// Ends the stream with an error.
    fn break_off(&mut self, error: &GatewayError) {
        self.upstream = None;
        if !self.ended {
            self.ended = true;
            self.encoder.event(&Event::Error(error.neutral()), &mut self.ready);
            self.meter.broke(error);
        }
    }
}

impl http_body::Body for ConvertedStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let ready = redact(&this.key, std::mem::take(&mut this.ready).into());
                this.meter.response_bytes += ready.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
            let Some(upstream) = &mut this.upstream else { return Poll::Ready(None) };
            match Pin::new(upstream).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data()
                        && !this.ended
                    {
                        this.take(data);
                    }
                }
                Poll::Ready(Some(Err(_))) => this.break_off(&GatewayError::Cut),
                Poll::Ready(None) => this.finish(),
                Poll::Pending => {
                    if this.closing.as_mut().poll(context).is_ready() {
                        this.break_off(&GatewayError::Draining);
                        continue;
                    }
                    match ready!(this.timer.poll_silence(context)) {
                        Silence::Beat => this.ready.extend_from_slice(this.encoder.keep_alive()),
                        Silence::Over => this.break_off(&GatewayError::Timeout),
                    }
                }
            }
        }
    }
}
