//! Hashes of passwords: Argon2id, computed on threads that may block, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use shared::crypto::random_token;
use shared::drain::Tasks;
use shared::secret::Secret;
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Number of hashes that are computed at once. Each costs 19 MiB and a core.
const AT_ONCE: usize = 4;

/// How long a hash waits for its turn. After that, the client is told that the server is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes and checks password hashes.
#[derive(Clone)]
pub(crate) struct Passwords {
    tasks: Tasks,
    places: Arc<Semaphore>,
    /// The hash that the password of an unknown user is checked against, so that the answer takes as long as for a
    /// known one.
    nobody: Secret,
}

impl Passwords {
    pub(crate) async fn new(tasks: &Tasks) -> Result<Self, ApiError> {
        let passwords =
            Self { tasks: tasks.clone(), places: Arc::new(Semaphore::new(AT_ONCE)), nobody: Secret::default() };
        let random = random_token(32).map_err(|error| ApiError::Internal(error.to_string()))?;
        let nobody = passwords.hash(Secret::new(random)).await?;
        Ok(Self { nobody, ..passwords })
    }

    /// The hash of `password` as a PHC string.
    pub(crate) async fn hash(&self, password: Secret) -> Result<Secret, ApiError> {
        self.compute(move || {
            Argon2::default()
                .hash_password(password.expose().as_bytes())
                .map(|hash| Secret::new(hash.to_string()))
                .map_err(|error| ApiError::Internal(format!("the password could not be hashed: {error}")))
        })
        .await?
    }

    /// Whether `password` is the one behind `hash`. Without a hash the answer is no, after the same work.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<&Secret>) -> Result<bool, ApiError> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).clone();
        self.compute(move || {
            let parsed = PasswordHash::new(hash.expose())
                .map_err(|error| ApiError::Internal(format!("a stored password hash cannot be read: {error}")))?;
            Ok(Argon2::default().verify_password(password.expose().as_bytes(), &parsed).is_ok() && exists)
        })
        .await?
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| ApiError::Busy)?
            .map_err(|_| ApiError::Busy)?;
        let task = self.tasks.spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        task.await.map_err(|error| ApiError::Internal(format!("the password task failed: {error}")))
    }
}
