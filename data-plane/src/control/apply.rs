//! Puts config in force, whole or not at all.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::json;
use shared::drain::Tasks;
use shared::health::{Readiness, ReadinessGuard};
use shared::pb;
use shared::snapshot::{Delta, Snapshot, SnapshotError};
use shared::telemetry::Metrics;
use shared::time::{now_ms, rfc3339};
use tokio::sync::watch;
use tracing::info;

use super::allegiance::{Allegiance, Database, Foreign};
use crate::route::current::ConfigState;

/// The fact of the readiness probe that says why the control plane refuses this node.
const REFUSAL: &str = "controlPlaneRefusal";

/// Where config came from. The names are shown by the readiness probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The config stream.
    ControlPlane,
    /// The node's own disk.
    LastGood,
}

impl Origin {
    const fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control_plane",
            Self::LastGood => "last_good_snapshot",
        }
    }
}

/// Config as it comes from the control plane.
#[derive(Debug)]
pub enum Change {
    /// The whole config.
    Whole(pb::Snapshot),
    /// What differs from an earlier version of the config.
    Since(pb::Delta),
}

impl Change {
    fn database(&self) -> Database {
        let (epoch, version, lineage) = match self {
            Self::Whole(snapshot) => (&snapshot.epoch, snapshot.version, &snapshot.lineage),
            Self::Since(delta) => (&delta.epoch, delta.version, &delta.lineage),
        };
        Database { epoch: epoch.as_str().into(), version, lineage: lineage.as_str().into() }
    }
}

/// Why a change is not in force.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The change is from another database than this node knows.
    #[error(transparent)]
    Foreign(Foreign),
    /// The change is made for a config that this node does not have.
    #[error(transparent)]
    WrongBase(SnapshotError),
    /// The change makes no sense.
    #[error(transparent)]
    Invalid(SnapshotError),
    /// The node failed on the change, which is a bug; the rest of the node goes on.
    #[error("the node failed on it: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// The metrics of config.
#[derive(Clone, Debug, Default)]
pub struct ControlMetrics {
    version: Gauge,
    /// The version of the config on the node's disk.
    pub(crate) kept: Gauge,
    applied: Counter,
    rejected: Counter,
    connected: Gauge,
}

impl ControlMetrics {
    /// Makes the metrics, which `metrics` shows.
    pub fn register(metrics: &Metrics) -> Self {
        let control = Self::default();
        metrics.register(|registry| {
            registry.register("config_version", "Version of the config in force", control.version.clone());
            registry.register(
                "config_kept_version",
                "Version of the config on the node's disk, which a start without the control plane serves",
                control.kept.clone(),
            );
            registry.register(
                "config_applied",
                "Configs of the control plane that were put in force",
                control.applied.clone(),
            );
            registry.register(
                "config_rejected",
                "Configs of the control plane that were refused",
                control.rejected.clone(),
            );
            registry.register(
                "control_plane_connected",
                "Whether the config stream is open (1) or not (0)",
                control.connected.clone(),
            );
        });
        control
    }
}

/// The one place that changes the config in force.
#[derive(Debug)]
pub struct Applier {
    state: ConfigState,
    readiness: Readiness,
    /// Held until there is a config.
    first: Option<ReadinessGuard>,
    metrics: ControlMetrics,
    applied: watch::Sender<Option<Arc<Snapshot>>>,
    allegiance: Allegiance,
    tasks: Tasks,
}

impl Applier {
    /// Puts config into `state`. `readiness` waits for the first config.
    pub fn new(state: ConfigState, readiness: &Readiness, metrics: ControlMetrics, tasks: Tasks) -> Self {
        let first = Some(readiness.guard("first snapshot"));
        let (readiness, applied) = (readiness.clone(), watch::Sender::new(None));
        let allegiance = Allegiance::new(readiness.clone());
        let mut ours = Self { state, readiness, first, metrics, applied, allegiance, tasks };
        ours.connected(false);
        ours
    }

    /// Which database this node belongs to.
    pub fn allegiance(&mut self) -> &mut Allegiance {
        &mut self.allegiance
    }

