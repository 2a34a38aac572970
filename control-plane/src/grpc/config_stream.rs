//! The config stream of a node: config goes down, acks come up.
//!
//! One version at a time is on its way to a node. The next one leaves when the node has accepted or refused the last,
//! and holds all that was committed meanwhile. After a refusal, the next version is sent as a whole, and the refused
//! version is not sent again.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, stream};
use shared::drain::Tasks;
use shared::pb::config_service_server::ConfigService;
use shared::pb::control_message::Message as Down;
use shared::pb::node_message::Message as Up;
use shared::pb::welcome::Lineage;
use shared::pb::{self, ControlMessage, NodeMessage};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, warn};

use super::registry::{Connected, Node, NodeRegistry};
use crate::snapshot::publish::{ConfigPosition, Publisher, Update};

/// Time in which a new stream has to say hello.
const HELLO: Duration = Duration::from_secs(10);
/// Time in which a version that a node has, and this process has not read yet, must show up in the database.
const CATCH_UP: Duration = Duration::from_secs(10);
/// Time after which a version without an answer no longer holds up the next one.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest node id, in bytes.
const MAX_NODE_ID: usize = 128;

/// The service that nodes get their config from.
pub(crate) struct ConfigStreams {
    publisher: Arc<Publisher>,
    registry: Arc<NodeRegistry>,
    tasks: Tasks,
}

impl ConfigStreams {
    pub(crate) fn new(publisher: Arc<Publisher>, registry: Arc<NodeRegistry>, tasks: Tasks) -> Self {
        Self { publisher, registry, tasks }
    }
}

type Outgoing = Pin<Box<dyn Stream<Item = Result<ControlMessage, Status>> + Send>>;

#[tonic::async_trait]
impl ConfigService for ConfigStreams {
    type StreamStream = Outgoing;

    async fn stream(&self, request: Request<Streaming<NodeMessage>>) -> Result<Response<Outgoing>, Status> {
        let address = request.remote_addr().map_or_else(|| "in-process".to_owned(), |address| address.to_string());
        let greeting = Greeting {
            publisher: Arc::clone(&self.publisher),
            registry: Arc::clone(&self.registry),
            tasks: self.tasks.clone(),
            incoming: request.into_inner(),
            address,
        };
        // The answer's headers leave at once: a node may wait for them before it says hello.
        let messages = stream::unfold(Stage::Greeting(Box::new(greeting)), |stage| async {
            let (message, outbox) = match stage {
                Stage::Greeting(greeting) => match greeting.meet().await {
                    Ok(mut outbox) => (outbox.next().await, Some(outbox)),
                    Err(status) => (Some(Err(status)), None),
                },
                Stage::Serving(mut outbox) => (outbox.next().await, Some(outbox)),
                Stage::Ended => (None, None),
            };
            let next = match (&message, outbox) {
                (Some(Ok(_)), Some(outbox)) => Stage::Serving(outbox),
                _ => Stage::Ended,
            };
            message.map(|message| (message, next))
        });
        Ok(Response::new(Box::pin(messages)))
    }
}

enum Stage {
    Greeting(Box<Greeting>),
    Serving(Box<Outbox>),
    Ended,
}

/// A stream that has not yet said whose it is.
struct Greeting {
    publisher: Arc<Publisher>,
    registry: Arc<NodeRegistry>,
    tasks: Tasks,
    incoming: Streaming<NodeMessage>,
    address: String,
}

impl Greeting {
    async fn meet(mut self: Box<Self>) -> Result<Box<Outbox>, Status> {
        let tasks = self.tasks.clone();
        tokio::select! {
            () = tasks.stopping() => Err(stopping()),
            met = async move {
                let hello = timeout(HELLO, self.incoming.message());
                let first = hello.await.map_err(|_| Status::deadline_exceeded("no hello came"))??;
                let Some(NodeMessage { message: Some(Up::Hello(hello)) }) = first else {
                    return Err(Status::invalid_argument("the first message is to be a hello"));
                };
                check_node_id(&hello.node_id)?;
                self.serve(hello).await
            } => met,
        }
    }

