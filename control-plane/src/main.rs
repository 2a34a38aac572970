//! The control plane as a program of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use axum::Router;
use clap::{Parser, Subcommand};
use control_plane::auth::InitialAdmin;
use control_plane::auth::reset::ResetPassword;
use control_plane::config::{Flags, PORTS};
use control_plane::{ControlPlane, ControlPlaneSettings, app, grpc};
use shared::config::{Loaded, Ports};
use shared::program::{self, CommonSettings, Ending, Program, Running, Starting};
use shared::serve::{Serving, listen, reachable, serve, who_else_reaches};
use shared::telemetry;
use tracing::{info, warn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Owns the database, the admin API and the ledger; data planes connect to it.
#[derive(Debug, Parser)]
#[command(name = "control-plane", version)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the program does instead of serving.
#[derive(Debug, Subcommand)]
enum Command {
    ResetPassword(ResetPassword),
}

fn main() -> ExitCode {
    program::main::<Cli>()
}

impl Program for Cli {
    const NAME: &str = "control-plane";
    const VERSION: &str = app::VERSION;
    const PORTS: Ports = PORTS;
    type Settings = ControlPlaneSettings;
    type Running = RunningControlPlane;

    fn load(self) -> Result<Loaded<ControlPlaneSettings>> {
        let loaded = ControlPlaneSettings::load(&self.flags, std::env::vars())?;
        loaded.settings.check()?;
        Ok(loaded)
    }

    async fn errand(&self) -> Result<Option<String>> {
        let Some(Command::ResetPassword(reset)) = &self.command else { return Ok(None) };
        let loaded = ControlPlaneSettings::load(&self.flags, std::env::vars())?;
        reset.run(&loaded.settings).await.map(Some)
    }

    fn common(settings: &ControlPlaneSettings) -> CommonSettings<'_> {
        CommonSettings {
            server: &settings.server,
            metrics: &settings.metrics,
            log: &settings.log,
            write_timeout_seconds: None,
        }
    }

    async fn start(settings: ControlPlaneSettings, start: &Starting) -> Result<RunningControlPlane> {
        if !settings.server.allowed_origins.is_empty() {
            warn!(
                "Server:AllowedOrigins has no effect here: it is for data planes, and the admin API is never open to it"
            );
        }
        let nodes = listen("Grpc:Listen", "--grpc-listen", &settings.grpc.listen).await?;
        let grpc_address = nodes.local_addr()?;
        if !grpc_address.ip().is_loopback() {
            warn!(
                address = %grpc_address,
                "Grpc:Listen is served in plain text beyond this machine: whoever is on the way reads the node token and \
                 the upstream keys; keep it within a network that you trust, or behind a proxy with TLS"
            );
        }
        let (log_format, data_directory) = (settings.log.format, settings.data_directory.clone());
        let limits = settings.server.limits()?;
        let control = ControlPlane::start(settings, &start.metrics, &start.readiness, &start.tasks).await?;
        if let Some(admin) = control.initial_admin() {
            telemetry::announce(log_format, &first_start(admin, start.http, grpc_address, &data_directory));
        }
        let counts = start.connections.of("grpc");
        let serving = Serving { counts, ..grpc::serving(limits, start.listeners.clone()) };
        start.listeners.spawn("grpc", serve("grpc", nodes, grpc::router(control.grpc()), serving));
        info!(version = app::VERSION, http = %start.http, grpc = %grpc_address, "serving");
        Ok(RunningControlPlane(control))
    }
}

struct RunningControlPlane(ControlPlane);

impl Running for RunningControlPlane {
    fn router(&self) -> Router {
        self.0.router().fallback_service(self.0.fallback())
    }

    async fn drain(self, ending: Ending) {
        self.0.drain_streams(ending.deadline).await;
        let listeners = ending.listeners("listeners").await;
        let tasks = ending.tasks("control plane", ending.deadline).await;
        if !(listeners && tasks) {
            warn!("ending before everything was done");
        }
    }
}

/// The text that the operator needs after a first start. It is shown once and never logged.
fn first_start(admin: &InitialAdmin, http: SocketAddr, grpc: SocketAddr, data_directory: &Path) -> String {
    let InitialAdmin { username, password } = admin;
    format!(
        "\nFirst start: an admin was made. The password is shown this once.\n\
         \n  username: {username}\n  password: {}\n\n\
         Next: open http://{}/ for the admin API{}, and start a data plane with\n\
         \n  {} --control-url http://{} --node-token-file {} --data-dir {}\n",
        password.expose(),
        reachable(http),
        who_else_reaches(http),
        data_plane(),
        reachable(grpc),
        quoted(&data_directory.join("node-token")),
        quoted(&data_directory.join("node")),
    )
}

/// The word that starts the data plane in a shell: the program beside this one if there is one, else its name alone.
fn data_plane() -> String {
    const NAME: &str = "data-plane";
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name(NAME));
    beside.filter(|program| program.is_file()).map_or_else(|| NAME.to_owned(), |program| quoted(&program))
}

/// The path as a word of a shell.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(&byte);
    if !path.is_empty() && path.bytes().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
