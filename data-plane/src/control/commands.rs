//! What the control plane asks a node to do.
//!
//! - `explain`: what the plan of a request would be. It is answered at once.
//! - `probe`: asks a model for the least with one upstream key, or for the answer to a prompt; `models`: asks a
//!   provider for its models. They are traffic of providers, and run beside the config stream, a bounded number at a
//!   time.
//! - `report`: what came of it.

mod explain;
mod models;
mod probe;
mod report;

use std::sync::Arc;
use std::time::Duration;

use shared::drain::Tasks;
use shared::pb;
use shared::pb::command::Command;
use shared::pb::node_message::Message as ToControl;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::attempt::Prober;
use crate::metrics::ProbeMetrics;
use crate::route::current::ConfigState;
use report::Outcome;

/// The most commands that ask providers at a time. More are refused: the control plane asks later, or another node.
const MOST_AT_ONCE: usize = 16;

/// The longest time for a command, and the time for one that names none.
const LONGEST: Duration = Duration::from_secs(30);

/// How much later than its deadline a command is given up that has not ended by itself.
const GRACE: Duration = Duration::from_millis(500);

/// How long the connection may take to take a result.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// What a command has that this node does not serve.
const UNSERVED: &str = "not served by this version";

/// Carries out commands.
#[derive(Debug)]
pub struct Commands {
    prober: Prober,
    metrics: ProbeMetrics,
    room: Arc<Semaphore>,
    tasks: Tasks,
}

/// A command that asks a provider.
enum Errand {
    Probe(pb::ProbeUpstreamKey),
    Models(pb::ListModels),
    Prompt(pb::TestPrompt),
}

/// The result of the command `id`, which this version does not serve.
pub fn unserved(id: String) -> pb::CommandResult {
    debug!(command_id = id, "a command that this version does not serve");
    Outcome::Failed(UNSERVED.to_owned()).into_result(id, Instant::now())
}

impl Commands {
    /// Asks providers through `prober`. Commands that are under way end with `tasks`.
    pub fn new(prober: Prober, metrics: ProbeMetrics, tasks: Tasks) -> Self {
        Self { prober, metrics, room: Arc::new(Semaphore::new(MOST_AT_ONCE)), tasks }
    }

    /// Carries out `command` under the config of `state`. Every command has a result, so that the control plane does
    /// not have to wait until its deadline: it is given here where it is known at once, or else goes into `to_control`,
    /// if that is still open by then.
    pub fn carry_out(
        self: &Arc<Self>,
        state: &ConfigState,
        command: pb::Command,
        to_control: &mpsc::Sender<pb::NodeMessage>,
    ) -> Option<pb::CommandResult> {
        let started = Instant::now();
        let pb::Command { id, timeout_ms, command } = command;
        let errand = match command {
            Some(Command::Explain(asked)) => {
                return Some(Outcome::of_text(explain::answer(state, &asked)).into_result(id, started));
            }
            Some(Command::ProbeUpstreamKey(asked)) => Errand::Probe(asked),
            Some(Command::ListModels(asked)) => Errand::Models(asked),
            Some(Command::TestPrompt(asked)) => Errand::Prompt(asked),
            None => return Some(unserved(id)),
        };
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            let busy = format!("the node carries out {MOST_AT_ONCE} commands already");
            return Some(Outcome::Failed(busy).into_result(id, started));
        };
        let time = if timeout_ms == 0 { LONGEST } else { Duration::from_millis(timeout_ms).min(LONGEST) };
        let (this, state, to_control) = (Arc::clone(self), state.clone(), to_control.clone());
        self.tasks.spawn_request(async move {
            let deadline = started + time;
            let outcome = tokio::select! {
                outcome = timeout_at(deadline + GRACE, this.run(&state, errand, deadline)) => {
                    outcome.unwrap_or_else(|_| Outcome::Failed("no answer in time".to_owned()))
                }
                () = this.tasks.stopping() => Outcome::Failed("the node ends".to_owned()),
                // Nobody waits any more.
                () = to_control.closed() => return,
            };
            drop(place);
            let message = Some(ToControl::CommandResult(outcome.into_result(id, started)));
            let sent = timeout(SEND_DEADLINE, to_control.send(pb::NodeMessage { message })).await;
            if !matches!(sent, Ok(Ok(()))) {
                debug!("the result of a command is lost: the config stream is closed, or takes nothing");
            }
        });
        None
    }

    async fn run(&self, state: &ConfigState, errand: Errand, deadline: Instant) -> Outcome {
        let Some(table) = state.table() else { return Outcome::Failed("the node has no config yet".to_owned()) };
        let done = match errand {
            Errand::Probe(asked) => probe::probe(&self.prober, &table, &asked, deadline).await,
            Errand::Models(asked) => {
                return models::list(&self.prober, &table, &asked, deadline)
                    .await
                    .map_or_else(Outcome::Failed, Outcome::Done);
            }
            Errand::Prompt(asked) => probe::prompt(&self.prober, &table, &asked, deadline).await,
        };
        match done {
            Ok((result, report)) => {
                if let Some(result) = result {
                    self.metrics.ended(result);
                }
                Outcome::Done(report)
            }
            Err(why) => Outcome::Failed(why),
        }
    }
}

#[cfg(test)]
mod tests;
