//! The program `data-plane`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use data_plane::app::DataPlane;
use data_plane::config::{ELSEWHERE, Settings};
use mimalloc::MiMalloc;
use shared::config::{Loaded, Loader};
use shared::drain::{Tasks, termination_signal};
use shared::health::Readiness;
use shared::serve::{Limits, listen, serve};
use shared::telemetry::{self, Metrics};
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tracing::{info, warn};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Used when it exists and no other is named.
const SETTINGS_FILE: &str = "appsettings.json";

/// Usage that is settled at the last moment still gets this long to be reported.
const LAST_REPORT: Duration = Duration::from_millis(500);

/// Serves the API that clients use, from the config of a control plane.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Settings file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where HTTP is served [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where metrics are served; empty is off [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    /// Where the control plane serves gRPC [default: http://127.0.0.1:5001]
    #[arg(long, value_name = "URL")]
    control_url: Option<String>,
    /// The node token. The flag is visible to other users of the machine: prefer the file.
    #[arg(long, value_name = "TOKEN")]
    node_token: Option<String>,
    /// File that holds the node token.
    #[arg(long, value_name = "FILE")]
    node_token_file: Option<String>,
    /// Name of this node; made once where it is not given.
    #[arg(long, value_name = "ID")]
    node_id: Option<String>,
    /// Where the node keeps usage records that wait, and its last good config.
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<String>,
    /// How log lines are written [default: text]
    #[arg(long, value_name = "text|json")]
    log_format: Option<String>,
    /// A level, or a list such as `info,data_plane=debug`.
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
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

/// Of a thread, in bytes. The tokenizer's cache, one for each thread, has 1.2 MB, and is made on the stack where the
/// compiler does not see that it need not be.
const STACK: usize = 4 * 1024 * 1024;

#[expect(clippy::print_stderr, reason = "logging may not have begun")]
fn complain(failure: &anyhow::Error) {
    eprintln!("data-plane: {failure:#}");
}

fn start() -> Result<()> {
    let Loaded { settings, without_effect } = settings(Arguments::parse())?;
    let logging = telemetry::init(settings.log.format, &settings.log.filter)?;
    for key in without_effect {
        warn!(key, "this setting has no effect");
    }
    rustls::crypto::aws_lc_rs::default_provider().install_default().map_err(|_| anyhow!("TLS is set up twice"))?;
    let workers = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_stack_size(STACK)
        .enable_all()
        .build()?;
    let metrics = Metrics::new();
    logging.register(&metrics);
    let ended = runtime.block_on(run(settings, &metrics));
    // What still blocks after the drain deadlines is not waited for.
    runtime.shutdown_background();
    ended
}

fn settings(arguments: Arguments) -> Result<Loaded<Settings>> {
    let mut loader = Loader::new::<Settings>(ELSEWHERE);
    match &arguments.config {
        Some(file) => loader = loader.file(file)?,
        None if Path::new(SETTINGS_FILE).exists() => loader = loader.file(Path::new(SETTINGS_FILE))?,
        None => {}
    }
    let flags = [
        ("Server:Listen", arguments.listen),
        ("Metrics:Listen", arguments.metrics_listen),
        ("Node:ControlPlaneUrl", arguments.control_url),
        ("Node:Token", arguments.node_token),
        ("Node:TokenFile", arguments.node_token_file),
        ("Node:Id", arguments.node_id),
        ("DataDirectory", arguments.data_dir),
        ("Log:Format", arguments.log_format),
        ("Log:Filter", arguments.log_filter),
    ];
    loader = loader.environment(std::env::vars())?;
    for (key, value) in flags {
        loader = loader.flag(key, value)?;
    }
    Ok(loader.load()?)
}

async fn run(settings: Settings, metrics: &Metrics) -> Result<()> {
    let readiness = Readiness::new(VERSION);
    let (node, http) = (Tasks::new(), Tasks::new());
    let (delay, deadline) = (settings.server.drain_delay()?, settings.server.drain_deadline()?);
    let limits = settings.server.limits()?;
    let channel = channel(settings.node.control_plane()?)?;

    // Taken before anything else starts: a port in use is the most frequent mistake.
    let listener = listen("Server:Listen", "--listen", &settings.server.address()).await?;
    let address = listener.local_addr()?;
    let metrics_listen = settings.metrics.listen.trim();
    if !metrics_listen.is_empty() {
        let listener = listen("Metrics:Listen", "--metrics-listen", metrics_listen).await?;
        let limits = Limits { drain_deadline: Duration::ZERO, max_connections: 256, ..Limits::default() };
        node.spawn("metrics", serve("metrics", listener, metrics.router(), limits, node.clone()));
    }
    let data_plane = DataPlane::start(settings, channel, metrics, &readiness, &node).await?;
    info!(%address, "serving");
    let router = data_plane.only_router().merge(readiness.router());
    http.spawn("http", serve("http", listener, router, limits, http.clone()));

    termination_signal().await?;
    readiness.drain();
    sleep(delay).await;
    let until = Instant::now() + deadline;
    http.drain("http", deadline + LAST_REPORT / 2).await;
    data_plane.drain(until.saturating_duration_since(Instant::now()).max(LAST_REPORT)).await;
    node.drain("node", LAST_REPORT).await;
    info!("ended");
    Ok(())
}

/// A channel to the control plane that connects when it is first used, and again whenever it has to.
fn channel(url: &str) -> Result<Channel> {
    let mut endpoint = Endpoint::from_shared(url.to_owned())
        .with_context(|| format!("Node:ControlPlaneUrl {url:?} is no URL"))?
        .user_agent(format!("data-plane/{VERSION}"))?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(20))
        .keep_alive_while_idle(true);
    if endpoint.uri().scheme_str() == Some("https") {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots())?;
    }
    Ok(endpoint.connect_lazy())
}
