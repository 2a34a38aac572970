//! Finds the chunks of a stream in bytes that arrive in any portions: server-sent events where `alt=sse` was asked for,
//! else the elements of one JSON array. An error may stand between events as a bare JSON text, over several lines.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use crate::protocol::sse::{self, EventSplitter, LARGEST_EVENT};

/// A piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A text that should be JSON.
    Json(Bytes),
    /// What the stream ended in without an end of its own. It may be half of something.
    Rest(Bytes),
    /// Bytes that are neither an event nor JSON.
    Junk(Bytes),
    /// One chunk is larger than allowed.
    TooLarge,
}

/// Cuts a stream into its frames, in time linear to its length.
#[derive(Debug)]
pub(super) enum Frames {
    /// Only white space has come.
    Unknown,
    Events(EventSplitter),
    Objects(Objects),
}

impl Frames {
    /// Takes the next portion, and appends the frames that are whole now.
    pub(super) fn push(&mut self, portion: Bytes, frames: &mut Vec<Frame>) {
        match self {
            Self::Unknown => {
                // White space and a byte order mark do not show what the stream is.
                let blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0xEF | 0xBB | 0xBF);
                let Some(start) = portion.iter().position(|byte| !blank(byte)) else { return };
                *self = if matches!(portion[start], b'[' | b'{') {
                    Self::Objects(Objects::default())
                } else {
                    Self::Events(EventSplitter::new(LARGEST_EVENT))
                };
                self.push(portion.slice(start..), frames);
            }
            Self::Events(splitter) => {
                let (whole, too_large) = match splitter.push(portion) {
                    Ok(whole) => (whole, false),
                    Err(sse::TooLarge { before, .. }) => (before, true),
                };
                sse::events(whole).for_each(|event| frames.extend(of_event(&event)));
                frames.extend(too_large.then_some(Frame::TooLarge));
            }
            Self::Objects(objects) => objects.push(portion, frames),
        }
    }

    /// Ends the stream, and returns the frames that are left.
    pub(super) fn end(&mut self) -> Option<Frame> {
        match self {
            Self::Unknown => None,
            Self::Events(splitter) => {
                let rest = splitter.take_rest();
                match of_event(&rest) {
                    Some(Frame::Json(data)) => Some(Frame::Rest(data)),
                    other => other,
                }
            }
            Self::Objects(objects) => {
                let rest = std::mem::take(&mut objects.held).freeze();
                (!rest.is_empty()).then_some(Frame::Rest(rest))
            }
        }
    }
}

/// The frame of an event, or of what stands between events.
fn of_event(event: &Bytes) -> Option<Frame> {
    let data = sse::data(event);
    let content = data.as_ref().unwrap_or(event);
    let trimmed = content.trim_ascii();
    let frame = |kind: fn(Bytes) -> Frame| Some(kind(content.slice_ref(trimmed)));
    match trimmed {
        [] | b"[DONE]" => None,
        [b'{' | b'[', ..] => frame(Frame::Json),
        _ if data.is_some() => frame(Frame::Junk),
        _ if is_field(trimmed) => None,
        _ => frame(Frame::Junk),
    }
}

/// Whether a line without data is one that the standard knows.
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|byte| matches!(byte, b':' | b'\r' | b'\n')).next().unwrap_or_default();
    matches!(name, b"" | b"event" | b"id" | b"retry")
}

/// Cuts a JSON array, or JSON objects one after the other, into the objects.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// An object that has begun and not ended.
    held: BytesMut,
    depth: usize,
    in_text: bool,
    escaped: bool,
    junk: bool,
}

impl Objects {
    fn push(&mut self, portion: Bytes, frames: &mut Vec<Frame>) {
        if self.junk {
            return;
        }
        let mut start = 0;
        let mut at = 0;
        while let Some(&byte) = portion.get(at) {
            if self.in_text {
                at = self.text(&portion, at);
                continue;
            }
            match byte {
                _ if self.depth == 0 => match byte {
                    b'{' => (self.depth, start) = (1, at),
                    b'[' | b']' | b',' => {}
                    _ if byte.is_ascii_whitespace() => {}
                    _ => {
                        self.junk = true;
                        // One byte is enough to tell that it is junk.
                        frames.push(Frame::Junk(portion.slice(at..=at)));
                        return;
                    }
                },
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        // The limit is the same in whatever portions the object came.
                        if self.held.len() + at + 1 - start > LARGEST_EVENT {
                            return self.too_large(frames);
                        }
                        frames.push(Frame::Json(self.whole(portion.slice(start..=at))));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        if self.depth > 0 {
            self.held.extend_from_slice(&portion[start..]);
            if self.held.len() > LARGEST_EVENT {
                self.too_large(frames);
            }
        }
    }

    fn too_large(&mut self, frames: &mut Vec<Frame>) {
        self.junk = true;
        self.held = BytesMut::new();
        frames.push(Frame::TooLarge);
    }

    /// Goes on in a text. Returns the place where the text ends, or the portion.
    fn text(&mut self, portion: &[u8], at: usize) -> usize {
        if self.escaped {
            self.escaped = false;
            return at + 1;
        }
        let Some(found) = memchr2(b'"', b'\\', &portion[at..]) else { return portion.len() };
        match portion[at + found] {
            b'\\' => self.escaped = true,
            _ => self.in_text = false,
        }
        at + found + 1
    }

    fn whole(&mut self, end: Bytes) -> Bytes {
        if self.held.is_empty() {
            return end;
        }
        self.held.extend_from_slice(&end);
        std::mem::take(&mut self.held).freeze()
    }
}
