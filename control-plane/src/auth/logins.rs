//! The sessions, the passwords and the count of wrong logins, held together.

use std::sync::Arc;
use std::time::Duration;

use shared::drain::Tasks;
use shared::secret::Secret;

use super::passwords::Passwords;
use super::sessions::Sessions;
use super::throttle::Throttle;
use crate::error::ApiError;
use crate::store::Store;

/// The state that the handlers and extractors of this room share. They take it out of whatever state a router has, so
/// that this room need not know that state. It is cheap to clone.
#[derive(Clone)]
pub struct Logins(Arc<Inner>);

struct Inner {
    store: Store,
    sessions: Sessions,
    passwords: Passwords,
    throttle: Throttle,
}

impl Logins {
    /// Logins of the users in `store`. Sessions last `lifetime`, and their tokens are signed under `jwt_secret`.
    pub(crate) async fn new(
        store: Store,
        jwt_secret: &Secret,
        lifetime: Duration,
        tasks: &Tasks,
    ) -> Result<Self, ApiError> {
        let passwords = Passwords::new(tasks).await?;
        let sessions = Sessions::new(jwt_secret, lifetime);
        Ok(Self(Arc::new(Inner { store, sessions, passwords, throttle: Throttle::default() })))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }
}
