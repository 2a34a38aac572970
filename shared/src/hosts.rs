//! Hosts that nothing may be sent to: where clouds tell their machines credentials. A host is read as a lenient
//! resolver reads it, because `2852039166` and `0xa9.0376.43518` lead to 169.254.169.254 as well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names of the services that tell a machine its credentials.
const METADATA_NAMES: [&str; 8] = [
    "metadata.google.internal",
    "metadata.goog",
    "metadata",
    "metadata.internal",
    "metadata.tencentyun.com",
    "metadata.azure.internal",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Whether `host`, as it stands in a URL, names a service that tells a machine its credentials, in any spelling. What a
/// name resolves to is not looked up.
pub fn is_metadata_host(host: &str) -> bool {
    if let Some(address) = literal(host) {
        return is_metadata_address(address);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    METADATA_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a machine in a cloud learns its credentials at this address, or it lies on a link with such services. An
/// IPv6 address that stands for an IPv4 address counts as that.
pub fn is_metadata_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_metadata_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| is_metadata_v6(v6), is_metadata_v4),
    }
}

fn is_metadata_v4(v4: Ipv4Addr) -> bool {
    // The addresses of Azure, Alibaba and Oracle lie outside of the link-local range.
    const SERVICES: [Ipv4Addr; 3] =
        [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    v4.is_link_local() || SERVICES.contains(&v4)
}

/// Link-local addresses, and those of Amazon and Google.
fn is_metadata_v6(v6: Ipv6Addr) -> bool {
    let segments = v6.segments();
    v6.is_unicast_link_local()
        || segments[..7] == [0xfd00, 0xec2, 0, 0, 0, 0, 0]
        || segments == [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
}

/// The IPv4 address that an IPv6 address stands for: mapped or compatible (RFC 4291, 2.5.5), behind a translator (RFC
/// 6052, the well-known prefix, and RFC 8215), or 6to4 (RFC 3056).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => join(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => join(high, low),
        _ => None,
    }
}

/// The address that `host` is, where it is one: in brackets for IPv6, and for IPv4 in every form that `inet_aton`
/// reads, which resolvers fall back to: one to four numbers, each decimal, octal or hexadecimal, the last of them
/// filling the bytes that are left.
pub fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // A zone (RFC 6874) says on which link the address is, and not which address it is.
    let address = bare.split('%').next().unwrap_or(bare);
    if let Ok(v6) = address.parse() {
        return Some(IpAddr::V6(v6));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let numbers: Option<Vec<u32>> = host.split('.').map(number).collect();
    let numbers = numbers?;
    let (last, first) = numbers.split_last()?;
    if first.len() > 3 || first.iter().any(|byte| *byte > 255) {
        return None;
    }
    let left = 8 * (4 - u32::try_from(first.len()).ok()?);
    if left < 32 && *last >> left != 0 {
        return None;
    }
    let high = first.iter().enumerate().map(|(index, byte)| byte << (24 - 8 * index)).sum::<u32>();
    Some(IpAddr::V4(Ipv4Addr::from_bits(high | last)))
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // `from_str_radix` takes a sign.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    if digits.is_empty() && radix == 16 {
        return Some(0);
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests;
