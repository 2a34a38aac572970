//! A stream that is held back until it has said something: content, a good end, or so much else that the client has to
//! hear of it.

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use translation::Format;
use translation::ir::{Event, Finish, ProviderError, Usage};
use translation::protocol::contract::{Life, StreamDecoder, StreamWatcher};
use translation::protocol::sse::{self, EventSplitter};

use super::{OpeningFault, ProviderBody, Wants, filtered};
use crate::body::collect::Patience;
use crate::error::GatewayError;

/// The most bytes of a stream that are held back, apart from those that say nothing.
const MOST_HELD: usize = 64 * 1024;

/// How a stream is held back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    /// The format of the stream.
    pub(super) format: Format,
    /// Whether its bytes pass.
    pub(super) passes: bool,
    /// Whether it is an answer of the chat API.
    pub(super) chat: bool,
    /// What it must be to be an answer.
    pub(super) wants: Wants,
    /// Until when it is held back once it has begun.
    pub(super) until: Instant,
    /// How long it may take until it says something.
    pub(super) patience: Patience,
}

/// A stream under way.
struct Held {
    hold: Hold,
    /// Finds the events. None for a stream that is no text.
    splitter: Option<EventSplitter>,
    decoder: Box<dyn StreamDecoder>,
    watcher: Box<dyn StreamWatcher>,
    /// Empty between two portions.
    events: Vec<Event>,
    pieces: Vec<Bytes>,
    size: usize,
    /// Whether the answer has begun.
    begun: bool,
    /// When the last event with a meaning came.
    heard: Instant,
    /// Whether the answer has said something, or has ended well.
    said: bool,
    /// The error that came in its place.
    error: Option<(Box<ProviderError>, Bytes)>,
    usage: Option<Usage>,
}

/// Holds `body` back. Gives it with all that has come of it but for events that say nothing.
///
/// # Errors
/// [`OpeningFault`]: it says that the provider failed, or nothing.
pub(super) async fn hold<B: Body<Data = Bytes> + Unpin>(
    mut body: ProviderBody<B>,
    hold: Hold,
) -> Result<ProviderBody<B>, OpeningFault> {
    let mut stream = Held::new(hold);
    loop {
        if stream.may_go() {
            return Ok(body.behind(stream.all()));
        }
        let first = if stream.begun {
            hold.patience.first.min(stream.heard + hold.patience.pause)
        } else {
            hold.patience.first
        };
        let until = if stream.begun { hold.until.min(first) } else { first };
        match timeout_at(until, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(portion) = frame.into_data() {
                    stream.take(portion);
                }
            }
            Ok(Some(Err(_))) => return Err(GatewayError::Cut.into()),
            Ok(None) => {
                stream.end();
                if stream.said {
                    return Ok(body.ended().behind(stream.all()));
                }
                return Err(stream.nothing());
            }
            Err(_elapsed) if stream.begun && Instant::now() < first => return Ok(body.behind(stream.all())),
            Err(_elapsed) => return Err(GatewayError::Timeout.into()),
        }
        if stream.error.is_some() && !stream.said {
            return Err(stream.nothing());
        }
    }
}

impl Held {
    fn new(hold: Hold) -> Self {
        let protocol = hold.format.protocol();
        let text = hold.format.facts().stream_type.starts_with("text/");
        Self {
            hold,
            splitter: text.then(|| EventSplitter::new(MOST_HELD)),
            decoder: protocol.decoder(),
            watcher: protocol.watcher(),
            events: Vec::new(),
            pieces: Vec::new(),
            size: 0,
            begun: false,
            heard: Instant::now(),
            said: false,
            error: None,
            usage: None,
        }
    }

    /// Whether the stream is held back no longer.
    fn may_go(&self) -> bool {
        self.said || self.size > MOST_HELD || (self.begun && Instant::now() >= self.hold.until)
    }

    /// What has come.
    fn all(&mut self) -> Vec<Bytes> {
        let rest = self.splitter.as_mut().map(EventSplitter::take_rest).filter(|rest| !rest.is_empty());
        self.pieces.extend(rest);
        std::mem::take(&mut self.pieces)
    }

