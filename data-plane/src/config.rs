//! Settings of a data plane.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use shared::config::bounds::{self, positive_seconds};
use shared::config::{LogSettings, MetricsSettings, Ports, ServerSettings, SettingError};
use shared::secret::Secret;
use shared::secret::strength::is_placeholder;
use shared::serve::ConnectionLimits;

use crate::limits::{MediaPolicy, RequestLimits, UploadSpace};
use crate::route::breaker;
use crate::usage::spool::SpoolLimits;

/// Sections of a shared settings file that belong to the control plane.
pub const ELSEWHERE: &[&str] = &["Auth", "Database", "Grpc", "HealthCheck", "Probes", "Secrets"];

/// Where a data plane listens when no setting says otherwise.
pub const PORTS: Ports = Ports { http: 8080, metrics: 8081 };

/// Smallest file of the spool, in bytes. It holds a few records.
const LEAST_SEGMENT_BYTES: u64 = 4096;

/// Longest id of a node that the control plane takes, in bytes.
const LONGEST_NODE_ID: usize = 128;

/// All settings, by section.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DataPlaneSettings {
    /// Where the spool, the last good config and the node's id are kept.
    pub data_directory: String,
    /// The listener.
    pub server: ServerSettings,
    /// The listener for metrics.
    pub metrics: MetricsSettings,
    /// Who this node is, and where its control plane.
    pub node: NodeSettings,
    /// Logs.
    pub log: LogSettings,
    /// Bounds on one client request.
    pub limits: LimitSettings,
    /// Media that clients name by URL.
    pub media: MediaSettings,
    /// Answers that are kept in memory.
    pub cache: CacheSettings,
    /// Usage records on their way.
    pub usage: UsageSettings,
}

/// Section `Node`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeSettings {
    /// Where the control plane serves gRPC: `http://` or `https://`.
    pub control_plane_url: String,
    /// What the control plane knows its nodes by.
    pub token: Secret,
    /// A file that holds the token.
    pub token_file: String,
    /// Empty: made at the first start and kept.
    pub id: String,
    /// The id of a database whose config the node takes although it belonged to another one, or to a newer version of
    /// it. It counts for the first config after the start.
    pub accept_database: String,
    /// Whether answers tell the client the group, the model and the number of attempts.
    pub route_headers: bool,
    /// After how many failures in a row a model of a group, or an upstream key, is left alone for a while; 0 is never.
    pub breaker_failures: u32,
}

/// Section `Limits`. Times are in seconds and may be fractions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LimitSettings {
    /// Largest request body, after decompression.
    pub max_body_bytes: usize,
    /// How many bytes of requests the node holds at once, and of what becomes of them until the provider has them.
    pub max_bytes_in_flight: u64,
    /// How many requests may be under way at once.
    pub max_requests_in_flight: usize,
    /// Largest upload.
    pub max_upload_bytes: u64,
    /// Bytes on disk of uploads that name their model behind the file, all together.
    pub max_waiting_upload_bytes: u64,
    /// For such an upload to name its model.
    pub upload_wait_seconds: f64,
    /// For the client to send its body.
    pub body_timeout_seconds: f64,
    /// Until the first byte, all attempts together.
    pub request_timeout_seconds: f64,
    /// Between two chunks of a stream.
    pub stream_idle_timeout_seconds: f64,
    /// For a client to take something of what it was sent.
    pub write_timeout_seconds: f64,
}

/// Section `Media`: what a client names by URL, for providers that want it as data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MediaSettings {
    /// Whether the gateway fetches it; otherwise such requests are refused.
    pub fetch: bool,
    /// Also from private networks and this machine. Whoever holds a proxy key can then reach what the gateway reaches.
    pub allow_private_networks: bool,
}

/// Section `Cache`: answers that are kept in memory, for the proxy keys and groups that have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CacheSettings {
    /// The memory that they take, all together, in bytes; 0 keeps none.
    pub max_bytes: u64,
}

