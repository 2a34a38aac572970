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
use shared::secret::strength::{Weakness, weakness};
use thiserror::Error;

/// The file of the secrets in the data directory.
const FILE: &str = "secrets.json";

/// The file that holds the node token alone, for a data plane to read.
const NODE_TOKEN_FILE: &str = "node-token";

/// Shortest secret that an operator may bring, in bytes.
const SHORTEST: usize = 32;

/// Random bytes of a secret that is made here.
const MADE: usize = 32;

/// Id of a master key that the operator brings. It tells the key from one that was made, and is the same in every
/// replica.
const GIVEN: &str = "given";

/// What the master key is used for, which keeps keys of different uses apart.
const PURPOSE: &str = "database values";

/// Name and context of the value in the database that tells which master key its values are sealed under.
pub const CANARY: &str = "master_key_canary";

/// A value that was sealed under the master key of a database when that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The value as it is stored.
    pub sealed: String,
    /// Where the database is, for messages.
    pub database: String,
}

impl Canary {
    /// The id of the key that it is sealed under.
    fn key_id(&self) -> &str {
        self.sealed.split_once('.').map_or("", |(id, _)| id)
    }

    /// Whether the database's values are sealed under `master_key`.
    fn opens(&self, master_key: &str) -> bool {
        SealingKey::derive(self.key_id(), master_key.as_bytes(), PURPOSE)
            .is_ok_and(|key| key.open_text(CANARY, &self.sealed).is_ok())
    }
}

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
    /// A secret is shorter than it has to be.
    #[error("{0} is shorter than {SHORTEST} bytes: choose another, or leave it out to have one made")]
    Short(&'static str),
    /// A secret is one that others may know, or could guess.
    #[error("{setting} {problem}: choose another (openssl rand -base64 32), or leave it out to have one made")]
    Weak {
        /// The setting of the secret.
        setting: &'static str,
        /// What is wrong.
        problem: Weakness,
    },
    /// The file is not there, and the database needs the key that was in it.
    #[error(
        "{path} is missing, and the {database} holds values that are sealed under the master key in it. Put the file back from a \
         backup, start with the data directory that has it (--data-dir), or set Secrets:MasterKey to the masterKey that stands in \
         it. If the key is lost, start with another database (--database-url): the upstream keys in this one cannot be read any \
         more. Nothing was written"
    )]
    Missing {
        /// Where the file should be.
        path: PathBuf,
        /// Where the database is.
        database: String,
    },
    /// The file is that of another database.
    #[error(
        "{path} is not the file of the {database}: the values there are sealed under another master key. Put the right file in \
         its place, start with the data directory or the database that belongs to it (--data-dir, --database-url), or set \
         Secrets:MasterKey to the masterKey of the right file. Nothing was written"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Where the database is.
        database: String,
    },
    /// The operator has once brought the master key, and brings none now.
    #[error(
        "the {database} holds values that are sealed under a Secrets:MasterKey that was set before: set it again, or start with \
         another database (--database-url). Nothing was written"
    )]
    NotGiven {
        /// Where the database is.
        database: String,
    },
    /// The operator brings another master key than before.
    #[error(
        "Secrets:MasterKey is not the key that the values in the {database} are sealed under: set the one of before, or leave it \
         out if that stood in secrets.json. Nothing was written"
    )]
    OtherGiven {
        /// Where the database is.
        database: String,
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

impl GivenSecrets {
    /// Refuses a secret that is short, that others may know, or that could be guessed.
    ///
    /// # Errors
    /// [`SecretsError::Short`], [`SecretsError::Weak`].
    pub fn check(&self) -> Result<(), SecretsError> {
        for (setting, secret) in [
            ("Secrets:MasterKey", &self.master_key),
            ("Auth:JwtSecret", &self.jwt_secret),
            ("Secrets:NodeToken", &self.node_token),
        ] {
            let Some(secret) = secret else { continue };
            if secret.expose().len() < SHORTEST {
                return Err(SecretsError::Short(setting));
            }
            if let Some(problem) = weakness(secret.expose()) {
                return Err(SecretsError::Weak { setting, problem });
            }
        }
        Ok(())
    }
}

impl Secrets {
    /// Reads the secrets in `directory`. Those of `given` go over them, and those that are missing are made and kept.
    /// Where the database has a `canary`, nothing is written unless the master key opens it.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn load_or_create(
        directory: &Path,
        given: GivenSecrets,
        canary: Option<&Canary>,
    ) -> Result<Self, SecretsError> {
        given.check()?;
        if let Some(canary) = canary {
            check_master_key(directory, &given, canary)?;
        }
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
        let kept = read(&path)?.unwrap_or_default();
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
        let made_id = if given.master_key.is_some() { GIVEN.to_owned() } else { next.master_key_id };
        let secrets = Self {
            // A key that was made may also be brought: the database says what it is called there.
            master_key_id: canary.map_or(made_id, |canary| canary.key_id().to_owned()),
            master_key: or(given.master_key, next.master_key),
            jwt_secret: or(given.jwt_secret, next.jwt_secret),
            node_token: or(given.node_token, next.node_token),
        };
        let path = directory.join(NODE_TOKEN_FILE);
        let token = secrets.node_token.expose().as_bytes();
        if fs::read(&path).ok().as_deref() != Some(token) {
            write(directory, NODE_TOKEN_FILE, token).map_err(at(&path))?;
        }
        drop(lock);
        Ok(secrets)
    }

    /// The key that seals values in the database.
    ///
    /// # Errors
    /// [`CryptoError`] when the library refuses the key.
    pub fn sealing_key(&self) -> Result<SealingKey, CryptoError> {
        SealingKey::derive(self.master_key_id.clone(), self.master_key.expose().as_bytes(), PURPOSE)
    }
}

/// Refuses a start whose master key is not that of the database. Writes nothing.
fn check_master_key(directory: &Path, given: &GivenSecrets, canary: &Canary) -> Result<(), SecretsError> {
    let database = canary.database.clone();
    if let Some(key) = &given.master_key {
        return if canary.opens(key.expose()) { Ok(()) } else { Err(SecretsError::OtherGiven { database }) };
    }
    let path = directory.join(FILE);
    let kept = read(&path)?.unwrap_or_default();
    if !kept.master_key.is_empty() && canary.opens(&kept.master_key) {
        return Ok(());
    }
    Err(match (canary.key_id(), kept.master_key.is_empty()) {
        (GIVEN, _) => SecretsError::NotGiven { database },
        (_, true) => SecretsError::Missing { path, database },
        (_, false) => SecretsError::Foreign { path, database },
    })
}

/// What is kept in the file; nothing where there is no file.
fn read(path: &Path) -> Result<Option<Kept>, SecretsError> {
    match fs::read(path) {
        Ok(text) => {
            let kept = serde_json::from_slice(&text);
            kept.map(Some).map_err(|error| SecretsError::Damaged { path: path.to_owned(), error })
        }
        // A directory that is a file, or lies below one, is refused by its own name.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(SecretsError::File { path: path.to_owned(), error }),
    }
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
