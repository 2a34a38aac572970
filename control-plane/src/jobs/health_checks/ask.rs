//! Has a node ask a provider something. Any node that is connected may do so; they take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use shared::pb;
use shared::pb::command::Command;
use thiserror::Error;

use crate::grpc::registry::{CommandError, NodeRegistry};

/// How many nodes are asked, where one goes away before it answers.
const NODES: usize = 2;

/// The longest reason of a node that is told, in characters.
const LONGEST_REASON: usize = 300;

/// Sends commands to the nodes in turn.
#[derive(Debug)]
pub struct NodeAsker {
    nodes: Arc<NodeRegistry>,
    turn: AtomicUsize,
}

/// What a node says of the provider that it has asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeReport {
    /// Id of the node.
    #[serde(skip)]
    pub node_id: String,
    /// Whether the provider has answered.
    pub ok: bool,
    /// How it ended, such as `success`, `key_refused` or `timeout`.
    pub result: String,
    /// HTTP status of the answer; 0 where none came.
    pub status: u16,
    /// Why there is no answer; empty where there is one.
    pub error: String,
    /// From the sending of the request to its answer, in milliseconds.
    pub latency_ms: u64,
    /// Id of the upstream key.
    pub upstream_key_id: String,
    /// Mask of the upstream key.
    pub upstream_key_masked: String,
    /// The vendor's name of the model; empty where none was asked.
    pub model: String,
    /// What the model has said.
    pub text: Option<String>,
    /// Tokens of the question.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// The models that the provider has.
    pub models: Option<Vec<String>>,
    /// Whether the provider has more models than these.
    pub has_more: bool,
}

/// Why no provider was asked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AskError {
    /// No node is connected, or none has answered.
    #[error("{0}")]
    NoNode(String),
    /// The nodes have too much to do.
    #[error("the nodes have too many commands to answer already")]
    Busy,
    /// The node could not ask, and why.
    #[error("{0}")]
    Refused(String),
}

impl NodeAsker {
    /// Asks the nodes of `nodes`.
    pub fn new(nodes: Arc<NodeRegistry>) -> Self {
        Self { nodes, turn: AtomicUsize::new(0) }
    }

    /// Whether a node is connected.
    pub fn has_node(&self) -> bool {
        self.nodes.list().iter().any(|node| node.connected)
    }

    /// Has a node carry out `command` within `time`. Where it goes away meanwhile, another one is asked.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(&self, command: Command, time: Duration) -> Result<NodeReport, AskError> {
        let timeout_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut gone = AskError::NoNode("none is connected".to_owned());
        for _ in 0..NODES {
            let Some(node_id) = self.next() else { break };
            let command = pb::Command { timeout_ms, command: Some(command.clone()), ..pb::Command::default() };
            match self.nodes.command(&node_id, command).await {
                Ok(result) => return read(node_id, result),
                Err(CommandError::Busy) => gone = AskError::Busy,
                Err(error) => gone = AskError::NoNode(error.to_string()),
            }
        }
        Err(gone)
    }

    /// The node whose turn it is.
    fn next(&self) -> Option<String> {
        let mut connected: Vec<_> = self.nodes.list().into_iter().filter(|node| node.connected).collect();
        if connected.is_empty() {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % connected.len();
        Some(connected.swap_remove(turn).id)
    }
}

fn read(node_id: String, result: pb::CommandResult) -> Result<NodeReport, AskError> {
    if result.result_json.is_empty() {
        return Err(AskError::Refused(result.error.chars().take(LONGEST_REASON).collect()));
    }
    let unreadable = |error: serde_json::Error| AskError::Refused(format!("its answer cannot be read: {error}"));
    let report: NodeReport = serde_json::from_str(&result.result_json).map_err(unreadable)?;
    Ok(NodeReport { node_id, ..report })
}
