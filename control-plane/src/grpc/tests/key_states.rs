//! States of upstream keys over a restart, and probes of those that are out.

use std::sync::Arc;

use shared::drain::Tasks;
use shared::marks::{Marks, Observed};
use shared::pb::command::Command;
use shared::pb::control_message::Message as Down;
use shared::pb::key_state::{Health, Pause};
use shared::pb::node_message::Message as Up;
use shared::pb::{self, ProbeUpstreamKey};
use shared::snapshot::Snapshot;
use shared::time::steady_ms;
use tokio::time::timeout;

use super::support::{PATIENCE, Plane, TestNode};
use crate::grpc::key_states::{KeyCondition, KeyStanding, KeyStates, keep};
use crate::jobs::lease::JobLease;
use crate::jobs::probes::{KeyProbes, ProbeTimes};
use crate::store::key_states::{self, StoredKeyState};
use crate::store::tests::database::execute;

const HOUR: i64 = 3_600_000;

/// The ids of a group and its key, which are in the database and published.
async fn a_key(plane: &Plane) -> (String, String) {
    let group_id = plane.add_group("g").await;
    let config = timeout(PATIENCE, async {
        loop {
            if let Some(group) = plane.publisher.snapshot().groups.get(&group_id) {
                return Arc::clone(group);
            }
            plane.publisher.checked().await;
        }
    });
    let key = config.await.unwrap().upstream_keys[0].id.to_string();
    (group_id.to_string(), key)
}

/// A state that was observed `ago` milliseconds ago.
fn state((group_id, key): &(String, String), health: Health, ago: i64) -> pb::KeyState {
    pb::KeyState {
        upstream_key_id: key.clone(),
        group_id: group_id.clone(),
        health: health.into(),
        status: 401,
        reason: "words".to_owned(),
        observed_at_ms: steady_ms() - ago,
        ..pb::KeyState::default()
    }
}

/// The same, of a key that has no money left for `left` milliseconds.
fn exhausted(key: &(String, String), left: i64, ago: i64) -> pb::KeyState {
    let until_ms = steady_ms() + left;
    pb::KeyState { until_ms, pause: Pause::Exhausted.into(), ..state(key, Health::CoolingDown, ago) }
}

/// What a control plane knows that starts now.
async fn restarted(plane: &Plane) -> KeyStates {
    let states = KeyStates::default();
    states.restore(&plane.store).await.unwrap();
    states
}

fn told(states: &KeyStates) -> Vec<pb::KeyState> {
    states.follow().0.iter().map(|state| state.as_ref().clone()).collect()
}

