//! The way by which requests of a group leave, or those with one of its keys.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use shared::snapshot::{Group, OutboundProxy, UpstreamKey};

use super::way::Way;

/// The way by which a group's requests leave: directly, or with connections of its own, which lead through a proxy,
/// have a time of their own to be made, or trust further certificates.
#[derive(Debug, Default)]
pub struct Exit {
    /// The host of the group's base URL, in lower case.
    host: String,
    proxy: Option<OutboundProxy>,
    connect_timeout: Option<Duration>,
    /// Root certificates that are trusted besides the system's, as PEM.
    roots: Arc<str>,
    /// The connections, made when the first request needs them.
    way: OnceLock<Arc<Way>>,
}

impl PartialEq for Exit {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, &self.proxy, self.connect_timeout, &self.roots)
            == (&other.host, &other.proxy, other.connect_timeout, &other.roots)
    }
}

impl Exit {
    /// The way of `group`: its proxy, unless the proxy's exceptions cover the group's host.
    pub fn of(group: &Group) -> Self {
        Self::through(group, group.outbound_proxy.as_ref())
    }

    /// The way of requests to `group` with `key`, where that is not the group's way: the key has a proxy of its own,
    /// with exceptions of its own.
    pub fn of_key(group: &Group, key: &UpstreamKey) -> Option<Self> {
        let own = key.routing.own.as_ref()?.outbound_proxy.as_ref()?;
        Some(Self::through(group, Some(own)))
    }

    fn through(group: &Group, proxy: Option<&OutboundProxy>) -> Self {
        let uri = group.base_url.parse::<Uri>().unwrap_or_default();
        let port = uri.port_u16().or_else(|| Some(if uri.scheme_str()? == "http" { 80 } else { 443 }));
        let host = uri.host().unwrap_or_default();
        let proxy = proxy.filter(|proxy| !bypasses(proxy, host, port)).cloned();
        Self {
            host: host.to_ascii_lowercase(),
            proxy,
            connect_timeout: group.routing.connect_timeout,
            roots: Arc::clone(&group.routing.tls_roots),
            way: OnceLock::new(),
        }
    }

    /// Whether the way leads through no proxy.
    pub fn is_direct(&self) -> bool {
        self.proxy.is_none()
    }

    /// The proxy on the way.
    pub(super) fn proxy(&self) -> Option<&OutboundProxy> {
        self.proxy.as_ref()
    }

    /// How long a connection may take to be made, where the group says so.
    pub(super) fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Root certificates that are trusted besides the system's, as PEM; mostly none.
    pub(super) fn roots(&self) -> &str {
        &self.roots
    }

    /// Whether it leads to its host as all ways do for which nothing else is said.
    pub(super) fn is_plain(&self) -> bool {
        self.proxy.is_none() && self.connect_timeout.is_none() && self.roots.is_empty()
    }

    /// The name of the host that connections are made to, which is the proxy's where there is one. None where that is
    /// an address, which does not move.
    pub(super) fn name(&self) -> Option<&str> {
        let host = self.proxy.as_ref().map_or(&self.host, |proxy| &proxy.host);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        Some(&**host).filter(|host| !host.is_empty() && bare.parse::<IpAddr>().is_err())
    }

    /// The connections.
    pub(super) fn way(&self) -> &OnceLock<Arc<Way>> {
        &self.way
    }
}

fn bypasses(proxy: &OutboundProxy, host: &str, port: Option<u16>) -> bool {
    (proxy.bypass_local && is_local(host)) || proxy.bypass_domains.iter().any(|domain| is_within(host, port, domain))
}

/// Whether `host` is `domain`, or below it. The domain may begin with `*.` or a dot, and may name the `port` that it is
/// about. An address of IPv6 may stand in brackets.
fn is_within(host: &str, port: Option<u16>, domain: &str) -> bool {
    let (domain, wanted) = match domain.trim().rsplit_once(':') {
        // The colons of an address of IPv6 without brackets belong to it.
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, digits.parse::<u16>().ok()),
        _ => (domain.trim(), None),
    };
    if wanted.is_some() && wanted != port {
        return false;
    }
    let domain = domain.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let (host, domain) = (bare(&host.to_ascii_lowercase()), bare(&domain));
    !domain.is_empty() && (host == domain || host.strip_suffix(&domain).is_some_and(|before| before.ends_with('.')))
}

/// Whether `host` is a name without a dot, one that ends in `.local` or `.localhost`, or an address of this machine or
/// a private network.
fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => host.rsplit('.').next().is_some_and(|last| last == host || last == "local" || last == "localhost"),
    }
}

/// The value of `Proxy-Authorization` (RFC 7617). None where the proxy wants none.
pub(super) fn basic_credentials(proxy: &OutboundProxy) -> Option<HeaderValue> {
    if proxy.username.is_empty() {
        return None;
    }
    let pair = STANDARD.encode(format!("{}:{}", proxy.username, proxy.password.expose()));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests;