/// Section `Usage`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UsageSettings {
    /// Bytes of records waiting on disk; above it those that cost nothing are dropped first, and counted.
    pub spool_max_bytes: u64,
    /// Bytes of one file of the spool.
    pub segment_bytes: u64,
    /// Records waiting in memory for the disk.
    pub queue_capacity: usize,
}

impl Default for DataPlaneSettings {
    fn default() -> Self {
        Self {
            data_directory: "./data-node".to_owned(),
            server: ServerSettings::default(),
            metrics: MetricsSettings::default(),
            node: NodeSettings::default(),
            log: LogSettings::default(),
            limits: LimitSettings::default(),
            media: MediaSettings::default(),
            cache: CacheSettings::default(),
            usage: UsageSettings::default(),
        }
    }
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            control_plane_url: "http://127.0.0.1:5001".to_owned(),
            token: Secret::default(),
            token_file: String::new(),
            id: String::new(),
            accept_database: String::new(),
            route_headers: true,
            breaker_failures: breaker::IN_A_ROW,
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        let limits = RequestLimits::default();
        Self {
            max_body_bytes: limits.max_body_bytes,
            max_bytes_in_flight: limits.max_bytes_in_flight,
            max_requests_in_flight: limits.max_requests_in_flight,
            max_upload_bytes: limits.max_upload_bytes,
            max_waiting_upload_bytes: limits.upload_space.most(),
            upload_wait_seconds: limits.upload_wait.as_secs_f64(),
            body_timeout_seconds: limits.body_timeout.as_secs_f64(),
            request_timeout_seconds: limits.request_timeout.as_secs_f64(),
            stream_idle_timeout_seconds: limits.stream_idle_timeout.as_secs_f64(),
            write_timeout_seconds: ConnectionLimits::default().write_timeout.as_secs_f64(),
        }
    }
}

impl Default for MediaSettings {
    fn default() -> Self {
        let policy = MediaPolicy::default();
        Self { fetch: policy.fetch, allow_private_networks: policy.private_networks }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { max_bytes: RequestLimits::default().max_cache_bytes }
    }
}

impl Default for UsageSettings {
    fn default() -> Self {
        Self { spool_max_bytes: 256 * 1024 * 1024, segment_bytes: 4 * 1024 * 1024, queue_capacity: 65_536 }
    }
}

impl DataPlaneSettings {
    /// The data directory.
    pub fn data_directory(&self) -> PathBuf {
        PathBuf::from(&self.data_directory)
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`SettingError`] that names the setting and says what is allowed.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.data_directory.trim().is_empty() {
            return Err(SettingError::new("DataDirectory", "is empty: it must be a directory, such as ./data-node"));
        }
        self.limits()?;
        self.usage.check()?;
        self.node.check()
    }

    /// Bounds on one client request.
    ///
    /// # Errors
    /// When a value is out of its bounds.
    pub fn limits(&self) -> Result<RequestLimits, SettingError> {
        let (media, route_headers) = (self.media.policy(), self.node.route_headers);
        Ok(RequestLimits { media, route_headers, max_cache_bytes: self.cache.max_bytes, ..self.limits.limits()? })
    }
}

impl NodeSettings {
    /// The node token: as given, or from the file.
    ///
    /// # Errors
    /// When there is none, or the file cannot be read.
    pub fn token(&self) -> Result<Secret> {
        if !self.token.is_empty() {
            return Ok(self.token.clone());
        }
        if self.token_file.is_empty() {
            bail!(
                "no node token: set Node:Token or Node:TokenFile (--node-token-file) to what the control plane wrote to \
                 node-token in its data directory"
            );
        }
        let path = Path::new(&self.token_file);
        let text = std::fs::read_to_string(path).with_context(|| format!("node token file {}", path.display()))?;
        let token = Secret::new(text.trim());
        ensure!(!token.is_empty(), "node token file {} is empty", path.display());
        Ok(token)
    }
}

