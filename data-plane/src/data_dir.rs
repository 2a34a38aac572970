//! The node's directory: held by one process at a time, and the home of the node's id.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use shared::ids::new_id;
use thiserror::Error;
use tracing::warn;

/// A data directory that no other process holds, until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why the directory cannot be used.
#[derive(Debug, Error)]
pub enum DataDirError {
    /// Two nodes must not write to one spool.
    #[error("another process uses {0}: give each node a data directory of its own with --data-dir")]
    InUse(PathBuf),
    /// The directory cannot be made or written to.
    #[error("{path} cannot be the data directory: {error}; choose another with --data-dir")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The disk.
    #[error("{path}: {error}")]
    Io {
        /// What was to be read or written.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

impl DataDir {
    /// Makes the directory if need be, readable by its owner alone, and takes it.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |error| DataDirError::Io { path: path.to_owned(), error };
        let unusable = |error| DataDirError::Unusable { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
            let is_file = error.kind() == io::ErrorKind::AlreadyExists;
            unusable(if is_file { io::Error::new(error.kind(), "it is a file") } else { error })
        })?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("node.lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The node's id: made once. Where the disk is full when it is made, the node has it until it ends.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn node_id(&self) -> Result<String, DataDirError> {
        let path = self.path.join("node-id");
        let failed = |error| DataDirError::Io { path: path.clone(), error };
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let id = new_id();
        let temporary = path.with_extension("new");
        let written = write_new(&temporary, id.as_bytes()).and_then(|()| fs::rename(&temporary, &path));
        match written {
            Ok(()) => Ok(id),
            Err(error) if is_full(&error) => {
                drop(fs::remove_file(&temporary));
                warn!(%error, id, "the id of this node could not be written; it has another after a restart");
                Ok(id)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The directory of uploads that wait until it is known where they go. It is readable by its owner alone, and what
    /// an earlier run has left there is deleted.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn uploads(&self) -> Result<PathBuf, DataDirError> {
        let path = self.path.join("uploads");
        let failed = |error| DataDirError::Io { path: path.clone(), error };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            // It is made when the first upload waits: a start on a full disk writes nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(failed(error)),
        };
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(failed)?;
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let is_directory = entry.file_type().map_err(failed)?.is_dir();
            let left = entry.path();
            if is_directory { fs::remove_dir_all(left) } else { fs::remove_file(left) }.map_err(failed)?;
        }
        Ok(path)
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all())
}

/// Whether `error` says that the disk has no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

#[cfg(test)]
mod tests;
