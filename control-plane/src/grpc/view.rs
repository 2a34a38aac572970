//! A node as the admin API shows it.

use serde::Serialize;
use shared::pb;
use utoipa::ToSchema;

/// A node that is connected, or was connected lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// Id of the node, which stays the same over restarts.
    pub id: String,
    /// Semantic version of the node's program.
    pub version: String,
    /// Whether the node's config stream is open.
    pub connected: bool,
    /// Address that the stream came from.
    pub address: String,
    /// Version of the config that the node serves from; 0 when it has none.
    pub applied_version: u64,
    /// Version of the config that the node was sent last; 0 when it was sent none.
    pub sent_version: u64,
    /// When the stream was opened, in epoch milliseconds.
    pub connected_at: i64,
    /// When the node was last heard of, in epoch milliseconds.
    pub last_seen: i64,
    /// The last config that the node refused.
    pub last_nack: Option<NackView>,
    /// Set while the node refuses the config of this control plane because it belongs to another database, or to a
    /// version of this one that it has no more. It serves from its last good config and keeps its usage records, until
    /// `POST /admin/nodes/{id}/accept-database`.
    pub foreign_database: Option<ForeignDatabaseView>,
    /// How busy the node was when it was last heard of.
    pub load: Option<LoadView>,
}

/// A refusal of config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NackView {
    /// The version that was refused.
    pub version: u64,
    /// What is wrong with the config, and where.
    pub reason: String,
    /// When the refusal came in, in epoch milliseconds.
    pub at: i64,
}

/// The database that a node belongs to, where it is not the one of this control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForeignDatabaseView {
    /// Id of the database that the node belongs to. It is that of this control plane's own database where the node has
    /// had config of it that it has no more: then a backup was restored.
    pub known_database_id: String,
    /// Version of the config that the node has from it.
    pub known_version: u64,
}

/// How busy a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadView {
    /// Client requests in flight.
    pub in_flight: u32,
    /// Client requests since the node started.
    pub requests_total: u64,
    /// Usage records that are settled and not yet in the ledger.
    pub usage_pending: u64,
    /// Usage records that were dropped since the node started, because its spool was full.
    pub usage_dropped_total: u64,
    /// Resident memory of the node's process, in bytes.
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
