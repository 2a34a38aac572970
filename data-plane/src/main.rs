//! The program `data-plane`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use clap::Parser;
use data_plane::app::DataPlane;
use data_plane::config::{DataPlaneSettings, ELSEWHERE, PORTS};
use mimalloc::MiMalloc;
use shared::config::{Loaded, Loader, Ports};
use shared::program::{self, CommonSettings, Ending, LAST_REPORT, Program, Running, Starting};
use shared::serve::fault::Refuse;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tracing::{info, warn};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

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
    /// Take the config of this database, although the node belonged to another one, or to a newer version of it.
    #[arg(long, value_name = "ID")]
    accept_database: Option<String>,
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
    program::main::<Arguments>()
}

impl Program for Arguments {
    const NAME: &str = "data-plane";
    const VERSION: &str = VERSION;
    const PORTS: Ports = PORTS;
    /// The tokenizer has a cache of 1.2 MB for each thread, which is built on the stack where the compiler does not see
    /// that it need not be.
    const WORKER_STACK: usize = 4 * 1024 * 1024;
    type Settings = DataPlaneSettings;
    type Running = RunningDataPlane;

    fn load(self) -> Result<Loaded<DataPlaneSettings>> {
        let flags = [
            ("Server:Listen", self.listen),
            ("Metrics:Listen", self.metrics_listen),
            ("Node:ControlPlaneUrl", self.control_url),
            ("Node:Token", self.node_token),
            ("Node:TokenFile", self.node_token_file),
            ("Node:Id", self.node_id),
            ("Node:AcceptDatabase", self.accept_database),
            ("DataDirectory", self.data_dir),
            ("Log:Format", self.log_format),
            ("Log:Filter", self.log_filter),
        ];
        let sources = Loader::new::<DataPlaneSettings>(ELSEWHERE);
        let loaded = sources.sources(self.config.as_deref(), std::env::vars(), flags)?.load::<DataPlaneSettings>()?;
        loaded.settings.check()?;
        Ok(loaded)
    }

    fn common(settings: &DataPlaneSettings) -> CommonSettings<'_> {
        CommonSettings {
            server: &settings.server,
            metrics: &settings.metrics,
            log: &settings.log,
            write_timeout_seconds: Some(settings.limits.write_timeout_seconds),
        }
    }

    async fn start(settings: DataPlaneSettings, start: &Starting) -> Result<RunningDataPlane> {
        let url = settings.node.control_plane()?;
        if settings.node.is_plain_text() {
            warn!(
                url,
                "Node:ControlPlaneUrl leaves this machine in plain text: whoever is on the way reads the node token and the \
                 upstream keys; keep it within a network that you trust, or reach the control plane by https"
            );
        }
        let channel = channel(url)?;
        let started = DataPlane::start(settings, channel, &start.metrics, &start.readiness, &start.tasks).await?;
        info!(address = %start.http, "serving");
        Ok(RunningDataPlane(started))
    }
}

struct RunningDataPlane(DataPlane);

impl Running for RunningDataPlane {
    fn router(&self) -> Router {
        self.0.only_router()
    }

    fn refuse(&self) -> Refuse {
        data_plane::ingress::refuse
    }

    async fn drain(self, ending: Ending) {
        ending.listeners("http").await;
        self.0.drain(ending.left()).await;
        ending.tasks("node", LAST_REPORT).await;
        info!("ended");
    }
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
