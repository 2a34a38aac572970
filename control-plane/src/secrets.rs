//! The secrets of an installation. They are made at its first start, kept in a file of mode 0600, and never default to
//! a known value.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::crypto::{CryptoError, SealingKey, random_token};
use shared::ids::new_id;
use shared::secret::Secret;
use thiserror::Error;

/// The file of the secrets in the data directory.
const FILE: &str = "secrets.json";

/// The file that holds the node token alone, for a data plane to read.
const NODE_TOKEN_FILE: &str = "node-token";

/// Shortest secret that an operator may bring, in bytes.
const SHORTEST: usize = 32;

/// Random bytes of a secret that is made here.
const MADE: usize = 32;

/// Texts that stand in the secrets of examples.
const WELL_KNOWN: &[&str] =
    &["your-", "your_", "yoursecret", "changeme", "change-me", "change_me", "default", "example"];

/// The secrets of an installation.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Key under which upstream keys, and anything else that could spend money, are sealed in the database.
    pub master_key: Secret,
    /// Id of the master key, which stands in what was sealed under it.
    pub master_key_id: String,
    /// Key that login tokens are signed under.
    pub jwt_secret: Secret,
    /// Token that nodes authenticate with.
    pub node_token: Secret,
}

/// Secrets that the operator brings. What is `None` is made at the first start.
#[derive(Clone, Debug, Default)]
pub struct GivenSecrets {
    /// `Secrets:MasterKey`.
    pub master_key: Option<Secret>,
    /// `Auth:JwtSecret`.
    pub jwt_secret: Option<Secret>,
    /// `Secrets:NodeToken`.
    pub node_token: Option<Secret>,
}

/// Why the secrets cannot be had.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// A secret is one that others may know.
    #[error("{setting} {problem}: choose another, or leave it out to have one made")]
    Weak {
        /// The setting of the secret.
        setting: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The data directory cannot be made or written to.
    #[error("{path} cannot be the data directory: {error}; choose another with --data-dir")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The file is damaged.
    #[error("{path}: not a file of secrets: {error}; without it the upstream keys in the database cannot be read")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// There is no randomness.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// The content of the file. It is the only place where these secrets are written out.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    master_key_id: String,
    master_key: String,
    jwt_secret: String,
    node_token: String,
}

impl Secrets {
    /// Reads the secrets in `directory`. Those of `given` go over them, and those that are missing are made and kept.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn load_or_create(directory: &Path, given: GivenSecrets) -> Result<Self, SecretsError> {
        check("Secrets:MasterKey", given.master_key.as_ref())?;
        check("Auth:JwtSecret", given.jwt_secret.as_ref())?;
        check("Secrets:NodeToken", given.node_token.as_ref())?;
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| SecretsError::File { path, error }
        };
        let unusable = |error| SecretsError::Directory { path: directory.to_owned(), error };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
            let is_file = error.kind() == io::ErrorKind::AlreadyExists;
            unusable(if is_file { io::Error::new(error.kind(), "it is a file") } else { error })
        })?;
        // The lock is for two control planes that start at once on one directory: they make one set of secrets.
        let lock_path = directory.join("secrets.lock");
        let lock = private().open(&lock_path).map_err(unusable)?;
        lock.lock().map_err(at(&lock_path))?;

        let path = directory.join(FILE);
        let kept = match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|error| SecretsError::Damaged { path: path.clone(), error })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(at(&path)(error)),
        };
        let mut next = kept.clone();
        for secret in [&mut next.master_key, &mut next.jwt_secret, &mut next.node_token] {
            if secret.is_empty() {
                *secret = random_token(MADE)?;
            }
        }
        if next.master_key_id.is_empty() {
            next.master_key_id = new_id();
        }
        if next != kept {
            let text = serde_json::to_vec_pretty(&next)
                .map_err(|error| SecretsError::Damaged { path: path.clone(), error })?;
            write(directory, FILE, &text).map_err(at(&path))?;
        }
        let or = |given: Option<Secret>, kept: String| given.unwrap_or_else(|| Secret::new(kept));
        let brought = given.master_key.is_some();
        let secrets = Self {
            // The id tells a key that the operator brings from one that was made, and is the same in every replica.
            master_key_id: if brought { "given".to_owned() } else { next.master_key_id },
            master_key: or(given.master_key, next.master_key),
            jwt_secret: or(given.jwt_secret, next.jwt_secret),
            node_token: or(given.node_token, next.node_token),
        };
        let path = directory.join(NODE_TOKEN_FILE);
        write(directory, NODE_TOKEN_FILE, secrets.node_token.expose().as_bytes()).map_err(at(&path))?;
        drop(lock);
        Ok(secrets)
    }

    /// The key that seals values in the database.
    ///
    /// # Errors
    /// [`CryptoError`] when the library refuses the key.
    pub fn sealing_key(&self) -> Result<SealingKey, CryptoError> {
        SealingKey::derive(self.master_key_id.clone(), self.master_key.expose().as_bytes(), "database values")
    }
}

fn check(setting: &'static str, secret: Option<&Secret>) -> Result<(), SecretsError> {
    let Some(secret) = secret else { return Ok(()) };
    let text = secret.expose();
    let weak = |problem| Err(SecretsError::Weak { setting, problem });
    if text.len() < SHORTEST {
        return weak("is shorter than 32 bytes");
    }
    let lower = text.to_ascii_lowercase();
    let repeats = text.bytes().all(|byte| Some(byte) == text.bytes().next());
    if repeats || WELL_KNOWN.iter().any(|known| lower.contains(known)) {
        return weak("is one that others may know");
    }
    Ok(())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options
}

/// Writes a file as a whole or not at all.
fn write(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = directory.join(format!("{name}.new"));
    let mut file = private().truncate(true).open(&temporary)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(name))?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
