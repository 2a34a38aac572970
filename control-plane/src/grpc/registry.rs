//! Which nodes there are, what config each of them has, and the way to reach it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use shared::ids::{Id, new_id};
use shared::pb;
use shared::telemetry::Metrics;
use shared::time::now_ms;
use thiserror::Error;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::key_states::KeyStates;
use super::view::{ForeignDatabaseView, NackView};

pub use super::view::NodeView;

/// The most nodes that are listed, connected or not.
const MAX_NODES: usize = 1_000;
/// How long a node that has gone stays listed, in milliseconds.
const GONE_LISTED_MS: i64 = 60 * 60 * 1_000;
/// The most commands of one node that may be without an answer.
const MAX_COMMANDS: usize = 64;
/// Time for a command that names no time of its own.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time a command may name.
const COMMAND_TIMEOUT_MAX: Duration = Duration::from_mins(5);
/// How much longer an answer may take than the time that the node has for the command.
const COMMAND_GRACE: Duration = Duration::from_secs(1);
/// The longest reason of a refusal that is kept, in characters.
const MAX_REASON: usize = 2_000;

/// All nodes that have connected to this process.
pub struct NodeRegistry {
    nodes: Mutex<HashMap<Id, Entry>>,
    pub(crate) key_states: Arc<KeyStates>,
    connected: Gauge,
    nacks: Counter,
    pub(crate) ack_seconds: Histogram,
}

struct Entry {
    view: NodeView,
    link: Option<Link>,
}

/// The way to a connected node.
struct Link {
    session: Arc<str>,
    replaced: CancellationToken,
    commands: mpsc::Sender<pb::Command>,
    replace_database: Arc<Notify>,
    pending: HashMap<String, oneshot::Sender<pb::CommandResult>>,
}

impl fmt::Debug for NodeRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeRegistry").field("nodes", &self.nodes().len()).finish_non_exhaustive()
    }
}

/// Why a command has no result.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CommandError {
    /// No node of that id is connected.
    #[error("the node is not connected")]
    NotConnected,
    /// Too many commands wait for the node.
    #[error("the node has too many commands to answer already")]
    Busy,
    /// The node's stream ended before the answer came.
    #[error("the node disconnected before it answered")]
    Disconnected,
    /// No answer came in time.
    #[error("the node did not answer in time")]
    Timeout,
}

/// As many nodes are connected as are allowed.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{MAX_NODES} nodes are connected already")]
pub(crate) struct Full;

