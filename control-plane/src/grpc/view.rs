//! What the admin API shows of a node.

use serde::Serialize;
use shared::pb;
use utoipa::ToSchema;

/// A node, connected or lately gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// Stable over restarts of the node.
    pub id: String,
    /// Semantic version of its program.
    pub version: String,
    /// Whether its config stream is open.
    pub connected: bool,
    /// Address that its stream came from.
    pub address: String,
    /// The config it serves from; 0 when it has none.
    pub applied_version: u64,
    /// The config it was sent last; 0 when none was.
    pub sent_version: u64,
    /// When its stream was opened, epoch milliseconds.
    pub connected_at: i64,
    /// When it was heard of last, epoch milliseconds.
    pub last_seen: i64,
    /// The last config that it refused.
    pub last_nack: Option<NackView>,
    /// How busy it was when it was heard of last.
    pub load: Option<LoadView>,
}

/// A refusal of config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NackView {
    /// The refused version.
    pub version: u64,
    /// What is wrong with it, and where.
    pub reason: String,
    /// When the refusal came in, epoch milliseconds.
    pub at: i64,
}

/// How busy a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadView {
    /// Client requests in flight.
    pub in_flight: u32,
    /// Client requests since the node started.
    pub requests_total: u64,
    /// Usage records settled and not yet in the ledger.
    pub usage_pending: u64,
    /// Usage records dropped since the node started, because its spool was full.
    pub usage_dropped_total: u64,
    /// Resident memory in bytes.
    pub resident_memory_bytes: u64,
}

impl From<pb::Load> for LoadView {
    fn from(load: pb::Load) -> Self {
        Self {
            in_flight: load.in_flight,
            requests_total: load.requests_total,
            usage_pending: load.usage_pending,
            usage_dropped_total: load.usage_dropped_total,
            resident_memory_bytes: load.resident_memory_bytes,
        }
    }
}
