//! Takes an upstream key out of an answer that repeats it.

use std::fmt;

use bytes::Bytes;
use memchr::memmem::Finder;
use shared::secret::Secret;

const INSTEAD: &[u8] = b"[redacted]";

/// Secrets shorter than this are not looked for: they would be found in ordinary words.
const SHORTEST: usize = 8;

/// Finds the secret of an upstream key in what a provider sends.
pub struct Leak {
    /// None for a secret that is too short.
    finder: Option<Finder<'static>>,
}

impl fmt::Debug for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leak").finish_non_exhaustive()
    }
}

impl Leak {
    /// Looks for `secret`.
    pub fn of(secret: &Secret) -> Self {
        let secret = secret.expose().as_bytes();
        Self { finder: (secret.len() >= SHORTEST).then(|| Finder::new(secret).into_owned()) }
    }

    /// Whether the secret stands in `bytes`.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.find(bytes).is_some())
    }

    /// `bytes` without the secret. Bytes that do not hold it, as is usual, come back uncopied.
    pub fn redact(&self, bytes: Bytes) -> Bytes {
        let Some(finder) = &self.finder else { return bytes };
        let Some(first) = finder.find(&bytes) else { return bytes };
        let mut clean = Vec::with_capacity(bytes.len());
        let mut from = 0;
        let mut next = Some(first);
        while let Some(at) = next {
            clean.extend_from_slice(&bytes[from..from + at]);
            clean.extend_from_slice(INSTEAD);
            from += at + finder.needle().len();
            next = finder.find(&bytes[from..]);
        }
        clean.extend_from_slice(&bytes[from..]);
        clean.into()
    }

    /// `text` without the secret.
    pub fn redact_text(&self, text: String) -> String {
        let clean = self.redact(Bytes::from(text));
        String::from_utf8_lossy(&clean).into_owned()
    }
}

/// Takes the secret out of an answer that comes in pieces, where it may stand across two of them.
#[derive(Debug, Default)]
pub struct Redactor {
    /// The end of what came, as far as it may be the beginning of the secret.
    held: Bytes,
}

impl Redactor {
    /// What of the answer can be passed on after `piece`. Copies only where the piece before ended as the secret
    /// begins.
    pub fn push(&mut self, leak: &Leak, piece: Bytes) -> Bytes {
        let Some(finder) = &leak.finder else { return piece };
        let piece = if self.held.is_empty() { piece } else { [&self.held[..], &piece[..]].concat().into() };
        let mut clean = leak.redact(piece);
        let longest = clean.len().min(finder.needle().len().saturating_sub(1));
        let begun = (1..=longest).rev().find(|length| clean.ends_with(&finder.needle()[..*length]));
        self.held = clean.split_off(clean.len() - begun.unwrap_or_default());
        clean
    }

    /// What was held back. The answer is at its end.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests;
