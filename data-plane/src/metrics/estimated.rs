//! Counts tokens that the gateway estimates, once the estimate is final.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;

use super::series::{ESTIMATED_KINDS, Series};

/// The counters of estimated tokens, by kind.
pub type EstimatedTokens = [Counter<u64, AtomicU64>; ESTIMATED_KINDS.len()];

/// The tokens of one request that are estimated. What it says last is counted when it is dropped, so that every
/// estimate counts once, whether it stays rough or not.
#[derive(Debug, Default)]
pub struct Estimate {
    counters: Option<EstimatedTokens>,
    series: Option<Arc<Series>>,
    tokens: [u64; ESTIMATED_KINDS.len()],
}

impl Estimate {
    pub(super) fn new(counters: EstimatedTokens, series: Option<Arc<Series>>) -> Self {
        Self { counters: Some(counters), series, tokens: Default::default() }
    }

    /// Notes the tokens that are estimated, beside those that were reported.
    pub fn note(&mut self, input: u64, output: u64) {
        self.tokens = [input, output];
    }
}

impl Drop for Estimate {
    fn drop(&mut self) {
        for (counter, tokens) in self.counters.iter().flatten().zip(self.tokens) {
            counter.inc_by(tokens);
        }
        if let Some(series) = &self.series {
            series.estimated(self.tokens);
        }
    }
}

#[cfg(test)]
mod tests;
