//! Checks whether config makes sense. The control plane does so before it stores config, and a node before it serves
//! from it.

use std::collections::HashSet;

use http::{HeaderName, HeaderValue, Uri};

use super::{Group, ProxyKey, Snapshot, SnapshotError};

/// Longest version of a provider's API, in bytes. It goes into a header or a query as it is.
const API_VERSION_BYTES: usize = 64;

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
    for (name, value) in &group.headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(SnapshotError::invalid(format!("headers[{name:?}]"), "is not a header name"));
        }
        if HeaderValue::from_str(value.expose()).is_err() {
            return Err(SnapshotError::invalid(format!("headers[{name}]"), "is not a header value"));
        }
    }
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
    if let Some(proxy) = &group.outbound_proxy {
        not_blank("outbound_proxy.host", &proxy.host)?;
        if proxy.port == 0 {
            return Err(SnapshotError::invalid("outbound_proxy.port", "is 0"));
        }
    }
    Ok(())
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
