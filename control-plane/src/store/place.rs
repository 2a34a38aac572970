//! Where the database is, and whether it still is there with room for more.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::StoreError;
use super::pool::Target;

/// How often a full disk is spoken of in the log while it stays full.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// A disk with less than this is full, in bytes. SQLite writes its log in pages, and the index of the log in blocks of
/// 32 KiB.
const NO_ROOM: u64 = 64 * 1024;

/// Where the database is.
pub(super) enum Place {
    /// A file, with its device and inode. Another file of the same name is not the database that was opened.
    File { path: PathBuf, identity: (u64, u64) },
    /// A server, which looks after its files itself.
    Server,
}

impl Place {
    /// The place of a database whose schema is up to date, so that the file is there.
    pub(super) async fn of(target: &Target) -> Result<Self, StoreError> {
        let Target::Sqlite(path) = target else { return Ok(Self::Server) };
        let identity = identity(path).await?;
        Ok(Self::File { path: path.clone(), identity })
    }

    /// Looks whether the file that was opened is still in its place.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let Self::File { path, identity: opened } = self else { return Ok(()) };
        if identity(path).await? == *opened {
            return Ok(());
        }
        Err(StoreError::Gone(format!("{} was replaced by another file while the program runs", path.display())))
    }

    /// SQLite tells some writes to a full disk as a plain error of the disk.
    pub(super) fn explain(&self, error: StoreError) -> StoreError {
        match (self, &error) {
            (Self::File { path, .. }, StoreError::Database(cause)) if cause.to_string().contains("disk I/O error") => {
                if is_full(path) {
                    StoreError::Full
                } else {
                    error
                }
            }
            _ => error,
        }
    }
}

async fn identity(path: &Path) -> Result<(u64, u64), StoreError> {
    match tokio::fs::metadata(path).await {
        Ok(file) => Ok((file.dev(), file.ino())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(StoreError::Gone(format!("{} was deleted or moved while the program runs", path.display())))
        }
        Err(error) => Err(StoreError::Unavailable(format!("{}: {error}", path.display()))),
    }
}

fn is_full(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < NO_ROOM)
}

/// Whether the database has room for more, by what its writes say.
#[derive(Debug, Default)]
pub(super) struct Room(Mutex<Option<Filled>>);

/// Since when there is no room, and when that was last said.
#[derive(Clone, Copy, Debug)]
struct Filled {
    since: Instant,
    said: Instant,
}

impl Room {
    /// A write found none.
    pub(super) fn none(&self) {
        if let Some(full_for) = self.fill(Instant::now()) {
            let seconds = full_for.as_secs();
            warn!(seconds, "the disk of the database is full: nothing can be written until there is room again");
        }
    }

    /// Notes that there was none at `now`, and tells since when where it is time to speak of it.
    fn fill(&self, now: Instant) -> Option<Duration> {
        let mut filled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match &mut *filled {
            Some(filled) if now - filled.said < WARN_EVERY => return None,
            Some(filled) => {
                filled.said = now;
                filled.since
            }
            none => none.insert(Filled { since: now, said: now }).since,
        };
        Some(now - since)
    }

    /// A write found some.
    pub(super) fn some(&self) {
        let filled = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(filled) = filled {
            info!(seconds = filled.since.elapsed().as_secs(), "the disk of the database has room again");
        }
    }

    /// Whether the last write found none.
    pub(super) fn is_full(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

#[cfg(test)]
mod tests;
