use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::route::turns::Turns;

/// Requests of a statistical test. A share is off by less than 0.01 then, all but never.
const MANY: usize = 40_000;

struct Pool(Vec<(String, i32, u32, Load)>);

impl Pool {
    fn of(weights: &[u32]) -> Self {
        let one = |(index, weight): (usize, &u32)| (format!("id-{index}"), 0, *weight, Load::default());
        Self(weights.iter().enumerate().map(one).collect())
    }

    fn choices(&self) -> impl Iterator<Item = Contender<'_>> {
        self.0.iter().enumerate().map(|(position, (id, priority, weight, load))| Contender {
            position,
            id,
            priority: *priority,
            weight: *weight,
            load,
            keeps: true,
        })
    }

    fn pick(&self, policy: Policy, session: Option<SessionKey>, draw: &mut Rng) -> usize {
        pick(policy, self.choices(), self.0.len(), session, draw).unwrap()
    }

    /// The share of each in many picks.
    fn shares(&self, mut pick: impl FnMut(usize) -> usize) -> Vec<f64> {
        let mut counts = vec![0.0; self.0.len()];
        (0..MANY).for_each(|turn| counts[pick(turn)] += 1.0);
        counts.iter().map(|count| count / f64::from(u32::try_from(MANY).unwrap())).collect()
    }
}

fn near(shares: &[f64], wanted: &[f64]) {
    let off = shares.iter().zip(wanted).any(|(share, wanted)| (share - wanted).abs() > 0.015);
    assert!(!off, "{shares:?} in place of {wanted:?}");
}

fn rng() -> Rng {
    Rng::with_seed(7)
}

#[test]
fn weights_decide_the_shares() {
    let (pool, mut draw) = (Pool::of(&[1, 2, 7, 0]), rng());
    for policy in [Policy::Weighted, Policy::Failover] {
        near(&pool.shares(|_| pool.pick(policy, None, &mut draw)), &[0.1, 0.2, 0.7, 0.0]);
        let sessions = pool.shares(|turn| pool.pick(policy, Some(SessionKey::named(turn)), &mut draw));
        near(&sessions, &[0.1, 0.2, 0.7, 0.0]);
    }
    near(&pool.shares(|_| pool.pick(Policy::Random, None, &mut draw)), &[0.25; 4]);
    let sessions = pool.shares(|turn| pool.pick(Policy::Random, Some(SessionKey::named(turn)), &mut draw));
    near(&sessions, &[0.25; 4]);
    // What weighs nothing serves when nothing else is left.
    let pool = Pool::of(&[0, 0]);
    near(&pool.shares(|_| pool.pick(Policy::Weighted, None, &mut draw)), &[0.5; 2]);
}

#[test]
fn the_higher_priority_comes_first_whatever_it_weighs() {
    let (mut pool, mut draw) = (Pool::of(&[1_000, 1, 1]), rng());
    pool.0[1].1 = 5;
    pool.0[2].1 = 5;
    let shares = pool.shares(|_| pool.pick(Policy::Failover, None, &mut draw));
    near(&shares, &[0.0, 0.5, 0.5]);
}

#[test]
fn turns_go_round_for_each_model_whoever_asks_at_once() {
    let (pool, turns) = (Pool::of(&[1, 1, 1]), Turns::default());
    let count = |model: &str| {
        let mut draw = rng();
        let mut counts = BTreeMap::new();
        for _ in 0..300 {
            let policy = Policy::RoundRobin { turn: turns.of(model, false) };
            *counts.entry(pool.pick(policy, None, &mut draw)).or_insert(0) += 1;
        }
        counts
    };
    assert_eq!(count("m"), BTreeMap::from([(0, 100), (1, 100), (2, 100)]));
    let mut all = BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| count("m"))).collect();
        for (position, number) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
            *all.entry(position).or_insert(0) += number;
        }
    });
    assert_eq!(all, BTreeMap::from([(0, 800), (1, 800), (2, 800)]));
    // One that is away is passed over.
    let away =
        pick(Policy::RoundRobin { turn: 1 }, pool.choices().filter(|choice| choice.position != 1), 3, None, &mut rng());
    assert_eq!(away, Some(2));
    assert_eq!(pick(Policy::Random, pool.choices().take(0), 3, None, &mut rng()), None);
}

#[test]
fn the_least_used_has_the_fewest_in_flight_then_the_fewest_so_far() {
    let (pool, mut draw) = (Pool::of(&[1, 1, 1]), rng());
    for (load, (running, over)) in pool.0.iter().map(|one| &one.3).zip([(2, 0), (1, 9), (1, 3)]) {
        (0..running).for_each(|_| load.begin());
        (0..over).for_each(|_| {
            load.begin();
            load.end();
        });
    }
    assert_eq!(pool.pick(Policy::LeastUsed, None, &mut draw), 2);
    pool.0[2].3.begin();
    assert_eq!(pool.pick(Policy::LeastUsed, None, &mut draw), 1);
}

#[test]
fn the_faster_one_of_two_is_asked_more_often() {
    let (pool, mut draw) = (Pool::of(&[1, 1, 1]), rng());
    for (load, ms) in pool.0.iter().map(|one| &one.3).zip([10, 20, 400]) {
        load.measured(Duration::from_millis(ms), 0);
    }
    // Each pair is drawn as often: the fastest wins both of its pairs, the slowest none.
    let shares = pool.shares(|_| pool.pick(Policy::Latency, None, &mut draw));
    near(&shares, &[2.0 / 3.0, 1.0 / 3.0, 0.0]);
    // What is busy waits in a queue.
    (0..5).for_each(|_| pool.0[0].3.begin());
    let shares = pool.shares(|_| pool.pick(Policy::Latency, None, &mut draw));
    near(&shares, &[1.0 / 3.0, 2.0 / 3.0, 0.0]);
}

#[test]
fn a_session_stays_where_it_is_and_comes_home() {
    let (pool, mut draw) = (Pool::of(&[1, 1, 1, 1]), rng());
    let mut moved = 0;
    for number in 0..1_000 {
        let session = Some(SessionKey::named(number));
        let home = pool.pick(Policy::Weighted, session, &mut draw);
        // Another node has drawn other numbers, and may list them in another order.
        let reversed: Vec<_> = pool.choices().collect();
        let again = pick(Policy::Random, reversed.into_iter().rev(), 4, session, &mut Rng::with_seed(number as u64));
        assert_eq!(again, Some(home));
        let without = |gone: usize| {
            pick(Policy::Weighted, pool.choices().filter(|choice| choice.position != gone), 4, session, &mut rng())
        };
        assert_ne!(without(home), Some(home));
        // Others are not moved by the failure of one.
        assert_eq!(without((home + 1) % 4), Some(home));
        moved += usize::from(without(home) == Some((home + 1) % 4));
    }
    assert!((250..420).contains(&moved), "what one had is spread over all others: {moved}");
}
