//! What is counted of the cache.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use shared::telemetry::Metrics;

use super::store::AnswerStore;

/// What the cache was to a request for which it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// The answer came from memory.
    Hit,
    /// It did not.
    Miss,
    /// The request is none that is answered from memory, or its client does not want it.
    Bypass,
}

impl CacheResult {
    const ALL: [Self; 3] = [Self::Hit, Self::Miss, Self::Bypass];

    /// The name of the result.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    result: &'static str,
}

#[derive(Debug)]
pub(super) struct CacheMetrics([Counter; CacheResult::ALL.len()]);

impl CacheMetrics {
    pub(super) fn register(metrics: &Metrics) -> Self {
        let requests = Family::<CacheLabels, Counter>::default();
        metrics.register(|registry| {
            let help = "Requests for which the response cache is on, by what it was to them";
            registry.register("cache_requests", help, requests.clone());
        });
        Self(CacheResult::ALL.map(|result| requests.get_or_create(&CacheLabels { result: result.name() }).clone()))
    }

    pub(super) fn count(&self, result: CacheResult) {
        self.0[result as usize].inc();
    }
}

/// Shows how much the store holds.
#[derive(Debug)]
pub(super) struct StoreCollector(pub(super) Arc<AnswerStore>);

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let entries = ConstGauge::new(i64::try_from(self.0.len()).unwrap_or(i64::MAX));
        let help = "Answers in the response cache";
        entries.encode(encoder.encode_descriptor("cache_entries", help, None, entries.metric_type())?)?;
        let bytes = ConstGauge::new(i64::try_from(self.0.bytes()).unwrap_or(i64::MAX));
        let help = "Memory of the answers in the response cache";
        bytes.encode(encoder.encode_descriptor("cache_bytes", help, None, bytes.metric_type())?)
    }
}