impl NodeRegistry {
    /// A registry without nodes.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            nodes: Mutex::default(),
            key_states: Arc::default(),
            connected: Gauge::default(),
            nacks: Counter::default(),
            ack_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
        })
    }

    /// Registers `nodes_connected`, `config_nacks_total` and `config_ack_seconds` (from sending config to a node until
    /// the node serves from it).
    pub fn register(&self, metrics: &Metrics) {
        metrics.register(|registry| {
            registry.register("nodes_connected", "Nodes with an open config stream", self.connected.clone());
            registry.register("config_nacks", "Refusals of config by nodes", self.nacks.clone());
            registry.register(
                "config_ack_seconds",
                "From sending config to a node until the node serves from it",
                self.ack_seconds.clone(),
            );
        });
    }

    /// All nodes by id: those that are connected, and for an hour those that have gone.
    pub fn list(&self) -> Vec<NodeView> {
        let mut nodes = self.nodes();
        forget_gone(&mut nodes);
        let mut views: Vec<_> = nodes.values().map(|entry| entry.view.clone()).collect();
        drop(nodes);
        views.sort_by(|left, right| left.id.cmp(&right.id));
        views
    }

    /// Sends `command` to a node and waits for the result. It waits a little longer than `timeout_ms`, which means 30 s
    /// where it is 0. An empty id is filled in.
    ///
    /// # Errors
    /// [`CommandError`] when there is no result.
    pub async fn command(&self, node_id: &str, mut command: pb::Command) -> Result<pb::CommandResult, CommandError> {
        if command.id.is_empty() {
            command.id = new_id();
        }
        let time = match command.timeout_ms {
            0 => COMMAND_TIMEOUT,
            given => Duration::from_millis(given).min(COMMAND_TIMEOUT_MAX),
        };
        command.timeout_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let id = command.id.clone();
        let (answer, answered) = oneshot::channel();
        let session = {
            let mut nodes = self.nodes();
            let link =
                nodes.get_mut(node_id).and_then(|entry| entry.link.as_mut()).ok_or(CommandError::NotConnected)?;
            if link.pending.len() >= MAX_COMMANDS || link.pending.contains_key(&id) {
                return Err(CommandError::Busy);
            }
            link.commands.try_send(command).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => CommandError::Busy,
                mpsc::error::TrySendError::Closed(_) => CommandError::Disconnected,
            })?;
            link.pending.insert(id.clone(), answer);
            Arc::clone(&link.session)
        };
        let _waiting = Waiting { registry: self, node_id, session, id };
        match timeout(time + COMMAND_GRACE, answered).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(CommandError::Disconnected),
            Err(_) => Err(CommandError::Timeout),
        }
    }

    /// Tells the connected node `id` to take the config of this control plane, whatever database it knew. Gives the
    /// node as it was by then.
    ///
    /// # Errors
    /// [`CommandError::NotConnected`].
    pub fn replace_database(&self, id: &str) -> Result<NodeView, CommandError> {
        let nodes = self.nodes();
        let entry = nodes.get(id).ok_or(CommandError::NotConnected)?;
        entry.link.as_ref().ok_or(CommandError::NotConnected)?.replace_database.notify_one();
        Ok(entry.view.clone())
    }

    /// Does the same for each connected node that refuses the config because it knows another database. Gives them.
    pub fn replace_database_everywhere(&self) -> Vec<NodeView> {
        let refusing = |view: &NodeView| view.connected && view.foreign_database.is_some();
        let refusing = self.list().into_iter().filter(refusing);
        refusing.filter_map(|view| self.replace_database(&view.id).ok()).collect()
    }

    /// Enters a node that has connected. A stream that it had before is told to end.
    pub(crate) fn connect(self: &Arc<Self>, hello: &pb::Hello, address: String) -> Result<Connected, Full> {
        let id = Id::from(hello.node_id.as_str());
        let session = Arc::<str>::from(new_id());
        let replaced = CancellationToken::new();
        let (commands, inbox) = mpsc::channel(MAX_COMMANDS);
        let now = now_ms();
        let replace_database = Arc::new(Notify::new());
        let link = Link {
            session: Arc::clone(&session),
            replaced: replaced.clone(),
            commands,
            replace_database: Arc::clone(&replace_database),
            pending: HashMap::new(),
        };
        let mut nodes = self.nodes();
        let before = nodes.remove(&id);
        if before.is_none() && nodes.len() >= MAX_NODES {
            forget_gone(&mut nodes);
            if nodes.len() >= MAX_NODES {
                let gone = nodes.iter().filter(|(_, entry)| entry.link.is_none());
                let oldest = gone.min_by_key(|(_, entry)| entry.view.last_seen).map(|(id, _)| Arc::clone(id));
                nodes.remove(&oldest.ok_or(Full)?);
            }
        }
        let last_nack = before.as_ref().and_then(|entry| entry.view.last_nack.clone());
        match before.and_then(|entry| entry.link) {
            Some(old) => {
                warn!(node = &*id, "a second stream of the node replaces the first");
                old.replaced.cancel();
            }
            None => {
                self.connected.inc();
            }
        }
        let view = NodeView {
            id: hello.node_id.clone(),
            version: hello.version.chars().take(64).collect(),
            connected: true,
            address,
            applied_version: hello.applied_version,
            sent_version: 0,
            connected_at: now,
            last_seen: now,
            last_nack,
            foreign_database: None,
            load: None,
        };
        info!(
            node = &*id,
            version = view.version,
            address = view.address,
            has = view.applied_version,
            "node connected"
        );
        nodes.insert(Arc::clone(&id), Entry { view, link: Some(link) });
        drop(nodes);
        let node = Node { registry: Arc::clone(self), id, session };
        Ok(Connected { node, replaced, commands: inbox, replace_database })
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<Id, Entry>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_gone(nodes: &mut HashMap<Id, Entry>) {
    let since = now_ms() - GONE_LISTED_MS;
    nodes.retain(|_, entry| entry.link.is_some() || entry.view.last_seen >= since);
}

/// A command that has no answer yet. Dropping it forgets the command.
struct Waiting<'a> {
    registry: &'a NodeRegistry,
    node_id: &'a str,
    session: Arc<str>,
    id: String,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut nodes = self.registry.nodes();
        let link = nodes.get_mut(self.node_id).and_then(|entry| entry.link.as_mut());
        if let Some(link) = link.filter(|link| link.session == self.session) {
            link.pending.remove(&self.id);
        }
    }
}

