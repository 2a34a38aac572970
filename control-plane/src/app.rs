//! The control plane put together: store, publisher, ledger, login, and the two surfaces it serves, REST and gRPC.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use shared::drain::Tasks;
use shared::health::Readiness;
use shared::secret::Secret;
use shared::telemetry::Metrics;
use shared::time::now_ms;
use tonic::service::Routes;

use crate::auth::passwords::Passwords;
use crate::auth::throttle::Throttle;
use crate::auth::{InitialAdmin, Sessions, check_settings, first_admin};
use crate::config::{ControlPlaneSettings, database_place};
use crate::grpc::registry::NodeRegistry;
use crate::ledger::Ledger;
use crate::secrets::{GivenSecrets, Secrets};
use crate::snapshot::publish::Publisher;
use crate::store::{Store, sessions};
use crate::{grpc, web};

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often expired sessions are removed.
const PURGE_EVERY: Duration = Duration::from_mins(10);

/// A running control plane. Its tasks end with the `tasks` that it was started under.
pub struct ControlPlane {
    state: AppState,
    ledger: Arc<Ledger>,
    node_token: Secret,
    initial_admin: Option<InitialAdmin>,
    /// The streams of nodes, which are open for ever.
    streams: Tasks,
}

/// What every handler shares. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    store: Store,
    publisher: Arc<Publisher>,
    nodes: Arc<NodeRegistry>,
    sessions: Sessions,
    passwords: Passwords,
    throttle: Throttle,
    database_type: &'static str,
    started: Instant,
    started_at: i64,
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
        let url = settings.database_url()?;
        let given = GivenSecrets {
            master_key: settings.secrets.master_key.clone(),
            jwt_secret: settings.auth.jwt_secret.clone(),
            node_token: settings.secrets.node_token.clone(),
        };
        let secrets = Secrets::load_or_create(&settings.data_directory, given).context("secrets")?;
        let sealing = Arc::new(secrets.sealing_key().context("Secrets:MasterKey")?);
        let store = Store::open(url.expose(), sealing, tasks).await.with_context(|| database_place(url.expose()))?;
        let passwords = Passwords::new(tasks).await?;
        let initial_admin = first_admin(&store, &settings.auth, &passwords).await.context("first user")?;
        let publisher = Publisher::start(store.clone(), tasks).await.context("config")?;
        publisher.register(metrics);
        let nodes = NodeRegistry::new();
        nodes.register(metrics);
        let ledger = Ledger::start(store.clone(), metrics, tasks);
        let lifetime = Duration::from_secs(settings.auth.session_timeout);
        let state = AppState(Arc::new(Inner {
            store: store.clone(),
            publisher,
            nodes,
            sessions: Sessions::new(&secrets.jwt_secret, lifetime),
            passwords,
            throttle: Throttle::default(),
            database_type: database_type(url.expose()),
            started: Instant::now(),
            started_at: now_ms(),
        }));
        tasks.spawn("session purge", purge_sessions(store, tasks.clone()));
        drop(starting);
        Ok(Self { state, ledger, node_token: secrets.node_token, initial_admin, streams: tasks.part() })
    }

    /// `/auth/*`, `/admin/*`, `/openapi.json`, `/swagger` and the page at `/`. Without the probes, and without a
    /// fallback: other routers may be merged.
    pub fn router(&self) -> Router {
        web::router(self.state.clone())
    }

    /// The services that nodes connect to.
    pub fn grpc(&self) -> Routes {
        grpc::routes(
            Arc::clone(&self.state.0.publisher),
            Arc::clone(&self.state.0.nodes),
            Arc::clone(&self.ledger),
            &self.node_token,
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
        &self.state.0.store
    }

    /// What nodes are told.
    pub fn publisher(&self) -> &Arc<Publisher> {
        &self.state.0.publisher
    }

    /// What the handlers share.
    pub const fn state(&self) -> &AppState {
        &self.state
    }
}

impl AppState {
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn publisher(&self) -> &Publisher {
        &self.0.publisher
    }

    pub(crate) fn nodes(&self) -> &NodeRegistry {
        &self.0.nodes
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub(crate) fn database_type(&self) -> &'static str {
        self.0.database_type
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    pub(crate) fn started_at(&self) -> i64 {
        self.0.started_at
    }
}

fn database_type(url: &str) -> &'static str {
    match url.split(':').next() {
        Some("mysql" | "mariadb") => "mysql",
        Some("postgres" | "postgresql") => "postgres",
        _ => "sqlite",
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
    }
}
