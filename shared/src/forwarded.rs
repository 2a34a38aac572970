//! The address of a client that comes by way of proxies. Only a proxy that the operator trusts is believed, because any
//! client can send the headers that proxies write.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use thiserror::Error;

/// Where most proxies note the address that a request came to them from.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word is taken for the address of a client. The default is none. Clones share the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// A text that names neither an address nor a range of addresses.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is neither an IP address nor a range such as 10.0.0.0/8 or fd00::/8")]
pub struct BadProxy(String);

/// Marks a request whose client was named by a trusted proxy.
#[derive(Clone, Copy, Debug)]
pub struct ThroughProxy;

impl TrustedProxies {
    /// The proxies that `entries` name, each as an address or as a range in CIDR notation.
    ///
    /// # Errors
    /// [`BadProxy`] for the first entry that is neither.
    pub fn parse(entries: &[String]) -> Result<Self, BadProxy> {
        let parse = |entry: &String| {
            let text = entry.trim();
            let address = text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical()));
            address.or_else(|| text.parse::<IpNet>().ok().map(canonical)).ok_or_else(|| BadProxy(entry.clone()))
        };
        Ok(Self(entries.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// Whether no proxy is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A range that holds every address, if there is one. Whoever connects could then choose their own address.
    pub fn everyone(&self) -> Option<IpNet> {
        self.0.iter().find(|range| range.prefix_len() == 0).copied()
    }

    /// The address of the client whose request came from `peer` with `headers`.
    ///
    /// It is `peer` unless that is a trusted proxy. Then it is the rightmost hop in `X-Forwarded-For` or `Forwarded`
    /// (RFC 7239) that is not a trusted proxy: what stands further left was written by somebody who is not trusted. A
    /// hop that cannot be read ends the way back at the proxy that noted it. Where the two headers name different
    /// clients, neither is believed, because a proxy that writes one of them passes the other one on as the client
    /// sent it.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let listed = self.last_untrusted(peer, headers, &X_FORWARDED_FOR, |hop| Some(hop));
        let standard = self.last_untrusted(peer, headers, &FORWARDED, forwarded_for);
        match (listed, standard) {
            (None, None) => peer,
            (Some(address), None) | (None, Some(address)) => address,
            (Some(listed), Some(standard)) => {
                if listed == standard {
                    listed
                } else {
                    peer
                }
            }
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(&address))
    }

    /// Goes back from `peer` over the hops in the header `name`, the last of which stands at its end, and returns the
    /// first one that is not trusted. Returns nothing where the header is not there.
    fn last_untrusted(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: &HeaderName,
        node: impl Fn(&str) -> Option<&str>,
    ) -> Option<IpAddr> {
        let mut known = None;
        for value in headers.get_all(name).iter().rev() {
            let Ok(text) = value.to_str() else { return known.or(Some(peer)) };
            for hop in text.rsplit(',').map(str::trim).filter(|hop| !hop.is_empty()) {
                match node(hop).and_then(address) {
                    None => return known.or(Some(peer)),
                    Some(address) if self.trusts(address) => known = Some(address),
                    Some(address) => return Some(address),
                }
            }
        }
        known
    }
}

/// The same range, in IPv4 where it is one of IPv4 addresses that are mapped to IPv6.
fn canonical(range: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    match range.addr().to_canonical() {
        address @ IpAddr::V4(_) if range.addr().is_ipv6() && range.prefix_len() >= MAPPED => {
            IpNet::new(address, range.prefix_len() - MAPPED).unwrap_or(range)
        }
        _ => range,
    }
}

/// The `for` parameter of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    let (_, value) = element
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// The address in a hop, which may carry a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().ok();
    address.or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip())).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests;
