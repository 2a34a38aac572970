//! This node: who it is, and how busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

pub mod tenants;

/// How often it is looked whether requests are still in flight.
const IDLE_LOOK: Duration = Duration::from_millis(2);

/// One running data plane.
#[derive(Debug)]
pub struct Node {
    /// The id of the node, which is stable over restarts.
    pub id: Arc<str>,
    /// The semantic version of the program.
    pub version: &'static str,
    in_flight: AtomicU32,
    requests_total: AtomicU64,
}

/// One client request in flight, until it is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Node>);

impl Node {
    /// A node that serves nothing yet.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            version: env!("CARGO_PKG_VERSION"),
            in_flight: AtomicU32::new(0),
            requests_total: AtomicU64::new(0),
        }
    }

    /// Counts a request that has come in.
    pub fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests_total.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// The number of client requests now in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Resolves when no client request is in flight.
    pub async fn idle(&self) {
        while self.in_flight() > 0 {
            sleep(IDLE_LOOK).await;
        }
    }

    /// The number of client requests that were accepted since the start.
    pub fn requests_total(&self) -> u64 {
        self.requests_total.load(Ordering::Relaxed)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
