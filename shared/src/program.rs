//! The skeleton of every `main`. A program puts in its flags, its settings, what it starts and how that ends. The rest
//! is the same in each, in this order:
//!
//! 1. TLS and the runtime start. Where the command line asks for an errand instead of the program, that is done.
//! 2. The settings are read; a wrong one ends the program before anything has started. Then logging starts.
//! 3. The listeners are bound before anything else starts: a port in use is the most frequent mistake.
//! 4. The program starts its parts, and HTTP is served.
//! 5. On SIGTERM or SIGINT the readiness probe says no, connections are accepted for the drain delay, and the program
//!    ends its parts, the listeners first, each within a deadline.
//!
//! A program that cannot start says why on stderr and exits with 1. A command line that cannot be read exits with 2.

use std::future::{Future, ready};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, anyhow};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::map_request;
use clap::Parser;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::config::bounds::positive_seconds;
use crate::config::{Loaded, LogSettings, MetricsSettings, Ports, ServerSettings};
use crate::descriptors;
use crate::drain::{Tasks, termination_signal};
use crate::forwarded::{ThroughProxy, TrustedProxies};
use crate::health::Readiness;
use crate::serve::fault::{self, Refuse};
use crate::serve::{ConnectionLimits, ConnectionMetrics, LAST_WORDS, Serving, listen, serve};
use crate::telemetry::{self, Metrics};

/// Usage that is settled at the last moment still gets this long to be reported.
pub const LAST_REPORT: Duration = Duration::from_millis(500);

/// How long the listeners have to close the connections that are left after the drain deadline and the last words.
const CLOSING: Duration = Duration::from_millis(150);

/// What a program puts into the skeleton. The value is its command line.
pub trait Program: Parser {
    /// The name under which the program reports why it ended.
    const NAME: &'static str;
    /// The version that the probes show.
    const VERSION: &'static str;
    /// Where the program listens when no setting says otherwise.
    const PORTS: Ports;
    /// Stack size of a worker thread, in bytes. Memory of a stack that is never used may be resident all the same, in
    /// huge pages, so a program asks for more only where it needs more.
    const WORKER_STACK: usize = 2 * 1024 * 1024;
    /// All settings of the program.
    type Settings;
    /// The started program.
    type Running: Running;

    /// Reads the settings from the file, the environment and this command line.
    ///
    /// # Errors
    /// For a file that cannot be read, an unknown key, or a value that does not fit.
    fn load(self) -> Result<Loaded<Self::Settings>>;

    /// What the command line asks for instead of the program, such as a subcommand. Its text is printed at the end.
    ///
    /// # Errors
    /// When it cannot be done. The message is for people: it ends the program.
    fn errand(&self) -> impl Future<Output = Result<Option<String>>> {
        async { Ok(None) }
    }

    /// The settings that the skeleton reads itself.
    fn common(settings: &Self::Settings) -> CommonSettings<'_>;

    /// Starts the parts of the program, and logs that it serves.
    ///
    /// # Errors
    /// When a part cannot start. The message is for people: it ends the program.
    fn start(settings: Self::Settings, start: &Starting) -> impl Future<Output = Result<Self::Running>>;
}

/// A program whose parts have started.
pub trait Running {
    /// What is served over HTTP, beside the probes.
    fn router(&self) -> Router;

    /// Writes the answer to a request that the listener itself refuses.
    fn refuse(&self) -> Refuse {
        fault::problem
    }

    /// Ends the parts in their order, each within a deadline.
    fn drain(self, ending: Ending) -> impl Future<Output = ()>;
}

/// The settings that every program has.
#[derive(Clone, Copy, Debug)]
pub struct CommonSettings<'s> {
    /// The HTTP listener, and how it ends.
    pub server: &'s ServerSettings,
    /// The listener for metrics.
    pub metrics: &'s MetricsSettings,
    /// What is logged, and how.
    pub log: &'s LogSettings,
    /// After how many seconds a client is cut off that reads nothing, where the program has a setting for it.
    pub write_timeout_seconds: Option<f64>,
}

/// What the skeleton hands to a program that starts.
#[derive(Debug)]
pub struct Starting {
    /// Where the parts register their metrics.
    pub metrics: Metrics,
    /// What listeners count.
    pub connections: ConnectionMetrics,
    /// What the parts hold back until they are ready.
    pub readiness: Readiness,
    /// The listeners. They end before what their requests use.
    pub listeners: Tasks,
    /// The background tasks that end last. The listener for metrics is one of them.
    pub tasks: Tasks,
    /// Where HTTP is served.
    pub http: SocketAddr,
}

/// What the skeleton hands to a program that ends.
#[derive(Debug)]
pub struct Ending {
    /// How long open requests may take.
    pub deadline: Duration,
    until: Instant,
    listeners: Tasks,
    tasks: Tasks,
}

impl Ending {
    /// Ends the listeners once their open requests have ended, or the deadline has passed. Says whether all ended in
    /// time.
    pub async fn listeners(&self, component: &'static str) -> bool {
        // The listener closes what is left after the last words, and then the records of those requests are there.
        self.listeners.drain(component, self.deadline + LAST_WORDS + CLOSING).await
    }

