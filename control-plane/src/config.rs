//! Settings of the control plane: sections of `appsettings.json`, variables and flags.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use shared::config::{ConfigError, Loaded, Loader};
use shared::secret::Secret;
use shared::serve::Limits;
use shared::telemetry::LogFormat;
use thiserror::Error;

mod database;

pub(crate) use database::place as database_place;

/// Sections that belong to the data plane and may stand in the same file.
pub const ELSEWHERE: &[&str] = &["Limits", "Media", "Usage", "Node"];

/// Read when it exists and no other file is named.
const DEFAULT_FILE: &str = "appsettings.json";

/// A setting that makes no sense, by its key.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{key} {problem}")]
pub struct SettingError {
    /// `Section:Key`.
    pub key: &'static str,
    /// What is wrong. Holds no secret.
    pub problem: String,
}

impl SettingError {
    pub(crate) fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }
}

/// All settings of the control plane.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Settings {
    /// The HTTP listener.
    pub server: ServerSettings,
    /// The listener for nodes.
    pub grpc: GrpcSettings,
    /// The listener for metrics.
    pub metrics: MetricsSettings,
    /// Holds secrets, and the database where it is SQLite.
    pub data_directory: PathBuf,
    /// The database.
    pub database: DatabaseSettings,
    /// The first user, and logins.
    pub auth: AuthSettings,
    /// Secrets that are otherwise made at the first start.
    pub secrets: SecretSettings,
    /// What is logged, and how.
    pub log: LogSettings,
}

/// The HTTP listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServerSettings {
    /// `address:port`. Without it, `Host` and `Port`.
    pub listen: Option<String>,
    /// Address alone, as the .NET program of the same name has it.
    pub host: String,
    /// Port alone, likewise.
    pub port: u16,
    /// After SIGTERM: seconds in which connections are still accepted while the probe says not ready.
    pub drain_delay_seconds: f64,
    /// After that: seconds in which open requests may finish.
    pub drain_deadline_seconds: f64,
    /// Seconds for request headers to arrive, and for an idle connection.
    pub header_timeout_seconds: f64,
    /// Connections open at once.
    pub max_connections: usize,
}

/// The listener for nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GrpcSettings {
    /// `address:port`.
    pub listen: String,
}

/// The listener for metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetricsSettings {
    /// `address:port`; empty is off.
    pub listen: String,
}

/// The database.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DatabaseSettings {
    /// `sqlite://…`, `mysql://…` or `postgres://…`. Holds a password, so it is a secret.
    pub url: Option<Secret>,
    /// Without a URL: `sqlite`, `mysql` or `postgres`, and which of the following counts.
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    /// SQLite, as `Data Source=<file>`.
    pub connection_string: Option<Secret>,
    /// MySQL, as `Server=…;Port=…;Database=…;User=…;Password=…`.
    pub my_sql_connection_string: Option<Secret>,
    /// PostgreSQL, as `Host=…;Port=…;Database=…;Username=…;Password=…`.
    pub postgres_connection_string: Option<Secret>,
}

/// The first user, and logins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AuthSettings {
    /// Name of the admin that a first start makes.
    pub username: String,
    /// Password of that admin; made and printed without one.
    pub password: Option<Secret>,
    /// Key of login tokens, at least 32 bytes.
    pub jwt_secret: Option<Secret>,
    /// Seconds that a login lasts.
    pub session_timeout: u64,
}

/// Secrets that are otherwise made at the first start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SecretSettings {
    /// What upstream keys are sealed under in the database.
    pub master_key: Option<Secret>,
    /// What nodes authenticate with.
    pub node_token: Option<Secret>,
}

/// What is logged, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogSettings {
    /// For people, or for programs.
    pub format: LogFormat,
    /// A level, or a list such as `info,control_plane=debug`.
    pub filter: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: ServerSettings::default(),
            grpc: GrpcSettings::default(),
            metrics: MetricsSettings::default(),
            data_directory: PathBuf::from("./data"),
            database: DatabaseSettings::default(),
            auth: AuthSettings::default(),
            secrets: SecretSettings::default(),
            log: LogSettings::default(),
        }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: None,
            host: "0.0.0.0".to_owned(),
            port: 5000,
            drain_delay_seconds: 1.0,
            drain_deadline_seconds: 30.0,
            header_timeout_seconds: 65.0,
            max_connections: 50_000,
        }
    }
}