fn is_out(states: &KeyStates, key: &(String, String)) -> bool {
    states.of(&key.1).iter().any(|state| state.marks.outage(steady_ms()).is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn p38_what_is_known_of_keys_survives_a_restart_of_everything() {
    let plane = Plane::start().await;
    let key = a_key(&plane).await;
    let spent = exhausted(&key, 30 * HOUR, 500);
    let of_model = pb::KeyState { model: "gpt-4o".to_owned(), ..state(&key, Health::Invalid, 400) };
    let states = &plane.registry.key_states;
    assert!(states.observed("n1", spent.clone()) && states.observed("n1", of_model.clone()));
    states.write(&plane.store).await.unwrap();

    let states = restarted(&plane).await;
    let mut known = told(&states);
    known.sort_by(|left, right| left.model.cmp(&right.model));
    assert_eq!(known, [spent.clone(), of_model.clone()], "with the words, and the times of before");

    // The key recovers, and all restarts again. What a node says that comes back with old news counts for nothing.
    let just_before = exhausted(&key, HOUR, 50);
    assert!(states.observed("n2", state(&key, Health::Valid, 0)));
    assert!(states.observed("n2", pb::KeyState { model: "gpt-4o".to_owned(), ..state(&key, Health::Valid, 0) }));
    states.write(&plane.store).await.unwrap();
    let states = restarted(&plane).await;
    for old in [spent, of_model, just_before] {
        assert!(states.observed("n1", old));
    }
    assert!(!is_out(&states, &key));
    assert!(states.observed("n1", exhausted(&key, HOUR, 0)), "and new news does");
    assert!(is_out(&states, &key));
}

#[tokio::test(flavor = "multi_thread")]
async fn p38_what_was_kept_by_a_clock_that_has_gone_back_since_puts_no_recovered_key_out() {
    let plane = Plane::start().await;
    let (spent, refused) = (a_key(&plane).await, "gpt-4o".to_owned());
    let now = steady_ms();
    let stored = |model: &str, observed| StoredKeyState {
        upstream_key_id: spent.1.clone(),
        model: model.to_owned(),
        group_id: spent.0.clone(),
        marks: Marks::of(observed, now + 2 * HOUR - 5_000, 401),
        ..StoredKeyState::default()
    };
    let exhaustion = stored("", Observed::Exhausted { until: now + 12 * HOUR, times: 0 });
    let states = [exhaustion, stored(&refused, Observed::Refused { times: 0 })];
    key_states::keep(&plane.store, &states, now + 2 * HOUR).await.unwrap();
    let states = restarted(&plane).await;
    let whole = states.of(&spent.1).into_iter().find(|state| state.model.is_empty()).unwrap();
    let (_, mark) = whole.marks.outage(steady_ms()).unwrap();
    let left = mark.until - steady_ms();
    assert!((left - 10 * HOUR).abs() < 60_000, "the end that was stated moves with the clock: {left}");
    assert_eq!(states.of(&spent.1).iter().filter(|state| state.marks.outage(steady_ms()).is_some()).count(), 1);

    // A node that ran meanwhile says that it has recovered, minutes before the control plane came back.
    assert!(states.observed("n1", state(&spent, Health::Valid, 120_000)));
    states.write(&plane.store).await.unwrap();
    assert!(!is_out(&states, &spent), "not by what the database had either");
    assert!(!is_out(&restarted(&plane).await, &spent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_loses_nothing_and_another_ones_news_are_taken_over() {
    let plane = Plane::start().await;
    let key = a_key(&plane).await;
    let states = &plane.registry.key_states;
    assert!(states.observed("n1", state(&key, Health::Invalid, 500)));
    execute(&plane.store, "ALTER TABLE key_states RENAME TO elsewhere").await;
    assert!(states.write(&plane.store).await.is_err());
    assert!(states.observed("n1", pb::KeyState { model: "m".to_owned(), ..state(&key, Health::Invalid, 400) }));
    execute(&plane.store, "ALTER TABLE elsewhere RENAME TO key_states").await;
    states.write(&plane.store).await.unwrap();
    let other = restarted(&plane).await;
    assert_eq!(told(&other).len(), 2);

    // Of two control planes each hears what the other one has written, and its nodes are told.
    assert!(other.observed("n2", state(&key, Health::Valid, 100)));
    other.write(&plane.store).await.unwrap();
    let (_, mut news) = states.follow();
    assert!(states.observed("n1", exhausted(&key, HOUR, 200)));
    states.write(&plane.store).await.unwrap();
    assert_eq!(news.recv().await.unwrap().pause(), Pause::Exhausted);
    states.hear(&plane.store).await.unwrap();
    assert_eq!(news.recv().await.unwrap().health(), Health::Valid);
    other.hear(&plane.store).await.unwrap();
    for replica in [states.as_ref(), &other] {
        let whole = replica.of(&key.1).into_iter().find(|state| state.model.is_empty()).unwrap();
        assert_eq!(whole.marks.outage(steady_ms()), None, "older news puts no recovered key out");
    }

    // What was heard is not written again, so two do not wake each other for ever.
    let before = key_states::load(&plane.store, 9).await.unwrap().version;
    for replica in [states.as_ref(), &other] {
        replica.hear(&plane.store).await.unwrap();
        replica.write(&plane.store).await.unwrap();
    }
    assert_eq!(key_states::load(&plane.store, 9).await.unwrap().version, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn states_of_a_writer_that_does_not_know_the_time_of_the_fleet_are_left_alone() {
    let plane = Plane::start().await;
    let key = a_key(&plane).await;
    let ahead = StoredKeyState {
        upstream_key_id: key.1.clone(),
        group_id: key.0.clone(),
        marks: Marks::of(Observed::Refused { times: 0 }, steady_ms() + HOUR, 401),
        ..StoredKeyState::default()
    };
    key_states::keep(&plane.store, std::slice::from_ref(&ahead), steady_ms()).await.unwrap();
    let states = &plane.registry.key_states;
    states.hear(&plane.store).await.unwrap();
    assert!(!is_out(states, &key));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_news_are_kept_when_the_program_ends() {
    let plane = Plane::start().await;
    let key = a_key(&plane).await;
    let tasks = Tasks::new();
    let states = Arc::clone(&plane.registry.key_states);
    tasks
        .spawn("key states", keep(Arc::clone(&states), plane.store.clone(), plane.publisher.replaced(), tasks.clone()));
    assert!(states.observed("n1", state(&key, Health::Invalid, 0)));
    assert!(tasks.drain("key states", PATIENCE).await);
    assert!(is_out(&restarted(&plane).await, &key));
}

/// The next probe that the node is told to make. Other messages are passed over.
async fn probe(node: &mut TestNode) -> (String, ProbeUpstreamKey) {
    loop {
        match node.hear().await.unwrap() {
            Some(Down::Command(pb::Command { id, command: Some(Command::ProbeUpstreamKey(probe)), .. })) => {
                return (id, probe);
            }
            Some(_) => {}
            None => panic!("the stream has ended"),
        }
    }
}

async fn ends(node: &TestNode, id: String, status: u32) {
    let result = pb::CommandResult { id, ok: status == 200, status, ..pb::CommandResult::default() };
    node.say(Up::CommandResult(result)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_probed_by_one_node_after_the_other_until_it_works() {
    let plane = Plane::start().await;
    let key = a_key(&plane).await;
    let mut nodes = [plane.node("n0", &Snapshot::default()).await, plane.node("n1", &Snapshot::default()).await];
    for node in &mut nodes {
        node.apply().await;
    }
    let (publisher, registry) = (Arc::clone(&plane.publisher), Arc::clone(&plane.registry));
    let lease = JobLease::start(plane.store.clone(), || true, &plane.tasks);
    let probes = KeyProbes::new(publisher, registry, lease, ProbeTimes::from_first(500));
    plane.tasks.spawn("key probes", probes.run(plane.tasks.clone()));
    nodes[0].say(Up::KeyState(state(&key, Health::Invalid, 0))).await;
    let expected =
        ProbeUpstreamKey { group_id: key.0.clone(), upstream_key_id: key.1.clone(), model: "gpt-4o".to_owned() };
    let [first, second] = &mut nodes;
    let (node, (id, asked)) = tokio::select! {
        asked = probe(first) => (&*first, asked),
        asked = probe(second) => (&*second, asked),
    };
    assert_eq!(asked, expected);
    // The node tells what it has learnt as after any request.
    node.say(Up::KeyState(state(&key, Health::Valid, 0))).await;
    ends(node, id, 200).await;
    let known = async {
        loop {
            let config = plane.publisher.snapshot();
            let upstream_key = &config.groups[key.0.as_str()].upstream_keys[0];
            let standing = KeyStanding::at(steady_ms(), upstream_key, &plane.registry.key_states.of(&key.1));
            if standing.condition == KeyCondition::Ok {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, known).await.unwrap();
}
