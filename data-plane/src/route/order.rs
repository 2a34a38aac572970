//! In which order candidates are tried. Pure: what a policy knows of load, time and chance is handed in.
//!
//! A request mostly needs the first candidate only, so nothing is sorted: [`pick`] finds the next one among those that
//! are left, in one pass and without memory of its own.

use std::cmp::Ordering;

use fastrand::Rng;
use shared::snapshot::{BalancePolicy, Group, GroupPolicy};

use super::affinity::SessionKey;
use super::load::Load;

/// How the next one is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The highest priority, and among equals at random by weight.
    Failover,
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
            // Without prices, no group is known to be cheaper than another.
            GroupPolicy::Failover | GroupPolicy::Cost => Self::Failover,
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

    /// Whether it goes by weights.
    fn weighs(self) -> bool {
        matches!(self, Self::Failover | Self::Weighted)
    }
}

/// One of those that may be picked.
#[derive(Clone, Copy, Debug)]
pub struct Contender<'c> {
    /// Where it stands among all.
    pub position: usize,
    /// What it is known by to every node.
    pub id: &'c str,
    /// The higher one goes first, where the policy asks.
    pub priority: i32,
    /// Its weight. 0: only when nothing else is left.
    pub weight: u32,
    /// How busy it is.
    pub load: &'c Load,
    /// Whether conversations stay with it.
    pub keeps: bool,
}

/// The position of the next one of `choices`, of which there are `all`, those that are gone included.
///
/// Where there is a `session`, it goes to the same one as long as that is there, by rendezvous hashing: nodes agree
/// without talking, what one candidate had is spread over all others when it is away, and comes home afterwards.
pub fn pick<'c>(
    policy: Policy,
    choices: impl Iterator<Item = Contender<'c>>,
    all: usize,
    session: Option<SessionKey>,
    draw: &mut Rng,
) -> Option<usize> {
    if policy == Policy::Latency && session.is_none() {
        return faster_of_two(choices, draw);
    }
    let mut rank = |choice: &Contender<'_>| match (policy, session) {
        (_, Some(session)) => {
            let priority = if policy == Policy::Failover { choice.priority } else { 0 };
            let weight = if policy.weighs() { choice.weight } else { 1 };
            let chance = if choice.keeps { session.chance(choice.id) } else { draw.f64() };
            Rank { priority, score: score(weight, chance), behind: (0, 0) }
        }
        (Policy::Failover, None) => {
            Rank { priority: choice.priority, score: score(choice.weight, draw.f64()), behind: (0, 0) }
        }
        (Policy::Weighted, None) => Rank { score: score(choice.weight, draw.f64()), ..Rank::default() },
        (Policy::Random | Policy::Latency, None) => Rank { score: draw.f64(), ..Rank::default() },
        (Policy::RoundRobin { turn }, None) => {
            let behind = (choice.position + all - turn % all.max(1)) % all.max(1);
            Rank { behind: (behind as u64, 0), ..Rank::default() }
        }
        (Policy::LeastUsed, None) => {
            Rank { behind: (choice.load.in_flight().into(), choice.load.used()), ..Rank::default() }
        }
    };
    let mut best: Option<(Rank, usize)> = None;
    for choice in choices {
        let rank = rank(&choice);
        if best.is_none_or(|(before, _)| rank.is_above(before)) {
            best = Some((rank, choice.position));
        }
    }
    best.map(|(_, position)| position)
}

/// Of two that are drawn at random, the one that costs less. All are as likely to be drawn (a reservoir of two).
fn faster_of_two<'c>(choices: impl Iterator<Item = Contender<'c>>, draw: &mut Rng) -> Option<usize> {
    let mut drawn: [Option<Contender<'_>>; 2] = [None; 2];
    for (seen, choice) in choices.enumerate() {
        let slot = if seen < 2 { seen } else { draw.usize(..=seen) };
        if let Some(slot) = drawn.get_mut(slot) {
            *slot = Some(choice);
        }
    }
    let [first, second] = drawn;
    let best = match (first, second) {
        (Some(first), Some(second)) if second.load.cost() < first.load.cost() => Some(second),
        (first, _) => first,
    };
    best.map(|choice| choice.position)
}

/// A score by which the highest of several is picked in the proportion of their weights, where `chance` is from 0 to 1
/// (weighted rendezvous hashing; Efraimidis and Spirakis). What has no weight comes behind all others.
fn score(weight: u32, chance: f64) -> f64 {
    if weight == 0 { chance - 2.0 } else { -f64::from(weight) / chance.max(f64::MIN_POSITIVE).ln() }
}

/// How good something is: by the priority, then the score, then by what it has less of.
#[derive(Clone, Copy, Debug, Default)]
struct Rank {
    priority: i32,
    score: f64,
    behind: (u64, u64),
}

impl Rank {
    fn is_above(self, other: Self) -> bool {
        let order = self.priority.cmp(&other.priority).then(self.score.total_cmp(&other.score));
        order.then(other.behind.cmp(&self.behind)) == Ordering::Greater
    }
}

/// All groups in a fixed order, in which they are listed: the higher priority first, among equals the older group.
pub fn listed(left: &Group, right: &Group) -> Ordering {
    right.priority.cmp(&left.priority).then_with(|| left.id.cmp(&right.id))
}

#[cfg(test)]
mod tests;
