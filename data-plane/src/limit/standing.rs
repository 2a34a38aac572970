//! How much is left, for clients and operators.

use std::time::Duration;

use serde::Serialize;
use shared::time::now_ms;

use super::subject::LimitedSubject;
use crate::error::Limit;

/// How much is left of the limits of a client, of each unit the one with the least left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests.
    pub requests: Option<LimitStanding>,
    /// Tokens.
    pub tokens: Option<LimitStanding>,
}

/// How much is left of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitStanding {
    /// How much there is.
    pub amount: u64,
    /// How much is left.
    pub remaining: u64,
    /// How long it takes until all of it is there again.
    pub reset: Duration,
}

/// One limit and how much of it is taken, for operators.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedLimit {
    /// Whose limit it is.
    subject: &'static str,
    /// What it counts.
    unit: &'static str,
    /// The length of its window. None of requests in flight.
    window: Option<&'static str>,
    amount: u64,
    used: u64,
    remaining: u64,
    /// When all of it is there again, in epoch milliseconds.
    resets_at: Option<i64>,
    /// Whether it only counts.
    shadow: bool,
}

impl Standing {
    /// Of each unit the one of both with the least left.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let least = |left: Option<LimitStanding>, right: Option<LimitStanding>| {
            left.into_iter().chain(right).min_by_key(|standing| standing.remaining)
        };
        Self { requests: least(self.requests, other.requests), tokens: least(self.tokens, other.tokens) }
    }
}

impl ExplainedLimit {
    /// The limits of `of` as they are now.
    pub fn all(of: &LimitedSubject) -> impl Iterator<Item = Self> {
        let (subject, shadow) = (of.subject().name(), of.is_shadow());
        of.all_standings().map(move |(limit, amount, used, reset)| Self {
            subject,
            unit: Limit::UNITS[limit.unit()],
            window: match limit {
                Limit::Window(_, span) => Some(span.as_str()),
                Limit::Concurrency => None,
            },
            amount,
            used,
            remaining: amount.saturating_sub(used),
            resets_at: reset.map(|reset| now_ms().saturating_add(i64::try_from(reset.as_millis()).unwrap_or(i64::MAX))),
            shadow,
        })
    }
}
