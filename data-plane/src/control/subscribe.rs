//! Keeps the config stream open: applies what comes, and tells the control plane what it needs to know.

mod ended;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use shared::drain::Tasks;
use shared::health::ReadinessGuard;
use shared::ids::Id;
use shared::pb;
use shared::pb::control_message::Message as FromControl;
use shared::pb::node_message::Message as ToControl;
use shared::snapshot::SCHEMA;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, error, info, warn};

use self::ended::{Ended, speaks_grpc};
use super::allegiance::Database;
use super::apply::{Applier, Change, Refusal};
use super::commands::{self, Commands};
use super::key_state;
use crate::link::Link;
use crate::link::backoff::Backoff;
use crate::node::Node;
use crate::route::health::KeyState;

/// What a node says where its token is refused.
const TOKEN_REFUSED: &str = "the control plane refuses the node token: Node:Token or the file of Node:TokenFile must hold \
                             what it wrote to node-token in its data directory; the config in force stays";

/// How long the stream may take to open.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);

/// How long the connection may take to take one message.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// How long it takes until a stream without a message counts as open: a node that has the newest config is told
/// nothing.
const SETTLED: Duration = Duration::from_secs(1);

/// How long a node that starts is not ready because it has not heard what is known of upstream keys. After that it does
/// without.
const CATCH_UP: Duration = Duration::from_secs(2);

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
    /// None: commands have no result, as at a node that is older than they are.
    commands: Option<Arc<Commands>>,
    tasks: Tasks,
    /// Whether the next Hello asks for a whole snapshot, since the last delta did not fit what the node has.
    whole: bool,
    /// What the node learnt while there was no stream, by upstream key and model.
    unsent: HashMap<(Id, Arc<str>), KeyState>,
    /// Held until this node, which has just started, has heard what is known of upstream keys, or does without.
    catching_up: Option<ReadinessGuard>,
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
        let (usage, commands) = (Box::new(usage), None);
        let catching_up = Some(applier.readiness().guard("states of upstream keys"));
        let (whole, unsent) = (false, HashMap::new());
        Self { link, node, applier, key_states, usage, commands, tasks, whole, unsent, catching_up }
    }

    /// The same, which has `commands` carry out what the control plane asks for.
    #[must_use]
    pub fn commanding(mut self, commands: Commands) -> Self {
        self.commands = Some(Arc::new(commands));
        self
    }

    /// Subscribes until `tasks` stop.
    pub async fn run(mut self) {
        let tasks = self.tasks.clone();
        let mut backoff = Backoff::default();
        let mut failing = false;
        let mut refused = false;
        loop {
            let Err(ended) = tokio::select! {
                ended = self.session(&mut backoff, &mut failing) => ended,
                () = tasks.stopping() => return,
            };
            self.catching_up = None;
            // A control plane that comes back and refuses the token is news, and so is one that refuses it and goes.
            let told = failing && refused == ended.refuses_token();
            refused = ended.refuses_token();
            if refused {
                self.applier.refused(TOKEN_REFUSED);
            } else {
                self.applier.connected(false);
            }
            self.note(&ended, told);
            failing |= !matches!(ended, Ended::WrongBase);
            tokio::select! {
                () = self.keep_key_states(backoff.wait()) => {}
                () = tasks.stopping() => return,
            }
        }
    }

    /// Logs why a stream ended, unless that was `told` before.
    fn note(&self, ended: &Ended, told: bool) {
        match ended {
            Ended::WrongBase => {}
            error if told => debug!(%error, "the control plane is unreachable"),
            refusal if refusal.refuses_token() => error!(url = self.link.url(), "{TOKEN_REFUSED}"),
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
            wants_welcome: true,
            known: self.applier.allegiance().known(),
        };
        send(&to_control, ToControl::Hello(hello)).await?;
        let mut client = self.link.config();
        let answer = timeout(OPEN_DEADLINE, client.stream(ReceiverStream::new(receiver)));
        tokio::pin!(answer);
        let answer = tokio::select! {
            answer = &mut answer => answer,
            () = sleep(CATCH_UP), if self.catching_up.is_some() => {
                self.catching_up = None;
                answer.await
            }
        };
        let answer = answer.map_err(|_| Ended::Silent(OPEN_DEADLINE))??;
        if !speaks_grpc(&answer) {
            return Err(Ended::NotGrpc);
        }
        let mut from_control = answer.into_inner();
        let mut open = false;
        let (settled, caught_up) = (sleep(SETTLED), sleep(CATCH_UP));
        tokio::pin!(settled, caught_up);

        let mut load = interval(LOAD_PERIOD);
        load.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = from_control.message() => {
                    let message = message?.ok_or(Ended::Closed)?;
                    // The stream is known to work only now: a control plane may accept and then refuse.
                    backoff.reset();
                    let first = !open;
                    self.opened(&mut open, failing);
                    let named = matches!(message.message, Some(FromControl::Welcome(_)));
                    if first && !named {
                        // One that is older says nothing of it.
                        self.catching_up = None;
                    }
                    if let Some(message) = message.message {
                        self.handle(message, &to_control).await?;
                    }
                    // A welcome that comes late says by which clock times are to be told.
                    if first || named {
                        self.met(named, &to_control).await?;
                    }
                }
                // Before the control plane's clock is known, what was learnt has no time that others understand.
                Some(state) = self.key_states.recv(), if open => send(&to_control, key_state::write(&state)).await?,
                () = &mut settled, if !open => {
                    self.opened(&mut open, failing);
                    self.met(false, &to_control).await?;
                }
                () = &mut caught_up, if self.catching_up.is_some() => self.catching_up = None,
                _ = load.tick() => {
                    self.applier.allegiance().remind();
                    send(&to_control, ToControl::Load(self.load())).await?;
                }
            }
        }
    }

    /// Tells what this node knows of upstream keys, once the control plane has answered. `named` says that it has named
    /// its database; one that has not is older than that.
    async fn met(&mut self, named: bool, to_control: &mpsc::Sender<pb::NodeMessage>) -> Result<(), Ended> {
        if !named {
            self.applier.allegiance().met_unnamed();
        }
        let known = std::mem::take(&mut self.unsent);
        let told = self.applier.state().table().map(|table| table.kept.told()).unwrap_or_default();
        for state in known.into_values().chain(told) {
            send(to_control, key_state::write(&state)).await?;
        }
        Ok(())
    }

    /// Takes over the clock of the control plane, by which times are told.
    fn set_clock(&mut self, now_ms: i64) {
        // What waits here was observed by the clock as it was.
        while let Ok(state) = self.key_states.try_recv() {
            self.keep_unsent(state);
        }
        let step = self.applier.state().clock().set(now_ms);
        if step != 0 {
            debug!(step_ms = step, "the control plane's clock differs from this node's; its time counts for keys");
            if let Some(table) = self.applier.state().table() {
                table.kept.shift(step);
            }
            for state in self.unsent.values_mut() {
                state.observed_at_ms = state.observed_at_ms.saturating_add(step);
                state.until_ms = state.until_ms.saturating_add(step);
            }
        }
    }

    /// Takes in what another node saw of an upstream key, unless it comes from a foreign control plane.
    fn learn(&mut self, message: pb::KeyState) {
        if self.applier.allegiance().is_refusing() {
            return;
        }
        if let (Some(table), Some(state)) = (self.applier.state().table(), key_state::read(message))
            && table.kept.observe(&state)
        {
            let (upstream_key, model) = (&*state.upstream_key_id, &*state.model);
            let (health, status) = (state.health.name(), state.status);
            info!(upstream_key, model, health, status, "another node says that an upstream key changed");
        }
    }

    /// Notes once that the stream is open.
    fn opened(&mut self, open: &mut bool, failing: &mut bool) {
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
            FromControl::Welcome(welcome) => {
                self.set_clock(welcome.now_ms);
                let lineage = welcome.lineage();
                let database =
                    Database { epoch: welcome.epoch.into(), version: welcome.version, ..Database::default() };
                self.applier.allegiance().met(&database, lineage);
                Ok(())
            }
            FromControl::ReplaceDatabase(replace) => {
                warn!(database = replace.epoch, "the operator says that this node takes the control plane's database");
                self.applier.allegiance().accept(&replace.epoch);
                Ok(())
            }
            FromControl::KeyState(message) | FromControl::ModelKeyState(message) => {
                if message.upstream_key_id.is_empty() {
                    self.catching_up = None;
                } else {
                    self.learn(message);
                }
                Ok(())
            }
            FromControl::Command(command) => {
                let result = match &self.commands {
                    Some(commands) => commands.carry_out(self.applier.state(), command, to_control),
                    None => Some(commands::unserved(command.id)),
                };
                match result {
                    Some(result) => send(to_control, ToControl::CommandResult(result)).await,
                    None => Ok(()),
                }
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
            Err(Refusal::Foreign(foreign)) => {
                let Database { epoch, version: known, .. } = &foreign.known;
                let known = pb::ForeignDatabase { epoch: epoch.to_string(), version: *known };
                send(to_control, ToControl::ForeignDatabase(known)).await?;
                ToControl::Nack(pb::Nack { version, reason: foreign.to_string() })
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
                Some(state) = self.key_states.recv() => self.keep_unsent(state),
            }
        }
    }

    /// Keeps `state` until there is a stream, unless too much is kept already.
    fn keep_unsent(&mut self, state: KeyState) {
        let about = (Arc::clone(&state.upstream_key_id), Arc::clone(&state.model));
        if self.unsent.len() < KEPT_KEY_STATES || self.unsent.contains_key(&about) {
            self.unsent.insert(about, state);
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

/// The memory of this process in bytes; 0 where the operating system does not tell.
fn resident_bytes() -> u64 {
    // The kernel makes this file up from memory, so reading it does not wait for a disk.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim_end_matches("kB").trim().parse::<u64>().unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests;
