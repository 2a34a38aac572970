//! What the gateway asks models by itself. Each may cost tokens, and none is in the ledger: no client has asked.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use shared::telemetry::Metrics;

use super::{AttemptResult, ResultLabels};

/// Counts what the gateway asks models by itself, by how it ended.
#[derive(Clone, Debug)]
pub struct ProbeMetrics([Counter; AttemptResult::ALL.len()]);

impl ProbeMetrics {
    /// Makes the metric, which `metrics` shows.
    pub fn register(metrics: &Metrics) -> Self {
        let family = Family::<ResultLabels, Counter>::default();
        metrics.register(|registry| {
            registry.register(
                "probes",
                "Probes and test prompts that were sent to models, by result; each costs a token or more, and leaves no \
                 usage record",
                family.clone(),
            );
        });
        Self(AttemptResult::ALL.map(|(_, result)| family.get_or_create(&ResultLabels { result }).clone()))
    }

    /// Counts a probe that has ended.
    pub fn ended(&self, result: AttemptResult) {
        self.0[result as usize].inc();
    }
}