impl Default for GrpcSettings {
    fn default() -> Self {
        Self { listen: "0.0.0.0:5001".to_owned() }
    }
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { listen: "127.0.0.1:5002".to_owned() }
    }
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self { username: "admin".to_owned(), password: None, jwt_secret: None, session_timeout: 86_400 }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Flags that stand for settings. A program with further flags flattens this into its own.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
    /// Settings file [default: ./appsettings.json where it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where HTTP is served [default: 0.0.0.0:5000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where nodes connect [default: 0.0.0.0:5001]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub grpc_listen: Option<String>,
    /// Where /metrics is served; empty is off [default: 127.0.0.1:5002]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<String>,
    /// Secrets, and the database where it is SQLite [default: ./data]
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// sqlite://, mysql:// or postgres:// [default: SQLite in the data directory]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// How log lines are written; with json, what is shown once at a first start goes to stderr [default: text]
    #[arg(long, value_name = "text|json")]
    pub log_format: Option<String>,
    /// A level, or a list such as info,control_plane=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log_filter: Option<String>,
}

impl Flags {
    /// Adds the file, the variables and these flags to `loader`, in this order. Another program's loader may know more
    /// keys.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read, an unknown key or a value of the wrong type.
    pub fn apply(
        &self,
        mut loader: Loader,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loader, ConfigError> {
        let default = Path::new(DEFAULT_FILE);
        if let Some(file) = self.config.as_deref().or_else(|| default.exists().then_some(default)) {
            loader = loader.file(file)?;
        }
        loader
            .environment(environment)?
            .flag("Server:Listen", self.listen.as_ref())?
            .flag("Grpc:Listen", self.grpc_listen.as_ref())?
            .flag("Metrics:Listen", self.metrics_listen.as_ref())?
            .flag("DataDirectory", self.data_dir.as_ref().map(|path| path.display()))?
            .flag("Database:Url", self.database_url.as_ref())?
            .flag("Log:Format", self.log_format.as_ref())?
            .flag("Log:Filter", self.log_filter.as_ref())
    }
}

impl Settings {
    /// Settings from the file, the environment and the flags, later over earlier.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown key or a value of the wrong type.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded<Self>, ConfigError> {
        flags.apply(Loader::new::<Self>(ELSEWHERE), environment)?.load()
    }

    /// Where the database is.
    ///
    /// # Errors
    /// [`SettingError`] for a type or a connection string that cannot be read.
    pub fn database_url(&self) -> Result<Secret, SettingError> {
        database::url(&self.database, &self.data_directory)
    }
}

impl ServerSettings {
    /// `address:port` to listen on.
    pub fn address(&self) -> String {
        match &self.listen {
            Some(listen) => listen.clone(),
            None if self.host.contains(':') && !self.host.starts_with('[') => format!("[{}]:{}", self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// Deadlines and bounds of the HTTP listener.
    ///
    /// # Errors
    /// [`SettingError`] for a duration that is negative or too long.
    pub fn limits(&self) -> Result<Limits, SettingError> {
        Ok(Limits {
            header_timeout: seconds("Server:HeaderTimeoutSeconds", self.header_timeout_seconds)?,
            max_connections: self.max_connections.max(1),
            drain_deadline: self.drain_deadline()?,
        })
    }

    /// How long connections are still accepted after SIGTERM.
    ///
    /// # Errors
    /// [`SettingError`] for a duration that is negative or too long.
    pub fn drain_delay(&self) -> Result<Duration, SettingError> {
        seconds("Server:DrainDelaySeconds", self.drain_delay_seconds)
    }

    /// How long open requests may take after that.
    ///
    /// # Errors
    /// [`SettingError`] for a duration that is negative or too long.
    pub fn drain_deadline(&self) -> Result<Duration, SettingError> {
        seconds("Server:DrainDeadlineSeconds", self.drain_deadline_seconds)
    }
}

fn seconds(key: &'static str, seconds: f64) -> Result<Duration, SettingError> {
    Duration::try_from_secs_f64(seconds).map_err(|error| SettingError::new(key, format!("is {seconds}: {error}")))
}

#[cfg(test)]
mod tests;
