//! Where a login comes from, as far as addresses tell people apart.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the /64 of an IPv6 address: whoever has one address of a /64 has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place(Option<IpAddr>);

/// The bits of an IPv6 address that do not tell people apart.
const OF_ONE_NETWORK: u128 = u64::MAX as u128;

impl Place {
    /// The place of an address. Requests without an address come from one place.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !OF_ONE_NETWORK).into(),
            address @ IpAddr::V4(_) => address,
        }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(IpAddr::V6(address)) => write!(f, "{address}/64"),
            Some(IpAddr::V4(address)) => write!(f, "{address}"),
            None => Ok(()),
        }
    }
}
