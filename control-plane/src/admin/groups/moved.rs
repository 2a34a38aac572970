//! A stored secret is not sent to a host that it was not given for. Whoever may change a group, but does not know its
//! keys, could read them there.

use axum::http::Uri;
use shared::snapshot::{Group, OutboundProxy, UpstreamKey};

use crate::store::groups::StoredGroup;
use crate::web::fields::Fields;

/// The stored secrets that a write keeps without sending their values.
pub(super) struct KeptSecrets {
    /// Whether an upstream key is among them.
    pub(super) keys: bool,
    /// Places of the headers whose values are, those of upstream keys among them.
    pub(super) headers: Vec<String>,
    /// Whether the password of the outbound proxy is.
    pub(super) proxy_password: bool,
}

/// Notes the secrets that have to be sent again, where `after` would send them to another host than `before`.
pub(super) fn check(fields: &mut Fields, before: &StoredGroup, after: &Group, proxy_enabled: bool, kept: &KeptSecrets) {
    if let Some(reason) = reason(before, after, proxy_enabled) {
        if kept.keys {
            let message = format!(
                "must be sent again, each key in full, because {reason}; a stored key is not sent to a host that it was \
                 not given for"
            );
            fields.error("apiKeys", message);
        }
        for place in &kept.headers {
            let message = format!("must be sent again in full, or removed (with null in a PATCH), because {reason}");
            fields.error(place, message);
        }
    }
    check_password(fields, before.group.outbound_proxy.as_ref(), after.outbound_proxy.as_ref(), kept.proxy_password);
}

/// Notes the password of a proxy that has to be sent again, where one that is kept would go to another proxy.
pub(super) fn check_password(
    fields: &mut Fields,
    before: Option<&OutboundProxy>,
    after: Option<&OutboundProxy>,
    is_kept: bool,
) {
    let place = |proxy: &OutboundProxy| (proxy.scheme, proxy.host.to_ascii_lowercase(), proxy.port);
    if is_kept && before.map(place) != after.map(place) {
        fields.error("proxyConfig.password", "must be sent again, because the proxy is another");
    }
}

/// Why secrets would go to another host than before, where they would.
fn reason(before: &StoredGroup, after: &Group, proxy_enabled: bool) -> Option<String> {
    let (old, new) = (Origin::of(&before.group.base_url), Origin::of(&after.base_url));
    if old != new && !old.is_upgraded_by(&new) {
        return Some(format!("baseUrl leads to {new} and led to {old}"));
    }
    // Whoever holds their key can pass for the host, on any network or proxy on the way.
    let roots = |group: &Group| group.routing.tls_roots.clone();
    if !roots(after).is_empty() && roots(after) != roots(&before.group) {
        return Some("tlsRoots holds other certificates than before".to_owned());
    }
    // A proxy reads what goes to a server without TLS.
    if !after.base_url.starts_with("http://") {
        return None;
    }
    let stored = |key: &UpstreamKey| before.group.upstream_keys.iter().find(|stored| stored.id == key.id);
    let of_group = (reader(&before.group, before.proxy_enabled, None), reader(after, proxy_enabled, None));
    let of_keys = after.upstream_keys.iter().filter_map(|key| {
        let old = reader(&before.group, before.proxy_enabled, Some(stored(key)?));
        Some((old, reader(after, proxy_enabled, Some(key))))
    });
    let mut readers = std::iter::once(of_group).chain(of_keys);
    let (host, port) = readers.find_map(|(old, new)| new.filter(|new| old.as_ref() != Some(new)))?;
    Some(format!("baseUrl has no TLS and the proxy {host}:{port} would read them"))
}

/// The proxy that would read what goes to `group`, or what goes there with `key`.
fn reader(group: &Group, enabled: bool, key: Option<&UpstreamKey>) -> Option<(String, u16)> {
    let own = key.and_then(|key| key.routing.own.as_deref()).filter(|own| own.proxy_enabled);
    let proxy = match own {
        Some(own) => own.outbound_proxy.as_ref(),
        None => group.outbound_proxy.as_ref().filter(|_| enabled),
    };
    proxy.map(|proxy| (proxy.host.to_ascii_lowercase(), proxy.port))
}

/// Where a base URL leads: scheme, host and port.
#[derive(PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    fn of(base_url: &str) -> Self {
        let uri = base_url.parse::<Uri>().unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        Self { scheme, host: host.trim_end_matches('.').to_owned(), port }
    }

    /// Whether `other` is the same server with TLS, at the usual ports.
    fn is_upgraded_by(&self, other: &Self) -> bool {
        self.host == other.host
            && (self.scheme.as_str(), self.port) == ("http", 80)
            && (other.scheme.as_str(), other.port) == ("https", 443)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}
