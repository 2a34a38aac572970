//! Probes of upstream keys that are refused, or that have no money left where their provider named no time. A node
//! tries each a little before its time is over, so that it does not come back to clients as long as it does not work,
//! and comes back without a client where it does. `docs/ROUTING.md`, section Keys, has the rules.

mod schedule;

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use shared::drain::Tasks;
use shared::pb;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info};

use self::schedule::{DueProbe, ProbeSchedule};
use crate::grpc::probing::ProbeTarget;
use crate::grpc::registry::{CommandError, NodeRegistry};
use crate::jobs::lease::JobLease;
use crate::snapshot::publish::Publisher;

pub(crate) use self::schedule::ProbeTimes;

/// How often it is looked what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The most probes that are under way.
const MOST_UNDER_WAY: usize = 8;

/// Has nodes probe upstream keys.
#[derive(Debug)]
pub(crate) struct KeyProbes {
    publisher: Arc<Publisher>,
    nodes: Arc<NodeRegistry>,
    schedule: ProbeSchedule,
    lease: Arc<JobLease>,
    /// Whose turn it is of the nodes.
    turn: usize,
}

impl KeyProbes {
    /// Probes by the config of `publisher`, through `nodes`, at these times, while this process has the `lease`.
    pub(crate) fn new(
        publisher: Arc<Publisher>,
        nodes: Arc<NodeRegistry>,
        lease: Arc<JobLease>,
        times: ProbeTimes,
    ) -> Self {
        Self { publisher, nodes, schedule: ProbeSchedule::new(times), lease, turn: 0 }
    }

    /// Probes until `tasks` stop. What is under way then is given up; the node finishes it, and tells what it has
    /// learnt when the control plane is back.
    pub(crate) async fn run(mut self, tasks: Tasks) {
        let mut under_way = FuturesUnordered::new();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = tasks.stopping() => return,
                Some((due, outcome)) = under_way.next() => self.ended(&due, &outcome),
                _ = look.tick() => {
                    for (node, due) in self.due(MOST_UNDER_WAY - under_way.len()) {
                        under_way.push(probe(Arc::clone(&self.nodes), node, due));
                    }
                }
            }
        }
    }

    /// Up to `most` probes that are due now, each with the node that makes it.
    fn due(&mut self, most: usize) -> Vec<(String, DueProbe)> {
        let nodes = self.nodes.serving();
        if nodes.is_empty() || most == 0 || !self.lease.is_held() {
            return Vec::new();
        }
        let states = &self.nodes.key_states;
        let due = self.schedule.due(states.now(), &self.publisher.snapshot(), &states.known(), most);
        let node = |due| {
            self.turn = self.turn.wrapping_add(1);
            (nodes[self.turn % nodes.len()].clone(), due)
        };
        due.into_iter().map(node).collect()
    }

    fn ended(&mut self, due: &DueProbe, outcome: &Result<pb::CommandResult, CommandError>) {
        self.schedule.ended(self.nodes.key_states.now(), due, outcome.is_ok());
        let ProbeTarget { upstream_key_id, model, .. } = &due.target;
        match outcome {
            Ok(result) if result.ok => {
                info!(upstream_key = upstream_key_id, model, "a probed upstream key works again");
            }
            Ok(pb::CommandResult { status, error, .. }) => {
                debug!(upstream_key = upstream_key_id, model, status, error, "a probed upstream key does not work");
            }
            Err(error) => debug!(upstream_key = upstream_key_id, model, %error, "an upstream key was not probed"),
        }
    }
}

async fn probe(
    nodes: Arc<NodeRegistry>,
    node: String,
    due: DueProbe,
) -> (DueProbe, Result<pb::CommandResult, CommandError>) {
    let outcome = nodes.probe(&node, &due.target).await;
    (due, outcome)
}
