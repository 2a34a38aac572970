//! Metrics of the database: its pools of connections, how long queries take, and what goes wrong. Diesel tells of each
//! query on any of the three databases, and the pools keep counts of their own, so no query has to be counted by hand.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use diesel::result::{DatabaseErrorKind, Error};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use shared::telemetry::Metrics;

use super::Store;
use super::pool::Pools;

/// What is counted of all connections of the process. A connection gets no other word of where it belongs.
static COUNTED: LazyLock<Counted> = LazyLock::new(Counted::default);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    kind: &'static str,
}

#[derive(Debug)]
struct Counted {
    times: Histogram,
    errors: Family<ErrorLabels, Counter>,
    refused_connections: Counter,
    deadlines: Counter,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            // From 100 µs to 26 s.
            times: Histogram::new(exponential_buckets(0.000_1, 4.0, 10)),
            errors: Family::default(),
            refused_connections: Counter::default(),
            deadlines: Counter::default(),
        }
    }
}

/// Counts the queries of every connection that is made from now on.
pub fn watch() {
    // It fails only where a thread has panicked while it held the lock of this setting.
    drop(set_default_instrumentation(|| Some(Box::new(Watched { since: None }))));
}

/// Counts a query or transaction that was cut short because it did not end in time.
pub fn deadline_hit() {
    COUNTED.deadlines.inc();
}

/// What one connection does.
struct Watched {
    /// When the query began that is under way.
    since: Option<Instant>,
}

impl Instrumentation for Watched {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::FinishEstablishConnection { error: Some(_), .. } => {
                COUNTED.refused_connections.inc();
            }
            InstrumentationEvent::StartQuery { .. } => self.since = Some(Instant::now()),
            InstrumentationEvent::FinishQuery { error, .. } => {
                if let Some(since) = self.since.take() {
                    COUNTED.times.observe(since.elapsed().as_secs_f64());
                }
                if let Some(kind) = error.and_then(kind) {
                    COUNTED.errors.get_or_create(&ErrorLabels { kind }).inc();
                }
            }
            _ => {}
        }
    }
}

/// The kind of an error. None for an answer that says no: that a value is taken, or that there is no such row.
fn kind(error: &Error) -> Option<&'static str> {
    match error {
        Error::NotFound | Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => None,
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _)
        | Error::BrokenTransactionManager => Some("connection"),
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Some("conflict"),
        Error::DatabaseError(..) => Some("refused"),
        _ => Some("other"),
    }
}

impl Store {
    /// Shows what is counted, and the state of the pools at each scrape.
    pub fn register(&self, metrics: &Metrics) {
        let counted = &*COUNTED;
        metrics.register(|registry| {
            registry.register("database_query_seconds", "Time of a query", counted.times.clone());
            let help = "Queries that failed, by kind; what is taken or not there is no failure";
            registry.register("database_query_errors", help, counted.errors.clone());
            let help = "Connections to the database that could not be made";
            registry.register("database_connect_errors", help, counted.refused_connections.clone());
            let help = "Queries and transactions that were cut short because they did not end in time";
            registry.register("database_deadline_hits", help, counted.deadlines.clone());
            registry.register_collector(Box::new(PoolState(self.clone())));
        });
    }
}

/// The sum of all pools.
#[derive(Default)]
struct Sum {
    size: u32,
    open: u32,
    idle: u32,
    waiting: u64,
    timed_out: u64,
    waited: Duration,
}

macro_rules! add {
    ($sum:ident, $pool:expr, $size:expr) => {{
        let state = $pool.state();
        $sum.size += $size;
        $sum.open += state.connections;
        $sum.idle += state.idle_connections;
        $sum.waiting += state.statistics.pending_gets();
        $sum.timed_out += state.statistics.get_timed_out;
        $sum.waited += state.statistics.get_wait_time;
    }};
}

/// The pools, as a scrape finds them.
#[derive(Debug)]
struct PoolState(Store);

impl PoolState {
    fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        match &self.0.0.pools {
            Pools::Sqlite { read, write, .. } => {
                add!(sum, read, super::pool::SQLITE_READERS);
                add!(sum, write, 1);
            }
            Pools::MySql { work: pool, .. } => add!(sum, pool, super::pool::SERVER_CONNECTIONS),
            Pools::Postgres { work: pool, .. } => add!(sum, pool, super::pool::SERVER_CONNECTIONS),
        }
        sum
    }
}

impl Collector for PoolState {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let sum = self.sum();
        let mut show = |name, help, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        show("database_pool_size", "The most connections to the database", &ConstGauge::new(sum.size))?;
        show("database_pool_connections", "Open connections to the database", &ConstGauge::new(sum.open))?;
        let in_use = sum.open.saturating_sub(sum.idle);
        show("database_pool_in_use", "Connections to the database that are in use", &ConstGauge::new(in_use))?;
        let help = "Queries and transactions that wait for a connection";
        show("database_pool_waiting", help, &ConstGauge::new(sum.waiting))?;
        let help = "Time that queries and transactions have waited for a connection";
        show("database_pool_wait_seconds", help, &ConstCounter::new(sum.waited.as_secs_f64()))?;
        let help = "Times that there was no connection in time";
        show("database_pool_timeouts", help, &ConstCounter::new(sum.timed_out))
    }
}
