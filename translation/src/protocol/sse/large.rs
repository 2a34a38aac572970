//! An event too large to be held, such as one with a picture.

use memchr::{memchr, memchr2};

/// The longest text of an event that its outline keeps, in bytes.
const LONGEST_TEXT: usize = 1024;

/// The largest outline, in bytes.
const LARGEST_OUTLINE: usize = 64 * 1024;

/// The largest event that passes, in bytes: several times the largest picture that a model makes.
const LARGEST_PASSED: u64 = 64 * 1024 * 1024;

/// An event too large to be held, whose bytes pass as they come. It finds the end of the event and keeps its outline,
/// which is the event with its long texts empty. What the gateway has to know of an event stands in short texts.
#[derive(Debug)]
pub struct LargeEvent {
    outline: Outline,
    /// Whether the next byte begins a line.
    fresh: bool,
    /// Whether the last byte was a carriage return. A line feed that follows belongs to it.
    returned: bool,
    size: u64,
}

/// How far a [`LargeEvent`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The whole portion belongs to the event, and more follows.
    Goes,
    /// So many bytes of the portion belong to the event, and it is whole.
    Ends(usize),
    /// The event is larger than any event may be.
    TooLarge,
}

impl LargeEvent {
    /// The event that begins with `beginning`, which is still to be pushed. None where it is large for another reason
    /// than long texts: nothing could then be known of it.
    pub fn new(beginning: &[u8]) -> Option<Self> {
        let mut outline = Outline::default();
        outline.push(beginning);
        (!outline.full).then(|| Self { outline: Outline::default(), fresh: true, returned: false, size: 0 })
    }

    /// Takes the next portion of the stream.
    pub fn push(&mut self, portion: &[u8]) -> Progress {
        let end = self.end(portion);
        let own = &portion[..end.unwrap_or(portion.len())];
        self.size += own.len() as u64;
        self.outline.push(own);
        match end {
            _ if self.size > LARGEST_PASSED => Progress::TooLarge,
            Some(end) => Progress::Ends(end),
            None => Progress::Goes,
        }
    }

    /// The event with its long texts empty. Empty where even that is too large.
    pub fn outline(&self) -> &[u8] {
        &self.outline.kept
    }

    /// The place behind the empty line that ends the event.
    fn end(&mut self, portion: &[u8]) -> Option<usize> {
        let mut from = usize::from(self.returned && portion.starts_with(b"\n"));
        self.returned &= portion.is_empty();
        while let Some(found) = memchr2(b'\n', b'\r', &portion[from..]) {
            let at = from + found;
            let mut next = at + 1;
            if portion[at] == b'\r' {
                self.returned = next == portion.len();
                next += usize::from(portion.get(next) == Some(&b'\n'));
            }
            if found == 0 && self.fresh {
                return Some(next);
            }
            self.fresh = true;
            from = next;
        }
        self.fresh &= from == portion.len();
        None
    }
}

/// JSON with its long strings empty.
#[derive(Debug, Default)]
struct Outline {
    kept: Vec<u8>,
    /// Where in `kept` the string begins that the outline is in.
    string: Option<usize>,
    /// Whether the string is long, so that the rest of it is not kept.
    long: bool,
    /// Whether the last byte of the string was a backslash that escapes the next.
    escaped: bool,
    /// Whether there is more than [`LARGEST_OUTLINE`].
    full: bool,
}

impl Outline {
    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.full {
            bytes = match self.string {
                None => self.outside(bytes),
                Some(start) => self.inside(bytes, start),
            };
            if self.kept.len() > LARGEST_OUTLINE {
                self.full = true;
                self.kept = Vec::new();
            }
        }
    }

    fn outside<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let quote = memchr(b'"', bytes).map(|at| at + 1);
        let (own, rest) = bytes.split_at(quote.unwrap_or(bytes.len()));
        // No more is kept than fills the outline.
        self.kept.extend_from_slice(&own[..own.len().min(LARGEST_OUTLINE + 1)]);
        self.string = quote.map(|_| self.kept.len());
        rest
    }

    fn inside<'b>(&mut self, bytes: &'b [u8], start: usize) -> &'b [u8] {
        if self.escaped {
            self.escaped = false;
            self.keep(&bytes[..1], start);
            return &bytes[1..];
        }
        let at = memchr2(b'"', b'\\', bytes);
        let (own, rest) = bytes.split_at(at.unwrap_or(bytes.len()));
        self.keep(own, start);
        match rest {
            [b'"', rest @ ..] => {
                self.kept.push(b'"');
                (self.string, self.long) = (None, false);
                rest
            }
            [backslash, rest @ ..] => {
                self.escaped = true;
                self.keep(&[*backslash], start);
                rest
            }
            [] => rest,
        }
    }

    fn keep(&mut self, text: &[u8], start: usize) {
        if self.long {
            return;
        }
        if self.kept.len() - start + text.len() > LONGEST_TEXT {
            self.long = true;
            self.kept.truncate(start);
        } else {
            self.kept.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests;
