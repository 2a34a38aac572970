//! Nodes with the real route tables and walkers, and a model of the control plane between them. It merges and relays
//! news of keys as `control-plane/src/grpc/key_states.rs` does, and nodes connect as
//! `data-plane/src/control/subscribe.rs` has them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use shared::ids::Id;
use shared::marks::{Marks, Observed, believed};
use shared::snapshot::Snapshot;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::clock::{self, EPOCH};
use super::judge::Machine;
use super::link::{attend, connect};
use super::world::{About, Providers};
use crate::attempt::walk::Walker;
use crate::metrics::series::SeriesStore;
use crate::provider::redact::GroupSecrets;
use crate::route::current::ConfigState;
use crate::route::health::{Health, KeyState};
use crate::route::kept::{Kept, KeptGroup};
use crate::route::table::RouteTable;
use crate::upstream::{Exit, Upstream};
use shared::clock::FleetClock;

/// The farthest that the clock of a machine is off, in milliseconds.
const HOUR: i64 = 3_600_000;

/// The messages that a node holds for its connection.
const QUEUE: usize = 4_096;

/// A running data plane.
pub(super) struct Node {
    /// How often it has begun anew.
    pub(super) generation: u32,
    /// How far its clock is ahead, in milliseconds.
    pub(super) ahead: i64,
    pub(super) config: ConfigState,
    pub(super) walker: Arc<Walker>,
    pub(super) link: Link,
    /// What it has learnt while there was no connection.
    unsent: BTreeMap<About, KeyState>,
    /// What it learns, or hears, before it knows the time.
    pub(super) early: (Vec<KeyState>, Vec<KeyState>),
    /// When its connection may be made again.
    pub(super) cut_until: i64,
    /// Whether it has left.
    pub(super) gone: bool,
}

/// The connection of a node, by the number of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Cut,
    Opening(u64),
    Open(u64),
}

/// The control plane.
pub(super) struct Control {
    pub(super) up: bool,
    pub(super) ahead: i64,
    known: BTreeMap<About, Marks>,
    /// What it has told of each key last, of which only the ids are used.
    last: BTreeMap<About, KeyState>,
    pub(super) sessions: u64,
}

/// All nodes and the control plane.
pub(super) struct Fleet {
    pub(super) providers: Arc<Providers>,
    pub(super) nodes: Vec<Node>,
    pub(super) control: Control,
    snapshot: Arc<Snapshot>,
    pub(super) rng: Rng,
    upstream: Upstream,
    /// Whether messages are quick now, and none comes twice.
    pub(super) calm: bool,
}

/// The fleet, shared by the tasks of one thread. It is never borrowed over an await.
pub(super) type Shared = Rc<RefCell<Fleet>>;

impl Fleet {
    /// So many nodes with the config `snapshot`, which connect soon.
    pub(super) fn start(
        nodes: usize,
        snapshot: Arc<Snapshot>,
        providers: &Arc<Providers>,
        upstream: Upstream,
        seed: u64,
    ) -> Shared {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let ahead = off(&mut rng);
        let control = Control { up: true, ahead, known: BTreeMap::new(), last: BTreeMap::new(), sessions: 0 };
        let providers = Arc::clone(providers);
        let fleet = Self { providers, nodes: Vec::new(), control, snapshot, rng, upstream, calm: false };
        let fleet = Rc::new(RefCell::new(fleet));
        for _ in 0..nodes {
            join(&fleet);
        }
        fleet
    }

    /// The node of this number, and how often it has begun anew.
    pub(super) fn machine(&self, node: usize) -> Machine {
        (node, self.nodes[node].generation)
    }

    /// From now on messages are quick, so that all is known everywhere soon.
    pub(super) fn calm_down(&mut self) {
        self.calm = true;
    }

    /// The nodes that have not left, by their numbers.
    pub(super) fn present(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter(|(_, node)| !node.gone)
    }

    pub(super) fn node(&mut self, (node, generation): Machine) -> Option<&mut Node> {
        self.nodes.get_mut(node).filter(|node| node.generation == generation && !node.gone)
    }

    /// How long the next message is under way.
    pub(super) fn delay(&mut self) -> Duration {
        let most = if self.calm {
            100
        } else if self.rng.u8(0..20) == 0 {
            6_000
        } else {
            600
        };
        Duration::from_millis(self.rng.u64(1..most))
    }

    fn fresh(&mut self, generation: u32) -> (Node, mpsc::Receiver<KeyState>) {
        let (states, learnt) = mpsc::channel(QUEUE);
        let walker = Arc::new(Walker::new(self.upstream.another(), states, Duration::from_mins(1)));
        let ahead = off(&mut self.rng);
        let config = ConfigState::default();
        // The last good config is on its disk.
        let kept = with_secrets(&self.snapshot, config.clock());
        clock::on(ahead, || config.replace(RouteTable::compile(Arc::clone(&self.snapshot), Some(&kept))));
        let (link, unsent, early, cut_until) = (Link::Cut, BTreeMap::new(), (Vec::new(), Vec::new()), 0);
        (Node { generation, ahead, config, walker, link, unsent, early, cut_until, gone: false }, learnt)
    }

