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

    /// Adds the column and the value to an error about a value that is in use. Other errors stay as they are.
    pub(super) fn taken(self, field: &'static str, value: &str) -> Self {
        if let Self::Taken { .. } = self { Self::Taken { field, value: value.to_owned() } } else { self }
    }
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
        match kind {
            DatabaseErrorKind::UniqueViolation => Self::Taken { field: "id", value: String::new() },
            DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable(detail.message().to_owned()),
            // Diesel has no kind of its own for SQLITE_BUSY.
            _ if detail.message().contains("is locked") => Self::Unavailable(detail.message().to_owned()),
            _ => Self::Database(error),
        }
    }
}
