//! How many upstream keys are in which condition, as a metric.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use shared::drain::Tasks;
use shared::snapshot::Snapshot;
use shared::telemetry::Metrics;

use crate::grpc::key_states::{KeyCondition, KeyStanding};
use crate::grpc::registry::NodeRegistry;
use crate::snapshot::publish::Publisher;
use crate::store::key_states::StoredKeyState;

/// How often they are counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabel {
    state: &'static str,
}

/// The numbers of upstream keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyCounts(Family<ConditionLabel, Gauge>);

impl KeyCounts {
    /// Registers `upstream_keys`.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let counts = Self::default();
        metrics.register(|registry| {
            registry.register(
                "upstream_keys",
                "Upstream keys of all groups, by what is known of them",
                counts.0.clone(),
            );
        });
        counts
    }

    /// Counts until `tasks` stop.
    pub(crate) async fn run(self, publisher: Arc<Publisher>, nodes: Arc<NodeRegistry>, tasks: Tasks) {
        loop {
            self.count(nodes.key_states.now(), &publisher.snapshot(), &nodes.key_states.known());
            tokio::select! {
                () = tasks.stopping() => return,
                () = tokio::time::sleep(COUNT_EVERY) => {}
            }
        }
    }

    fn count(&self, now: i64, config: &Snapshot, known: &HashMap<String, Vec<StoredKeyState>>) {
        let mut numbers = KeyCondition::ALL.map(|condition| (condition, 0));
        let keys = config.groups.values().flat_map(|group| &group.upstream_keys);
        for key in keys {
            let known = known.get(&*key.id).map_or(&[][..], Vec::as_slice);
            let standing = KeyStanding::at(now, key, known);
            for (condition, number) in &mut numbers {
                *number += i64::from(*condition == standing.condition);
            }
        }
        for (condition, number) in numbers {
            self.0.get_or_create(&ConditionLabel { state: condition.name() }).set(number);
        }
    }
}

#[cfg(test)]
mod tests;
