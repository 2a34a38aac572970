//! Requests in flight of one subject, and those that wait for a seat, the first to come first.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The seats of a subject. A seat is taken with [`Self::try_take`] or [`Self::wait`], and given back with
/// [`Self::give_back`].
#[derive(Debug)]
pub(super) struct Seats {
    free: Semaphore,
    /// How many there are.
    size: AtomicU32,
    /// How many of those that are taken are not to be free again, because there are fewer now.
    owed: AtomicU32,
    waiting: AtomicU32,
}

impl Seats {
    pub(super) fn new(size: u32) -> Self {
        Self {
            free: Semaphore::new(permits(size)),
            size: AtomicU32::new(size),
            owed: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
        }
    }

    /// Makes it `size` seats. It is called by whoever puts config in force, and by nobody else at the same time.
    pub(super) fn resize(&self, size: u32) {
        let before = self.size.swap(size, Ordering::AcqRel);
        if size < before {
            let fewer = before - size;
            let gone = u32::try_from(self.free.forget_permits(permits(fewer))).unwrap_or(fewer);
            self.owed.fetch_add(fewer - gone, Ordering::AcqRel);
        } else {
            for _ in before..size {
                self.give_back();
            }
        }
    }

    /// How many seats are taken.
    pub(super) fn taken(&self) -> u32 {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        (self.size.load(Ordering::Acquire) + self.owed.load(Ordering::Acquire)).saturating_sub(free)
    }

    /// How many seats are free.
    pub(super) fn left(&self) -> u32 {
        u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX)
    }

    /// Takes a seat, where one is free and nobody waits for it.
    pub(super) fn try_take(&self) -> bool {
        self.free.try_acquire().is_ok_and(|seat| {
            seat.forget();
            true
        })
    }

    /// Takes a seat, and waits for it `longest` if it has to, behind those that wait already. Where as many as `most`
    /// wait, it does not wait. Says whether it has a seat.
    pub(super) async fn wait(&self, most: u32, longest: Duration) -> bool {
        if self.try_take() {
            return true;
        }
        let Some(_place) = Place::among(&self.waiting, most) else { return false };
        // The semaphore serves those who wait in the order in which they came.
        let Ok(Ok(seat)) = timeout(longest, self.free.acquire()).await else { return false };
        seat.forget();
        true
    }

    /// Gives back a seat.
    pub(super) fn give_back(&self) {
        let pays = self.owed.fetch_update(Ordering::AcqRel, Ordering::Acquire, |owed| owed.checked_sub(1));
        if pays.is_err() {
            self.free.add_permits(1);
        }
    }
}

fn permits(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

/// The place of one that waits, until it is dropped.
struct Place<'s>(&'s AtomicU32);

impl<'s> Place<'s> {
    fn among(waiting: &'s AtomicU32, most: u32) -> Option<Self> {
        let more = |waiting: u32| (waiting < most).then_some(waiting + 1);
        waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok().then_some(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
