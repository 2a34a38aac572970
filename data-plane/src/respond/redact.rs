//! Takes an upstream key out of an answer that repeats it.

use bytes::Bytes;

use crate::route::table::RoutedKey;

const INSTEAD: &[u8] = b"[redacted]";

/// `bytes` without the secret of `key`. Where it is not in them, as is usual, they are the same, uncopied.
pub fn redact(key: &RoutedKey, bytes: Bytes) -> Bytes {
    let Some(leak) = &key.leak else { return bytes };
    let Some(first) = leak.find(&bytes) else { return bytes };
    let mut clean = Vec::with_capacity(bytes.len());
    let mut from = 0;
    let mut next = Some(first);
    while let Some(at) = next {
        clean.extend_from_slice(&bytes[from..from + at]);
        clean.extend_from_slice(INSTEAD);
        from += at + leak.needle().len();
        next = leak.find(&bytes[from..]);
    }
    clean.extend_from_slice(&bytes[from..]);
    clean.into()
}

/// The same for an answer that comes in pieces, where the secret may stand across two of them.
#[derive(Debug, Default)]
pub struct Redactor {
    /// The end of what came, as far as it may be the beginning of the secret.
    held: Bytes,
}

impl Redactor {
    /// What of the answer can be passed on after `piece`. Copies only where the piece before ended like the secret
    /// begins.
    pub fn push(&mut self, key: &RoutedKey, piece: Bytes) -> Bytes {
        let Some(leak) = &key.leak else { return piece };
        let piece = if self.held.is_empty() { piece } else { [&self.held[..], &piece[..]].concat().into() };
        let mut clean = redact(key, piece);
        let longest = clean.len().min(leak.needle().len().saturating_sub(1));
        let begun = (1..=longest).rev().find(|length| clean.ends_with(&leak.needle()[..*length]));
        self.held = clean.split_off(clean.len() - begun.unwrap_or_default());
        clean
    }

    /// What was held back. The answer is at its end.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }
}

/// The same for a text.
pub fn redact_text(key: &RoutedKey, text: String) -> String {
    let clean = redact(key, Bytes::from(text));
    String::from_utf8_lossy(&clean).into_owned()
}

#[cfg(test)]
mod tests;
