//! The sections of the settings that every program has: `Server`, `Metrics` and `Log`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::serve::ConnectionLimits;
use crate::telemetry::LogFormat;

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
    /// The setting `key` has this `problem`.
    pub fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self { key, problem: problem.into() }
    }
}

/// The ports of a program where no setting names others.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Where HTTP is served, on all addresses of the machine.
    pub http: u16,
    /// Where metrics are served, on this machine alone.
    pub metrics: u16,
}

/// Section `Server`: the HTTP listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServerSettings {
    /// `address:port`. `Host` and `Port` count where it is not given.
    pub listen: Option<String>,
    /// The address alone, as the .NET program of the same name has it.
    pub host: String,
    /// The port alone, as the .NET program of the same name has it; 0 is the program's own.
    pub port: u16,
    /// Seconds after SIGTERM in which connections are still accepted while the probe says not ready.
    pub drain_delay_seconds: f64,
    /// Seconds after that delay in which open requests may finish.
    pub drain_deadline_seconds: f64,
    /// Seconds for request headers to arrive, and for an idle connection.
    pub header_timeout_seconds: f64,
    /// Seconds for the first request of a new connection.
    pub first_request_timeout_seconds: f64,
    /// Connections open at once, as far as the limit of open files allows so many.
    pub max_connections: usize,
    /// Origins whose pages may call the APIs that clients speak (CORS), or `*` for all; empty is none. The admin API is
    /// never open to other origins.
    pub allowed_origins: Vec<String>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: None,
            host: "0.0.0.0".to_owned(),
            port: 0,
            drain_delay_seconds: 1.0,
            drain_deadline_seconds: 30.0,
            header_timeout_seconds: 65.0,
            first_request_timeout_seconds: 10.0,
            max_connections: 50_000,
            allowed_origins: Vec::new(),
        }
    }
}

impl ServerSettings {
    /// `address:port` to listen on.
    pub fn address(&self, ports: Ports) -> String {
        let port = if self.port == 0 { ports.http } else { self.port };
        match &self.listen {
            Some(listen) => listen.clone(),
            None if self.host.contains(':') && !self.host.starts_with('[') => format!("[{}]:{port}", self.host),
            None => format!("{}:{port}", self.host),
        }
    }

    /// Deadlines and bounds of the listener.
    ///
    /// # Errors
    /// [`SettingError`] for a duration that is negative or too long.
    pub fn limits(&self) -> Result<ConnectionLimits, SettingError> {
        Ok(ConnectionLimits {
            header_timeout: seconds("Server:HeaderTimeoutSeconds", self.header_timeout_seconds)?,
            first_request_timeout: seconds("Server:FirstRequestTimeoutSeconds", self.first_request_timeout_seconds)?,
            max_connections: self.max_connections.max(1),
            drain_deadline: seconds("Server:DrainDeadlineSeconds", self.drain_deadline_seconds)?,
            ..ConnectionLimits::default()
        })
    }

    /// How long connections are still accepted after SIGTERM.
    ///
    /// # Errors
    /// [`SettingError`] for a duration that is negative or too long.
    pub fn drain_delay(&self) -> Result<Duration, SettingError> {
        seconds("Server:DrainDelaySeconds", self.drain_delay_seconds)
    }
}

/// Section `Metrics`: the listener for `/metrics`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetricsSettings {
    /// `address:port`; empty is off.
    pub listen: Option<String>,
}

impl MetricsSettings {
    /// `address:port` to listen on; nothing where metrics are not served.
    pub fn address(&self, ports: Ports) -> Option<String> {
        match self.listen.as_deref().map(str::trim) {
            None => Some(format!("127.0.0.1:{}", ports.metrics)),
            Some("") => None,
            Some(listen) => Some(listen.to_owned()),
        }
    }
}

/// Section `Log`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogSettings {
    /// For people, or for programs.
    pub format: LogFormat,
    /// A level, or a list such as `info,data_plane=debug`.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// The duration that the setting `key` gives in seconds, which may be a fraction.
///
/// # Errors
/// [`SettingError`] for a duration that is negative or too long.
pub fn seconds(key: &'static str, seconds: f64) -> Result<Duration, SettingError> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| SettingError::new(key, format!("must be a time in seconds, not {seconds}: {error}")))
}
