//! Connections that know whether a use of them was cut short, and the manager that never lets such a one be used again.
//!
//! A future that is dropped in the middle of a query leaves an answer on its way, or a transaction open. On the same
//! connection, the next question would be answered with what belongs to the one before. So a connection is marked as in
//! use before each use, and the mark goes only when the use has come to its end. What comes back to the pool with the
//! mark is broken.

use bb8::ManageConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, PoolError};

/// A pool of guarded connections.
pub(super) type Pool<C> = bb8::Pool<GuardedManager<C>>;

/// A connection, and whether a use of it has begun and not ended.
#[derive(Debug)]
pub(super) struct Guarded<C> {
    connection: C,
    in_use: bool,
}

impl<C> Guarded<C> {
    /// Begins a use. Until [`Self::end`], the connection counts as broken.
    pub(super) const fn begin(&mut self) -> &mut C {
        self.in_use = true;
        &mut self.connection
    }

    /// Ends the use: every question was answered as a whole.
    pub(super) const fn end(&mut self) {
        self.in_use = false;
    }
}

/// Makes and checks guarded connections as diesel-async makes and checks plain ones.
#[derive(Debug)]
pub(super) struct GuardedManager<C>(AsyncDieselConnectionManager<C>);

impl<C> GuardedManager<C> {
    pub(super) const fn new(manager: AsyncDieselConnectionManager<C>) -> Self {
        Self(manager)
    }
}

impl<C> ManageConnection for GuardedManager<C>
where
    C: Send + 'static,
    AsyncDieselConnectionManager<C>: ManageConnection<Connection = C, Error = PoolError>,
{
    type Connection = Guarded<C>;
    type Error = PoolError;

    /// A connection gets into the pool only when its set-up has ended well, so one that was cut short here is gone.
    async fn connect(&self) -> Result<Guarded<C>, PoolError> {
        Ok(Guarded { connection: self.0.connect().await?, in_use: false })
    }

    /// The pool drops this future when the connection does not answer in time.
    async fn is_valid(&self, guarded: &mut Guarded<C>) -> Result<(), PoolError> {
        let answer = self.0.is_valid(guarded.begin()).await;
        if answer.is_ok() {
            guarded.end();
        }
        answer
    }

    fn has_broken(&self, guarded: &mut Guarded<C>) -> bool {
        guarded.in_use || self.0.has_broken(&mut guarded.connection)
    }
}
