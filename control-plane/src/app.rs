//! The control plane put together: store, publisher, ledger, login, and the two surfaces it serves, REST and gRPC.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::routing::MethodRouter;
use shared::drain::Tasks;
use shared::forwarded::TrustedProxies;
use shared::health::{Readiness, ReadinessGuard};
use shared::secret::Secret;
use shared::telemetry::Metrics;
use tonic::service::Routes;

use crate::auth::{InitialAdmin, Logins, check_settings, first_admin};
use crate::config::{ControlPlaneSettings, database_place};
use crate::grpc::key_states;
use crate::grpc::registry::NodeRegistry;
use crate::jobs::ScheduledWork;
use crate::jobs::health_checks::ask::NodeAsker;
use crate::jobs::health_checks::{CheckSchedule, HealthChecker};
use crate::jobs::key_counts::KeyCounts;
use crate::jobs::lease::JobLease;
use crate::jobs::probes::{KeyProbes, ProbeTimes};
use crate::jobs::repricing::Repricer;
use crate::ledger::Ledger;
use crate::router::AdminMetrics;
use crate::secrets::{Canary, GivenSecrets, Secrets};
use crate::snapshot::publish::Publisher;
use crate::state::AppState;
use crate::store::{self, Store, StoreError, login_places, sessions};
use crate::{grpc, router};

pub use crate::state::VERSION;

/// How often it is looked whether the database can be used.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How often expired sessions are removed.
const PURGE_EVERY: Duration = Duration::from_mins(10);

/// A running control plane. Its tasks end with the `tasks` that it was started under.
pub struct ControlPlane {
    state: AppState,
    ledger: Arc<Ledger>,
    node_token: Secret,
    proxies: TrustedProxies,
    initial_admin: Option<InitialAdmin>,
    admin_metrics: AdminMetrics,
    /// The streams of nodes, which stay open until they are ended.
    streams: Tasks,
}

impl ControlPlane {
    /// Opens the database, makes what a first start needs, and starts the background tasks. `readiness` is held back
    /// until all of it is done.
    ///
    /// # Errors
    /// When a setting makes no sense or holds a well-known secret, the database cannot be opened or migrated, or the
    /// data was sealed under another master key.
    pub async fn start(
        settings: ControlPlaneSettings,
        metrics: &Metrics,
        readiness: &Readiness,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let starting = readiness.guard("control plane");
        check_settings(&settings.auth)?;
        let proxies = settings.server.trusted_proxies()?;
        let url = settings.database_url()?;
        let given = GivenSecrets {
            master_key: settings.secrets.master_key.clone(),
            jwt_secret: settings.auth.jwt_secret.clone(),
            node_token: settings.secrets.node_token.clone(),
        };
        given.check()?;
        let place = database_place(url.expose());
        let sealed = Store::canary(url.expose(), tasks).await.with_context(|| place.clone())?;
        let canary = sealed.map(|sealed| Canary { sealed, database: place.clone() });
        let secrets = Secrets::load_or_create(&settings.data_directory, given, canary.as_ref()).context("secrets")?;
        let sealing = Arc::new(secrets.sealing_key().context("Secrets:MasterKey")?);
        store::metrics::watch();
        let store = Store::open(url.expose(), sealing, tasks).await.context(place)?;
        let lifetime = Duration::from_secs(settings.auth.session_timeout);
        let logins = Logins::new(store.clone(), &secrets.jwt_secret, lifetime).await?;
        let initial_admin = first_admin(&store, &settings.auth, logins.passwords()).await.context("first user")?;
        store.register(metrics);
        let publisher = Publisher::start(store.clone(), tasks).await.context("config")?;
        publisher.register(metrics);
        let nodes = NodeRegistry::new();
        nodes.register(metrics);
        // Before any node is welcomed, so that the first one hears it.
        nodes.key_states.restore(&store).await.context("states of upstream keys")?;
        let (states, replaced) = (Arc::clone(&nodes.key_states), publisher.replaced());
        let hear = key_states::hear(Arc::clone(&states), store.clone(), replaced.clone(), tasks.clone());
        tasks.spawn("key states", key_states::keep(states, store.clone(), replaced, tasks.clone()));
        tasks.spawn("key states of others", hear);
        let counts = KeyCounts::register(metrics);
        tasks.spawn("key counts", counts.run(Arc::clone(&publisher), Arc::clone(&nodes), tasks.clone()));
        let (every, kept) = settings.health_check.times();
        let first_probe = settings.probes.first_ms()?;
        let work = ScheduledWork { probes: first_probe.is_some(), checks: every.is_some() };
        let (lease_publisher, lease_nodes) = (Arc::clone(&publisher), Arc::clone(&nodes));
        let lease = JobLease::start(store.clone(), move || work.waits(&lease_publisher, &lease_nodes), tasks);
        if let Some(first) = first_probe {
            let times = ProbeTimes::from_first(first);
            let probes = KeyProbes::new(Arc::clone(&publisher), Arc::clone(&nodes), Arc::clone(&lease), times);
            tasks.spawn("key probes", probes.run(tasks.clone()));
        }
        let ledger = Ledger::start(store.clone(), publisher.in_force(), metrics, tasks);
        tasks.spawn("database check", check_database(store.clone(), readiness.clone(), tasks.clone()));
        tasks.spawn("session purge", purge_sessions(store.clone(), tasks.clone()));
        let asker = Arc::new(NodeAsker::new(Arc::clone(&nodes)));
        let schedule = CheckSchedule { every, kept };
        let checker = HealthChecker::start(store.clone(), Arc::clone(&publisher), asker, schedule, lease, tasks);
        let repricer = Repricer::start(store.clone(), tasks);
        let jobs = (checker, repricer);
        let state = AppState::new(store, publisher, nodes, jobs, logins, database_type(url.expose()));
        drop(starting);
        let admin_metrics = AdminMetrics::register(metrics);
        let (node_token, streams) = (secrets.node_token, tasks.part());
        Ok(Self { state, ledger, node_token, proxies, initial_admin, admin_metrics, streams })
    }