    async fn serve(self: Box<Self>, hello: pb::Hello) -> Result<Box<Outbox>, Status> {
        let Self { publisher, registry, tasks, incoming, address } = *self;
        let (positions, databases) = (publisher.position(), publisher.replaced());
        let has = ConfigPosition { epoch: hello.epoch.as_str().into(), version: hello.applied_version };
        let ahead = |position: &ConfigPosition| has.epoch == position.epoch && has.version > position.version;
        // Another replica has sent the node config that this replica has not read yet. Sending the older config would
        // undo a change.
        if ahead(&positions.borrow()) && timeout(CATCH_UP, publisher.checked()).await.is_err() {
            return Err(Status::unavailable("the node has newer config, and the database cannot be asked for it"));
        }
        let lineage = publisher.lineage(hello.known.as_ref()).await.map_err(|error| {
            Status::unavailable(format!(
                "the database cannot be asked whether it is the one that the node knows: {error}"
            ))
        })?;
        if lineage == Lineage::Other {
            warn!(node = hello.node_id, "the database has never had the config that the node knows");
        }
        // A node that knows another history is sent all, even of the version that it has: it refuses that, and says so.
        let has = (hello.applied_version > 0 && lineage != Lineage::Other).then_some(has);
        let Connected { node, replaced, commands, replace_database } =
            registry.connect(&hello, address).map_err(|full| Status::resource_exhausted(full.to_string()))?;
        let (known, key_states) = registry.key_states.follow();
        let link = Arc::new(Link {
            progress: Mutex::new(Progress { has, ..Progress::default() }),
            answered: Notify::new(),
            ended: CancellationToken::new(),
        });
        let outbox = Outbox {
            publisher,
            tasks: tasks.clone(),
            positions,
            databases,
            link: Arc::clone(&link),
            node: node.clone(),
            replaced,
            commands,
            replace_database,
            replaces: false,
            welcomes: hello.wants_welcome.then_some(lineage),
            known: known.into(),
            key_states,
            catches_up: hello.wants_welcome,
        };
        tasks.spawn("node messages", read(incoming, node, link, tasks.clone()));
        Ok(Box::new(outbox))
    }
}

fn check_node_id(id: &str) -> Result<(), Status> {
    if id.is_empty() || id.len() > MAX_NODE_ID || !id.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(Status::invalid_argument(format!(
            "the node id is to have 1 to {MAX_NODE_ID} printable ASCII characters"
        )));
    }
    Ok(())
}

fn stopping() -> Status {
    Status::unavailable("the control plane is stopping")
}

/// What both directions of a stream share.
struct Link {
    progress: Mutex<Progress>,
    /// Tells that the node has accepted or refused what it was sent.
    answered: Notify,
    /// Tells that one of the two directions has ended.
    ended: CancellationToken,
}

impl Link {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Progress {
    /// The position of the config that the node was sent last, or said that it has.
    has: Option<ConfigPosition>,
    /// When that config was sent. `None` once the node has accepted or refused it.
    waiting_since: Option<Instant>,
    /// Whether the node refused that config, so that a delta from it would mean nothing.
    refused: bool,
}

/// Reads what the node says until the stream ends.
async fn read(mut incoming: Streaming<NodeMessage>, node: Node, link: Arc<Link>, tasks: Tasks) {
    loop {
        let message = tokio::select! {
            () = tasks.stopping() => break,
            () = link.ended.cancelled() => break,
            message = incoming.message() => message,
        };
        match message {
            Ok(Some(NodeMessage { message: Some(message) })) => heard(message, &node, &link),
            // A newer node may say what this build does not know.
            Ok(Some(NodeMessage { message: None })) => {}
            Ok(None) => break,
            Err(status) => {
                debug!(node = node.id(), %status, "the node's stream broke");
                break;
            }
        }
    }
    link.ended.cancel();
}

fn heard(message: Up, node: &Node, link: &Link) {
    match message {
        Up::Hello(_) => warn!(node = node.id(), "a second hello was ignored"),
        Up::Ack(ack) => {
            let sent = answer(link, ack.version, false);
            if let Some(sent) = sent {
                node.registry().ack_seconds.observe(sent.elapsed().as_secs_f64());
            }
            node.acked(ack.version);
            link.answered.notify_one();
        }
        Up::Nack(nack) => {
            answer(link, nack.version, true);
            node.nacked(nack);
            link.answered.notify_one();
        }
        Up::KeyState(state) | Up::ModelKeyState(state) => node.key_state(state),
        Up::ForeignDatabase(known) => node.refuses_database(known),
        Up::Load(load) => node.loaded(load),
        Up::CommandResult(result) => node.answered(result),
    }
}

/// Notes the answer to `version`, and returns when that version was sent. An answer to another version than the last
/// one changes nothing, because only the last one counts.
fn answer(link: &Link, version: u64, refused: bool) -> Option<Instant> {
    let mut progress = link.progress();
    if progress.has.as_ref().is_none_or(|has| has.version != version) {
        return None;
    }
    progress.refused = refused;
    progress.waiting_since.take()
}

/// The messages for a node. Each is made when the connection has room for it.
struct Outbox {
    publisher: Arc<Publisher>,
    tasks: Tasks,
    positions: watch::Receiver<ConfigPosition>,
    /// Tells that the database was replaced.
    databases: watch::Receiver<u64>,
    link: Arc<Link>,
    node: Node,
    replaced: CancellationToken,
    commands: mpsc::Receiver<pb::Command>,
    /// Tells that the operator wants the node to take the config, whatever database it knew.
    replace_database: Arc<Notify>,
    /// Whether the config that is sent next is to be taken whatever database the node knew.
    replaces: bool,
    /// What the node is told of its own config's history with the news which control plane this is, if it waits for it.
    welcomes: Option<Lineage>,
    /// Key states from before the stream, which are sent first.
    known: VecDeque<Arc<pb::KeyState>>,
    key_states: broadcast::Receiver<Arc<pb::KeyState>>,
    /// Whether the node is still to hear that those from before the stream are all told.
    catches_up: bool,
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.link.ended.cancel();
        self.node.disconnected();
    }
}

