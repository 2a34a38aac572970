//! A request of a client, what speaks against each key that could serve it, and what excuses that it fails.

use std::collections::BTreeSet;
use std::sync::Arc;

use shared::ids::Id;
use shared::time::steady_ms;

use super::clock;
use super::judge::Machine;
use crate::attempt::course::{MOST_KEYS, MOST_TRIES};
use crate::route::client::Client;
use crate::route::health::Unhealthy;
use crate::route::table::{Route, RouteTable, RoutedKey};

/// Why a node does not try a key that it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The provider has stated a pause.
    Stated,
    /// The account has no money.
    Exhausted,
    /// The provider has refused it, in words that leave no doubt.
    Refused,
    /// A guess has it rest, or its group or the model there, and another request tests that now.
    Tested,
    /// A guess has it rest, or its group or the model there, and nobody tests that.
    Guessed,
    /// A breaker is open, or is tested now.
    Failing,
}

impl Reason {
    /// For how long, in milliseconds after all is well again, a provider may have stated it; none where it has not.
    pub(super) fn stated_for(self) -> Option<i64> {
        match self {
            Self::Stated => Some(121_000),
            Self::Refused => Some(3_700_000),
            Self::Exhausted => Some(25 * 3_600_000),
            Self::Tested | Self::Guessed | Self::Failing => None,
        }
    }

    /// Why the node whose code runs does not try `key` in `route` now; none where it may.
    pub(super) fn of(route: &Route, key: &RoutedKey) -> Option<Self> {
        let now = steady_ms();
        let out = key.health.at(now, &route.upstream_model).err().map(|out| out.why);
        match out {
            Some(Unhealthy::CoolingDown) => return Some(Self::Stated),
            Some(Unhealthy::Exhausted) => return Some(Self::Exhausted),
            Some(Unhealthy::Invalid) => return Some(Self::Refused),
            Some(Unhealthy::Guessed | Unhealthy::Doubted) | None => {}
        }
        if [&route.state.breaker, &*key.breaker].into_iter().any(|breaker| !breaker.allows(now)) {
            return Some(Self::Failing);
        }
        let tested = out.is_some() && key.health.is_tested(now) || route.is_tested(now);
        let rests = out.is_some() || route.is_resting(now);
        rests.then_some(if tested { Self::Tested } else { Self::Guessed })
    }
}

/// A request of a client.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) machine: Machine,
    pub(super) table: Arc<RouteTable>,
    pub(super) client: [u8; 32],
    pub(super) model: Arc<str>,
    /// The conversation that it belongs to.
    pub(super) session: Option<u32>,
    /// Whether it is at fault itself.
    pub(super) bad: bool,
    /// When it came.
    pub(super) begun: i64,
    /// When its time is over.
    pub(super) deadline: i64,
    /// Its attempts: group, key, and when.
    pub(super) tried: Vec<(Id, Id, i64)>,
    /// How many of its attempts are under way.
    pub(super) running: u32,
    /// The keys that nothing spoke against when it was routed.
    pub(super) well: BTreeSet<Id>,
    /// Where it has to begin.
    pub(super) home: Option<Id>,
    /// Whether all that may serve it was well and idle enough when it was routed.
    pub(super) calm: bool,
}

impl Request {
    /// A request that has just come.
    pub(super) fn new(machine: Machine, table: &Arc<RouteTable>, client: [u8; 32], model: &str) -> Self {
        Self {
            machine,
            table: Arc::clone(table),
            client,
            model: model.into(),
            session: None,
            bad: false,
            begun: clock::now(),
            deadline: i64::MAX,
            tried: Vec::new(),
            running: 0,
            well: BTreeSet::new(),
            home: None,
            calm: false,
        }
    }

    /// What may serve it, well or not.
    pub(super) fn candidates(&self) -> Vec<(Route, Arc<RoutedKey>)> {
        let client = self.table.client(&self.client).expect("a client of the table");
        candidates(&self.table, client, &self.model)
    }

    /// When its attempt with `key` arrived at the provider.
    pub(super) fn arrived_at(&self, key: &Id) -> Option<i64> {
        self.tried.iter().find(|(_, tried, _)| tried == key).map(|(_, _, at)| *at)
    }

    /// Whether it may not ask `group` any more, which allows `retry_count` further attempts: because of its own
    /// attempts, or of those at the group.
    pub(super) fn is_bound(&self, group: &Id, retry_count: u32) -> bool {
        let of_group = self.tried.iter().filter(|(tried, ..)| tried == group).count();
        let further = self.tried.iter().skip(1).filter(|(tried, ..)| tried == group).count();
        self.tried.len() >= MOST_TRIES as usize
            || of_group >= MOST_KEYS as usize
            || further >= retry_count as usize && (of_group > 0 || !self.tried.is_empty())
    }
}

/// All that `client` may ask for `model`, well or not.
pub(super) fn candidates(table: &RouteTable, client: &Client, model: &str) -> Vec<(Route, Arc<RoutedKey>)> {
    let routes = table.routes(model);
    let routes = routes.iter().filter(|route| client.may_use_group(route.place));
    let keys = routes.flat_map(|route| route.group.keys.iter().map(move |key| (route.clone(), Arc::clone(key))));
    keys.filter(|(route, key)| key.key.routing.serves(&route.upstream_model)).collect()
}

/// Whether `key` has more in flight than its share of its group's attempts and a quarter.
pub(super) fn is_busy(route: &Route, key: &RoutedKey) -> bool {
    let keys = &route.group.keys;
    let weight = |key: &RoutedKey| u64::from(key.key.routing.weight.max(1));
    let (all, weights) =
        keys.iter().fold((1, 0), |(all, weights), key| (all + u64::from(key.load.in_flight()), weights + weight(key)));
    u64::from(key.load.in_flight()) * 4 * weights >= 5 * all * weight(key)
}
