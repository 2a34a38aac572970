//! Checks whether config makes sense. The control plane does so before it stores config, and a node before it serves
//! from it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::limits::{HEAVIEST_TOKEN, LARGEST_AMOUNT, LONGEST_LIMIT_QUEUE, LONGEST_LIMIT_WAIT, MOST_WINDOWS, RAISES};
use super::{
    Group, KeySettings, LimitWindow, OutboundProxy, ProxyKey, Snapshot, SnapshotError, SubjectLimits, tls_roots,
};
use crate::hosts::{is_metadata_host, literal};
use crate::secret::Secret;

/// Longest version of a provider's API, in bytes. It goes into a header or a query as it is.
const API_VERSION_BYTES: usize = 64;

/// Headers that are not an operator's to set: those of the connection or the next hop (RFC 9110, section 7.6.1), and
/// those that say where a request goes and how long it is.
const RESERVED_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What the names of the gateway's own headers begin with.
const OWN_HEADERS: &str = "x-orchestration-";

type Checked = Result<(), SnapshotError>;

impl Snapshot {
    /// Checks every group and proxy key, and that names, upstream key ids and digests are unique.
    ///
    /// # Errors
    /// [`SnapshotError::Invalid`] for the first problem found.
    pub fn validate(&self) -> Checked {
        if self.epoch.is_empty() {
            return Err(SnapshotError::invalid("epoch", "is empty"));
        }
        if self.version == 0 {
            return Err(SnapshotError::invalid("version", "is 0"));
        }
        let mut names = HashSet::with_capacity(self.groups.len());
        let mut upstream_keys = HashSet::with_capacity(self.groups.len());
        for (id, group) in &self.groups {
            let place = || format!("groups[{id}]");
            validate_group(group).map_err(|error| within(&place(), error))?;
            if *id != group.id {
                return Err(SnapshotError::invalid(place(), "stands under another id than its own"));
            }
            if !names.insert(&group.name) {
                return Err(SnapshotError::invalid(
                    place() + ".name",
                    format!("{:?} is the name of two groups", group.name),
                ));
            }
            for key in &group.upstream_keys {
                if !upstream_keys.insert(&key.id) {
                    return Err(SnapshotError::invalid(
                        place() + ".upstream_keys",
                        format!("the id {:?} stands twice", key.id),
                    ));
                }
            }
        }
        let mut digests = HashSet::with_capacity(self.proxy_keys.len());
        for (id, key) in &self.proxy_keys {
            let place = || format!("proxy_keys[{id}]");
            validate_proxy_key(key).map_err(|error| within(&place(), error))?;
            if *id != key.id {
                return Err(SnapshotError::invalid(place(), "stands under another id than its own"));
            }
            if !digests.insert(&key.digest) {
                return Err(SnapshotError::invalid(place() + ".digest", "is the digest of two proxy keys"));
            }
        }
        Ok(())
    }
}

fn within(place: &str, error: SnapshotError) -> SnapshotError {
    match error {
        SnapshotError::Invalid { place: inner, problem } => {
            SnapshotError::Invalid { place: format!("{place}.{inner}"), problem }
        }
        other => other,
    }
}

fn not_blank(place: &str, value: &str) -> Checked {
    if value.trim().is_empty() { Err(SnapshotError::invalid(place, "is empty")) } else { Ok(()) }
}

/// Checks one group without regard to others.
///
/// # Errors
/// [`SnapshotError::Invalid`] with the path of the field.
pub fn validate_group(group: &Group) -> Checked {
    not_blank("id", &group.id)?;
    not_blank("name", &group.name)?;
    not_blank("provider_type", &group.provider_type)?;
    validate_base_url(&group.base_url)?;
    for (index, key) in group.upstream_keys.iter().enumerate() {
        not_blank(&format!("upstream_keys[{index}].id"), &key.id)?;
        if let Some(own) = &key.routing.own {
            validate_own(own).map_err(|error| within(&format!("upstream_keys[{index}].own"), error))?;
        }
        validate_limits(key.routing.limits.as_deref())
            .map_err(|error| within(&format!("upstream_keys[{index}]"), error))?;
        not_blank(&format!("upstream_keys[{index}].secret"), key.secret.expose())?;
        if HeaderValue::from_str(key.secret.expose()).is_err() {
            return Err(SnapshotError::invalid(
                format!("upstream_keys[{index}].secret"),
                "holds characters that an HTTP header cannot carry",
            ));
        }
    }
    for (index, model) in group.models.iter().enumerate() {
        not_blank(&format!("models[{index}]"), model)?;
    }
    for (alias, model) in &group.model_aliases {
        not_blank("model_aliases", alias)?;
        not_blank(&format!("model_aliases[{alias}]"), model)?;
    }
    validate_limits(group.routing.limits.as_deref())?;
    validate_headers(&group.headers)?;
    if group.timeout.is_zero() {
        return Err(SnapshotError::invalid("timeout", "is 0"));
    }
    for (name, facts) in &group.model_facts {
        not_blank("model_facts", name)?;
        if !facts.is_object() {
            return Err(SnapshotError::invalid(format!("model_facts[{name}]"), "is not a JSON object"));
        }
    }
    if let Some(version) = &group.api_version {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if version.is_empty() || version.len() > API_VERSION_BYTES || !version.bytes().all(fine) {
            return Err(SnapshotError::invalid(
                "api_version",
                format!("must be 1 to {API_VERSION_BYTES} letters, digits, hyphens, dots and underscores"),
            ));
        }
    }
    if !group.routing.tls_roots.is_empty()
        && let Err(problem) = tls_roots(&group.routing.tls_roots)
    {
        return Err(SnapshotError::invalid("tls_roots", problem));
    }
    group.outbound_proxy.as_ref().map_or(Ok(()), validate_proxy)
}

