//! That a limit is reached.

use std::fmt;
use std::time::Duration;

use shared::snapshot::{LimitSpan, LimitUnit};

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSubject {
    /// The client's proxy key.
    ProxyKey,
    /// The client's proxy key with one model.
    Model,
    /// The group that a request would go to.
    Group,
    /// The upstream key that it would be sent with.
    UpstreamKey,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// What is taken within any window.
    Window(LimitUnit, LimitSpan),
    /// Requests in flight.
    Concurrency,
}

/// A limit that is reached. The text is for the client: it names the limit, what kind of owner it has, and when it
/// frees. It names no group and no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// Whose limit it is.
    pub subject: LimitSubject,
    /// What it counts.
    pub limit: Limit,
    /// How much of it may be taken.
    pub amount: u64,
    /// How long it takes until there is room again.
    pub pause: Duration,
}

impl LimitSubject {
    /// All subjects, with their names in metrics and plans.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::ProxyKey, "proxy_key"),
        (Self::Model, "model"),
        (Self::Group, "group"),
        (Self::UpstreamKey, "upstream_key"),
    ];

    /// The name in metrics and plans.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl Limit {
    /// The names of what limits count, in metrics and plans.
    pub const UNITS: [&'static str; 3] = ["requests", "tokens", "concurrency"];

    /// Where the name stands in [`Self::UNITS`].
    pub fn unit(self) -> usize {
        match self {
            Self::Window(LimitUnit::Requests, _) => 0,
            Self::Window(LimitUnit::Tokens, _) => 1,
            Self::Concurrency => 2,
        }
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.subject {
            LimitSubject::ProxyKey => "this API key has reached its limit of ",
            LimitSubject::Model => "this API key has reached its limit for this model of ",
            LimitSubject::Group => "all that can answer this has reached its limits; the first to have room is one of ",
            LimitSubject::UpstreamKey => {
                "all upstream keys that can answer this have reached their limits; the first to have room is one of "
            }
        })?;
        match self.limit {
            Limit::Window(unit, span) => write!(f, "{} {} per {}", self.amount, unit.as_str(), span.as_str())?,
            Limit::Concurrency => write!(f, "{} requests at a time", self.amount)?,
        }
        write!(f, "; try again in {} s", self.pause.as_millis().div_ceil(1_000).max(1))
    }
}