/// What the stream of a node gets when the node is entered.
pub(crate) struct Connected {
    /// The stream's part of the registry, to which it tells what happens.
    pub(crate) node: Node,
    /// Resolves when another stream takes the node over.
    pub(crate) replaced: CancellationToken,
    /// Commands that the node is to carry out.
    pub(crate) commands: mpsc::Receiver<pb::Command>,
    /// Tells that the node is to take the config whatever database it knew.
    pub(crate) replace_database: Arc<Notify>,
}

/// One stream's part of the registry. What the stream says counts only until another stream takes the node over.
#[derive(Clone)]
pub(crate) struct Node {
    registry: Arc<NodeRegistry>,
    id: Id,
    session: Arc<str>,
}

impl Node {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn registry(&self) -> &NodeRegistry {
        &self.registry
    }

    pub(crate) fn sent(&self, version: u64) {
        self.with(|entry| entry.view.sent_version = version);
    }

    pub(crate) fn acked(&self, version: u64) {
        self.heard(|entry| {
            entry.view.applied_version = version;
            entry.view.foreign_database = None;
        });
    }

    pub(crate) fn nacked(&self, nack: pb::Nack) {
        self.registry.nacks.inc();
        let reason: String = nack.reason.chars().take(MAX_REASON).collect();
        warn!(node = &*self.id, version = nack.version, reason, "the node refused config");
        self.heard(|entry| {
            entry.view.last_nack = Some(NackView { version: nack.version, reason, at: now_ms() });
        });
    }

    pub(crate) fn refuses_database(&self, known: pb::ForeignDatabase) {
        let known_database_id = known.epoch.chars().take(64).collect();
        let foreign = ForeignDatabaseView { known_database_id, known_version: known.version };
        self.heard(|entry| entry.view.foreign_database = Some(foreign));
    }

    pub(crate) fn loaded(&self, load: pb::Load) {
        self.heard(|entry| entry.view.load = Some(load.into()));
    }

    pub(crate) fn key_state(&self, state: pb::KeyState) {
        self.heard(|_| ());
        if !self.registry.key_states.observed(&self.id, state) {
            warn!(node = &*self.id, "a key state without a key or a health was dropped");
        }
    }

    pub(crate) fn answered(&self, result: pb::CommandResult) {
        let mut waiting = None;
        self.heard(|entry| waiting = entry.link.as_mut().and_then(|link| link.pending.remove(&result.id)));
        // The command may have been given up in the meantime.
        if let Some(waiting) = waiting {
            let _ = waiting.send(result);
        }
    }

    /// Notes that the stream has ended.
    pub(crate) fn disconnected(&self) {
        self.heard(|entry| {
            entry.view.connected = false;
            entry.link = None;
            self.registry.connected.dec();
            info!(node = &*self.id, "node disconnected");
        });
    }

    fn heard(&self, change: impl FnOnce(&mut Entry)) {
        self.with(|entry| {
            entry.view.last_seen = now_ms();
            change(entry);
        });
    }

    fn with(&self, change: impl FnOnce(&mut Entry)) {
        let mut nodes = self.registry.nodes();
        let entry = nodes.get_mut(&self.id);
        if let Some(entry) = entry.filter(|entry| entry.link.as_ref().is_some_and(|link| link.session == self.session))
        {
            change(entry);
        }
    }
}

#[cfg(test)]
mod tests;
