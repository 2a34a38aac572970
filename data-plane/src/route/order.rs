//! In which order candidates are tried. Pure: what a policy knows of load, time and chance is handed in.
//!
//! A request mostly needs the first candidate only, so nothing is sorted: [`pick`] finds the next one among those that
//! are left, in one pass at most and without memory of its own.

use std::cmp::Ordering;

use fastrand::Rng;
use shared::snapshot::{BalancePolicy, Group, GroupPolicy};

use super::affinity::SessionKey;
use super::load::Load;

/// How many are drawn before those that are left are looked for.
const MOST_DRAWS: usize = 8;

/// How the next one is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The highest priority, and among equals at random by weight.
    Failover,
    /// The lowest price, and among equals as [`Self::Failover`]. What has none comes behind all that have one.
    Cost,
    /// One after the other, from `turn` on.
    RoundRobin {
        /// The position of the first one.
        turn: usize,
    },
    /// At random.
    Random,
    /// At random, by weight.
    Weighted,
    /// The one with the fewest attempts in flight, and of those the one with the fewest so far.
    LeastUsed,
    /// The one that costs less of two that are drawn at random, by the time to the first byte and the attempts in
    /// flight.
    Latency,
}

impl Policy {
    /// The policy of a proxy key. `turn` is asked for where it matters.
    pub fn of_groups(policy: GroupPolicy, turn: impl FnOnce() -> usize) -> Self {
        match policy {
            GroupPolicy::Failover => Self::Failover,
            GroupPolicy::Cost => Self::Cost,
            GroupPolicy::RoundRobin => Self::RoundRobin { turn: turn() },
            GroupPolicy::Random => Self::Random,
            GroupPolicy::Weighted => Self::Weighted,
            GroupPolicy::LeastUsed => Self::LeastUsed,
            GroupPolicy::Latency => Self::Latency,
        }
    }

    /// The policy of a group. `turn` is asked for where it matters.
    pub fn of_keys(policy: BalancePolicy, turn: impl FnOnce() -> usize) -> Self {
        match policy {
            BalancePolicy::RoundRobin => Self::RoundRobin { turn: turn() },
            BalancePolicy::Random => Self::Random,
            BalancePolicy::Weighted => Self::Weighted,
            BalancePolicy::LeastUsed => Self::LeastUsed,
            BalancePolicy::Latency => Self::Latency,
        }
    }
}

/// What decides at random between those that may be picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// What it is known by to every node, as a number ([`seed`](super::affinity::seed)).
    pub seed: u64,
    /// Its weight. 0: only when nothing else is left.
    pub weight: u32,
}

/// One of those that may be picked.
#[derive(Clone, Copy, Debug)]
pub struct Contender<'c> {
    /// What decides at random.
    pub lot: Lot,
    /// The higher one goes first, where the policy asks.
    pub priority: i32,
    /// How busy it is.
    pub load: &'c Load,
    /// Whether conversations stay with it.
    pub keeps: bool,
    /// What a typical request costs there, in micro-dollars per million tokens, where the policy asks and it is known.
    pub price: Option<u64>,
}

/// The position of the next one of `all` that `may` be picked. Whether one may is asked only of those that would be
/// picked then: it takes longer than to compare two, and mostly the first that is asked may.
///
/// Where there is a `session`, it goes to the same one as long as that is there, by rendezvous hashing: nodes agree
/// without talking, what one candidate had is spread over all others when it is away, and comes home afterwards.
pub fn pick<'c>(
    policy: Policy,
    all: usize,
    contender: impl Fn(usize) -> Contender<'c>,
    may: impl Fn(usize) -> bool,
    session: Option<SessionKey>,
    draw: &mut Rng,
) -> Option<usize> {
    match (policy, session) {
        (Policy::RoundRobin { turn }, None) => {
            let first = turn.checked_rem(all)?;
            (first..all).chain(0..first).find(|position| may(*position))
        }
        (Policy::Random, None) => any(all, may, draw),
        (Policy::LeastUsed, None) => least_used(all, contender, may),
        (Policy::Latency, None) => faster_of_two(all, contender, may, draw),
        (Policy::Failover, _) => luckiest(all, contender, |one| one.priority, may, session, draw),
        (Policy::Cost, _) => luckiest(all, contender, |one| (cheapness(one.price), one.priority), may, session, draw),
        (Policy::Weighted, _) => luckiest(all, contender, |_| (), may, session, draw),
        _ => {
            let alike = |position: usize| {
                let one = contender(position);
                Contender { lot: Lot { weight: 1, ..one.lot }, ..one }
            };
            luckiest(all, alike, |_| (), may, session, draw)
        }
    }
}

