//! What can go wrong with the database.

use diesel::result::{DatabaseErrorKind, Error};
use shared::crypto::CryptoError;
use thiserror::Error as ThisError;

/// Why the store did not do what it was asked.
#[derive(Debug, ThisError)]
pub enum StoreError {
    /// The address of the database has no meaning here. The text does not repeat it, since it may hold a password.
    #[error("the database URL {0}")]
    Url(&'static str),
    /// There was no connection in time, a connection broke, or the database is too busy to take the change. Trying
    /// again may help.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The file of the database is not the one that was opened: it was deleted, moved or replaced.
    #[error("the database is gone: {0}")]
    Gone(String),
    /// The disk of the database has no room for a write.
    #[error("the disk of the database is full")]
    Full,
    /// A value that must be unique is in use.
    #[error("{field} {value:?} is in use")]
    Taken {
        /// Column of the value.
        field: &'static str,
        /// The value. It is empty where it must not be shown.
        value: String,
    },
    /// The program is ending. What was asked may or may not have been done.
    #[error("the database task was interrupted")]
    Interrupted,
    /// The row was changed since the caller read it.
    #[error("the row was changed in the meantime")]
    Stale,
    /// There is no such row.
    #[error("there is no such row")]
    NotFound,
    /// The cursor is not one that a list gave out.
    #[error("the cursor is malformed")]
    Cursor,
    /// The database refused the query.
    #[error("the database refused: {0}")]
    Database(#[source] Error),
    /// A value could not be sealed or opened.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The schema could not be brought up to date.
    #[error("database migration: {0}")]
    Migration(String),
    /// A stored value has no meaning.
    #[error("the database holds a damaged value: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// The error of a pool that had no connection to give.
    pub(super) fn no_connection(error: impl std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string())
    }

    /// Whether the error leaves open if the database has said all that it had to say on the connection, or in which
    /// state the connection is. The other errors are whole answers of the database, or come of a look at such answers.
    pub(super) const fn leaves_doubt(&self) -> bool {
        !matches!(self, Self::Full | Self::Taken { .. } | Self::Stale | Self::NotFound | Self::Cursor)
    }

    /// Adds the column and the value to an error about a value that is in use. Other errors stay as they are.
    pub(super) fn taken(self, field: &'static str, value: &str) -> Self {
        if let Self::Taken { .. } = self { Self::Taken { field, value: value.to_owned() } } else { self }
    }
}

/// What the texts of errors say for which diesel has no kind of its own, or that its drivers give no kind to.
const UNAVAILABLE: &[&str] = &[
    // SQLite.
    "is locked",
    // The driver of MySQL: the connection broke, or something came that is no answer.
    "Input/output error:",
    "Driver error:",
    // MySQL and MariaDB: 1040, 1053, 1205, 1213, 1290, 1317, 1927.
    "Too many connections",
    "Server shutdown in progress",
    "Lock wait timeout exceeded",
    "Deadlock found",
    "--read-only option",
    "Query execution was interrupted",
    "Connection was killed",
    // PostgreSQL: 53300, 55P03, 57014, 57P01, 57P03, 40P01.
    "too many clients",
    "connection slots are reserved",
    "canceling statement due to",
    "terminating connection due to",
    "the database system is",
    "deadlock detected",
];

/// What errors say when the disk is full.
const FULL: &[&str] = &[
    // SQLITE_FULL.
    "database or disk is full",
    // MySQL and MariaDB: 1021, 1114, 3675, and those that tell of error 28 of the system, such as 3 and 1026.
    "Disk full (",
    "' is full",
    "as disk is full",
    "Got error 28",
    "errno: 28",
    "OS errno 28",
    // PostgreSQL: 53100, whose text ends in that of the system.
    "No space left on device",
    "Disk quota exceeded",
];

fn says(text: &str, any: &[&str]) -> bool {
    any.iter().any(|part| text.contains(part))
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let Error::DatabaseError(kind, detail) = &error else {
            return match error {
                Error::NotFound => Self::NotFound,
                Error::BrokenTransactionManager => {
                    Self::Unavailable("the connection broke in a transaction".to_owned())
                }
                other => Self::Database(other),
            };
        };
        let text = detail.message();
        match kind {
            DatabaseErrorKind::UniqueViolation => Self::Taken { field: "id", value: String::new() },
            _ if says(text, FULL) => Self::Full,
            DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable(text.to_owned()),
            _ if says(text, UNAVAILABLE) => Self::Unavailable(text.to_owned()),
            _ => Self::Database(error),
        }
    }
}

#[cfg(test)]
mod tests;
