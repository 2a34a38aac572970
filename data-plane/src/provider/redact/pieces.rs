//! Secrets that stand across two pieces of an answer.

use bytes::Bytes;

use super::Leak;

/// So many bytes at the end of a text are held back where a secret may begin with them. Fewer are common, and give
/// nothing away: they are only remembered.
const LEAST_HELD: usize = 3;

/// Takes secrets out of an answer that comes in pieces, where they may stand across two of them.
#[derive(Debug, Default)]
pub struct Redactor {
    /// The end of what came, as far as it may be the beginning of a secret.
    held: Bytes,
}

impl Redactor {
    /// What of the answer can be passed on after `piece`. Copies only where the piece before ended as a secret begins.
    pub fn push(&mut self, leak: &Leak, piece: Bytes) -> Bytes {
        let piece = if self.held.is_empty() { piece } else { [&self.held[..], &piece[..]].concat().into() };
        let mut clean = leak.redact(piece);
        let begun = leak.begun(&clean, 1);
        self.held = clean.split_off(clean.len() - begun);
        clean
    }

    /// What was held back. The answer is at its end.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }
}

/// Takes secrets out of a text that comes in deltas, where they may stand across several of them.
#[derive(Debug, Default)]
pub struct TextRedactor {
    /// The last bytes that have gone on, fewer than [`LEAST_HELD`].
    gone: Vec<u8>,
    /// What is held back behind them.
    held: Vec<u8>,
}

impl TextRedactor {
    /// What of the text goes on after `delta`; none where that is the delta as it is.
    pub fn push(&mut self, leak: &Leak, delta: &[u8]) -> Option<Vec<u8>> {
        let held_before = !self.held.is_empty();
        let whole = [&self.gone[..], &self.held[..], delta].concat();
        let clean = leak.redact(Bytes::from(whole));
        // Where a secret begins in what has gone on, the rest of it is taken out.
        let from = self.gone.iter().zip(&clean).take_while(|(one, other)| one == other).count();
        let to = (clean.len() - leak.begun(&clean, LEAST_HELD)).max(from);
        let shown = &clean[from..to];
        self.held = clean[to..].to_vec();
        self.gone = clean[to.saturating_sub(LEAST_HELD - 1)..to].to_vec();
        (held_before || !self.held.is_empty() || shown != delta).then(|| shown.to_vec())
    }

    /// What was held back. The text is at its end, or another begins.
    pub fn finish(&mut self) -> Vec<u8> {
        self.gone.clear();
        std::mem::take(&mut self.held)
    }

    /// Whether something is held back.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }
}
