//! What happens in a simulation, all of it by chance that follows from a seed: who there is, what goes wrong and when,
//! and who asks for what.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use shared::ids::Id;
use shared::snapshot::{BalancePolicy, Group, GroupPolicy, ProxyKey, Snapshot};

use super::trouble::{Fault, Trouble};
use crate::route::fixtures::{group, key, snapshot, upstream_key};

/// The models that are asked for.
pub(super) const MODELS: [&str; 2] = ["a", "b"];

/// What happens at one time.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A client asks for something.
    Request(Wanted),
    /// Something is wrong with the provider of a group, for so many milliseconds.
    Trouble(Id, Trouble, i64),
    /// Something is wrong with an upstream key, for all models where this names none, for so many milliseconds.
    Fault((Id, Arc<str>), Fault, i64),
    /// The same is wrong with all keys of a group, for all models, for so many milliseconds.
    Alike(Vec<Id>, Fault, i64),
    /// A node ends with all that it has not told, and starts anew.
    Restart(usize),
    /// Another node starts.
    Join,
    /// A node ends for good, unless it is the last one.
    Leave(usize),
    /// The connection of a node is cut, for so many milliseconds.
    Cut(usize, i64),
    /// The control plane ends with all that it knows, and starts anew after so many milliseconds.
    RestartControl(i64),
    /// The operator takes away an upstream key, or adds one.
    Config(Snapshot),
}

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The number of the node that it reaches, of those that there are then.
    pub(super) node: usize,
    pub(super) client: usize,
    pub(super) model: &'static str,
    pub(super) session: Option<u32>,
    /// Whether the request is at fault itself.
    pub(super) bad: bool,
    /// How long the client waits, in milliseconds.
    pub(super) patience: u64,
    /// How long its answer takes behind its beginning, in milliseconds.
    pub(super) answer: u64,
    /// After how many milliseconds the client leaves, where it does.
    pub(super) leaves: Option<u64>,
}

/// All that happens in one simulation.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) nodes: usize,
    pub(super) snapshot: Snapshot,
    pub(super) clients: Vec<ProxyKey>,
    /// With the time of each, in milliseconds, the earliest first.
    pub(super) events: Vec<(i64, Event)>,
}

/// How many clients there are that may use several groups. Behind these there is one for each group.
pub(super) const ANY: usize = 2;

/// When requests and troubles begin: all nodes have their config by then.
const BEGIN: i64 = 8_000;

impl Schedule {
    /// The schedule of `seed`.
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // A storm: many requests in a short time at one group, a part of which fails.
        let storm = seed.is_multiple_of(64);
        let groups: Vec<Group> =
            (0..if storm { 1 } else { rng.usize(1..=4) }).map(|number| a_group(&mut rng, number)).collect();
        let mut clients: Vec<ProxyKey> = (0..ANY).map(|number| a_client(&mut rng, number, &groups)).collect();
        clients.extend(groups.iter().map(only));
        let nodes = if storm { 1 } else { rng.usize(1..=4) };
        let lasts = if storm { 14_000 } else { rng.i64(20_000..180_000) };
        let mut schedule =
            Self { nodes, snapshot: snapshot(groups.clone(), clients.clone()), clients, events: Vec::new() };
        let requests = if storm { 420 } else { rng.usize(10..60) };
        for _ in 0..requests {
            let at = BEGIN + rng.i64(0..lasts);
            let wanted = wanted(&mut rng, &schedule.clients, &groups);
            schedule.events.push((at, Event::Request(wanted)));
        }
        if storm {
            let part = Trouble::Flaky(rng.u8(38..46));
            schedule.events.push((BEGIN, Event::Trouble(Arc::clone(&groups[0].id), part, lasts)));
        } else {
            for _ in 0..rng.usize(1..9) {
                let at = BEGIN + rng.i64(0..lasts);
                let event = what_goes_wrong(&mut rng, &groups, at, nodes);
                schedule.events.push((at, event));
            }
            schedule.configs(&mut rng, groups, lasts);
        }
        schedule.events.sort_by_key(|(at, _)| *at);
        schedule
    }

    /// Up to three changes of config: a key taken away, or one added.
    fn configs(&mut self, rng: &mut Rng, mut groups: Vec<Group>, lasts: i64) {
        let mut times: Vec<i64> = (0..rng.usize(0..4)).map(|_| BEGIN + rng.i64(0..lasts)).collect();
        times.sort_unstable();
        for (change, at) in times.into_iter().enumerate() {
            let number = rng.usize(0..groups.len());
            let group = &mut groups[number];
            if rng.bool() && group.upstream_keys.len() > 1 {
                let gone = rng.usize(0..group.upstream_keys.len());
                group.upstream_keys.remove(gone);
            } else {
                group.upstream_keys.push(upstream_key(&format!("{}-new-{change}", group.id)));
            }
            let version = self.snapshot.version + 1 + change as u64;
            let next = Snapshot { version, ..snapshot(groups.clone(), self.clients.clone()) };
            self.events.push((at, Event::Config(next)));
        }
    }
}

