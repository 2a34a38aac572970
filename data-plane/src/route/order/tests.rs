use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::route::affinity::seed;
use crate::route::turns::Turns;

/// Requests of a statistical test. A share is off by less than 0.01 then, all but never.
const MANY: usize = 40_000;

struct Pool(Vec<(u64, i32, u32, Load, Option<u64>)>);

impl Pool {
    fn of(weights: &[u32]) -> Self {
        let one = |(index, weight): (usize, &u32)| (seed(&format!("id-{index}")), 0, *weight, Load::default(), None);
        Self(weights.iter().enumerate().map(one).collect())
    }

    fn contender(&self, position: usize) -> Contender<'_> {
        let (seed, priority, weight, load, price) = &self.0[position];
        let lot = Lot { seed: *seed, weight: *weight };
        Contender { lot, priority: *priority, load, keeps: true, price: *price }
    }

    /// A pool with weights, prices and priorities.
    fn priced(all: &[(u32, Option<u64>, i32)]) -> Self {
        let mut pool = Self::of(&all.iter().map(|(weight, ..)| *weight).collect::<Vec<_>>());
        for (one, (_, price, priority)) in pool.0.iter_mut().zip(all) {
            (one.1, one.4) = (*priority, *price);
        }
        pool
    }

    fn pick(&self, policy: Policy, session: Option<SessionKey>, draw: &mut Rng) -> usize {
        self.pick_without(&[], policy, session, draw).unwrap()
    }

    /// One of those that are not `gone`.
    fn pick_without(
        &self,
        gone: &[usize],
        policy: Policy,
        session: Option<SessionKey>,
        draw: &mut Rng,
    ) -> Option<usize> {
        let may = |position: usize| !gone.contains(&position);
        pick(policy, self.0.len(), |position| self.contender(position), may, session, draw)
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
fn the_lowest_price_comes_first_whatever_it_weighs_and_equals_share_by_weight() {
    let mut draw = rng();
    let pool = Pool::priced(&[(9, Some(5), 9), (1, Some(3), 0), (3, Some(3), 0), (9, None, 9), (9, Some(4), 9)]);
    near(&pool.shares(|_| pool.pick(Policy::Cost, None, &mut draw)), &[0.0, 0.25, 0.75, 0.0, 0.0]);
    let sessions = pool.shares(|turn| pool.pick(Policy::Cost, Some(SessionKey::named(turn)), &mut draw));
    near(&sessions, &[0.0, 0.25, 0.75, 0.0, 0.0]);
    // Of two that cost the same, the operator's own order counts. What is free is cheaper than all that is not.
    let pool = Pool::priced(&[(9, Some(3), 0), (1, Some(3), 5), (9, Some(4), 9)]);
    near(&pool.shares(|_| pool.pick(Policy::Cost, None, &mut draw)), &[0.0, 1.0, 0.0]);
    let pool = Pool::priced(&[(1, Some(1), 0), (1, Some(0), 0), (1, None, 0)]);
    near(&pool.shares(|_| pool.pick(Policy::Cost, None, &mut draw)), &[0.0, 1.0, 0.0]);
}

#[test]
fn what_is_unpriced_comes_last_by_priority_and_weight() {
    let mut draw = rng();
    let pool = Pool::priced(&[(3, None, 5), (1, None, 5), (1, Some(u64::MAX), -9), (1, None, 0)]);
    let order = |session: Option<SessionKey>, draw: &mut Rng| {
        let mut gone = Vec::new();
        while let Some(next) = pool.pick_without(&gone, Policy::Cost, session, draw) {
            gone.push(next);
        }
        gone
    };
    let mut first = 0;
    for turn in 0..4_000 {
        for session in [None, Some(SessionKey::named(turn))] {
            let order = order(session, &mut draw);
            assert_eq!((order[0], order[3]), (2, 3), "{order:?}");
            first += usize::from(order[1] == 0);
        }
    }
    assert!((5_700..6_300).contains(&first), "three of four begin at the one that weighs three: {first} of 8,000");
}

#[test]
fn a_session_stays_with_the_cheapest_and_comes_back_to_it() {
    let mut draw = rng();
    let pool = Pool::priced(&[(1, Some(2), 0), (1, Some(2), 0), (1, Some(9), 9)]);
    for number in 0..500 {
        let session = Some(SessionKey::named(number));
        let home = pool.pick(Policy::Cost, session, &mut draw);
        assert!(home < 2, "a session lives where it costs least");
        let without = |gone: &[usize]| pool.pick_without(gone, Policy::Cost, session, &mut rng());
        assert_eq!(without(&[home]), Some(1 - home), "its next best home costs the same");
        assert_eq!(without(&[0, 1]), Some(2));
        assert_eq!(without(&[1 - home]), Some(home), "others do not move it");
    }
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
    let without = |gone: &[usize]| pool.pick_without(gone, Policy::RoundRobin { turn: 1 }, None, &mut rng());
    assert_eq!((without(&[1]), without(&[1, 2]), without(&[0, 1, 2])), (Some(2), Some(0), None));
    assert_eq!(Pool::of(&[]).pick_without(&[], Policy::RoundRobin { turn: 1 }, None, &mut rng()), None);
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
        let (reversed, mut other) = (|position: usize| pool.contender(3 - position), Rng::with_seed(number as u64));
        assert_eq!(pick(Policy::Random, 4, reversed, |_| true, session, &mut other), Some(3 - home));
        let without = |gone: usize| pool.pick_without(&[gone], Policy::Weighted, session, &mut rng());
        assert_ne!(without(home), Some(home));
        // Others are not moved by the failure of one.
        assert_eq!(without((home + 1) % 4), Some(home));
        moved += usize::from(without(home) == Some((home + 1) % 4));
    }
    assert!((250..420).contains(&moved), "what one had is spread over all others: {moved}");
}

