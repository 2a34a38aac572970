//! Hashes of passwords: Argon2id, computed one after the other on a thread of their own, so that people who try
//! passwords do not take the cores from those who work. The thread ends when no hash waits, and gives its memory back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use shared::crypto::random_token;
use shared::secret::Secret;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::place::Place;
use crate::error::ApiError;

/// Number of hashes that may wait. Each costs 19 MiB and about 30 ms of a core, so the last one waits for a second.
const WAITING: usize = 32;

/// Number of hashes for strangers at one place that may wait.
const WAITING_OF_A_PLACE: usize = 4;

/// Number of hashes that may wait beside those, for people who are known. They go first.
const WAITING_OF_KNOWN: usize = 8;

/// How long a hash may take in all. After that, the client is told that the server is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Priority of the thread, as `nice` has it: others get nine times as much of a core that both want.
const NICE: i32 = 10;

/// Whose turn it is: those who are known do not wait behind strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Somebody who is logged in, or comes from where the owner of the account has come from before; or the program.
    Known,
    /// Anybody at a place.
    Stranger(Place),
}

/// Makes and checks password hashes. Clones share the thread.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Turns>,
    /// The hash that the password of an unknown user is checked against, so that the answer takes as long as for a
    /// known one.
    nobody: Secret,
}

pub(super) type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    known: VecDeque<Job>,
    strangers: VecDeque<(Place, Job)>,
    /// Whether a thread takes what waits.
    served: bool,
}

/// The jobs that wait, in the order of their turns.
#[derive(Default)]
pub(super) struct Turns {
    queue: Mutex<Queue>,
}

/// The thread that takes what waits.
struct Serving(Arc<Turns>);

impl Drop for Serving {
    fn drop(&mut self) {
        // A job that panics must not leave those behind it, and all that come later, without a thread.
        if thread::panicking() {
            self.0.queue().served = false;
        }
    }
}

impl Passwords {
    pub(crate) async fn new() -> Result<Self, ApiError> {
        let passwords = Self { turns: Arc::default(), nobody: Secret::default() };
        let random = random_token(32).map_err(|error| ApiError::Internal(error.to_string()))?;
        let nobody = passwords.hash(Secret::new(random)).await?;
        Ok(Self { nobody, ..passwords })
    }

    /// The hash of `password` as a PHC string.
    pub(crate) async fn hash(&self, password: Secret) -> Result<Secret, ApiError> {
        self.compute(Turn::Known, move || {
            Argon2::default()
                .hash_password(password.expose().as_bytes())
                .map(|hash| Secret::new(hash.to_string()))
                .map_err(|error| ApiError::Internal(format!("the password could not be hashed: {error}")))
        })
        .await?
    }

    /// Whether `password` is the one behind `hash`. Without a hash the answer is no, after the same work.
    ///
    /// # Errors
    /// [`ApiError::Busy`] where too many others wait.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<&Secret>, turn: Turn) -> Result<bool, ApiError> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).clone();
        self.compute(turn, move || {
            let parsed = PasswordHash::new(hash.expose())
                .map_err(|error| ApiError::Internal(format!("a stored password hash cannot be read: {error}")))?;
            Ok(Argon2::default().verify_password(password.expose().as_bytes(), &parsed).is_ok() && exists)
        })
        .await?
    }

    async fn compute<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            // Whoever has left meanwhile is not worked for.
            if !answer.is_closed() {
                let _left = answer.send(work());
            }
        };
        if self.turns.push(turn, Box::new(job))? {
            self.turns.serve()?;
        }
        let answered = timeout(PATIENCE, answered).await.map_err(|_| ApiError::Busy)?;
        answered.map_err(|_| ApiError::Internal("the thread for passwords has ended".to_owned()))
    }
}

impl Turns {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `job` wait for its turn. Says whether nobody takes it yet: then [`Self::serve`] is to be called.
    ///
    /// # Errors
    /// [`ApiError::Busy`] where too many others wait.
    pub(super) fn push(&self, turn: Turn, job: Job) -> Result<bool, ApiError> {
        let mut queue = self.queue();
        match turn {
            Turn::Known if queue.known.len() >= WAITING_OF_KNOWN => return Err(ApiError::Busy),
            Turn::Known => queue.known.push_back(job),
            Turn::Stranger(place) => {
                let of_place = queue.strangers.iter().filter(|(other, _)| *other == place).count();
                if queue.strangers.len() >= WAITING || of_place >= WAITING_OF_A_PLACE {
                    return Err(ApiError::Busy);
                }
                queue.strangers.push_back((place, job));
            }
        }
        let unserved = !std::mem::replace(&mut queue.served, true);
        Ok(unserved)
    }

    /// Starts the thread that takes what waits.
    fn serve(self: &Arc<Self>) -> Result<(), ApiError> {
        let serving = Serving(Arc::clone(self));
        let run = move || {
            // On Linux it counts for this thread alone. Where it is not allowed, the thread is one like the others.
            if let Err(error) = rustix::process::nice(NICE) {
                tracing::debug!(%error, "the thread for passwords runs at normal priority");
            }
            while let Some(job) = serving.0.next() {
                job();
            }
        };
        let started = thread::Builder::new().name("passwords".to_owned()).spawn(run);
        started.map(drop).map_err(|error| {
            // Those who wait are told that the server is busy; the next one tries again to start the thread.
            *self.queue() = Queue::default();
            ApiError::Internal(format!("no thread for passwords: {error}"))
        })
    }

    /// The next job. Where none waits, nobody takes what comes later.
    pub(super) fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        let known = queue.known.pop_front();
        let next = known.or_else(|| queue.strangers.pop_front().map(|(_, job)| job));
        queue.served = next.is_some();
        next
    }
}
