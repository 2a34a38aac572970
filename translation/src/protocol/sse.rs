//! Server-sent events (WHATWG HTML, section 9.2), found in bytes that arrive in any portions.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr2;

mod large;

pub use large::{LargeEvent, Progress};

/// The largest event that is held back until it is whole, in bytes.
///
/// A picture that a model made may be larger. In a stream that passes it goes through as a [`LargeEvent`]. In a stream
/// that is converted, the event would have to be held whole, so it is refused in words that tell the way out: to ask
/// without a stream, where an answer is collected once and under a limit of its own. Without this limit, whoever sends
/// an endless line could make each of many streams hold as much as a picture needs.
pub const LARGEST_EVENT: usize = 1024 * 1024;

/// What a client is told whose stream holds a larger event.
pub const EVENT_TOO_LARGE: &str =
    "the provider's stream holds an event of more than 1 MiB, such as a large picture: ask for it without a stream";

/// A comment, which clients skip. It keeps their connections alive, and those of proxies on the way.
pub const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// Cuts a byte stream into whole events, in time linear to its length. An event keeps its line ends and the empty line
/// that ends it, so that the pieces put together are the stream.
#[derive(Debug)]
pub struct EventSplitter {
    /// An event that has begun and not ended.
    held: BytesMut,
    /// How many bytes of `held` have been searched.
    scanned: usize,
    /// Where the line begins that `scanned` stands in.
    line: usize,
    limit: usize,
}

/// One event is larger than allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The whole events before it.
    pub before: Bytes,
    /// What has come of the large event, and perhaps of what follows it.
    pub rest: Bytes,
}

impl EventSplitter {
    /// A splitter that holds back at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { held: BytesMut::new(), scanned: 0, line: 0, limit }
    }

    /// Takes the next portion. Returns the events that are whole now as one piece of bytes, and keeps the rest. Bytes
    /// are copied only where an event spans two portions.
    ///
    /// # Errors
    /// [`TooLarge`], however the stream is cut into portions.
    pub fn push(&mut self, mut portion: Bytes) -> Result<Bytes, TooLarge> {
        if self.held.is_empty() {
            let end = last_end(&portion, Search::default(), self.limit);
            let whole = portion.split_to(end.events);
            return self.hold(whole, portion, end);
        }
        self.held.extend_from_slice(&portion);
        let end = last_end(&self.held, Search { scanned: self.scanned, line: self.line }, self.limit);
        if end.events == 0 && !end.too_large {
            (self.scanned, self.line) = (end.scanned, end.line);
            return Ok(Bytes::new());
        }
        let whole = self.held.split_to(end.events).freeze();
        let rest = std::mem::take(&mut self.held).freeze();
        self.hold(whole, rest, end)
    }

    /// Takes what is held back: an event without its end.
    pub fn take_rest(&mut self) -> Bytes {
        (self.scanned, self.line) = (0, 0);
        std::mem::take(&mut self.held).freeze()
    }

    fn hold(&mut self, whole: Bytes, rest: Bytes, end: End) -> Result<Bytes, TooLarge> {
        if end.too_large {
            return Err(TooLarge { before: whole, rest });
        }
        self.held.extend_from_slice(&rest);
        self.scanned = end.scanned - end.events;
        self.line = end.line - end.events;
        Ok(whole)
    }
}

/// Where a search for the end of an event goes on.
#[derive(Clone, Copy, Default)]
struct Search {
    scanned: usize,
    /// Where the line begins that `scanned` stands in.
    line: usize,
}

/// How far a search for the ends of events has come.
#[derive(Clone, Copy)]
struct End {
    /// The place behind the last whole event.
    events: usize,
    /// The place where the search goes on.
    scanned: usize,
    /// Where the line begins that has not ended yet.
    line: usize,
    /// Whether what follows the whole events is larger than allowed.
    too_large: bool,
}

fn last_end(bytes: &[u8], Search { scanned, line }: Search, limit: usize) -> End {
    let mut end = End { events: 0, scanned, line, too_large: false };
    while let Some(found) = memchr2(b'\n', b'\r', &bytes[end.scanned..]) {
        let at = end.scanned + found;
        let next = match (bytes[at], bytes.get(at + 1)) {
            (b'\r', Some(b'\n')) => at + 2,
            // It is not known yet whether a line feed follows and belongs to this line end.
            (b'\r', None) => {
                end.scanned = at;
                end.too_large = bytes.len() - end.events > limit;
                return end;
            }
            _ => at + 1,
        };
        if at == end.line {
            if next - end.events > limit {
                end.too_large = true;
                return end;
            }
            end.events = next;
        }
        (end.line, end.scanned) = (next, next);
    }
    end.scanned = bytes.len();
    end.too_large = bytes.len() - end.events > limit;
    end
}

/// The events in `bytes`, each with its end.
pub fn events(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let end = first_end(&bytes);
        (end > 0).then(|| bytes.split_to(end))
    })
}

/// The place behind the first event, or behind all bytes.
fn first_end(bytes: &[u8]) -> usize {
    let (mut line, mut at) = (0, 0);
    while let Some(found) = memchr2(b'\n', b'\r', &bytes[at..]) {
        let newline = at + found;
        at = newline + 1;
        if bytes[newline] == b'\r' && bytes.get(at) == Some(&b'\n') {
            at += 1;
        }
        if newline == line {
            return at;
        }
        line = at;
    }
    bytes.len()
}

/// The data of `event`. One line of data, which is usual, is not copied; several are joined.
pub fn data(event: &Bytes) -> Option<Bytes> {
    let mut rest = event.clone();
    let mut data: Option<Bytes> = None;
    while !rest.is_empty() {
        let end = memchr2(b'\n', b'\r', &rest).unwrap_or(rest.len());
        let line = rest.split_to(end);
        rest.advance(rest.len().min(1));
        if let Some(value) = value_of_data(&line) {
            data = Some(match data {
                None => value,
                Some(before) => [&before[..], b"\n", &value[..]].concat().into(),
            });
        }
    }
    data
}

/// The name of `event` (its `event:` line), where it has one.
pub fn name(event: &Bytes) -> Option<Bytes> {
    let mut rest = event.clone();
    while !rest.is_empty() {
        let end = memchr2(b'\n', b'\r', &rest).unwrap_or(rest.len());
        let line = rest.split_to(end);
        rest.advance(rest.len().min(1));
        if let Some(value) = line.strip_prefix(b"event:") {
            return Some(line.slice_ref(value.trim_ascii()));
        }
    }
    None
}

fn value_of_data(line: &Bytes) -> Option<Bytes> {
    let value = line.strip_prefix(b"data")?;
    let value = match value {
        [] => value,
        [b':', b' ', rest @ ..] | [b':', rest @ ..] => rest,
        _ => return None,
    };
    Some(line.slice_ref(value))
}

#[cfg(test)]
mod tests;
