//! How many files this process may hold open at once, which bounds its connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not for connections of clients and providers: the database, the spool and the log, the
/// listeners, the connections that are refused or watch over the program, and the channel to the control plane.
const OTHERS: usize = 192;

/// Raises the soft limit of open files to the hard one. Where the system does not allow it, the soft limit stays.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let _stays = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// How many files the process may hold open now. None where there is no limit.
pub fn limit() -> Option<usize> {
    getrlimit(Resource::Nofile).current.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// How many connections of clients there may be at once, so that as many to providers find room beside them.
pub fn connections() -> usize {
    limit().map_or(usize::MAX, connections_of)
}

/// The same for a limit of open files.
fn connections_of(limit: usize) -> usize {
    // A limit that does not even hold the rest leaves little, and never nothing.
    (limit.saturating_sub(OTHERS) / 2).max(16)
}

#[cfg(test)]
mod tests;
