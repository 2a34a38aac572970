//! Both planes in one process, on one port. The program has no logic of its own: it joins the two libraries over an
//! in-process gRPC channel.

mod demo;
mod in_process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use axum::Router;
use clap::{Parser, Subcommand};
use control_plane::auth::InitialAdmin;
use control_plane::auth::reset::ResetPassword;
use control_plane::config::{Flags, GrpcSettings, PORTS};
use control_plane::{ControlPlane, ControlPlaneSettings};
use data_plane::app::DataPlane;
use data_plane::config::{DataPlaneSettings, NodeSettings};
use shared::config::{Loaded, Loader, Ports};
use shared::drain::Tasks;
use shared::program::{self, CommonSettings, Ending, LAST_REPORT, Program, Running, Starting};
use shared::serve::fault::Refuse;
use shared::serve::{reachable, who_else_reaches};
use shared::telemetry;
use tracing::info;

use crate::demo::Demo;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An AI API gateway in one process: the API for applications, the admin API and the ledger, on one port.
#[derive(Debug, Parser)]
#[command(name = "orchestration-api", version)]
struct Arguments {
    /// Settings file [default: ./appsettings.json where it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where HTTP is served [default: 0.0.0.0:5000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where /metrics is served; empty is off [default: 127.0.0.1:5002]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    /// Database, secrets, and usage records on their way [default: ./data]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// sqlite://, mysql:// or postgres:// [default: SQLite in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Serve from this database, although the data directory belonged to another one, or to a newer version of it
    #[arg(long, value_name = "ID")]
    accept_database: Option<String>,
    /// How log lines are written; with json, what is shown once at a first start goes to stderr [default: text]
    #[arg(long, value_name = "text|json")]
    log_format: Option<String>,
    /// A level, or a list such as info,data_plane=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
    /// Adds a fake provider, a group and a proxy key to try the gateway on
    #[arg(long)]
    demo: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the program does instead of serving.
#[derive(Debug, Subcommand)]
enum Command {
    ResetPassword(ResetPassword),
}

impl Arguments {
    /// The flags that stand for settings, as the control plane has them.
    fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            listen: self.listen.clone(),
            grpc_listen: None,
            metrics_listen: self.metrics_listen.clone(),
            data_dir: self.data_dir.clone(),
            database_url: self.database_url.clone(),
            log_format: self.log_format.clone(),
            log_filter: self.log_filter.clone(),
        }
    }

    /// The control plane's settings. Its reading refuses a key that neither plane knows.
    fn control(&self) -> Result<Loaded<ControlPlaneSettings>> {
        let loader = Loader::new::<ControlPlaneSettings>(control_plane::config::ELSEWHERE);
        let loader = loader.suggesting::<DataPlaneSettings>();
        Ok(self.flags().apply(loader, std::env::vars())?.load()?)
    }
}

/// The settings of both planes, from the same sources.
struct BothSettings {
    control: ControlPlaneSettings,
    node: DataPlaneSettings,
    demo: bool,
}

fn main() -> ExitCode {
    program::main::<Arguments>()
}

impl Program for Arguments {
    const NAME: &str = "orchestration-api";
    const VERSION: &str = VERSION;
    const PORTS: Ports = PORTS;
    type Settings = BothSettings;
    type Running = BothPlanes;

    /// Each plane reads its own sections.
    fn load(self) -> Result<Loaded<BothSettings>> {
        let Loaded { settings: control, mut warnings } = self.control()?;
        control.check()?;
        let loader = Loader::new::<DataPlaneSettings>(data_plane::config::ELSEWHERE);
        let mut node = self.flags().apply(loader, std::env::vars())?.load::<DataPlaneSettings>()?.settings;
        let (unset, given) = (NodeSettings::default(), &node.node);
        for (key, used) in [
            ("Grpc:Listen", control.grpc.listen == GrpcSettings::default().listen),
            ("Node:ControlPlaneUrl", given.control_plane_url == unset.control_plane_url),
            ("Node:Token", given.token.is_empty()),
            ("Node:TokenFile", given.token_file.is_empty()),
        ] {
            if !used {
                warnings.push(format!("{key}: not used, since both planes are in this process"));
            }
        }
        if let Some(id) = self.accept_database {
            node.node.accept_database = id;
        }
        node.node.control_plane_url = String::from("in this process");
        node.data_directory = control.data_directory.join("node").display().to_string();
        node.check()?;
        let settings = BothSettings { control, node, demo: self.demo };
        Ok(Loaded { settings, warnings })
    }

    async fn errand(&self) -> Result<Option<String>> {
        let Some(Command::ResetPassword(reset)) = &self.command else { return Ok(None) };
        reset.run(&self.control()?.settings).await.map(Some)
    }

    fn common(settings: &BothSettings) -> CommonSettings<'_> {
        let ControlPlaneSettings { server, metrics, log, .. } = &settings.control;
        CommonSettings { server, metrics, log, write_timeout_seconds: Some(settings.node.limits.write_timeout_seconds) }
    }

    async fn start(settings: BothSettings, start: &Starting) -> Result<BothPlanes> {
        let BothSettings { control: settings, mut node, demo } = settings;
        let log_format = settings.log.format;
        let control = ControlPlane::start(settings, &start.metrics, &start.readiness, &start.tasks).await?;
        // The node learns of the config only after this: the group of an earlier `--demo` may point to a port that now
        // belongs to another process.
        let demo = demo::start_or_disable(control.store(), demo).await.context("demo")?;
        let channel = in_process::channel(control.grpc(), &start.tasks);
        node.node.token = control.node_token().clone();
        let node_tasks = Tasks::new();
        let node = DataPlane::start(node, channel, &start.metrics, &start.readiness, &node_tasks).await?;
        if let Some(admin) = control.initial_admin() {
            telemetry::announce(log_format, &first_start(admin, start.http));
        }
        if let Some(demo) = &demo {
            telemetry::announce(log_format, &demo.instructions(start.http));
        }
        info!(version = VERSION, http = %start.http, "serving");
        Ok(BothPlanes { control, node, node_tasks, demo })
    }
}

/// Both planes, running.
struct BothPlanes {
    control: ControlPlane,
    node: DataPlane,
    node_tasks: Tasks,
    demo: Option<Demo>,
}

impl Running for BothPlanes {
    fn router(&self) -> Router {
        let fallback = self.node.fallback(self.control.fallback());
        self.control.router().merge(self.node.router()).fallback_service(fallback)
    }

    /// What listens is both planes', and the shapes of the APIs that clients speak differ.
    fn refuse(&self) -> Refuse {
        data_plane::ingress::refuse
    }

    async fn drain(self, ending: Ending) {
        ending.listeners("http").await;
        // The node still reports what its last requests used, so the control plane ends after it.
        self.node.drain(ending.left()).await;
        self.node_tasks.drain("node", LAST_REPORT).await;
        self.control.drain_streams(LAST_REPORT).await;
        ending.tasks("control plane", LAST_REPORT).await;
        if let Some(demo) = self.demo {
            demo.stop().await;
        }
        info!("ended");
    }
}

/// The text that the operator needs after a first start. It is shown once and never logged.
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
