//! How much of what a group has in flight each of its keys may have.

use std::sync::Arc;

use super::table::RoutedKey;

/// What each key of a group may have in flight before sessions go elsewhere: a quarter more than its share (consistent
/// hashing with bounded loads, Mirrokni and others).
#[derive(Clone, Copy)]
pub(super) struct Share {
    in_flight: u64,
    weight: u64,
}

impl Share {
    /// The share of each of `keys`.
    pub(super) fn of(keys: &[Arc<RoutedKey>]) -> Self {
        let sum = |of: fn(&RoutedKey) -> u32| keys.iter().map(|key| u64::from(of(key))).sum();
        Self { in_flight: sum(|key| key.load.in_flight()), weight: sum(|key| key.key.routing.weight.max(1)) }
    }

    /// Whether `key` has more in flight than that.
    pub(super) fn is_passed_by(self, key: &RoutedKey) -> bool {
        let weight = u64::from(key.key.routing.weight.max(1));
        let bound = (5 * (self.in_flight + 1) * weight).div_ceil(4 * self.weight.max(1));
        u64::from(key.load.in_flight()) >= bound
    }
}
