use diesel::result::{DatabaseErrorKind, Error};

use super::StoreError;

fn told(kind: DatabaseErrorKind, text: &str) -> StoreError {
    StoreError::from(Error::DatabaseError(kind, Box::new(text.to_owned())))
}

#[test]
fn a_full_disk_is_known_by_the_words_of_each_database() {
    for text in [
        "database or disk is full",
        "Disk full (/tmp/#sql-temptable-1.MAI); waiting for someone to free some space... (errno: 28 \"No space left on device\")",
        "The table 'usage_records' is full",
        "Create table/tablespace 'usage_records' failed, as disk is full.",
        "Got error 28 \"No space left on device\" from storage engine InnoDB",
        "Error writing file './binlog.000001' (errno: 28 \"No space left on device\")",
        "could not extend file \"base/16384/16400\": No space left on device",
        "could not write to file \"pg_wal/xlogtemp.1\": No space left on device",
    ] {
        assert!(matches!(told(DatabaseErrorKind::Unknown, text), StoreError::Full), "{text}");
    }
}

#[test]
fn a_database_that_is_away_or_busy_may_be_asked_again() {
    for text in [
        "database is locked",
        "database table is locked: usage_records",
        "Input/output error: connection closed",
        "Driver error: `Packet out of order.`",
        "Deadlock found when trying to get lock; try restarting transaction",
        "Lock wait timeout exceeded; try restarting transaction",
        "Server shutdown in progress",
        "terminating connection due to administrator command",
        "canceling statement due to lock timeout",
        "sorry, too many clients already",
        "deadlock detected",
        "the database system is starting up",
    ] {
        let error = told(DatabaseErrorKind::Unknown, text);
        assert!(matches!(error, StoreError::Unavailable(_)), "{text}: {error:?}");
        assert!(error.leaves_doubt());
    }
}

#[test]
fn other_refusals_stay_what_they_are() {
    let error = told(DatabaseErrorKind::Unknown, "no such table: usage_records");
    assert!(matches!(error, StoreError::Database(_)), "{error:?}");
    assert!(error.leaves_doubt());
    let error = told(DatabaseErrorKind::UniqueViolation, "Duplicate entry 'The disk' is full' for key 'PRIMARY'");
    assert!(matches!(error, StoreError::Taken { .. }), "{error:?}");
    assert!(!error.leaves_doubt());
}