impl Outbox {
    /// The next message, or why the stream ends.
    async fn next(&mut self) -> Option<Result<ControlMessage, Status>> {
        if let Some(lineage) = self.welcomes.take() {
            let ConfigPosition { epoch, version } = self.positions.borrow().clone();
            let (epoch, lineage) = (epoch.to_string(), lineage.into());
            return down(Down::Welcome(pb::Welcome {
                epoch,
                version,
                now_ms: self.node.registry().key_states.now(),
                lineage,
            }));
        }
        loop {
            if self.replaces {
                let epoch = self.positions.borrow().epoch.to_string();
                self.replaces = false;
                // The config follows as a whole.
                *self.link.progress() = Progress::default();
                return down(Down::ReplaceDatabase(pb::ReplaceDatabase { epoch }));
            }
            self.positions.mark_unchanged();
            if let Some(message) = self.config() {
                return down(message);
            }
            if let Some(state) = self.known.pop_front() {
                return down(of_key(&state));
            }
            if std::mem::take(&mut self.catches_up) {
                return down(Down::KeyState(pb::KeyState::default()));
            }
            let waiting = self.link.progress().waiting_since.map(|since| since + ANSWER);
            tokio::select! {
                biased;
                () = self.tasks.stopping() => return Some(Err(stopping())),
                () = self.replaced.cancelled() => {
                    return Some(Err(Status::aborted("another stream of the same node replaced this one")));
                }
                Ok(()) = self.databases.changed() => {
                    return Some(Err(Status::unavailable("the database was replaced, and the node is to be met anew")));
                }
                () = self.link.ended.cancelled() => return None,
                Ok(()) = self.positions.changed() => {}
                () = self.link.answered.notified() => {}
                () = self.replace_database.notified() => self.replaces = true,
                Some(command) = self.commands.recv() => return down(Down::Command(command)),
                state = self.key_states.recv() => match state {
                    Ok(state) if state.node_id == self.node.id() => {}
                    Ok(state) => return down(of_key(&state)),
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        warn!(node = self.node.id(), missed, "the node is slow: it gets the key states again as a whole");
                        let (known, news) = self.node.registry().key_states.follow();
                        (self.known, self.key_states) = (known.into(), news);
                    }
                    // The registry holds the sender, so the channel is not closed.
                    Err(broadcast::error::RecvError::Closed) => return Some(Err(stopping())),
                },
                () = sleep_until(waiting.unwrap_or_else(Instant::now)), if waiting.is_some() => {
                    warn!(node = self.node.id(), "the node neither accepted nor refused the config it was sent");
                    self.link.progress().waiting_since = None;
                }
            }
        }
    }

    /// The config that the node lacks. There is none while the node still has to answer to the last one.
    fn config(&self) -> Option<Down> {
        let (has, refused) = {
            let progress = self.link.progress();
            if progress.waiting_since.is_some() {
                return None;
            }
            (progress.has.clone(), progress.refused)
        };
        let newest = self.publisher.update(has.as_ref());
        let (position, update) = match newest {
            (_, Update::Nothing) => return None,
            _ if refused => self.publisher.update(None),
            newest => newest,
        };
        if self.databases.has_changed().unwrap_or(true) {
            return None;
        }
        let message = match update {
            Update::Nothing => return None,
            Update::Delta(delta) => Down::Delta(delta.as_ref().clone()),
            Update::Snapshot(snapshot) => Down::Snapshot(pb::Snapshot::from(snapshot.as_ref())),
        };
        self.node.sent(position.version);
        *self.link.progress() = Progress { has: Some(position), waiting_since: Some(Instant::now()), refused: false };
        Some(message)
    }
}

/// The message of a state, which is another one where it is about a model.
fn of_key(state: &pb::KeyState) -> Down {
    if state.model.is_empty() { Down::KeyState(state.clone()) } else { Down::ModelKeyState(state.clone()) }
}

#[expect(clippy::unnecessary_wraps, reason = "what a stream of answers yields")]
fn down(message: Down) -> Option<Result<ControlMessage, Status>> {
    Some(Ok(ControlMessage { message: Some(message) }))
}
