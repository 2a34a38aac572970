//! Free ports on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// The first port to try. It lies below the range from which the system takes the local port of an outgoing connection,
/// so no such connection takes a port before the program for which it is meant listens on it.
const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address on the loopback interface that nobody listens on, and that no other call in this process returns.
///
/// # Errors
/// When there is none.
pub fn free() -> Result<SocketAddr> {
    for _ in 0..COUNT {
        // Test processes that run at the same time begin at different places.
        let offset = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + std::process::id().wrapping_mul(97);
        let port = FIRST + u16::try_from(offset % u32::from(COUNT))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port");
}