fn a_group(rng: &mut Rng, number: usize) -> Group {
    let id = format!("g{number}");
    let models: &[&str] = if number == 0 || rng.bool() { &MODELS } else { &MODELS[..1] };
    let mut group = group(&id, models);
    group.upstream_keys = (0..rng.usize(1..=5)).map(|key| upstream_key(&format!("{id}-{key}"))).collect();
    group.priority = rng.i32(0..3);
    group.retry_count = rng.choice([0, 3, 3, 3, 5]).unwrap_or(3);
    group.timeout = Duration::from_millis(rng.u64(1_000..5_000));
    let policies = [
        BalancePolicy::RoundRobin,
        BalancePolicy::Random,
        BalancePolicy::Weighted,
        BalancePolicy::LeastUsed,
        BalancePolicy::Latency,
    ];
    group.balance_policy = rng.choice(policies).unwrap_or_default();
    group.routing.affinity = rng.u8(0..5) > 0;
    group.routing.hedging = rng.u8(0..4) == 0;
    group.routing.weight = rng.u32(1..4);
    group.routing.queue_timeout = Duration::from_millis(rng.choice([0, 2_000, 2_000, 10_000]).unwrap_or(2_000));
    group
}

fn a_client(rng: &mut Rng, number: usize, groups: &[Group]) -> ProxyKey {
    let mut client = key(&format!("client-{number}"), &format!("sk-{number}"));
    // Turns start at random places, and in which order clients are compiled is by chance: only one goes round.
    let policies = [
        GroupPolicy::Failover,
        GroupPolicy::Weighted,
        GroupPolicy::Random,
        GroupPolicy::LeastUsed,
        GroupPolicy::Latency,
        if number == 0 { GroupPolicy::RoundRobin } else { GroupPolicy::Failover },
    ];
    client.group_policy = rng.choice(policies).unwrap_or_default();
    if number == 1 && groups.len() > 1 {
        // Never without the first, which has all models.
        let some = groups.iter().filter(|group| &*group.id == "g0" || rng.bool());
        client.allowed_groups = some.map(|group| Arc::clone(&group.id)).collect();
    }
    client
}

/// A client that may use this group alone, so that nothing but its own keys can serve it.
fn only(group: &Group) -> ProxyKey {
    let mut client = key(&format!("client-of-{}", group.id), &format!("sk-of-{}", group.id));
    client.allowed_groups = vec![Arc::clone(&group.id)];
    client
}

fn wanted(rng: &mut Rng, clients: &[ProxyKey], groups: &[Group]) -> Wanted {
    let client = if rng.u8(0..4) == 0 { rng.usize(ANY..clients.len()) } else { rng.usize(0..ANY) };
    let models = client.checked_sub(ANY).map_or(MODELS.len(), |only| groups[only].models.len());
    Wanted {
        node: rng.usize(0..64),
        client,
        model: MODELS[rng.usize(0..models)],
        session: rng.bool().then(|| rng.u32(0..6)),
        bad: rng.u8(0..25) == 0,
        patience: rng.u64(4_000..40_000),
        answer: if rng.u8(0..3) == 0 { rng.u64(0..8_000) } else { rng.u64(0..300) },
        leaves: (rng.u8(0..25) == 0).then(|| rng.u64(0..3_000)),
    }
}

fn what_goes_wrong(rng: &mut Rng, groups: &[Group], at: i64, nodes: usize) -> Event {
    let group = &groups[rng.usize(0..groups.len())];
    let lasts = rng.i64(500..60_000);
    match rng.u8(0..14) {
        0 => Event::Restart(rng.usize(0..nodes)),
        1 => Event::Join,
        2 => Event::Cut(rng.usize(0..nodes), lasts),
        3 => Event::RestartControl(lasts.min(10_000)),
        12 => Event::Leave(rng.usize(0..nodes)),
        13 => {
            let keys = group.upstream_keys.iter().map(|key| Arc::clone(&key.id)).collect();
            Event::Alike(keys, Fault::alike(rng, at), lasts)
        }
        4..=6 => Event::Trouble(Arc::clone(&group.id), Trouble::drawn(rng), lasts),
        _ => {
            let key = &group.upstream_keys[rng.usize(0..group.upstream_keys.len())].id;
            let of_model = rng.bool();
            let model = if of_model { MODELS[rng.usize(0..MODELS.len())] } else { "" };
            Event::Fault((Arc::clone(key), model.into()), Fault::drawn(rng, of_model, at), lasts)
        }
    }
}
