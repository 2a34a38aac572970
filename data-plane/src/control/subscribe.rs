//! Keeps the config stream open: applies what comes, and tells the control plane what it needs to know.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use shared::drain::Tasks;
use shared::ids::Id;
use shared::pb;
use shared::pb::control_message::Message as FromControl;
use shared::pb::node_message::Message as ToControl;
use shared::snapshot::SCHEMA;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Response, Status};
use tracing::{debug, error, info, warn};

use super::apply::{Applier, Change, Refusal};
use super::commands;
use super::key_state;
use crate::link::backoff::Backoff;
use crate::link::{Link, explain};
use crate::node::Node;
use crate::route::health::KeyState;

/// How long the stream may take to open.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);

/// How long the connection may take to take one message.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// How long it takes until a stream without a message counts as open: a node that has the newest config is told
/// nothing.
const SETTLED: Duration = Duration::from_secs(1);

/// How often the node says how busy it is.
const LOAD_PERIOD: Duration = Duration::from_secs(1);

/// The most messages that wait for the connection.
const QUEUE: usize = 64;

/// The most upstream keys whose state is kept while there is no stream.
const KEPT_KEY_STATES: usize = 4096;

/// How many usage records wait or are lost, for the load report.
#[derive(Clone, Copy, Debug, Default)]
pub struct UsageState {
    /// The number of records that are settled and not acked.
    pub pending: u64,
    /// The number of records that were dropped since the start.
    pub dropped: u64,
}

/// Subscribes to config.
pub struct Subscriber {
    link: Link,
    node: Arc<Node>,
    applier: Applier,
    key_states: mpsc::Receiver<KeyState>,
    usage: Box<dyn Fn() -> UsageState + Send + Sync>,
    tasks: Tasks,
    /// Whether the next Hello asks for a whole snapshot, since the last delta did not fit what the node has.
    whole: bool,
    /// What the node learnt while there was no stream, by upstream key.
    unsent: HashMap<Id, KeyState>,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{}", explain(.0))]
    Refused(#[from] Status),
    #[error("the control plane closed the stream")]
    Closed,
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error(
        "what answers there does not speak gRPC: a control plane does so on a port of its own, 5001 unless it is set otherwise"
    )]
    NotGrpc,
    #[error("a whole snapshot is needed")]
    WrongBase,
}

impl Subscriber {
    /// Subscribes as `node` over `link` and gives config to `applier`. What the node learns about upstream keys comes
    /// from `key_states`; `usage` says how many usage records wait or are lost.
    pub fn new(
        link: Link,
        node: Arc<Node>,
        applier: Applier,
        key_states: mpsc::Receiver<KeyState>,
        usage: impl Fn() -> UsageState + Send + Sync + 'static,
        tasks: Tasks,
    ) -> Self {
        let usage = Box::new(usage);
        Self { link, node, applier, key_states, usage, tasks, whole: false, unsent: HashMap::new() }
    }

    /// Subscribes until `tasks` stop.
    pub async fn run(mut self) {
        let tasks = self.tasks.clone();
        let mut backoff = Backoff::default();
        let mut failing = false;
        loop {
            let Err(ended) = tokio::select! {
                ended = self.session(&mut backoff, &mut failing) => ended,
                () = tasks.stopping() => return,
            };
            self.applier.connected(false);
            self.note(&ended, failing);
            failing |= !matches!(ended, Ended::WrongBase);
            tokio::select! {
                () = self.keep_key_states(backoff.wait()) => {}
                () = tasks.stopping() => return,
            }
        }
    }

    fn note(&self, ended: &Ended, failing: bool) {
        match ended {
            Ended::WrongBase => {}
            error if failing => debug!(%error, "the control plane is unreachable"),
            Ended::Refused(status) if status.code() == Code::Unauthenticated => {
                error!(url = self.link.url(), error = status.message(), "the control plane refuses the node token");
            }
            error => {
                let (version, _) = self.version();
                let url = self.link.url();
                warn!(url, %error, config_version = version, "the control plane is unreachable; the config in force stays");
            }
        }
    }

    /// The version and the history of the config in force. The version is 0 where there is none.
    fn version(&self) -> (u64, Arc<str>) {
        self.applier
            .state()
            .table()
            .map_or_else(|| (0, "".into()), |table| (table.snapshot.version, Arc::clone(&table.snapshot.epoch)))
    }

