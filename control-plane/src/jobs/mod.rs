//! Work that goes on by itself, a file for each.
//!
//! - `health_checks`: providers, keys and models are checked by a node.
//! - `probes`: upstream keys that are refused or have no money left are tried by a node.
//! - `key_counts`: how many upstream keys are in which condition, as a metric of each control plane.
//! - `repricing`: usage records are priced again after a correction.
//! - `lease`: which of several control planes makes the checks and the probes.

pub mod health_checks;
pub(crate) mod key_counts;
pub(crate) mod lease;
pub(crate) mod probes;
pub mod repricing;

use crate::grpc::registry::NodeRegistry;
use crate::snapshot::publish::Publisher;

/// Which work goes on by itself through nodes, at one control plane of a database: that with the lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScheduledWork {
    /// Whether keys that are out are probed.
    pub(crate) probes: bool,
    /// Whether groups are checked.
    pub(crate) checks: bool,
}

impl ScheduledWork {
    /// Whether there is any, and a node that can do it.
    pub(crate) fn waits(self, publisher: &Publisher, nodes: &NodeRegistry) -> bool {
        let checks = || {
            let config = publisher.snapshot();
            config.groups.values().any(|group| group.enabled && group.health_check_enabled)
        };
        let some = (self.probes && nodes.key_states.any_to_probe()) || (self.checks && checks());
        some && !nodes.serving().is_empty()
    }
}