    /// The control plane hears `state` from `from`, and relays it where it is news.
    pub(super) fn observed(&mut self, from: Machine, state: &KeyState) -> Vec<(Machine, u64, KeyState)> {
        let now = EPOCH + clock::now() + self.control.ahead;
        let (observed, at) = believed(state.observed(), state.observed_at_ms, now);
        let news = Marks::of(observed, at, state.status);
        let about = (Arc::clone(&state.upstream_key_id), Arc::clone(&state.model));
        let known = self.control.known.entry(about.clone()).or_default();
        if !known.merge(&news) {
            return Vec::new();
        }
        let taken = news.told(at).map(|(taken, ..)| taken).find(|taken| *taken != Observed::Worked);
        let mut relayed = KeyState { observed_at_ms: at, ..state.clone().with(observed) };
        if let Some(taken) = taken {
            relayed = relayed.with(taken);
        }
        self.control.last.insert(about, relayed.clone());
        let believed = at == state.observed_at_ms;
        let mut sent = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Link::Opening(session) | Link::Open(session) = node.link
                && !(believed && number == from.0)
            {
                sent.push(((number, node.generation), session, relayed.clone()));
            }
        }
        sent
    }

    /// What the control plane tells a node that connects.
    pub(super) fn follow(&self) -> Vec<KeyState> {
        let now = EPOCH + clock::now() + self.control.ahead;
        let known = self.control.known.iter().filter(|(_, marks)| !marks.is_over(now));
        let messages = known.flat_map(|(about, marks)| {
            let last = &self.control.last[about];
            let message =
                |(observed, observed_at_ms, status)| KeyState { status, observed_at_ms, ..last.clone().with(observed) };
            marks.told(now).map(message).collect::<Vec<_>>()
        });
        messages.collect()
    }

    /// `machine` hears `state` over its session.
    pub(super) fn heard(&mut self, machine: Machine, session: u64, state: KeyState) {
        let providers = Arc::clone(&self.providers);
        let Some(node) = self.node(machine) else { return };
        match node.link {
            Link::Opening(own) if own == session => node.early.1.push(state),
            Link::Open(own) if own == session => {
                let ahead = node.ahead;
                let Some(table) = node.config.table() else { return };
                clock::on(ahead, || table.kept.observe(&state));
                let about = (Arc::clone(&state.upstream_key_id), Arc::clone(&state.model));
                let until = node.config.clock().steady(state.until_ms) - EPOCH - ahead;
                let mut providers = providers.state();
                providers
                    .judge
                    .note(|| format!("node {machine:?} hears {:?} of {about:?} until {until}", state.health));
                if matches!(state.health, Health::CoolingDown | Health::Exhausted) {
                    providers.judge.told(machine, &about, until);
                }
            }
            _ => {}
        }
    }

    /// The control plane says that it is `now` for it. Gives what the node tells in turn.
    pub(super) fn welcomed(&mut self, machine: Machine, session: u64, now: i64) -> Vec<KeyState> {
        let snapshot = Arc::clone(&self.snapshot);
        let Some(node) = self.node(machine).filter(|node| node.link == Link::Opening(session)) else {
            return Vec::new();
        };
        let Some(table) = node.config.table() else { return Vec::new() };
        let told = clock::on(node.ahead, || {
            let step = node.config.clock().set(now);
            if step != 0 {
                table.kept.shift(step);
                for state in node.unsent.values_mut() {
                    state.observed_at_ms = state.observed_at_ms.saturating_add(step);
                    state.until_ms = state.until_ms.saturating_add(step);
                }
            }
            if table.snapshot.version < snapshot.version {
                node.config.compile(snapshot);
            }
            let mut told = table.kept.told();
            told.sort_by(|left, right| {
                about(left).cmp(&about(right)).then(left.observed_at_ms.cmp(&right.observed_at_ms))
            });
            told
        });
        node.link = Link::Open(session);
        let (learnt, heard) = std::mem::take(&mut node.early);
        let unsent = std::mem::take(&mut node.unsent);
        for state in heard {
            self.heard(machine, session, state);
        }
        unsent.into_values().chain(told).chain(learnt).collect()
    }
}

thread_local! {
    /// The secrets of groups, by the keys that these have. It takes longer to prepare them than all else of a node.
    static SECRETS: RefCell<HashMap<Vec<Id>, GroupSecrets>> = RefCell::default();
}