fn validate_headers(headers: &BTreeMap<String, Secret>) -> Checked {
    for (name, value) in headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(SnapshotError::invalid(format!("headers[{name:?}]"), "is not a header name"));
        }
        if HeaderValue::from_str(value.expose()).is_err() {
            return Err(SnapshotError::invalid(format!("headers[{name}]"), "is not a header value"));
        }
    }
    Ok(())
}

fn validate_proxy(proxy: &OutboundProxy) -> Checked {
    not_blank("outbound_proxy.host", &proxy.host)?;
    if proxy.port == 0 {
        return Err(SnapshotError::invalid("outbound_proxy.port", "is 0"));
    }
    Ok(())
}

/// Checks what an upstream key has of its own.
fn validate_own(own: &KeySettings) -> Checked {
    validate_headers(&own.headers)?;
    own.outbound_proxy.as_ref().map_or(Ok(()), validate_proxy)
}

/// Checks one proxy key without regard to others.
///
/// # Errors
/// [`SnapshotError::Invalid`] with the path of the field.
pub fn validate_proxy_key(key: &ProxyKey) -> Checked {
    not_blank("id", &key.id)?;
    not_blank("name", &key.name)?;
    if key.digest == [0; 32] {
        return Err(SnapshotError::invalid("digest", "is all zeros"));
    }
    validate_limits(key.routing.limits.as_deref())
}

/// Checks how much a subject may take.
fn validate_limits(limits: Option<&SubjectLimits>) -> Checked {
    let Some(limits) = limits else { return Ok(()) };
    validate_windows("limits", &limits.windows)?;
    for (model, of_model) in &limits.models {
        not_blank("model_limits", model)?;
        validate_pattern(model).map_err(|problem| SnapshotError::invalid(format!("model_limits[{model}]"), problem))?;
        validate_windows(&format!("model_limits[{model}].limits"), &of_model.windows)?;
    }
    let weights = limits.weights;
    if [weights.cached, weights.output, weights.reasoning].iter().any(|weight| *weight > HEAVIEST_TOKEN) {
        return Err(SnapshotError::invalid("token_weights", format!("is above {HEAVIEST_TOKEN} thousandths")));
    }
    let wait = Duration::from_millis(limits.queue.wait_ms.into());
    if limits.queue.length > LONGEST_LIMIT_QUEUE || wait > LONGEST_LIMIT_WAIT {
        return Err(SnapshotError::invalid("concurrency_queue", "is longer than a queue may be"));
    }
    if limits.raise.is_some_and(|raise| !RAISES.contains(&raise.percent)) {
        return Err(SnapshotError::invalid(
            "raise",
            format!("must be from {} to {} percent", RAISES.start(), RAISES.end()),
        ));
    }
    Ok(())
}

/// Checks the windows of one list: each kind once.
fn validate_windows(place: &str, windows: &[LimitWindow]) -> Checked {
    if windows.len() > MOST_WINDOWS {
        return Err(SnapshotError::invalid(place, format!("has more than {MOST_WINDOWS} entries")));
    }
    for (index, window) in windows.iter().enumerate() {
        let place = || format!("{place}[{index}]");
        if window.amount == 0 || window.amount > LARGEST_AMOUNT {
            return Err(SnapshotError::invalid(place() + ".amount", format!("must be from 1 to {LARGEST_AMOUNT}")));
        }
        let same = |other: &LimitWindow| (other.unit, other.window) == (window.unit, window.window);
        if windows.iter().take(index).any(same) {
            return Err(SnapshotError::invalid(place(), "is of the same unit and window as one before it"));
        }
    }
    Ok(())
}

