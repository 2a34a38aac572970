//! The sections of the settings that every program has: `Server`, `Metrics` and `Log`.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bounds::{self, SettingError, listen_address, positive_seconds, seconds};
use super::log_filter;
use crate::forwarded::TrustedProxies;
use crate::serve::ConnectionLimits;
use crate::telemetry::LogFormat;

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
    /// The port alone, as the .NET program of the same name has it; without it, the program's own.
    #[serde(serialize_with = "write_port", deserialize_with = "read_port")]
    pub port: Option<NonZeroU16>,
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
    /// Proxies whose word is taken for the address of a client: addresses, and ranges in CIDR notation.
    pub trusted_proxies: Vec<String>,
}

/// The example of the loader has to be a number.
#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn write_port<S: Serializer>(port: &Option<NonZeroU16>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(port.map_or(0, NonZeroU16::get))
}

fn read_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroU16>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let port = u16::try_from(number).ok().and_then(NonZeroU16::new);
    port.map(Some).ok_or_else(|| serde::de::Error::custom(format!("must be a port from 1 to 65535, not {number}")))
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: None,
            host: "0.0.0.0".to_owned(),
            port: None,
            drain_delay_seconds: 1.0,
            drain_deadline_seconds: 30.0,
            header_timeout_seconds: 65.0,
            first_request_timeout_seconds: 10.0,
            max_connections: 50_000,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl ServerSettings {
    /// `address:port` to listen on.
    pub fn address(&self, ports: Ports) -> String {
        let port = self.port.map_or(ports.http, NonZeroU16::get);
        match &self.listen {
            Some(listen) => listen.clone(),
            None if self.host.contains(':') && !self.host.starts_with('[') => format!("[{}]:{port}", self.host),
            None => format!("{}:{port}", self.host),
        }
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`SettingError`] that names the setting and says what is allowed.
    pub fn check(&self) -> Result<(), SettingError> {
        if let Some(listen) = &self.listen {
            listen_address("Server:Listen", listen)?;
        } else if self.host.trim().is_empty() || self.host.contains(char::is_whitespace) {
            return Err(SettingError::new("Server:Host", "must be an address to listen on, such as 0.0.0.0"));
        }
        let (limits, delay) = (self.limits()?, self.drain_delay()?);
        if limits.drain_deadline < delay {
            let problem = format!(
                "must not be below Server:DrainDelaySeconds, which is {}, and is {}",
                self.drain_delay_seconds, self.drain_deadline_seconds
            );
            return Err(SettingError::new("Server:DrainDeadlineSeconds", problem));
        }
        self.trusted_proxies().map(|_| ())
    }

    /// The proxies whose word is taken for the address of a client.
    ///
    /// # Errors
    /// [`SettingError`] for an entry that is neither an address nor a range.
    pub fn trusted_proxies(&self) -> Result<TrustedProxies, SettingError> {
        TrustedProxies::parse(&self.trusted_proxies)
            .map_err(|error| SettingError::new("Server:TrustedProxies", format!("cannot be read: {error}")))
    }

    /// Deadlines and bounds of the listener.
    ///
    /// # Errors
    /// [`SettingError`] for a value that is out of its bounds.
    pub fn limits(&self) -> Result<ConnectionLimits, SettingError> {
        Ok(ConnectionLimits {
            header_timeout: positive_seconds("Server:HeaderTimeoutSeconds", self.header_timeout_seconds)?,
            first_request_timeout: positive_seconds(
                "Server:FirstRequestTimeoutSeconds",
                self.first_request_timeout_seconds,
            )?,
            max_connections: bounds::count("Server:MaxConnections", self.max_connections)?,
            drain_deadline: positive_seconds("Server:DrainDeadlineSeconds", self.drain_deadline_seconds)?,
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
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`SettingError`] for a text that is no address with a port.
    pub fn check(&self) -> Result<(), SettingError> {
        match self.listen.as_deref().map(str::trim) {
            None | Some("") => Ok(()),
            Some(listen) => listen_address("Metrics:Listen", listen),
        }
    }

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

impl LogSettings {
    /// Refuses a filter that does not mean what it says.
    ///
    /// # Errors
    /// [`SettingError`] that names the part which is not understood.
    pub fn check(&self) -> Result<(), SettingError> {
        log_filter::check(&self.filter)
    }
}
