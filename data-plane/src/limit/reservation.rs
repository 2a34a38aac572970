//! What one request has taken of a subject.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use shared::snapshot::LimitUnit;
use shared::time::steady_ms;

use super::subject::LimitedSubject;
use crate::error::LimitReached;

/// What one request has taken of a subject: one request, tokens, and a seat. The seat is given back when this is
/// dropped, or before with [`Self::leave`]. What it has taken of windows stays taken, as it was settled last.
#[derive(Debug)]
pub struct Reservation {
    of: Arc<LimitedSubject>,
    /// When it began, by this node's own clock.
    at: i64,
    seated: AtomicBool,
    /// The tokens that are taken.
    tokens: AtomicU64,
    /// Whether the request counts.
    counts: AtomicBool,
    /// What it would have been refused for, if the subject did more than count.
    refused: Option<LimitReached>,
}

impl Reservation {
    pub(super) fn new(of: &Arc<LimitedSubject>, at: i64, seated: bool) -> Self {
        Self {
            of: Arc::clone(of),
            at,
            seated: AtomicBool::new(seated),
            tokens: AtomicU64::new(0),
            counts: AtomicBool::new(true),
            refused: None,
        }
    }

    pub(super) fn would_be_refused(&mut self, refused: Option<LimitReached>) {
        self.refused = refused;
    }

    /// The subject.
    pub fn subject(&self) -> &LimitedSubject {
        &self.of
    }

    /// What the request would have been refused for, if the subject did more than count.
    pub fn over(&self) -> Option<LimitReached> {
        self.refused
    }

    /// Takes an estimate of the tokens of the request.
    ///
    /// # Errors
    /// [`LimitReached`]: there is no room for them. Where the subject only counts, they are taken all the same.
    pub fn estimate(&mut self, tokens: u64) -> Result<(), LimitReached> {
        match self.of.take_tokens(tokens, self.at) {
            Ok(taken) => self.tokens = AtomicU64::new(taken),
            Err(reached) if !self.of.is_shadow() => return Err(reached),
            Err(reached) => {
                self.of.charge(LimitUnit::Tokens, tokens, self.at);
                self.tokens = AtomicU64::new(tokens);
                self.refused.get_or_insert(reached);
            }
        }
        Ok(())
    }

    /// Takes as many tokens as an answer has used that is under way, where that is more than are taken.
    pub fn grow(&self, tokens: u64) {
        let before = self.tokens.fetch_max(tokens, Ordering::AcqRel);
        if tokens > before {
            self.of.charge(LimitUnit::Tokens, tokens - before, steady_ms());
        }
    }

    /// Settles with the tokens that were used: takes what is missing, or gives back what was not used.
    pub fn settle_tokens(&self, tokens: u64) {
        let before = self.tokens.swap(tokens, Ordering::AcqRel);
        if tokens > before {
            self.of.charge(LimitUnit::Tokens, tokens - before, steady_ms());
        } else {
            self.of.give_back(LimitUnit::Tokens, before - tokens, self.at);
        }
    }

    /// Settles with what was used: tokens of input, those among them from the provider's cache, of output, and the
    /// thoughts among them.
    pub fn settle(&self, usage: [u64; 4]) {
        self.settle_tokens(self.of.weigh(usage));
    }

    /// Gives back the request, which does not count.
    pub fn uncount(&self) {
        if self.counts.swap(false, Ordering::AcqRel) {
            self.of.give_back(LimitUnit::Requests, 1, self.at);
        }
    }

    /// Gives back the seat: the answer has ended.
    pub fn leave(&self) {
        if self.seated.swap(false, Ordering::AcqRel) {
            self.of.give_back_seat();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.leave();
    }
}
