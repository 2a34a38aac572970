//! What the handlers of the admin API share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::FromRef;
use shared::time::now_ms;

use crate::auth::Logins;
use crate::grpc::registry::NodeRegistry;
use crate::jobs::health_checks::HealthChecker;
use crate::jobs::repricing::Repricer;
use crate::snapshot::publish::Publisher;
use crate::store::Store;

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every handler shares. It is cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    store: Store,
    publisher: Arc<Publisher>,
    nodes: Arc<NodeRegistry>,
    checker: HealthChecker,
    repricer: Arc<Repricer>,
    logins: Logins,
    database_type: &'static str,
    started: Instant,
    started_at: i64,
}

impl AppState {
    /// The state of a control plane that starts now. `database_type` is `sqlite`, `mysql` or `postgres`.
    pub(crate) fn new(
        store: Store,
        publisher: Arc<Publisher>,
        nodes: Arc<NodeRegistry>,
        (checker, repricer): (HealthChecker, Arc<Repricer>),
        logins: Logins,
        database_type: &'static str,
    ) -> Self {
        let (started, started_at) = (Instant::now(), now_ms());
        Self(Arc::new(Inner { store, publisher, nodes, checker, repricer, logins, database_type, started, started_at }))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn publisher(&self) -> &Arc<Publisher> {
        &self.0.publisher
    }

    pub(crate) fn nodes(&self) -> &Arc<NodeRegistry> {
        &self.0.nodes
    }

    pub(crate) fn checker(&self) -> &HealthChecker {
        &self.0.checker
    }

    pub(crate) fn repricer(&self) -> &Repricer {
        &self.0.repricer
    }

    pub(crate) fn database_type(&self) -> &'static str {
        self.0.database_type
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// When the control plane started, in epoch milliseconds.
    pub(crate) fn started_at(&self) -> i64 {
        self.0.started_at
    }
}

impl FromRef<AppState> for Logins {
    fn from_ref(state: &AppState) -> Self {
        state.0.logins.clone()
    }
}
