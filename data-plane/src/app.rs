//! Wires a data plane together.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::routing::MethodRouter;
use shared::drain::Tasks;
use shared::health::Readiness;
use shared::telemetry::Metrics;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tracing::{info, warn};

use crate::config::DataPlaneSettings;
use crate::control::apply::{Applier, ControlMetrics};
use crate::control::commands::Commands;
use crate::control::kept_states::{self, KeptStates, KnownStates};
use crate::control::last_good::{self, Keeping, LastGood};
use crate::control::subscribe::{Subscriber, UsageState};
use crate::data_dir::DataDir;
use crate::ingress::{self, AllowedOrigins, Gateway};
use crate::limits::RequestLimits;
use crate::link::Link;
use crate::metrics::ProbeMetrics;
use crate::node::Node;
use crate::route::breaker;
use crate::route::current::ConfigState;
use crate::usage::report::{Deadlines, Reporter};
use crate::usage::spool::Spool;
use crate::usage::writer::Writer;
use crate::usage::{UsageMetrics, UsageSink};

/// What the request path learnt about upstream keys and has not been sent; further ones are left out.
const KEY_STATES: usize = 1024;

/// For requests that have lost their connection, when the node ends.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// For the disk, when the node ends.
const FLUSH_DEADLINE: Duration = Duration::from_secs(5);

/// For the config stream to end, and the last good config to be written.
const CONTROL_DEADLINE: Duration = Duration::from_secs(2);

/// A running data plane.
#[derive(Debug)]
pub struct DataPlane {
    gateway: Arc<Gateway>,
    /// The origins whose pages may call.
    origins: Option<AllowedOrigins>,
    node: Arc<Node>,
    spool: Arc<Spool>,
    control: Tasks,
    writer: Tasks,
    reporter: Tasks,
    _directory: DataDir,
}