/// What a node knows that has just begun: nothing but the secrets of the groups of `snapshot`.
fn with_secrets(snapshot: &Snapshot, clock: &Arc<FleetClock>) -> Kept {
    let mut kept = Kept::new(Arc::clone(clock), SeriesStore::default());
    // Chance is drawn for the turns of each, so the order matters.
    let groups: BTreeMap<_, _> = snapshot.groups.iter().collect();
    for group in groups.into_values() {
        let keys = group.upstream_keys.iter().map(|key| Arc::clone(&key.id)).collect();
        let secrets = SECRETS.with_borrow_mut(|all| all.entry(keys).or_insert_with(|| GroupSecrets::of(group)).clone());
        let group = KeptGroup {
            exit: Arc::new(Exit::of(group)),
            config: Arc::clone(group),
            secrets,
            refusals: Arc::default(),
            models: Arc::default(),
            load: Arc::default(),
            turns: Arc::default(),
            retries: Arc::default(),
            rest: Arc::default(),
            compiled: None,
        };
        kept.keep_group(&Arc::clone(&group.config.id), group);
    }
    kept
}

fn about(state: &KeyState) -> (&str, &str) {
    (&state.upstream_key_id, &state.model)
}

/// How far a clock is off, in milliseconds.
fn off(rng: &mut Rng) -> i64 {
    if rng.u8(0..3) == 0 { 0 } else { rng.i64(-HOUR..HOUR) }
}

/// Another node starts.
pub(super) fn join(fleet: &Shared) {
    let (number, learnt) = {
        let mut fleet = fleet.borrow_mut();
        let (node, learnt) = fleet.fresh(0);
        fleet.nodes.push(node);
        (fleet.nodes.len() - 1, learnt)
    };
    attend(fleet, number, learnt);
}

/// A node ends at once, with all that it has not told, and starts anew.
pub(super) fn restart(fleet: &Shared, number: usize) {
    let learnt = {
        let mut fleet = fleet.borrow_mut();
        let generation = fleet.nodes[number].generation + 1;
        let (node, learnt) = fleet.fresh(generation);
        fleet.nodes[number] = node;
        learnt
    };
    attend(fleet, number, learnt);
}

/// A node ends for good, with all that it has not told, unless it is the last one.
pub(super) fn leave(fleet: &Shared, number: usize) {
    let mut fleet = fleet.borrow_mut();
    if fleet.present().count() > 1 {
        let node = &mut fleet.nodes[number];
        (node.link, node.gone) = (Link::Cut, true);
    }
}

/// The connection of a node is cut for so many milliseconds.
pub(super) fn cut(fleet: &Shared, number: usize, time: i64) {
    let machine = {
        let mut fleet = fleet.borrow_mut();
        let node = &mut fleet.nodes[number];
        node.cut_until = clock::now() + time;
        node.hang_up();
        fleet.machine(number)
    };
    connect(fleet, machine);
}

/// The control plane ends, and starts anew after so many milliseconds, with another clock. It has forgotten all.
pub(super) fn restart_control(fleet: &Shared, time: i64) {
    let machines: Vec<Machine> = {
        let mut fleet = fleet.borrow_mut();
        let ahead = off(&mut fleet.rng);
        let sessions = fleet.control.sessions;
        fleet.control = Control { up: false, ahead, known: BTreeMap::new(), last: BTreeMap::new(), sessions };
        fleet.nodes.iter_mut().for_each(Node::hang_up);
        (0..fleet.nodes.len()).map(|number| fleet.machine(number)).collect()
    };
    let back = Rc::clone(fleet);
    spawn_local(async move {
        sleep(Duration::from_millis(u64::try_from(time).unwrap_or_default())).await;
        back.borrow_mut().control.up = true;
    });
    for machine in machines {
        connect(fleet, machine);
    }
}

/// There is a new config, which reaches the nodes that are connected.
pub(super) fn publish(fleet: &Shared, snapshot: Snapshot) {
    let snapshot = Arc::new(snapshot);
    let mut all = fleet.borrow_mut();
    all.snapshot = Arc::clone(&snapshot);
    for number in 0..all.nodes.len() {
        let (machine, link, delay) = (all.machine(number), all.nodes[number].link, all.delay());
        let (fleet, snapshot) = (Rc::clone(fleet), Arc::clone(&snapshot));
        spawn_local(async move {
            sleep(delay).await;
            let mut fleet = fleet.borrow_mut();
            let Some(node) = fleet.node(machine).filter(|node| node.link == link && link != Link::Cut) else { return };
            let older = node.config.table().is_none_or(|table| table.snapshot.version < snapshot.version);
            if older {
                clock::on(node.ahead, || node.config.compile(snapshot));
            }
        });
    }
}

impl Node {
    /// Its connection is gone, and what it holds for it waits for the next.
    fn hang_up(&mut self) {
        self.link = Link::Cut;
        let (learnt, _lost) = std::mem::take(&mut self.early);
        for state in learnt {
            self.keep(state);
        }
    }

    pub(super) fn keep(&mut self, state: KeyState) {
        self.unsent.insert((Arc::clone(&state.upstream_key_id), Arc::clone(&state.model)), state);
    }
}
