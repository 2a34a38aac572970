//! Who has how many requests under way, so that one who floods the node is refused before others are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many proxy keys are told apart. Those that share a place share what is theirs; which ones do is by chance.
const PLACES: usize = 1024;

/// The part of the node's requests, in fifths, that is anyone's. What is beyond it is for those who have no more than
/// their share.
const ANYONES: u32 = 4;

/// The requests under way, by proxy key.
#[derive(Debug)]
pub struct Tenants {
    most: u32,
    places: Box<[AtomicU32]>,
    /// How many places have any.
    busy: AtomicU32,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    tenants: Arc<Tenants>,
    place: usize,
}

impl Tenants {
    /// At most so many requests may be under way, all together.
    pub fn new(most: u32) -> Arc<Self> {
        let places = std::iter::repeat_with(AtomicU32::default).take(PLACES).collect();
        Arc::new(Self { most, places, busy: AtomicU32::default() })
    }

    /// Whether `in_flight` requests are more than there may be.
    pub fn is_full(&self, in_flight: u32) -> bool {
        in_flight > self.most
    }

    /// A seat for a request of the proxy key with this `digest`, where `in_flight` requests are under way with it. None
    /// where they are more than four fifths of what there may be, and the key has more than its share: as many as
    /// everybody who has requests under way could have.
    pub fn seat(self: &Arc<Self>, digest: &[u8; 32], in_flight: u32) -> Option<Seat> {
        let place = usize::from(u16::from_le_bytes([digest[0], digest[1]])) % PLACES;
        let before = self.places[place].fetch_add(1, Ordering::Relaxed);
        let joins = u32::from(before == 0);
        let busy = self.busy.fetch_add(joins, Ordering::Relaxed) + joins;
        let seat = Seat { tenants: Arc::clone(self), place };
        let is_crowded = u64::from(in_flight) * 5 > u64::from(self.most) * u64::from(ANYONES);
        let share = (self.most / busy.max(1)).max(1);
        (!is_crowded || before < share).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.tenants.places[self.place].fetch_sub(1, Ordering::Relaxed) == 1 {
            self.tenants.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
