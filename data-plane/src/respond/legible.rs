//! Whether what passes is UTF-8, as JSON and events have to be.

use bytes::Bytes;
use translation::protocol::sse;

/// Those of `events` before the first that is not UTF-8, and whether there is such a one.
pub(super) fn legible(events: Bytes) -> (Bytes, bool) {
    let Err(error) = std::str::from_utf8(&events) else { return (events, false) };
    let mut whole = 0;
    for event in sse::events(events.clone()) {
        if whole + event.len() > error.valid_up_to() {
            break;
        }
        whole += event.len();
    }
    (events.slice(..whole), true)
}

/// Whether a text is UTF-8 that comes in pieces, which may be cut within a letter.
#[derive(Debug, Default)]
pub(super) struct Legibility {
    /// The beginning of a letter whose end has not come yet.
    begun: Vec<u8>,
}

impl Legibility {
    /// Whether the text is UTF-8 up to the end of `piece`.
    pub(super) fn goes_on(&mut self, piece: &[u8]) -> bool {
        if self.begun.is_empty() {
            return self.read(piece);
        }
        let joined = [&std::mem::take(&mut self.begun), piece].concat();
        self.read(&joined)
    }

    fn read(&mut self, text: &[u8]) -> bool {
        let Err(error) = std::str::from_utf8(text) else { return true };
        if error.error_len().is_some() {
            return false;
        }
        self.begun = text[error.valid_up_to()..].to_vec();
        true
    }
}

#[cfg(test)]
mod tests;
