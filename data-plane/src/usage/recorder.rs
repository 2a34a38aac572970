//! Where requests are counted, and their records go.

use std::sync::Arc;

use super::UsageSink;
use super::refusals::RefusalLog;
use crate::metrics::RequestMetrics;
use crate::node::Node;

/// Where requests are counted and their records go.
#[derive(Debug)]
pub struct Recorder {
    /// Takes the records.
    pub sink: UsageSink,
    /// This node.
    pub node: Arc<Node>,
    /// The metrics that count requests.
    pub metrics: RequestMetrics,
    /// What is logged of requests that are refused.
    pub refusals: Arc<RefusalLog>,
}
