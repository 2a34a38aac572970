//! Probes of upstream keys: a node asks the provider with the key, whatever is known of it, and tells what it learns as
//! after any request.

use shared::pb;
use shared::pb::command::Command;

use super::registry::{CommandError, NodeRegistry};

/// How long a node may take for a probe, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;

/// The upstream key that is to be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeTarget {
    /// Id of its group.
    pub(crate) group_id: String,
    /// Its own id.
    pub(crate) upstream_key_id: String,
    /// The model that it is asked for. Empty: the node chooses one.
    pub(crate) model: String,
}

impl NodeRegistry {
    /// The ids of the nodes that are connected and have this database's config, in their order.
    pub(crate) fn serving(&self) -> Vec<String> {
        let serving = self.list().into_iter().filter(|node| node.connected && node.foreign_database.is_none());
        serving.map(|node| node.id).collect()
    }

    /// Has the node `node_id` probe a key, and waits for what comes of it.
    ///
    /// # Errors
    /// [`CommandError`] where the node does not say.
    pub(crate) async fn probe(&self, node_id: &str, target: &ProbeTarget) -> Result<pb::CommandResult, CommandError> {
        let ProbeTarget { group_id, upstream_key_id, model } = target.clone();
        let command = Some(Command::ProbeUpstreamKey(pb::ProbeUpstreamKey { group_id, upstream_key_id, model }));
        self.command(node_id, pb::Command { timeout_ms: TIMEOUT_MS, command, ..pb::Command::default() }).await
    }
}