impl NodeSettings {
    fn check(&self) -> Result<(), SettingError> {
        if self.id.len() > LONGEST_NODE_ID || !self.id.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            let problem = format!("must have at most {LONGEST_NODE_ID} characters, all of them printable ASCII");
            return Err(SettingError::new("Node:Id", problem));
        }
        if is_placeholder(self.token.expose()) {
            let problem = "is a text that was to be replaced: set what the control plane wrote to node-token in its data directory";
            return Err(SettingError::new("Node:Token", problem));
        }
        Ok(())
    }

    /// Whether the way to the control plane leaves this machine without TLS.
    pub fn is_plain_text(&self) -> bool {
        let Ok(url) = self.control_plane_url.trim().parse::<http::Uri>() else { return false };
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let here = host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        url.scheme_str() == Some("http") && !here
    }

    /// Checks where the control plane is said to be.
    ///
    /// # Errors
    /// When it is no URL that a node can connect to.
    pub fn control_plane(&self) -> Result<&str> {
        const KEY: &str = "Node:ControlPlaneUrl (--control-url)";
        let url = self.control_plane_url.trim();
        ensure!(
            url.contains("://"),
            "{KEY} is {url:?}: it must begin with http:// or, behind TLS, with https://, such as http://{}",
            if url.is_empty() { "127.0.0.1:5001" } else { url }
        );
        let parsed = url.parse::<http::Uri>().with_context(|| format!("{KEY} is {url:?}, which is no URL"))?;
        let served = matches!(parsed.scheme_str(), Some("http" | "https"));
        ensure!(served, "{KEY} is {url:?}: it must begin with http:// or https://");
        ensure!(
            !parsed.authority().is_some_and(|authority| authority.as_str().contains('@')),
            "{KEY} must hold no user name"
        );
        Ok(url)
    }
}

impl LimitSettings {
    /// Bounds on one client request.
    ///
    /// # Errors
    /// When a value is out of its bounds.
    pub fn limits(&self) -> Result<RequestLimits, SettingError> {
        Ok(RequestLimits {
            max_body_bytes: bounds::bytes("Limits:MaxBodyBytes", self.max_body_bytes, 1024)?,
            max_bytes_in_flight: bounds::bytes("Limits:MaxBytesInFlight", self.max_bytes_in_flight, 1024)?,
            max_requests_in_flight: bounds::count("Limits:MaxRequestsInFlight", self.max_requests_in_flight)?,
            max_upload_bytes: bounds::bytes("Limits:MaxUploadBytes", self.max_upload_bytes, 1024)?,
            upload_space: UploadSpace::new(self.max_waiting_upload_bytes),
            upload_wait: positive_seconds("Limits:UploadWaitSeconds", self.upload_wait_seconds)?,
            body_timeout: positive_seconds("Limits:BodyTimeoutSeconds", self.body_timeout_seconds)?,
            request_timeout: positive_seconds("Limits:RequestTimeoutSeconds", self.request_timeout_seconds)?,
            stream_idle_timeout: positive_seconds("Limits:StreamIdleTimeoutSeconds", self.stream_idle_timeout_seconds)?,
            ..RequestLimits::default()
        })
    }
}

impl MediaSettings {
    fn policy(&self) -> MediaPolicy {
        MediaPolicy { fetch: self.fetch, private_networks: self.allow_private_networks }
    }
}

impl UsageSettings {
    fn check(&self) -> Result<(), SettingError> {
        bounds::bytes("Usage:SegmentBytes", self.segment_bytes, LEAST_SEGMENT_BYTES)?;
        if self.spool_max_bytes < self.segment_bytes {
            let problem = format!(
                "must be at least Usage:SegmentBytes, which is {}, and is {}",
                self.segment_bytes, self.spool_max_bytes
            );
            return Err(SettingError::new("Usage:SpoolMaxBytes", problem));
        }
        bounds::count("Usage:QueueCapacity", self.queue_capacity).map(|_| ())
    }

    /// Bounds of the spool.
    pub fn limits(&self) -> SpoolLimits {
        SpoolLimits {
            max_bytes: self.spool_max_bytes,
            segment_bytes: self.segment_bytes,
            max_memory_records: self.queue_capacity,
        }
    }
}

#[cfg(test)]
mod tests;
