//! What config says of limits: how much a proxy key, a group, an upstream key, or a proxy key with one model may take.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names::names;
use super::{Group, ProxyKey, UpstreamKey};
use crate::limits::window::{Length, MOST};

/// The most windows that one list has. There are no more kinds of them.
pub const MOST_WINDOWS: usize = 6;

/// The largest amount of a limit.
pub const LARGEST_AMOUNT: u64 = MOST;

/// The heaviest weight of a kind of token, in thousandths.
pub const HEAVIEST_TOKEN: u32 = 1_000_000;

/// The longest queue of a limit of requests in flight.
pub const LONGEST_LIMIT_QUEUE: u32 = 10_000;

/// The longest wait in such a queue.
pub const LONGEST_LIMIT_WAIT: Duration = Duration::from_mins(1);

/// The least and the largest raise, in percent.
pub const RAISES: std::ops::RangeInclusive<u32> = 100..=100_000;

names! {
    /// What a limit counts.
    LimitUnit {
        /// Requests.
        #[default]
        Requests = "requests",
        /// Tokens, by their weights.
        Tokens = "tokens",
    }
}

names! {
    /// How long the window of a limit is.
    LimitSpan {
        /// A minute.
        #[default]
        Minute = "minute",
        /// An hour.
        Hour = "hour",
        /// 24 hours.
        Day = "day",
    }
}

names! {
    /// What a limit does.
    LimitMode {
        /// It refuses what goes beyond it.
        #[default]
        Enforce = "enforce",
        /// It counts and reports, and refuses nothing.
        Shadow = "shadow",
    }
}

/// How much may be taken within any window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitWindow {
    /// What is counted.
    pub unit: LimitUnit,
    /// The length of the window.
    pub window: LimitSpan,
    /// The most that any window may hold.
    pub amount: u64,
}

/// How much each kind of token counts, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenWeights {
    /// A token of the request that the provider had in its cache.
    pub cached: u32,
    /// A token of the answer that is no thought.
    pub output: u32,
    /// A token of the answer that is a thought.
    pub reasoning: u32,
}

/// How requests wait where as many are in flight as may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitQueue {
    /// How many may wait. 0: none.
    pub length: u32,
    /// How long each may wait, in milliseconds.
    pub wait_ms: u32,
}

/// Another amount until a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRaise {
    /// How much of each amount there is until then, in percent.
    pub percent: u32,
    /// The end of the raise, in epoch milliseconds.
    pub until_ms: i64,
}

/// What a proxy key may take with one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelLimits {
    /// The windows.
    pub windows: Vec<LimitWindow>,
    /// Requests in flight; 0 is no limit.
    pub concurrency: u32,
}

/// What a subject may take, beside what older fields of it say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectLimits {
    /// The windows, each kind once.
    pub windows: Vec<LimitWindow>,
    /// Requests in flight; 0 is no limit. Proxy keys have a field of their own for it.
    pub concurrency: u32,
    /// What the limits do.
    pub mode: LimitMode,
    /// How much each kind of token counts.
    pub weights: TokenWeights,
    /// How requests wait where as many are in flight as may be.
    pub queue: LimitQueue,
    /// Another amount until a date.
    pub raise: Option<LimitRaise>,
    /// What may be taken with a model, by the name that clients have for it, which may end in `*`: then the models that
    /// it fits share the limit. Only proxy keys have it.
    pub models: BTreeMap<Arc<str>, ModelLimits>,
}

impl LimitSpan {
    /// The length of the window.
    pub fn length(self) -> Length {
        match self {
            Self::Minute => Length::MINUTE,
            Self::Hour => Length::HOUR,
            Self::Day => Length::DAY,
        }
    }
}

impl Default for TokenWeights {
    fn default() -> Self {
        Self { cached: 1_000, output: 1_000, reasoning: 1_000 }
    }
}

impl TokenWeights {
    /// What so many tokens count together, rounded up. `cached` are among those of the `input`, and `reasoning` among
    /// those of the `output`.
    pub fn weigh(&self, input: u64, cached: u64, output: u64, reasoning: u64) -> u64 {
        let (cached, reasoning) = (cached.min(input), reasoning.min(output));
        let weighed = |tokens: u64, weight: u32| u128::from(tokens) * u128::from(weight);
        let sum = weighed(input - cached, 1_000)
            + weighed(cached, self.cached)
            + weighed(output - reasoning, self.output)
            + weighed(reasoning, self.reasoning);
        u64::try_from(sum.div_ceil(1_000)).unwrap_or(u64::MAX)
    }
}

impl LimitRaise {
    /// `amount` as it is at `now`, in epoch milliseconds.
    pub fn of(self, amount: u64, now_ms: i64) -> u64 {
        if now_ms >= self.until_ms {
            return amount;
        }
        let raised = u128::from(amount) * u128::from(self.percent) / 100;
        u64::try_from(raised).unwrap_or(u64::MAX).min(LARGEST_AMOUNT)
    }
}

impl SubjectLimits {
    /// The limits as a subject has them: most have none.
    pub fn or_none(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// The windows of `limits`, and beside them so many requests and tokens a minute, where these are not 0. Of two of a
/// kind, the smaller is left.
fn windows(limits: Option<&SubjectLimits>, rpm: u64, tpm: u64) -> Vec<LimitWindow> {
    let minute = |unit, amount| LimitWindow { unit, window: LimitSpan::Minute, amount };
    let named = [minute(LimitUnit::Requests, rpm), minute(LimitUnit::Tokens, tpm)];
    let named = named.into_iter().filter(|window| window.amount > 0);
    let further = limits.into_iter().flat_map(|limits| limits.windows.iter().copied());
    let mut all: Vec<LimitWindow> = Vec::new();
    for window in named.chain(further) {
        let amount = window.amount.min(LARGEST_AMOUNT);
        match all.iter_mut().find(|known| (known.unit, known.window) == (window.unit, window.window)) {
            Some(known) => known.amount = known.amount.min(amount),
            None => all.push(LimitWindow { amount, ..window }),
        }
    }
    all
}

impl ProxyKey {
    /// All windows of the key, each kind once.
    pub fn limit_windows(&self) -> Vec<LimitWindow> {
        windows(self.routing.limits.as_deref(), self.rpm_limit.into(), self.tpm_limit)
    }
}

impl Group {
    /// All windows of the group, each kind once.
    pub fn limit_windows(&self) -> Vec<LimitWindow> {
        windows(self.routing.limits.as_deref(), self.rpm_limit.into(), 0)
    }
}

impl UpstreamKey {
    /// All windows of the key, each kind once.
    pub fn limit_windows(&self) -> Vec<LimitWindow> {
        windows(self.routing.limits.as_deref(), 0, 0)
    }
}
