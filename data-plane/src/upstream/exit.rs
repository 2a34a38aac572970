//! The way by which a group's requests leave.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use shared::snapshot::{Group, OutboundProxy};

use super::connections::Lazy;

/// The way by which a group's requests leave: directly, or with connections of its own, which lead through a proxy or
/// have a time of their own to be made.
#[derive(Debug, Default)]
pub struct Exit {
    proxy: Option<OutboundProxy>,
    connect_timeout: Option<Duration>,
    connections: Lazy,
}

impl PartialEq for Exit {
    fn eq(&self, other: &Self) -> bool {
        (&self.proxy, self.connect_timeout) == (&other.proxy, other.connect_timeout)
    }
}

impl Exit {
    /// The way of `group`: its proxy, unless the proxy's exceptions cover the group's host.
    pub fn of(group: &Group) -> Self {
        let uri = group.base_url.parse::<Uri>().unwrap_or_default();
        let port = uri.port_u16().or_else(|| Some(if uri.scheme_str()? == "http" { 80 } else { 443 }));
        let host = uri.host().unwrap_or_default();
        let proxy = group.outbound_proxy.clone().filter(|proxy| !bypasses(proxy, host, port));
        Self { proxy, connect_timeout: group.routing.connect_timeout, connections: Lazy::default() }
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

    /// Its own connections. None where it leads the way that all have.
    pub(super) fn own(&self) -> Option<&Lazy> {
        (self.proxy.is_some() || self.connect_timeout.is_some()).then_some(&self.connections)
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