/// Checks that a base URL is `http://` or `https://` with a host, without user, query or fragment, and without a
/// trailing slash.
///
/// # Errors
/// [`SnapshotError::Invalid`] at `base_url`.
pub fn validate_base_url(base_url: &str) -> Checked {
    let invalid = |problem: &str| Err(SnapshotError::invalid("base_url", format!("{base_url:?} {problem}")));
    let Ok(uri) = base_url.parse::<Uri>() else {
        return invalid("is not a URL");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return invalid("does not start with http:// or https://");
    }
    let Some(authority) = uri.authority() else {
        return invalid("has no host");
    };
    if authority.host().is_empty() || authority.as_str().contains('@') {
        return invalid("must hold a host and no user name");
    }
    if uri.query().is_some() || base_url.contains('#') {
        return invalid("must not hold a query or a fragment");
    }
    if base_url.ends_with('/') {
        return invalid("must not end with a slash");
    }
    Ok(())
}

/// Checks whether requests may be sent for one group. A node leaves a group out that they may not be sent for, names
/// it, and serves the others.
///
/// # Errors
/// [`SnapshotError::Invalid`] with the path of the field.
pub fn validate_destination(group: &Group) -> Checked {
    validate_host(&group.base_url)?;
    let metadata = |proxy: Option<&OutboundProxy>| proxy.is_some_and(|proxy| is_metadata_host(&proxy.host));
    if metadata(group.outbound_proxy.as_ref()) {
        return Err(SnapshotError::invalid("outbound_proxy.host", METADATA));
    }
    for (index, key) in group.upstream_keys.iter().enumerate() {
        if key.routing.own.as_ref().is_some_and(|own| metadata(own.outbound_proxy.as_ref())) {
            let place = format!("upstream_keys[{index}].own.outbound_proxy.host");
            return Err(SnapshotError::invalid(place, METADATA));
        }
    }
    for (index, model) in group.models.iter().enumerate() {
        validate_pattern(model).map_err(|problem| SnapshotError::invalid(format!("models[{index}]"), problem))?;
    }
    for (alias, model) in &group.model_aliases {
        let place = || format!("model_aliases[{alias}]");
        validate_pattern(alias).map_err(|problem| SnapshotError::invalid(place(), problem))?;
        validate_pattern(model).map_err(|problem| SnapshotError::invalid(place(), problem))?;
        if model.ends_with('*') && !alias.ends_with('*') {
            return Err(SnapshotError::invalid(
                place(),
                "ends in * although the alias does not: there is nothing to put there",
            ));
        }
    }
    Ok(())
}

const METADATA: &str = "is where a cloud tells its machines their credentials; nothing is sent there";

/// Checks that a base URL leads to a host that requests may be sent to, at a port that there is.
///
/// # Errors
/// [`SnapshotError::Invalid`] at `base_url`.
pub fn validate_host(base_url: &str) -> Checked {
    let invalid = |problem: &str| Err(SnapshotError::invalid("base_url", format!("{base_url:?} {problem}")));
    let Some((host, port)) = host_and_port(base_url) else { return invalid("has no host") };
    let is_port = |port: &str| !port.starts_with('+') && port.parse::<u16>().is_ok_and(|port| port > 0);
    if port.is_some_and(|port| !is_port(port)) {
        return invalid("must name a port from 1 to 65535, or none");
    }
    if host.starts_with('[') && literal(host).is_none() {
        return invalid("holds an IPv6 address that is none");
    }
    if is_metadata_host(host) { invalid(METADATA) } else { Ok(()) }
}

/// The host of a URL as it stands there, and what stands behind its colon.
fn host_and_port(url: &str) -> Option<(&str, Option<&str>)> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None if rest.is_empty() => Some((host, None)),
        None => None,
    }
}

/// Checks the name of a model, or a pattern of names: a `*` may stand at the end and means any further characters.
///
/// # Errors
/// What is wrong with it.
pub fn validate_pattern(name: &str) -> Result<(), &'static str> {
    if name.find('*').is_some_and(|star| star + 1 != name.len()) {
        return Err("may hold one * only, and at its end: it stands for any further characters");
    }
    Ok(())
}

/// Whether config cannot set the field `name` of requests, because the gateway's own work depends on it.
pub fn is_reserved_field(name: &str) -> bool {
    ["model", "messages", "input", "contents", "stream", "stream_options"].contains(&name)
}

/// Whether no group may set the header `name`, which is in lower case, for its requests: it belongs to the connection,
/// to the next hop, or to the gateway.
pub fn is_reserved_header(name: &str) -> bool {
    RESERVED_HEADERS.contains(&name) || name.starts_with(OWN_HEADERS)
}