/// One at random: all that `may` are as likely.
fn any(all: usize, may: impl Fn(usize) -> bool, draw: &mut Rng) -> Option<usize> {
    if all == 0 {
        return None;
    }
    for _ in 0..MOST_DRAWS {
        let drawn = draw.usize(..all);
        if may(drawn) {
            return Some(drawn);
        }
    }
    // Few are left, so they are looked for: a reservoir of one.
    let left = (0..all).filter(|position| may(*position)).enumerate();
    left.fold(None, |kept, (before, position)| if draw.usize(..=before) == 0 { Some(position) } else { kept })
}

/// The one with the fewest attempts in flight, and of those the one with the fewest so far, the first of several.
fn least_used<'c>(
    all: usize,
    contender: impl Fn(usize) -> Contender<'c>,
    may: impl Fn(usize) -> bool,
) -> Option<usize> {
    let mut best: Option<((u32, u64), usize)> = None;
    for position in 0..all {
        let load = contender(position).load;
        let used = (load.in_flight(), load.used());
        if best.is_none_or(|(fewest, _)| used < fewest) && may(position) {
            best = Some((used, position));
        }
    }
    best.map(|(_, position)| position)
}

/// Of two that are drawn at random, the one that costs less. All are as likely to be drawn.
fn faster_of_two<'c>(
    all: usize,
    contender: impl Fn(usize) -> Contender<'c>,
    may: impl Fn(usize) -> bool,
    draw: &mut Rng,
) -> Option<usize> {
    let first = any(all, &may, draw)?;
    let second = any(all, |position| position != first && may(position), draw);
    let cost = |position: usize| contender(position).load.cost();
    second.filter(|second| cost(*second) < cost(first)).or(Some(first))
}

/// Of the highest class, whatever else counts, the one whose ticket wins.
fn luckiest<'c, C: Copy + Ord>(
    all: usize,
    contender: impl Fn(usize) -> Contender<'c>,
    class: impl Fn(&Contender<'c>) -> C,
    may: impl Fn(usize) -> bool,
    session: Option<SessionKey>,
    draw: &mut Rng,
) -> Option<usize> {
    let mut best: Option<(usize, C, Ticket)> = None;
    for position in 0..all {
        let one = contender(position);
        let class = class(&one);
        let number = match session {
            Some(session) if one.keeps => session.number(one.lot.seed),
            _ => draw.u64(..),
        };
        let ticket = Ticket { weight: one.lot.weight, number, score: None };
        let wins = match &mut best {
            None => true,
            Some((_, highest, before)) => match class.cmp(highest) {
                Ordering::Less => false,
                Ordering::Equal => ticket.beats(before),
                Ordering::Greater => true,
            },
        };
        if wins && may(position) {
            best = Some((position, class, ticket));
        }
    }
    best.map(|(position, ..)| position)
}

/// How cheap something is. What has no price is dearer than all that has one.
fn cheapness(price: Option<u64>) -> i64 {
    price.map_or(i64::MIN, |price| -i64::try_from(price).unwrap_or(i64::MAX))
}

/// What one of several has drawn. The highest score wins.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    weight: u32,
    number: u64,
    /// The score, once it has been worked out.
    score: Option<f64>,
}

impl Ticket {
    /// Whether its score is above that of `other`. The scores are not worked out where that can be told without, which
    /// is mostly so.
    fn beats(self, other: &mut Self) -> bool {
        if self.weight == other.weight {
            return self.number > other.number;
        }
        let Self { weight, number, .. } = *other;
        let to_beat = *other.score.get_or_insert_with(|| score(weight, chance(number)));
        let chance = chance(self.number);
        // A logarithm is never above its tangent: -ln(x) ≥ 1 - x.
        f64::from(self.weight) >= to_beat * (1.0 - chance) && score(self.weight, chance) > to_beat
    }
}

/// The chance, between 0 and 1, that `number` stands for.
#[expect(clippy::cast_precision_loss, reason = "52 bits and a half are what f64 holds")]
fn chance(number: u64) -> f64 {
    ((number >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// A score by which the highest of several is picked in the proportion of their weights, where `chance` is from 0 to 1
/// (weighted rendezvous hashing; Efraimidis and Spirakis). What has no weight comes behind all others.
fn score(weight: u32, chance: f64) -> f64 {
    if weight == 0 { chance - 2.0 } else { -f64::from(weight) / chance.ln() }
}

/// All groups in a fixed order, in which they are listed: the higher priority first, among equals the older group.
pub fn listed(left: &Group, right: &Group) -> Ordering {
    right.priority.cmp(&left.priority).then_with(|| left.id.cmp(&right.id))
}

#[cfg(test)]
mod tests;
