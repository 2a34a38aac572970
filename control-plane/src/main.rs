//! The control plane as a program of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use control_plane::auth::InitialAdmin;
use control_plane::config::Flags;
use control_plane::{ControlPlane, Settings, app, grpc, web};
use shared::drain::{Tasks, termination_signal};
use shared::health::Readiness;
use shared::telemetry::{self, Metrics};
use tokio::net::TcpListener;
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
        warn!(key, "this setting of the .NET program has no effect here");
    }
    let metrics = Metrics::new();
    logging.register(&metrics);
    let readiness = Readiness::new(app::VERSION);
    let tasks = Tasks::new();
    let (drain_delay, limits) = (settings.server.drain_delay()?, settings.server.limits()?);
    let deadline = limits.drain_deadline;

    let http = listen("Server:Listen", &settings.server.address()).await?;
    let nodes = listen("Grpc:Listen", &settings.grpc.listen).await?;
    let metrics_listen = settings.metrics.listen.trim().to_owned();
    let scrapes = if metrics_listen.is_empty() { None } else { Some(listen("Metrics:Listen", &metrics_listen).await?) };
    let (http_address, grpc_address) = (http.local_addr()?, nodes.local_addr()?);
    let token_file = settings.data_directory.join("node-token");

    // The listeners stop before what their requests use.
    let listeners = Tasks::new();
    let control = ControlPlane::start(settings, &metrics, &readiness, &tasks).await?;
    if let Some(admin) = control.initial_admin() {
        say(&first_start(admin, http_address, grpc_address, &token_file));
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

async fn listen(key: &'static str, address: &str) -> anyhow::Result<TcpListener> {
    shared::serve::listen(address).await.with_context(|| format!("{key} {address}"))
}

/// What the operator needs after a first start, shown once and never logged.
fn first_start(admin: &InitialAdmin, http: SocketAddr, grpc: SocketAddr, token_file: &Path) -> String {
    let InitialAdmin { username, password } = admin;
    format!(
        "\nFirst start: an admin was made. The password is shown this once.\n\
         \n  username: {username}\n  password: {}\n\n\
         Next: open http://{}/ for the admin API, and start a data plane with\n\
         \n  data-plane --control-url http://{} --node-token-file {}\n",
        password.expose(),
        reachable(http),
        reachable(grpc),
        token_file.display()
    )
}

/// An address that can be connected to from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

#[expect(clippy::print_stdout, reason = "the password of a first start goes to the terminal and never to the log")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "why the program ends, where logging may not run")]
fn say_error(text: &str) {
    eprintln!("{text}");
}