    /// `/auth/*`, `/admin/*`, `/openapi.json`, `/swagger` and the page at `/`. It has neither the probes nor a
    /// fallback, so that other routers can be merged with it.
    pub fn router(&self) -> Router {
        router::router(self.state.clone(), &self.admin_metrics)
    }

    /// The service for paths that nothing else is served under. It is for `Router::fallback_service`, once all routers
    /// are merged.
    pub fn fallback(&self) -> MethodRouter {
        router::fallback(&self.admin_metrics)
    }

    /// The services that nodes connect to.
    pub fn grpc(&self) -> Routes {
        grpc::routes(
            Arc::clone(self.state.publisher()),
            Arc::clone(self.state.nodes()),
            Arc::clone(&self.ledger),
            &self.node_token,
            self.proxies.clone(),
            &self.streams,
        )
    }

    /// Ends the streams of nodes, which would otherwise keep the gRPC listener from ending. Nodes send again what was
    /// not acked. Says whether all ended within `deadline`.
    pub async fn drain_streams(&self, deadline: Duration) -> bool {
        self.streams.drain("streams of nodes", deadline).await
    }

    /// What nodes authenticate with.
    pub const fn node_token(&self) -> &Secret {
        &self.node_token
    }

    /// The admin that this start made, when its password has to be shown.
    pub const fn initial_admin(&self) -> Option<&InitialAdmin> {
        self.initial_admin.as_ref()
    }

    /// The database.
    pub fn store(&self) -> &Store {
        self.state.store()
    }

    /// The publisher of config, which holds what nodes are told.
    pub fn publisher(&self) -> &Arc<Publisher> {
        self.state.publisher()
    }

    /// What the handlers share.
    pub const fn state(&self) -> &AppState {
        &self.state
    }
}

fn database_type(url: &str) -> &'static str {
    match url.split(':').next() {
        Some("mysql" | "mariadb") => "mysql",
        Some("postgres" | "postgresql") => "postgres",
        _ => "sqlite",
    }
}

/// Shows in the readiness probe what is wrong with the database. What only an operator can mend makes the program not
/// ready: nothing can be written until then. A server that does not answer may be back at any moment, and what needs no
/// database works meanwhile.
async fn check_database(store: Store, readiness: Readiness, tasks: Tasks) {
    let mut held: Option<(&'static str, ReadinessGuard)> = None;
    loop {
        let checked = store.check().await;
        let (wanted, fact) = match &checked {
            Ok(()) => (None, "ok".to_owned()),
            Err(error @ StoreError::Gone(_)) => (Some("the database in its place"), error.to_string()),
            Err(error @ StoreError::Full) => (Some("room on the disk of the database"), error.to_string()),
            Err(error) => (None, error.to_string()),
        };
        readiness.set_fact("database", fact.into());
        if held.as_ref().map(|(name, _)| *name) != wanted {
            if let (Err(error), Some(_)) = (&checked, wanted) {
                tracing::error!(%error, "not ready");
            }
            held = wanted.map(|name| (name, readiness.guard(name)));
        }
        tokio::select! {
            () = tasks.stopping() => return,
            () = tokio::time::sleep(CHECK_EVERY) => {}
        }
    }
}

async fn purge_sessions(store: Store, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
        if let Err(error) = sessions::purge_expired(&store).await {
            tracing::warn!(%error, "expired sessions could not be removed");
        }
        if let Err(error) = login_places::purge(&store).await {
            tracing::warn!(%error, "old places of logins could not be removed");
        }
    }
}
