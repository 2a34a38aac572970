//! The last config that was put in force, kept on the node's disk for a start without a control plane. It holds
//! upstream keys, so it is sealed under a key that is derived from the node token: another token cannot read it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use prost::Message as _;
use serde_json::json;
use shared::crypto::{CryptoError, SealingKey};
use shared::drain::Tasks;
use shared::health::Readiness;
use shared::pb;
use shared::secret::Secret;
use shared::snapshot::{Snapshot, SnapshotError};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{debug, info, warn};
use zeroize::Zeroizing;

use super::allegiance::Database;

/// The name of what is sealed, for the derivation of the key and for the seal.
const PURPOSE: &str = "last good snapshot";

const FILE: &str = "last-good-snapshot";

/// Names the database that the node belongs to. It is not sealed, so that it is known under another node token, too.
const DATABASE: &str = "database";

/// How long a config waits to be written after another.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// How long a config waits that the disk did not take, at first and at most.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// The word under which the readiness probe shows that the config in force is not on disk.
const DEGRADED: &str = "lastGoodConfig";

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
    /// The disk failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is sealed under another node token, or damaged.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The file holds no snapshot.
    #[error("it is no snapshot: {0}")]
    Form(#[from] prost::DecodeError),
    /// The file holds a snapshot that this build cannot serve.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// The file of the last good config. Its methods block.
#[derive(Debug)]
pub struct LastGood {
    directory: PathBuf,
    key: SealingKey,
}

impl LastGood {
    /// The file in `directory`, sealed under a key that is derived from `token`.
    ///
    /// # Errors
    /// [`CryptoError::Seal`].
    pub fn new(directory: &Path, token: &Secret) -> Result<Self, CryptoError> {
        let key = SealingKey::derive("node", token.expose().as_bytes(), PURPOSE)?;
        Ok(Self { directory: directory.to_owned(), key })
    }

    /// Reads the config. None where none was ever written.
    ///
    /// # Errors
    /// [`LastGoodError`].
    pub fn load(&self) -> Result<Option<Snapshot>, LastGoodError> {
        let sealed = match fs::read(self.directory.join(FILE)) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let plain = self.key.open(PURPOSE, &sealed)?;
        Ok(Some(Snapshot::try_from(pb::Snapshot::decode(plain.as_slice())?)?))
    }

    /// The database that the node belongs to. None where none was ever noted, or the note cannot be read.
    pub fn database(&self) -> Option<Database> {
        let note = fs::read_to_string(self.directory.join(DATABASE)).ok()?;
        let mut lines = note.lines();
        let (epoch, version) = (lines.next()?, lines.next()?.parse().ok()?);
        // An older build notes no lineage.
        let lineage = lines.next().unwrap_or_default().into();
        (!epoch.is_empty()).then(|| Database { epoch: epoch.into(), version, lineage })
    }

    /// Replaces the config, so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// [`LastGoodError::Io`], [`LastGoodError::Crypto`].
    pub fn save(&self, snapshot: &Snapshot) -> Result<(), LastGoodError> {
        let plain = Zeroizing::new(pb::Snapshot::from(snapshot).encode_to_vec());
        let sealed = self.key.seal(PURPOSE, &plain)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        // Where only one of the two is written, the node refuses no database whose config it has.
        let Snapshot { epoch, version, lineage, .. } = snapshot;
        replace(&self.directory, DATABASE, format!("{epoch}\n{version}\n{lineage}\n").as_bytes())?;
        replace(&self.directory, FILE, &sealed)?;
        File::open(&self.directory)?.sync_all()?;
        Ok(())
    }
}

/// Replaces the file `name` in `directory`, so that a crash leaves the old or the new one.
///
/// # Errors
/// When the disk fails.
pub(super) fn replace(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = directory.join(format!("{name}.new"));
    let written = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, directory.join(name)));
    if written.is_err() {
        // What was written of it would keep a full disk full.
        drop(fs::remove_file(&temporary));
    }
    written
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// What is shown of the config on disk.
#[derive(Debug)]
pub struct Keeping {
    /// The version on disk.
    pub kept: Gauge,
    /// Where it is shown that the config in force is not on disk.
    pub readiness: Readiness,
}

/// Writes each config that `applied` changes to, unless it is the one that was `restored` from the disk. Of several in
/// quick succession, the first and the last are written. What the disk does not take is written again later. Ends when
/// `tasks` stop, after the newest is written or one more try.
pub async fn keep(
    file: Arc<LastGood>,
    mut applied: watch::Receiver<Option<Arc<Snapshot>>>,
    restored: Option<Arc<Snapshot>>,
    keeping: Keeping,
    tasks: Tasks,
) {
    let mut on_disk = restored;
    let mut failing: Option<Duration> = None;
    loop {
        let again = sleep(failing.unwrap_or_default());
        tokio::select! {
            changed = applied.changed() => if changed.is_err() { return },
            () = again, if failing.is_some() => {}
            () = tasks.stopping() => if failing.is_none() && !applied.has_changed().unwrap_or(false) { return },
        }
        let Some(snapshot) = applied.borrow_and_update().clone() else { continue };
        if on_disk.as_deref() == Some(&*snapshot) {
            failing = None;
            continue;
        }
        let started = Instant::now();
        let (target, version) = (Arc::clone(&file), snapshot.version);
        let saved = Arc::clone(&snapshot);
        let problem = match tasks.spawn_blocking(move || target.save(&saved)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = problem {
            let wait = failing.map_or(FIRST_RETRY, |wait| (wait * 2).min(LAST_RETRY));
            warn!(error, version, retry_after = ?wait, "config could not be kept on disk; a restart without the control plane would serve an older one");
            let fact = json!({ "problem": format!("the config in force is not on disk: {error}"), "version": version });
            keeping.readiness.degraded(DEGRADED, fact);
            failing = Some(wait);
        } else {
            keeping.kept.set(i64::try_from(version).unwrap_or(i64::MAX));
            if failing.take().is_some() {
                info!(version, "config is kept on disk again");
                keeping.readiness.recovered(DEGRADED);
            }
            debug!(version, "config kept on disk");
            on_disk = Some(snapshot);
        }
        if tasks.is_stopping() && (failing.is_some() || !applied.has_changed().unwrap_or(false)) {
            return;
        }
        // A large config that changes all the time must not keep the disk busy.
        let pause = DEBOUNCE.max(started.elapsed() * 5);
        tokio::select! {
            () = sleep(pause) => {}
            () = tasks.stopping() => {}
        }
    }
}

#[cfg(test)]
mod tests;
