//! Identical requests that come at once. One of them asks, and the others wait for its answer. Where it fails or its
//! client leaves, one of the others asks in its place. Where its answer is none that is kept, all of them ask.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout_at};

use super::inquiry::CacheKey;
use super::kept::KeptAnswer;

/// The most requests of a node that wait for the answer of another. Further ones ask by themselves.
const MOST_WAITING: usize = 1_000;

/// The requests under way whose answers may be kept.
#[derive(Debug, Default)]
pub struct Flights {
    open: Mutex<HashMap<CacheKey, (Arc<Flight>, usize)>>,
    waiting: AtomicUsize,
}

/// Identical requests under way.
#[derive(Debug)]
struct Flight {
    /// The right to ask, which one of them has. It is closed when nobody has to wait any more.
    right: Arc<Semaphore>,
    answer: OnceLock<Arc<KeptAnswer>>,
}

/// What a request is to do.
#[derive(Debug)]
pub enum Joined {
    /// Ask, for others too.
    Lead(Lead),
    /// Take the answer that another request got.
    Shared(Arc<KeptAnswer>),
    /// Ask for itself.
    Alone,
}

/// A place in a flight, until it is dropped.
#[derive(Debug)]
struct Place {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    key: CacheKey,
}

/// The right to ask for others too. Dropping it hands it to one of those that wait.
#[derive(Debug)]
pub struct Lead {
    /// Given back first, while the place still keeps the flight open.
    _right: OwnedSemaphorePermit,
    place: Place,
}

/// One that waits, until it is dropped.
struct Waiting<'f>(&'f AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Flights {
    /// Joins those that ask for what is kept under `key`, and waits `until` then for one of them where another asks.
    pub async fn join(flights: &Arc<Self>, key: CacheKey, until: Instant) -> Joined {
        let place = Self::enter(flights, key);
        let right = Arc::clone(&place.flight.right);
        match Arc::clone(&right).try_acquire_owned() {
            Ok(right) => return Joined::Lead(Lead { _right: right, place }),
            Err(TryAcquireError::Closed) => return place.outcome(),
            Err(TryAcquireError::NoPermits) => {}
        }
        let before = flights.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&flights.waiting);
        if before >= MOST_WAITING {
            return Joined::Alone;
        }
        let got = timeout_at(until, right.acquire_owned()).await;
        drop(waiting);
        match got {
            Ok(Ok(right)) => Joined::Lead(Lead { _right: right, place }),
            Ok(Err(_closed)) => place.outcome(),
            Err(_elapsed) => Joined::Alone,
        }
    }

    fn enter(flights: &Arc<Self>, key: CacheKey) -> Place {
        let mut open = flights.lock();
        let fresh = || (Arc::new(Flight { right: Arc::new(Semaphore::new(1)), answer: OnceLock::new() }), 0);
        let (flight, places) = open.entry(key).or_insert_with(fresh);
        *places += 1;
        Place { flights: Arc::clone(flights), flight: Arc::clone(flight), key }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, (Arc<Flight>, usize)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of flights.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The number of requests that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Place {
    /// What a request is to do whose flight is over.
    fn outcome(self) -> Joined {
        self.flight.answer.get().map_or(Joined::Alone, |kept| Joined::Shared(Arc::clone(kept)))
    }

    /// Ends the flight: those that wait go on, and whoever comes later begins another.
    fn end(&self) {
        let mut open = self.flights.lock();
        if open.get(&self.key).is_some_and(|(flight, _)| Arc::ptr_eq(flight, &self.flight)) {
            open.remove(&self.key);
        }
        drop(open);
        self.flight.right.close();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.flights.lock();
        if let Some((flight, places)) = open.get_mut(&self.key)
            && Arc::ptr_eq(flight, &self.flight)
        {
            *places -= 1;
            if *places == 0 {
                open.remove(&self.key);
            }
        }
    }
}

impl Lead {
    /// Gives `answer` to those that wait.
    pub fn share(self, answer: &Arc<KeptAnswer>) {
        // Only who leads sets it, and once.
        let _first = self.place.flight.answer.set(Arc::clone(answer));
        self.place.end();
    }

    /// Lets those that wait ask for themselves: the answer is none that they could have.
    pub fn release(self) {
        self.place.end();
    }
}

#[cfg(test)]
mod tests;