    /// Ends the tasks of [`Starting::tasks`]. Says whether all ended within `deadline`.
    pub async fn tasks(&self, component: &'static str, deadline: Duration) -> bool {
        self.tasks.drain(component, deadline).await
    }

    /// What is left of the deadline, and at least the time of a last report.
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).max(LAST_REPORT)
    }
}

/// The whole of a `main`.
pub fn main<P: Program>() -> ExitCode {
    match run(P::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(P::NAME, &failure);
            ExitCode::FAILURE
        }
    }
}

/// Tells people why the program ends. Logging may not have started, or may be filtered.
#[expect(clippy::print_stderr, reason = "why the program ends, where logging may not run")]
fn complain(program: &str, failure: &anyhow::Error) {
    eprintln!("{program}: {failure:#}");
}

/// Prints what an errand has to tell.
#[expect(clippy::print_stdout, reason = "the result of a subcommand")]
fn tell(text: &str) {
    println!("{text}");
}

fn run<P: Program>(program: P) -> Result<()> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().map_err(|_| anyhow!("TLS is set up twice"))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().thread_stack_size(P::WORKER_STACK).enable_all().build()?;
    if let Some(told) = runtime.block_on(program.errand())? {
        tell(&told);
        return Ok(());
    }
    let Loaded { settings, warnings } = program.load()?;
    let CommonSettings { server, metrics: scrapes, log, .. } = P::common(&settings);
    server.check()?;
    scrapes.check()?;
    log.check()?;
    let logging = telemetry::init(log.format, &log.filter)?;
    descriptors::raise();
    for setting in warnings {
        warn!(setting, "a setting may not do what it seems to");
    }
    let proxies = server.trusted_proxies()?;
    if let Some(range) = proxies.everyone() {
        warn!(%range, "Server:TrustedProxies trusts everyone: whoever connects can choose the address that they are known by");
    }
    let metrics = Metrics::new();
    logging.register(&metrics);
    telemetry::register_process(&metrics, P::NAME, P::VERSION);
    let ended = runtime.block_on(live::<P>(settings, metrics));
    // What still blocks after the drain deadlines is not waited for.
    runtime.shutdown_background();
    ended
}

/// Serves `router` with the addresses of clients that `proxies` name. Without proxies, a request costs nothing for it.
fn believing(router: Router, proxies: TrustedProxies) -> Router {
    if proxies.is_empty() {
        return router;
    }
    router.layer(map_request(move |mut request: Request| {
        if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
            let client = proxies.client(peer.ip(), request.headers());
            if client != peer.ip().to_canonical() {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
                request.extensions_mut().insert(ThroughProxy);
            }
        }
        ready(request)
    }))
}

/// From the first listener to the last task.
async fn live<P: Program>(settings: P::Settings, metrics: Metrics) -> Result<()> {
    let CommonSettings { server, metrics: scrapes, write_timeout_seconds, .. } = P::common(&settings);
    let (drain_delay, mut limits, proxies) = (server.drain_delay()?, server.limits()?, server.trusted_proxies()?);
    if let Some(write_timeout) = write_timeout_seconds {
        limits.write_timeout = positive_seconds("Limits:WriteTimeoutSeconds", write_timeout)?;
    }
    let most = descriptors::connections();
    if most < limits.max_connections {
        info!(open_files = ?descriptors::limit(), connections = most, "the limit of open files allows fewer connections than Server:MaxConnections");
    }
    let deadline = limits.drain_deadline;
    let (listeners, tasks) = (Tasks::new(), Tasks::new());
    let listener = listen("Server:Listen", "--listen", &server.address(P::PORTS)).await?;
    if let Some(address) = scrapes.address(P::PORTS) {
        let listener = listen("Metrics:Listen", "--metrics-listen", &address).await?;
        let limits =
            ConnectionLimits { drain_deadline: Duration::ZERO, max_connections: 32, ..ConnectionLimits::default() };
        tasks.spawn("metrics", serve("metrics", listener, metrics.router(), Serving::new(limits, tasks.clone())));
    }

    let mut connections = ConnectionMetrics::default();
    metrics.register(|registry| connections = ConnectionMetrics::register(registry));
    let (readiness, http) = (Readiness::new(P::VERSION), listener.local_addr()?);
    let start = Starting { metrics, connections: connections.clone(), readiness, listeners, tasks, http };
    let running = P::start(settings, &start).await?;
    let Starting { readiness, listeners, tasks, .. } = start;
    let router = believing(running.router().merge(readiness.router()), proxies);
    let (refuse, counts) = (running.refuse(), connections.of("http"));
    let serving = Serving { refuse, counts, ..Serving::new(limits, listeners.clone()) };
    let leaving = serving.leaving.clone();
    listeners.spawn("http", serve("http", listener, router, serving));

    termination_signal().await?;
    readiness.drain();
    leaving.store(true, Ordering::Relaxed);
    sleep(drain_delay).await;
    running.drain(Ending { deadline, until: Instant::now() + deadline, listeners, tasks }).await;
    Ok(())
}