    /// What this node is ready by.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// The config in force.
    pub fn state(&self) -> &ConfigState {
        &self.state
    }

    /// A receiver of each config that came from the control plane and was put in force.
    pub fn applied(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.applied.subscribe()
    }

    /// Shows whether the config stream is open.
    pub fn connected(&mut self, connected: bool) {
        if !connected {
            self.allegiance.disconnected();
        }
        self.metrics.connected.set(connected.into());
        self.readiness.set_fact("controlPlane", json!(if connected { "connected" } else { "unreachable" }));
        self.readiness.clear_fact(REFUSAL);
    }

    /// Shows that the control plane answers and refuses this node, with the reason and what to do.
    pub fn refused(&mut self, reason: &str) {
        self.allegiance.disconnected();
        self.metrics.connected.set(0);
        self.readiness.set_fact("controlPlane", json!("refused"));
        self.readiness.set_fact(REFUSAL, json!(reason));
    }

    /// Puts the config in force that was kept on disk.
    ///
    /// # Errors
    /// [`Refusal::Panicked`].
    pub async fn restore(&mut self, snapshot: Snapshot) -> Result<(), Refusal> {
        let state = self.state.clone();
        let work = move || put_in_force(&state, snapshot);
        let snapshot = self.tasks.spawn_blocking(work).await?;
        self.allegiance.know(Database::of(&snapshot));
        self.show(&snapshot, Origin::LastGood);
        Ok(())
    }

    /// Puts a change in force. When this returns, requests are served from it.
    ///
    /// # Errors
    /// [`Refusal`]: the config that was in force still is.
    pub async fn apply(&mut self, change: Change) -> Result<(), Refusal> {
        self.allegiance.check(&change.database()).map_err(Refusal::Foreign)?;
        let state = self.state.clone();
        // Compiling a large config takes a while, and so does freeing the one before.
        let outcome = self.tasks.spawn_blocking(move || Ok(put_in_force(&state, build(&state, change)?))).await;
        match outcome.map_err(Refusal::Panicked).flatten() {
            Ok(snapshot) => {
                self.metrics.applied.inc();
                self.allegiance.follow(Database::of(&snapshot));
                self.show(&snapshot, Origin::ControlPlane);
                self.applied.send_replace(Some(snapshot));
                Ok(())
            }
            Err(refusal) => {
                if !matches!(refusal, Refusal::WrongBase(_)) {
                    self.metrics.rejected.inc();
                }
                Err(refusal)
            }
        }
    }

    fn show(&mut self, snapshot: &Snapshot, origin: Origin) {
        self.metrics.version.set(i64::try_from(snapshot.version).unwrap_or(i64::MAX));
        let fact = json!({
            "version": snapshot.version,
            "source": origin.name(),
            "groups": snapshot.groups.len(),
            "proxyKeys": snapshot.proxy_keys.len(),
            "appliedAt": rfc3339(now_ms()),
        });
        self.readiness.set_fact("config", fact);
        self.first = None;
        info!(
            version = snapshot.version,
            source = origin.name(),
            groups = snapshot.groups.len(),
            proxy_keys = snapshot.proxy_keys.len(),
            "config applied"
        );
    }
}

fn build(state: &ConfigState, change: Change) -> Result<Snapshot, Refusal> {
    match change {
        Change::Whole(snapshot) => Snapshot::try_from(snapshot).map_err(Refusal::Invalid),
        Change::Since(delta) => {
            let delta = Delta::try_from(delta).map_err(Refusal::Invalid)?;
            let base = state.table().map(|table| Arc::clone(&table.snapshot)).unwrap_or_default();
            base.apply(&delta).map_err(|error| match error {
                SnapshotError::WrongBase { .. } => Refusal::WrongBase(error),
                other => Refusal::Invalid(other),
            })
        }
    }
}

fn put_in_force(state: &ConfigState, snapshot: Snapshot) -> Arc<Snapshot> {
    let snapshot = Arc::new(snapshot);
    state.compile(Arc::clone(&snapshot));
    snapshot
}
