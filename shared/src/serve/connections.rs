//! Which connections are open, and which of them goes when a new one finds no room: the oldest that has asked for
//! nothing yet, else one that has asked and is idle. A connection with a request under way stays.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// One connection, as far as it matters for how long it stays.
#[derive(Debug)]
pub(super) struct Connection {
    opened: Instant,
    /// Whether a request has come.
    asked: AtomicBool,
    /// Requests under way.
    busy: AtomicUsize,
    /// When the last request ended, in milliseconds since the connection was opened.
    idle_since: AtomicU64,
    /// Told when the connection has to make room.
    evicted: Notify,
}

impl Connection {
    fn new() -> Self {
        Self {
            opened: Instant::now(),
            asked: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            evicted: Notify::new(),
        }
    }

    /// Notes a request, which is under way until the guard is dropped.
    pub(super) fn asked(self: &Arc<Self>) -> Busy {
        self.asked.store(true, Ordering::Relaxed);
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// Resolves when the connection has said nothing for too long: no first request within `first`, or none for `idle`
    /// while no other is under way.
    pub(super) async fn lapsed(&self, first: Duration, idle: Duration) {
        sleep_until(self.opened + first).await;
        if !self.asked.load(Ordering::Relaxed) {
            return;
        }
        loop {
            let now = Instant::now();
            let since = self.opened + Duration::from_millis(self.idle_since.load(Ordering::Relaxed));
            let until = if self.is_busy() { now + idle } else { since + idle };
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Resolves when the connection has to make room for another.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        let since = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since.store(since, Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The open connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Mutex<Open>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// By age: the first is the oldest.
    by_age: BTreeMap<u64, Arc<Connection>>,
}

/// The place of an open connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    /// The connection that has the place.
    pub(super) connection: Arc<Connection>,
}

/// How a new connection found its place.
#[derive(Debug)]
pub(super) enum Found {
    /// There was room.
    Room(Place),
    /// Another connection had to go.
    Evicted(Place),
    /// Every connection has a request under way.
    Full,
}

impl Connections {
    /// At most `most` connections, which `gauge` counts.
    pub(super) fn new(most: usize, gauge: Gauge) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), open: Mutex::default(), gauge })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a place for a new connection.
    pub(super) fn find(self: &Arc<Self>) -> Found {
        let mut open = self.lock();
        let full = open.by_age.len() >= self.most;
        if full && !open.evict() {
            return Found::Full;
        }
        let (number, connection) = (open.next, Arc::new(Connection::new()));
        open.next += 1;
        open.by_age.insert(number, Arc::clone(&connection));
        drop(open);
        self.gauge.inc();
        let place = Place { connections: Arc::clone(self), number, connection };
        if full { Found::Evicted(place) } else { Found::Room(place) }
    }
}

impl Open {
    /// Has one connection make room. Gives whether there is one.
    fn evict(&mut self) -> bool {
        let silent = |connection: &&Arc<Connection>| !connection.asked.load(Ordering::Relaxed);
        let idle = |connection: &&Arc<Connection>| !connection.is_busy();
        let of = |wanted: &dyn Fn(&&Arc<Connection>) -> bool| {
            self.by_age.iter().find(|(_, connection)| wanted(connection)).map(|(number, _)| *number)
        };
        let Some(gone) = of(&silent).or_else(|| of(&idle)).and_then(|number| self.by_age.remove(&number)) else {
            return false;
        };
        gone.evicted.notify_one();
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().by_age.remove(&self.number);
        self.connections.gauge.dec();
    }
}

#[cfg(test)]
mod tests;