impl DataPlane {
    /// Starts a node that gets its config and reports its usage over `channel`. It serves at once from the last good
    /// config, where there is one; else `readiness` waits for the first snapshot. The node ends with [`Self::drain`];
    /// where `tasks` stop without it, records that come later are dropped.
    ///
    /// # Errors
    /// When a setting makes no sense, or the data directory cannot be used.
    pub async fn start(
        settings: DataPlaneSettings,
        channel: Channel,
        metrics: &Metrics,
        readiness: &Readiness,
        tasks: &Tasks,
    ) -> Result<Self> {
        let limits = settings.limits()?;
        breaker::open_after(settings.node.breaker_failures);
        ensure!(settings.usage.queue_capacity > 0, "Usage:QueueCapacity must be above 0");
        let origins = AllowedOrigins::of(&settings.server.allowed_origins)?;
        let token = settings.node.token()?;
        let link = Link::new(channel, &settings.node.control_plane_url, &token)
            .context("the node token holds characters that a header cannot carry")?;

        let usage_metrics = UsageMetrics::register(metrics);
        let (path, spool_limits, spool_metrics) =
            (settings.data_directory(), settings.usage.limits(), usage_metrics.clone());
        let open = move || -> Result<_> {
            let directory = DataDir::open(&path)?;
            let made = directory.node_id()?;
            let spool = Spool::open(&directory.path().join("usage"), spool_limits, spool_metrics)
                .with_context(|| format!("usage spool in {}", path.display()))?;
            let last_good = LastGood::new(directory.path(), &token)?;
            let restored = (last_good.database(), last_good.load());
            let kept_states = KeptStates::new(directory.path(), &token)?;
            let known = kept_states.load().unwrap_or_else(|error| {
                warn!(%error, "what was known of upstream keys cannot be read from disk; it is found out anew");
                KnownStates::default()
            });
            let uploads = directory.uploads()?;
            Ok((directory, made, spool, (last_good, restored), (kept_states, known), uploads))
        };
        let (directory, made, spool, (last_good, (database, restored)), (kept_states, known), uploads) =
            tasks.spawn_blocking(open).await??;
        let limits = RequestLimits { upload_directory: uploads, ..limits };
        let id = if settings.node.id.is_empty() { made } else { settings.node.id };
        let node = Arc::new(Node::new(id));

        let (control, writer, reporter) = (tasks.part(), tasks.part(), tasks.part());
        let config = ConfigState::default();
        let control_metrics = ControlMetrics::register(metrics);
        let kept = control_metrics.kept.clone();
        let mut applier = Applier::new(config.clone(), readiness, control_metrics, control.clone());
        applier.allegiance().of_node(&node.id);
        applier.allegiance().accept(settings.node.accept_database.trim());
        if let Some(database) = database {
            applier.allegiance().know(database);
        }
        match restored {
            Ok(Some(snapshot)) => {
                info!(version = snapshot.version, "serving from the last good config until the control plane answers");
                kept.set(i64::try_from(snapshot.version).unwrap_or(i64::MAX));
                applier.restore(snapshot).await?;
                known.restore(&config);
            }
            Ok(None) => info!("no config on disk yet; waiting for the control plane"),
            Err(error) => warn!(%error, "the last good config on disk cannot be used; waiting for the control plane"),
        }

        let restored = config.table().map(|table| Arc::clone(&table.snapshot));
        let (sink, records) = UsageSink::channel(settings.usage.queue_capacity, &usage_metrics);
        sink.end_in(&spool);
        let (key_states, learnt) = mpsc::channel(KEY_STATES);
        control.spawn("key states", kept_states::keep(Arc::new(kept_states), config.clone(), known, control.clone()));
        let gateway = Gateway::new(config, sink.clone(), Arc::clone(&node), limits, key_states, metrics)?;

        let usage = {
            let (spool, metrics) = (Arc::clone(&spool), usage_metrics.clone());
            move || {
                let in_memory = sink.waiting() + spool.in_memory();
                UsageState { pending: spool.pending() + in_memory as u64, dropped: metrics.dropped_total() }
            }
        };
        let write = Writer::new(Arc::clone(&spool), readiness.clone(), writer.clone());
        writer.spawn("usage writer", write.run(records));
        control.spawn("refusal log", gateway.refusals().run(control.clone()));
        control.spawn("response cache", gateway.cache().run(control.clone()));
        let id = Arc::clone(&node.id);
        let report = Reporter::new(Arc::clone(&spool), link.clone(), id, Deadlines::default(), reporter.clone());
        let report = report.delivering(applier.allegiance().delivery());
        reporter.spawn("usage report", report.run());
        let keeping = Keeping { kept, readiness: readiness.clone() };
        let keep = last_good::keep(Arc::new(last_good), applier.applied(), restored, keeping, control.clone());
        control.spawn("last good config", keep);
        info!(node_id = &*node.id, version = node.version, "data plane started");
        let subscriber = Subscriber::new(link, Arc::clone(&node), applier, learnt, usage, control.clone());
        let commands = Commands::new(gateway.prober(), ProbeMetrics::register(metrics), control.clone());
        control.spawn("config stream", subscriber.commanding(commands).run());

        Ok(Self { gateway, origins, node, spool, control, writer, reporter, _directory: directory })
    }

    /// The APIs that clients speak.
    pub fn router(&self) -> Router {
        ingress::router(Arc::clone(&self.gateway), self.origins.as_ref())
    }

    /// The same, for a node that serves nothing else: every other path is an error of OpenAI's shape.
    pub fn only_router(&self) -> Router {
        ingress::only_router(Arc::clone(&self.gateway), self.origins.as_ref())
    }

    /// What answers for paths that have no route, in a process that serves other things too: an error of their API for
    /// those that are nearly of one, and `others` for the rest.
    pub fn fallback(&self, others: MethodRouter) -> MethodRouter {
        ingress::fallback(Arc::clone(&self.gateway), others, self.origins.as_ref())
    }

    /// Ends the node, after its requests have ended: writes all usage records to disk, reports them if the control
    /// plane takes them within `deadline`, and closes the config stream.
    pub async fn drain(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
        // A request whose connection was just closed may not have been dropped yet, and is settled when it is.
        if timeout(LAST_REQUESTS, self.node.idle()).await.is_err() {
            warn!(requests = self.node.in_flight(), "requests have not ended; their usage is written as they end");
        }
        self.writer.drain("usage writer", FLUSH_DEADLINE).await;
        self.reporter.drain("usage report", until.saturating_duration_since(Instant::now())).await;
        let spool = Arc::clone(&self.spool);
        drop(self.reporter.spawn_blocking(move || spool.abandon()).await);
        let waiting = self.spool.pending();
        if waiting > 0 {
            info!(records = waiting, "usage records wait on disk for the next start");
        }
        self.control.drain("config stream", CONTROL_DEADLINE).await;
    }
}

#[cfg(test)]
mod tests;