    fn take(&mut self, portion: Bytes) {
        let Some(splitter) = &mut self.splitter else {
            self.keep(portion.clone());
            self.decode(portion, &Bytes::new());
            return;
        };
        let (events, large) = match splitter.push(portion) {
            Ok(events) => (events, None),
            Err(sse::TooLarge { before, rest }) => (before, Some(rest)),
        };
        for event in sse::events(events) {
            if self.said || self.error.is_some() {
                self.keep(event);
            } else {
                self.event(event);
            }
        }
        if let Some(large) = large {
            // It is not known what is in it. It is too much for an error.
            self.said = self.error.is_none();
            self.keep(large);
        }
    }

    fn keep(&mut self, piece: Bytes) {
        self.size += piece.len();
        self.pieces.push(piece);
    }

    fn event(&mut self, event: Bytes) {
        let data = sse::data(&event);
        let bare = || event.slice_ref(event.trim_ascii());
        let words = data.clone().unwrap_or_else(bare);
        let life = match &data {
            Some(data) if is_ping(data) => Life::Nothing,
            Some(_) if !self.hold.chat => Life::Says,
            Some(data) => self.hold.format.protocol().life(data),
            None if matches!(words.first(), Some(b'{' | b'[' | b'<')) => Life::Says,
            None => Life::Nothing,
        };
        let noise = life == Life::Nothing;
        if noise && ((!self.hold.passes && data.is_none_or(|data| is_ping(&data))) || self.size > MOST_HELD / 4) {
            // The client would make nothing of it.
            return;
        }
        if !noise {
            self.begun = true;
            self.heard = Instant::now();
        }
        self.keep(event.clone());
        if self.hold.passes {
            let seen = self.watcher.event(&words);
            self.usage = seen.usage.or(self.usage);
            if seen.error {
                let error = self.hold.format.protocol().error_in(&words);
                self.fail(error, &words);
                return;
            }
            let Wants { says, refusable } = self.hold.wants;
            self.said |= (seen.finishes && !says && !refusable) || (!self.hold.chat && life > Life::Nothing);
        }
        if self.hold.chat {
            self.decode(event, &words);
        }
    }

    /// Reads what the portion says. `words` are those of the event, where it is one.
    fn decode(&mut self, portion: Bytes, words: &Bytes) {
        self.decoder.push(portion, &mut self.events);
        self.read(words);
    }

    fn read(&mut self, words: &Bytes) {
        for event in std::mem::take(&mut self.events) {
            match event {
                Event::Error(error) if !self.said => return self.fail(error, words),
                Event::Start(start) => {
                    self.begun |= self.splitter.is_none();
                    self.usage = start.usage.or(self.usage);
                }
                Event::Usage(usage) => self.usage = Some(usage),
                // A signature is no word of the answer.
                Event::ThinkingSignature(_) | Event::TextSignature(_) | Event::Logprobs(_) | Event::Error(_) => {}
                // Before it is known why the answer ends.
                Event::Refusal(_) if self.hold.wants.refusable => {}
                Event::Finish { reason: Finish::ContentFilter, .. } if self.hold.wants.refusable && !self.said => {
                    return self.fail(filtered(), words);
                }
                Event::Finish { reason: Finish::Stop, .. } if self.hold.wants.says => {}
                _ => self.said = true,
            }
        }
    }

    fn fail(&mut self, error: ProviderError, words: &Bytes) {
        self.error.get_or_insert_with(|| (Box::new(error), words.clone()));
    }

    /// The body has ended.
    fn end(&mut self) {
        if let Some(splitter) = &mut self.splitter {
            let rest = splitter.take_rest();
            if !rest.trim_ascii().is_empty() {
                // The last event may lack the empty line behind it.
                let before = self.pieces.len();
                self.event([&rest[..], b"\n\n"].concat().into());
                self.pieces.truncate(before);
                self.keep(rest);
            }
        }
        if self.said || self.error.is_some() {
            return;
        }
        if self.hold.chat {
            self.decoder.end(&mut self.events);
            self.read(&Bytes::new());
        } else {
            self.said = self.begun || (self.splitter.is_none() && self.size > 0);
        }
    }

    /// Why the stream is no answer.
    fn nothing(self) -> OpeningFault {
        match self.error {
            Some((error, words)) if self.size > 0 => {
                let document = if super::whole::is_error(&words) { words } else { Bytes::new() };
                OpeningFault::Said { error, document, usage: self.usage.map(Box::new) }
            }
            _ => GatewayError::Unusable("it is an empty stream").into(),
        }
    }
}

/// Whether `data` is a ping or nothing.
fn is_ping(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.is_empty() || (data.len() < 128 && memchr::memmem::find(data, b"\"ping\"").is_some())
}
