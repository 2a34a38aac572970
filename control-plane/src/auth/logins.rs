//! The sessions, the passwords and the count of wrong logins, held together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::request::Parts;
use shared::crypto::hex;
use shared::secret::Secret;
use tokio::sync::Semaphore;
use tracing::warn;

use super::credentials;
use super::passwords::{Passwords, Turn};
use super::place::Place;
use super::sessions::Sessions;
use super::throttle::{Attempt, Refused, Throttle, account};
use crate::error::ApiError;
use crate::store::{Store, login_places};

/// How long a refusal is held back, so that whoever tries without a pause costs little.
const HELD_BACK: Duration = Duration::from_millis(300);

/// Number of refusals that are held back at once. Further ones leave at once.
const MOST_HELD_BACK: usize = 512;

/// The state that the handlers and extractors of this room share. They take it out of whatever state a router has, so
/// that this room need not know that state. It is cheap to clone.
#[derive(Clone)]
pub struct Logins(Arc<Inner>);

struct Inner {
    store: Store,
    sessions: Sessions,
    passwords: Passwords,
    throttle: Throttle,
    held_back: Semaphore,
}

/// A login that may be checked.
pub(super) struct Admission {
    attempt: Attempt,
    pub(super) turn: Turn,
}

impl Logins {
    /// Logins of the users in `store`. Sessions last `lifetime`, and their tokens are signed under `jwt_secret`.
    pub(crate) async fn new(store: Store, jwt_secret: &Secret, lifetime: Duration) -> Result<Self, ApiError> {
        let passwords = Passwords::new().await?;
        let sessions = Sessions::new(jwt_secret, lifetime);
        let (throttle, held_back) = (Throttle::default(), Semaphore::new(MOST_HELD_BACK));
        Ok(Self(Arc::new(Inner { store, sessions, passwords, throttle, held_back })))
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

    /// Counts a login as `username` from `place`. Somebody who is logged in as that user, or comes from where the user
    /// has come from before, need not wait for what others do to the account from elsewhere.
    pub(super) async fn admit(&self, username: &str, place: Place, parts: &Parts) -> Result<Admission, ApiError> {
        let (throttle, of) = (&self.0.throttle, account(username));
        match throttle.attempt(of, place, false, Instant::now()) {
            Ok(attempt) => Ok(Admission { attempt, turn: Turn::Stranger(place) }),
            Err(Refused::Account(_)) if self.is_known(username, place, parts).await? => throttle
                .attempt(of, place, true, Instant::now())
                .map(|attempt| Admission { attempt, turn: Turn::Known })
                .map_err(too_many),
            Err(refused) => Err(too_many(refused)),
        }
    }

    /// Counts an attempt of somebody who is logged in to give their password once more. What others try at the login
    /// does not count for it.
    pub(super) fn admit_again(&self, user_id: &str, place: Place) -> Result<Admission, ApiError> {
        let of = account(&format!("password of {user_id}"));
        let attempt = self.0.throttle.attempt(of, place, false, Instant::now()).map_err(too_many)?;
        Ok(Admission { attempt, turn: Turn::Known })
    }

    /// Whether `password` is the one behind `hash`, as [`Passwords::verify`] has it. Where too many strangers wait,
    /// those who are known as `username` at the place of the admission go before them. The admission is given back
    /// where the password could not be checked.
    pub(super) async fn verify(
        &self,
        admission: &Admission,
        username: &str,
        password: Secret,
        hash: Option<&Secret>,
        parts: &Parts,
    ) -> Result<bool, ApiError> {
        let passwords = &self.0.passwords;
        let mut verified = passwords.verify(password.clone(), hash, admission.turn).await;
        if let (Err(ApiError::Busy), Turn::Stranger(place)) = (&verified, admission.turn)
            && self.is_known(username, place, parts).await?
        {
            verified = passwords.verify(password, hash, Turn::Known).await;
        }
        if verified.is_err() {
            self.0.throttle.unchecked(&admission.attempt);
        }
        verified
    }

    /// Notes that a password was right, and that the user was allowed in.
    pub(super) fn succeeded(&self, admission: &Admission) {
        self.0.throttle.succeeded(&admission.attempt);
    }

    /// Gives an admission back that nothing was done with.
    pub(super) fn unchecked(&self, admission: &Admission) {
        self.0.throttle.unchecked(&admission.attempt);
    }

    /// Notes from where a user has logged in. A login does not fail for it.
    pub(super) async fn remember(&self, username: &str, place: Place) {
        let noted = login_places::remember(&self.0.store, &hex(&account(username)), &place.to_string()).await;
        if let Err(error) = noted {
            warn!(%error, "the place of a login could not be noted");
        }
    }

    /// Holds a refusal back for a moment.
    pub(super) async fn hold_back(&self) {
        if let Ok(_place) = self.0.held_back.try_acquire() {
            tokio::time::sleep(HELD_BACK).await;
        }
    }

    async fn is_known(&self, username: &str, place: Place, parts: &Parts) -> Result<bool, ApiError> {
        // The place is looked for first, and for names that no user has too: the time tells nothing of who exists.
        let known = login_places::is_known(&self.0.store, &hex(&account(username)), &place.to_string()).await?;
        if known {
            return Ok(true);
        }
        let Ok(token) = credentials::token(parts) else { return Ok(false) };
        let session = self.0.sessions.check(&self.0.store, token).await;
        Ok(session.is_ok_and(|principal| principal.username == username))
    }
}

fn too_many(refused: Refused) -> ApiError {
    ApiError::TooManyLogins { retry_after: refused.wait() }
}
