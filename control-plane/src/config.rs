//! Settings of the control plane: sections of `appsettings.json`, variables and flags.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use shared::config::{ConfigError, Loaded, Loader, LogSettings, MetricsSettings, Ports, ServerSettings, SettingError};
use shared::secret::Secret;

mod database;

pub(crate) use database::place as database_place;

/// Sections that belong to the data plane and may stand in the same file.
pub const ELSEWHERE: &[&str] = &["Limits", "Media", "Usage", "Node"];

/// Where a control plane listens when no setting says otherwise.
pub const PORTS: Ports = Ports { http: 5000, metrics: 5002 };

/// All settings of the control plane.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ControlPlaneSettings {
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

/// The listener for nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GrpcSettings {
    /// `address:port`.
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

impl Default for ControlPlaneSettings {
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

impl Default for GrpcSettings {
    fn default() -> Self {
        Self { listen: "0.0.0.0:5001".to_owned() }
    }
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self { username: "admin".to_owned(), password: None, jwt_secret: None, session_timeout: 86_400 }
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
        loader: Loader,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loader, ConfigError> {
        let flags = [
            ("Server:Listen", self.listen.clone()),
            ("Grpc:Listen", self.grpc_listen.clone()),
            ("Metrics:Listen", self.metrics_listen.clone()),
            ("DataDirectory", self.data_dir.as_ref().map(|path| path.display().to_string())),
            ("Database:Url", self.database_url.clone()),
            ("Log:Format", self.log_format.clone()),
            ("Log:Filter", self.log_filter.clone()),
        ];
        loader.sources(self.config.as_deref(), environment, flags)
    }
}

impl ControlPlaneSettings {
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

#[cfg(test)]
mod tests;