#[test]
fn what_may_not_be_picked_leaves_its_share_to_the_others_in_proportion() {
    // Of a hundred, so that few draws find one of the three that may.
    let mut weights = vec![9; 100];
    for (position, weight) in [(7, 1), (50, 3), (99, 6)] {
        weights[position] = weight;
    }
    let (pool, mut draw) = (Pool::of(&weights), rng());
    let mut shares = |policy: Policy, sessions: bool| {
        let may = |position: usize| [7, 50, 99].contains(&position);
        let all = pool.shares(|turn| {
            let session = sessions.then(|| SessionKey::named(turn));
            pick(policy, 100, |position| pool.contender(position), may, session, &mut draw).unwrap()
        });
        [7, 50, 99].map(|position: usize| all[position])
    };
    for sessions in [false, true] {
        near(&shares(Policy::Weighted, sessions), &[0.1, 0.3, 0.6]);
        near(&shares(Policy::Failover, sessions), &[0.1, 0.3, 0.6]);
        near(&shares(Policy::Random, sessions), &[1.0 / 3.0; 3]);
    }
    // Of two that are as fast, the one that was drawn first: all are as likely.
    near(&shares(Policy::Latency, false), &[1.0 / 3.0; 3]);
    pool.0[50].3.measured(Duration::from_secs(1), 0);
    near(&shares(Policy::Latency, false), &[0.5, 0.0, 0.5]);
}

#[test]
fn a_ticket_beats_another_by_its_score_whether_that_is_worked_out_or_not() {
    let mut draw = rng();
    for _ in 0..MANY {
        let [mine, mut other] = [0, 1].map(|_| {
            let weight = draw.u32(0..4) * draw.u32(1..1_000);
            Ticket { weight, number: draw.u64(..), score: None }
        });
        let [high, low] = [mine, other].map(|ticket| score(ticket.weight, chance(ticket.number)));
        assert_eq!(mine.beats(&mut other), high > low, "{mine:?} {other:?}");
    }
}
