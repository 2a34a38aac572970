//! Tells the operator of nodes that show no token or a wrong one, by their addresses. A node tries again every few
//! seconds, and anybody can try, so an address is named once a minute, and not more than so many of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

/// How long an address is not named again.
const SILENT: Duration = Duration::from_mins(1);

/// Number of addresses that are named within that time.
const NAMED: usize = 64;

/// Which addresses were named of late.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Named>);

#[derive(Debug, Default)]
struct Named {
    at: HashMap<Option<IpAddr>, Instant>,
    /// The number of refusals that were not told of.
    untold: u64,
}

impl Refusals {
    /// Notes that a call from `address` was refused, with a token or without one.
    pub(super) fn note(&self, address: Option<IpAddr>, with_token: bool) {
        if let Some(untold) = self.is_news(address, Instant::now()) {
            let address = address.map(|address| address.to_string()).unwrap_or_default();
            let problem = if with_token { "its node token is wrong" } else { "it shows no node token" };
            warn!(
                address,
                untold, "a node was refused: {problem}; it needs what stands in node-token in the data directory"
            );
        }
    }

    /// Whether the address is to be named at `now`; if so, with the number of refusals that were not told of before.
    pub(super) fn is_news(&self, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        named.at.retain(|_, at| now.saturating_duration_since(*at) < SILENT);
        if named.at.contains_key(&address) || named.at.len() >= NAMED {
            named.untold += 1;
            return None;
        }
        named.at.insert(address, now);
        Some(std::mem::take(&mut named.untold))
    }
}