    /// Serves one stream until it ends.
    async fn session(&mut self, backoff: &mut Backoff, failing: &mut bool) -> Result<Infallible, Ended> {
        let (to_control, receiver) = mpsc::channel(QUEUE);
        let (version, epoch) = if self.whole { (0, "".into()) } else { self.version() };
        let hello = pb::Hello {
            node_id: self.node.id.to_string(),
            version: self.node.version.to_owned(),
            applied_version: version,
            epoch: epoch.to_string(),
            schema: SCHEMA,
        };
        send(&to_control, ToControl::Hello(hello)).await?;
        let mut client = self.link.config();
        let answer = timeout(OPEN_DEADLINE, client.stream(ReceiverStream::new(receiver)));
        let answer = answer.await.map_err(|_| Ended::Silent(OPEN_DEADLINE))??;
        if !speaks_grpc(&answer) {
            return Err(Ended::NotGrpc);
        }
        let mut from_control = answer.into_inner();
        let mut open = false;
        let settled = sleep(SETTLED);
        tokio::pin!(settled);

        for (_, state) in self.unsent.drain() {
            send(&to_control, ToControl::KeyState(key_state::write(&state))).await?;
        }
        let mut load = interval(LOAD_PERIOD);
        load.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = from_control.message() => {
                    let message = message?.ok_or(Ended::Closed)?;
                    // The stream is known to work only now: a control plane may accept and then refuse.
                    backoff.reset();
                    self.opened(&mut open, failing);
                    if let Some(message) = message.message {
                        self.handle(message, &to_control).await?;
                    }
                }
                Some(state) = self.key_states.recv() => {
                    send(&to_control, ToControl::KeyState(key_state::write(&state))).await?;
                }
                () = &mut settled, if !open => self.opened(&mut open, failing),
                _ = load.tick() => send(&to_control, ToControl::Load(self.load())).await?,
            }
        }
    }

    /// Notes once that the stream is open.
    fn opened(&self, open: &mut bool, failing: &mut bool) {
        if std::mem::replace(open, true) {
            return;
        }
        self.applier.connected(true);
        let (url, (config_version, _)) = (self.link.url(), self.version());
        if std::mem::take(failing) {
            info!(url, config_version, "the control plane is reachable again");
        } else {
            info!(url, config_version, "connected to the control plane");
        }
    }

    async fn handle(&mut self, message: FromControl, to_control: &mpsc::Sender<pb::NodeMessage>) -> Result<(), Ended> {
        match message {
            FromControl::Snapshot(snapshot) => {
                let version = snapshot.version;
                let outcome = self.applier.apply(Change::Whole(snapshot)).await;
                self.whole &= outcome.is_err();
                self.confirm(version, outcome, to_control).await
            }
            FromControl::Delta(delta) => {
                let version = delta.version;
                let outcome = self.applier.apply(Change::Since(delta)).await;
                self.confirm(version, outcome, to_control).await
            }
            FromControl::KeyState(message) => {
                if let (Some(table), Some(state)) = (self.applier.state().table(), key_state::read(message)) {
                    table.kept.observe(&state);
                }
                Ok(())
            }
            FromControl::Command(command) => {
                send(to_control, ToControl::CommandResult(commands::answer(command))).await
            }
        }
    }

    async fn confirm(
        &mut self,
        version: u64,
        outcome: Result<(), Refusal>,
        to_control: &mpsc::Sender<pb::NodeMessage>,
    ) -> Result<(), Ended> {
        let answer = match outcome {
            Ok(()) => ToControl::Ack(pb::Ack { version }),
            Err(Refusal::WrongBase(error)) => {
                warn!(%error, version, "config does not fit what the node has; a whole snapshot is asked for");
                self.whole = true;
                return Err(Ended::WrongBase);
            }
            Err(refusal) => {
                let (in_force, _) = self.version();
                warn!(%refusal, version, in_force, "config refused; the config in force stays");
                ToControl::Nack(pb::Nack { version, reason: refusal.to_string() })
            }
        };
        send(to_control, answer).await
    }

    fn load(&self) -> pb::Load {
        let usage = (self.usage)();
        pb::Load {
            in_flight: self.node.in_flight(),
            requests_total: self.node.requests_total(),
            usage_pending: usage.pending,
            usage_dropped_total: usage.dropped,
            resident_memory_bytes: resident_bytes(),
        }
    }

    /// Waits, and meanwhile keeps the newest state of each upstream key that the node learns.
    async fn keep_key_states(&mut self, wait: Duration) {
        let wait = sleep(wait);
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut wait => return,
                Some(state) = self.key_states.recv() => {
                    if self.unsent.len() < KEPT_KEY_STATES || self.unsent.contains_key(&state.upstream_key_id) {
                        self.unsent.insert(Arc::clone(&state.upstream_key_id), state);
                    }
                }
            }
        }
    }
}

async fn send(to_control: &mpsc::Sender<pb::NodeMessage>, message: ToControl) -> Result<(), Ended> {
    let message = pb::NodeMessage { message: Some(message) };
    to_control.send_timeout(message, SEND_DEADLINE).await.map_err(|error| match error {
        SendTimeoutError::Timeout(_) => Ended::Silent(SEND_DEADLINE),
        SendTimeoutError::Closed(_) => Ended::Closed,
    })
}

/// Whether `answer` is one of a gRPC server. Any web server answers a call, with a page that says that it has no such
/// path.
fn speaks_grpc<T>(answer: &Response<T>) -> bool {
    let kind = answer.metadata().get("content-type").and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// The memory of this process in bytes; 0 where the operating system does not tell.
fn resident_bytes() -> u64 {
    // The kernel makes this file up from memory, so reading it does not wait for a disk.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim_end_matches("kB").trim().parse::<u64>().unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests;
