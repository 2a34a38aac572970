//! The control plane as a program of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use control_plane::auth::InitialAdmin;
use control_plane::config::Flags;
use control_plane::{ControlPlane, Settings, app, grpc, web};
use shared::drain::{Tasks, termination_signal};
use shared::health::Readiness;
use shared::serve::{listen, reachable, who_else_reaches};
use shared::telemetry::{self, Metrics};
use tonic::transport::server::TcpIncoming;
use tracing::{error, info, warn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Owns the database, the admin API and the ledger; data planes connect to it.
#[derive(Debug, Parser)]
#[command(name = "control-plane", version)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Cli::parse().flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Logging may not have started, or may be filtered.
            say_error(&format!("control-plane: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> anyhow::Result<()> {
    let loaded = Settings::load(flags, std::env::vars())?;
    let settings = loaded.settings;
    let logging = telemetry::init(settings.log.format, &settings.log.filter)?;
    for key in loaded.without_effect {
        warn!(key, "this setting has no effect");
    }
    let metrics = Metrics::new();
    logging.register(&metrics);
    let readiness = Readiness::new(app::VERSION);
    let tasks = Tasks::new();
    let (drain_delay, limits) = (settings.server.drain_delay()?, settings.server.limits()?);
    let deadline = limits.drain_deadline;

    let http = listen("Server:Listen", "--listen", &settings.server.address()).await?;
    let nodes = listen("Grpc:Listen", "--grpc-listen", &settings.grpc.listen).await?;
    let metrics_listen = settings.metrics.listen.trim().to_owned();
    let scrapes = if metrics_listen.is_empty() {
        None
    } else {
        Some(listen("Metrics:Listen", "--metrics-listen", &metrics_listen).await?)
    };
    let (http_address, grpc_address) = (http.local_addr()?, nodes.local_addr()?);
    let (log_format, data_directory) = (settings.log.format, settings.data_directory.clone());

    // The listeners stop before what their requests use.
    let listeners = Tasks::new();
    let control = ControlPlane::start(settings, &metrics, &readiness, &tasks).await?;
    if let Some(admin) = control.initial_admin() {
        telemetry::announce(log_format, &first_start(admin, http_address, grpc_address, &data_directory));
    }
    let router = control.router().merge(readiness.router()).fallback_service(web::fallback());
    listeners.spawn("http", shared::serve::serve("http", http, router, limits.clone(), listeners.clone()));
    if let Some(listener) = scrapes {
        listeners
            .spawn("metrics", shared::serve::serve("metrics", listener, metrics.router(), limits, listeners.clone()));
    }
    let (server, stopping) = (grpc::server().add_routes(control.grpc()), listeners.clone());
    let incoming = TcpIncoming::from(nodes).with_nodelay(Some(true));
    listeners.spawn("grpc", async move {
        let stopped = async move { stopping.stopping().await };
        if let Err(error) = server.serve_with_incoming_shutdown(incoming, stopped).await {
            error!(%error, "the gRPC listener ended");
        }
    });
    info!(version = app::VERSION, http = %http_address, grpc = %grpc_address, "serving");

    termination_signal().await?;
    readiness.drain();
    tokio::time::sleep(drain_delay).await;
    control.drain_streams(deadline).await;
    let listeners = listeners.drain("listeners", deadline).await;
    let tasks = tasks.drain("control plane", deadline).await;
    if !(listeners && tasks) {
        warn!("ending before everything was done");
    }
    Ok(())
}

/// What the operator needs after a first start, shown once and never logged.
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

/// The data plane as a shell finds it: beside this program where it is there, else by its name.
fn data_plane() -> String {
    const NAME: &str = "data-plane";
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name(NAME));
    beside.filter(|program| program.is_file()).map_or_else(|| NAME.to_owned(), |program| quoted(&program))
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(&byte);
    if !path.is_empty() && path.bytes().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[expect(clippy::print_stderr, reason = "why the program ends, where logging may not run")]
fn say_error(text: &str) {
    eprintln!("{text}");
}
