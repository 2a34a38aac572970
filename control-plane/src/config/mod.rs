//! Settings of the control plane, one file for each section of `appsettings.json`. Environment variables and flags set
//! them too.

mod auth;
mod database;
mod flags;
mod grpc;
mod health_check;
mod probes;
mod secrets;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::config::bounds::listen_address;
use shared::config::{ConfigError, Loaded, Loader, LogSettings, MetricsSettings, Ports, ServerSettings, SettingError};
use shared::secret::Secret;

pub use auth::AuthSettings;
pub use database::DatabaseSettings;
pub(crate) use database::place as database_place;
pub use flags::Flags;
pub use grpc::GrpcSettings;
pub use health_check::HealthCheckSettings;
pub use probes::ProbeSettings;
pub use secrets::SecretSettings;

/// Sections that belong to the data plane. They may stand in the same file.
pub const ELSEWHERE: &[&str] = &["Cache", "Limits", "Media", "Usage", "Node"];

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
    /// The directory that holds secrets, and the database where it is SQLite.
    pub data_directory: PathBuf,
    /// The database.
    pub database: DatabaseSettings,
    /// The first user, and logins.
    pub auth: AuthSettings,
    /// Secrets that are made at the first start where they are not given.
    pub secrets: SecretSettings,
    /// Tries of upstream keys that are out.
    pub probes: ProbeSettings,
    /// Checks of providers, keys and models on a schedule.
    pub health_check: HealthCheckSettings,
    /// What is logged, and how.
    pub log: LogSettings,
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
            probes: ProbeSettings::default(),
            health_check: HealthCheckSettings::default(),
            log: LogSettings::default(),
        }
    }
}

impl ControlPlaneSettings {
    /// Reads the settings from the file, the environment and the flags. A later source goes over an earlier one.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown key or a value of the wrong type.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded<Self>, ConfigError> {
        flags.apply(Loader::new::<Self>(ELSEWHERE), environment)?.load()
    }

    /// Refuses what cannot be meant. The sections `Auth` and `Secrets` are checked by the rooms that they belong to.
    ///
    /// # Errors
    /// [`SettingError`] that names the setting and says what is allowed.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.data_directory.as_os_str().is_empty() {
            return Err(SettingError::new("DataDirectory", "is empty: it must be a directory, such as ./data"));
        }
        listen_address("Grpc:Listen", &self.grpc.listen)?;
        self.probes.first_ms()?;
        self.health_check.check()?;
        self.database_url().map(|_| ())
    }

    /// The URL of the database.
    ///
    /// # Errors
    /// [`SettingError`] for a type or a connection string that cannot be read.
    pub fn database_url(&self) -> Result<Secret, SettingError> {
        database::url(&self.database, &self.data_directory)
    }
}

#[cfg(test)]
mod tests;
