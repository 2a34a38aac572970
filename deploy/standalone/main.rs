//! Both planes in one process, on one port. Holds no logic of its own: it joins the two libraries over an in-process
//! gRPC channel.

mod demo;
mod in_process;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use control_plane::auth::InitialAdmin;
use control_plane::config::Flags;
use control_plane::{ControlPlane, web};
use data_plane::app::DataPlane;
use shared::config::Loader;
use shared::drain::{Tasks, termination_signal};
use shared::health::Readiness;
use shared::serve::{Limits, listen, reachable, serve, who_else_reaches};
use shared::telemetry::{self, Metrics};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Usage that is settled at the last moment still gets this long to be committed.
const LAST_REPORT: Duration = Duration::from_millis(500);

/// An AI API gateway in one process: the API for applications, the admin API and the ledger, on one port.
#[derive(Debug, Parser)]
#[command(name = "orchestration-api", version)]
struct Arguments {
    /// Settings file [default: ./appsettings.json where it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where HTTP is served [default: 0.0.0.0:5000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where /metrics is served; empty is off [default: 127.0.0.1:5002]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    /// Database, secrets, and usage records on their way [default: ./data]
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// sqlite://, mysql:// or postgres:// [default: SQLite in the data directory]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// How log lines are written; with json, what is shown once at a first start goes to stderr [default: text]
    #[arg(long, value_name = "text|json")]
    log_format: Option<String>,
    /// A level, or a list such as info,data_plane=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
    /// Adds a fake provider, a group and a proxy key to try the gateway on
    #[arg(long)]
    demo: bool,
}

/// The settings of both planes, from the same sources.
struct Settings {
    control: control_plane::Settings,
    node: data_plane::config::Settings,
    without_effect: Vec<String>,
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<()> {
    let arguments = Arguments::parse();
    let demo = arguments.demo;
    let settings = settings(arguments)?;
    let logging = telemetry::init(settings.control.log.format, &settings.control.log.filter)?;
    for key in &settings.without_effect {
        warn!(key, "this setting has no effect");
    }
    rustls::crypto::aws_lc_rs::default_provider().install_default().map_err(|_| anyhow!("TLS is set up twice"))?;
    let workers = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let metrics = Metrics::new();
    logging.register(&metrics);
    let ended = runtime.block_on(run(settings, demo, &metrics));
    // What still blocks after the drain deadlines is not waited for.
    runtime.shutdown_background();
    ended
}

/// Each plane reads its own sections; a key that neither knows is an error of the control plane's reading.
fn settings(arguments: Arguments) -> Result<Settings> {
    let flags = Flags {
        config: arguments.config,
        listen: arguments.listen,
        grpc_listen: None,
        metrics_listen: arguments.metrics_listen,
        data_dir: arguments.data_dir,
        database_url: arguments.database_url,
        log_format: arguments.log_format,
        log_filter: arguments.log_filter,
    };
    let loader = Loader::new::<control_plane::Settings>(control_plane::config::ELSEWHERE);
    let loader = loader.suggesting::<data_plane::config::Settings>();
    let control = flags.apply(loader, std::env::vars())?.load::<control_plane::Settings>()?;
    let loader = Loader::new::<data_plane::config::Settings>(data_plane::config::ELSEWHERE);
    let mut node = flags.apply(loader, std::env::vars())?.load::<data_plane::config::Settings>()?.settings;
    node.node.control_plane_url = String::from("in this process");
    node.data_directory = control.settings.data_directory.join("node").display().to_string();
    Ok(Settings { control: control.settings, node, without_effect: control.without_effect })
}

async fn run(settings: Settings, demo: bool, metrics: &Metrics) -> Result<()> {
    let Settings { control: settings, mut node, .. } = settings;
    let readiness = Readiness::new(VERSION);
    let (http, node_tasks, control_tasks) = (Tasks::new(), Tasks::new(), Tasks::new());
    let (delay, limits) = (settings.server.drain_delay()?, settings.server.limits()?);
    let (deadline, log_format) = (limits.drain_deadline, settings.log.format);

    // Taken before anything else starts: a port in use is the most frequent mistake.
    let listener = listen("Server:Listen", "--listen", &settings.server.address()).await?;
    let address = listener.local_addr()?;
    let metrics_listen = settings.metrics.listen.trim().to_owned();
    if !metrics_listen.is_empty() {
        let listener = listen("Metrics:Listen", "--metrics-listen", &metrics_listen).await?;
        let limits = Limits { drain_deadline: Duration::ZERO, max_connections: 256, ..Limits::default() };
        control_tasks.spawn("metrics", serve("metrics", listener, metrics.router(), limits, control_tasks.clone()));
    }

    let control = ControlPlane::start(settings, metrics, &readiness, &control_tasks).await?;
    // Before the node learns of the config: what an earlier `--demo` left may point to a port that is no longer ours.
    let demo = demo::start_or_disable(control.store(), demo).await.context("demo")?;
    let channel = in_process::channel(control.grpc(), &control_tasks);
    node.node.token = control.node_token().clone();
    let data_plane = DataPlane::start(node, channel, metrics, &readiness, &node_tasks).await?;
    let router = control.router().merge(data_plane.router()).merge(readiness.router());
    let router = router.fallback_service(web::fallback());
    if let Some(admin) = control.initial_admin() {
        telemetry::announce(log_format, &first_start(admin, address));
    }
    if let Some(demo) = &demo {
        telemetry::announce(log_format, &demo.instructions(address));
    }
    http.spawn("http", serve("http", listener, router, limits, http.clone()));
    info!(version = VERSION, http = %address, "serving");

    termination_signal().await?;
    readiness.drain();
    sleep(delay).await;
    let until = Instant::now() + deadline;
    http.drain("http", deadline + LAST_REPORT / 2).await;
    // The node still reports what its last requests used, so the control plane ends after it.
    data_plane.drain(until.saturating_duration_since(Instant::now()).max(LAST_REPORT)).await;
    node_tasks.drain("node", LAST_REPORT).await;
    control.drain_streams(LAST_REPORT).await;
    control_tasks.drain("control plane", LAST_REPORT).await;
    if let Some(demo) = demo {
        demo.stop().await;
    }
    info!("ended");
    Ok(())
}

/// What the operator needs after a first start, shown once and never logged.
fn first_start(admin: &InitialAdmin, http: SocketAddr) -> String {
    let InitialAdmin { username, password } = admin;
    format!(
        "\nFirst start: an admin was made. The password is shown this once.\n\
         \n  username: {username}\n  password: {}\n\n\
         Next: open http://{}/{}\nor follow \"Serve your first application\" in the README.\n",
        password.expose(),
        reachable(http),
        who_else_reaches(http)
    )
}

#[expect(clippy::print_stderr, reason = "why the program ends, where logging may not run")]
fn complain(failure: &anyhow::Error) {
    eprintln!("orchestration-api: {failure:#}");
}
