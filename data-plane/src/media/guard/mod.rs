//! Keeps a URL that a client names from leading into the operator's network (server-side request forgery).
//!
//! A host is checked twice. The first check looks at its name, and refuses what only looks like a name. The second is
//! made where the connection is: the name is resolved once, each address is checked, and only a checked address is
//! connected to. So a DNS answer that changes between check and use, a redirect, and an address in any spelling all end
//! at the same gate. Behind a proxy, which resolves names by itself, only the first check is made.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use shared::hosts::is_metadata_address;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service;

/// How long one TCP connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many addresses of one name are tried.
const TRIED: usize = 4;

/// Knows where the gateway may fetch from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Whether private networks and this machine are open, too. The addresses at which clouds tell machines their
    /// credentials stay closed.
    pub private_networks: bool,
}

impl Guard {
    /// Whether `address` may be connected to.
    pub fn allows(self, address: IpAddr) -> bool {
        match embedded(address) {
            address if is_metadata_address(address) => false,
            IpAddr::V4(v4) => is_public_v4(v4) || (self.private_networks && is_private_v4(v4)),
            IpAddr::V6(v6) => is_public_v6(v6) || (self.private_networks && is_private_v6(v6)),
        }
    }

    /// Whether `uri` may be fetched, as far as its text tells. [`Connector`] checks what its name resolves to, unless
    /// the name is `resolved_elsewhere`, by a proxy.
    pub fn allows_uri(self, uri: &Uri, resolved_elsewhere: bool) -> bool {
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        // A user name before the host (`https://trusted@host/`) is there to mislead.
        let bare = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        // Services other than HTTP listen on the low ports.
        let port = self.private_networks || uri.port_u16().is_none_or(|port| matches!(port, 80 | 443 | 1024..));
        let Some(host) = uri.host().filter(|_| http && bare && port) else { return false };
        match literal(host) {
            Host::Address(address) => self.allows(address),
            Host::Malformed => false,
            Host::Name(name) => self.private_networks || !resolved_elsewhere || !is_local_name(name),
        }
    }
}

enum Host<'h> {
    Address(IpAddr),
    Name(&'h str),
    /// Something that is an address only to a lenient reader: `0x7f.1`, `2130706433`, `[fe80::1%25eth0]`.
    Malformed,
}

fn literal(host: &str) -> Host<'_> {
    if let Some(v6) = host.strip_prefix('[') {
        let v6 = v6.strip_suffix(']').and_then(|v6| v6.parse().ok());
        return v6.map_or(Host::Malformed, |v6| Host::Address(IpAddr::V6(v6)));
    }
    if let Ok(v4) = host.parse() {
        return Host::Address(IpAddr::V4(v4));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    // A host that ends in a number is an address (WHATWG URL, section 3.5, "ends in a number").
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if number || !name.bytes().all(of_a_name) { Host::Malformed } else { Host::Name(name) }
}

/// Names that nobody can own in public.
fn is_local_name(name: &str) -> bool {
    const LOCAL: [&str; 8] = ["localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp"];
    let name = name.to_ascii_lowercase();
    name.rsplit_once('.').is_none_or(|(_, last)| LOCAL.contains(&last)) || name.ends_with(".home.arpa")
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291, 2.5.5.2), or behind a translator (RFC 6052, the
/// well-known prefix).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => address,
    }
}

/// Whether the address is of a private network (RFC 1918), a carrier's network (RFC 6598), or this machine.
fn is_private_v4(v4: Ipv4Addr) -> bool {
    v4.is_private() || v4.is_loopback() || matches!(v4.octets(), [100, 64..=127, ..])
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    v6.is_unique_local() || v6.is_loopback()
}

/// Whether the address is globally reachable (IANA IPv4 Special-Purpose Address Registry).
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let special = match v4.octets() {
        // In this order: this network; shared; protocol assignments; 6to4 relays; benchmarks; multicast and reserved.
        [0 | 224..=255, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => true,
        _ => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_documentation(),
    };
    !special
}

/// Whether the address is global unicast (2000::/3), and not special within that (IANA IPv6 Special-Purpose Address
/// Registry), as tunnels to IPv4 are.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let special = match v6.segments() {
        // In this order: protocol assignments with Teredo; documentation; 6to4; documentation again.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => true,
        [first, ..] => first >> 13 != 1,
    };
    !special
}

/// Connects to addresses that a [`Guard`] allows.
#[derive(Clone, Copy, Debug)]
pub struct Connector(pub Guard);

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let guard = self.0;
        Box::pin(async move { connect(guard, &uri).await.map(TokioIo::new) })
    }
}

async fn connect(guard: Guard, uri: &Uri) -> io::Result<TcpStream> {
    let refused = || io::Error::new(io::ErrorKind::PermissionDenied, "the address is not a public one");
    let host = uri.host().ok_or_else(refused)?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let addresses: Vec<SocketAddr> = match literal(host) {
        Host::Address(address) => vec![SocketAddr::new(address, port)],
        Host::Name(name) => tokio::net::lookup_host((name, port)).await?.collect(),
        Host::Malformed => return Err(refused()),
    };
    let mut last = refused();
    for address in addresses.into_iter().filter(|address| guard.allows(address.ip())).take(TRIED) {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => last = error,
            Err(elapsed) => last = elapsed.into(),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests;
