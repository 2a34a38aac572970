//! Macros that expand one body of code for three kinds of connection.

/// Runs `$body` on a connection that reads. It runs in a task of the store, so that a caller who leaves does not cut it
/// short.
macro_rules! with_conn {
    ($store:expr, $conn:ident => $body:expr) => {
        on_connection!($store, $conn, read, Read, run_plain, $body)
    };
}

/// Runs `$body` in a transaction that writes, in a task of the store.
macro_rules! with_tx {
    ($store:expr, $conn:ident => $body:expr) => {
        on_connection!($store, $conn, write, Write, run_transaction, $body)
    };
}

/// Runs `$body` in a transaction that reads. Everything in it sees the database as it is at one moment.
macro_rules! with_read_tx {
    ($store:expr, $conn:ident => $body:expr) => {
        on_connection!($store, $conn, read, Read, run_read_transaction, $body)
    };
}

macro_rules! on_connection {
    ($store:expr, $conn:ident, $sqlite:ident, $access:ident, $run:ident, $body:expr) => {{
        let caller: &$crate::store::Store = $store;
        let store = $crate::store::Store::clone(caller);
        let access = $crate::store::work::Access::$access;
        let work = async move |caller_left: tokio_util::sync::CancellationToken| match &store.0.pools {
            $crate::store::pool::Pools::Sqlite { $sqlite: pool, .. } => {
                use $crate::store::pool::AsyncSqliteConnection as Connection;
                let (asked, mut guarded) = store.take(access, pool, &caller_left).await?;
                guarded!(guarded, $run!(sqlite, (guarded, asked), $conn, Connection, $body))
            }
            $crate::store::pool::Pools::MySql { work: pool, .. } => {
                use diesel_async::AsyncMysqlConnection as Connection;
                let (asked, mut guarded) = store.take(access, pool, &caller_left).await?;
                guarded!(guarded, $run!(mysql, (guarded, asked), $conn, Connection, $body))
            }
            $crate::store::pool::Pools::Postgres { work: pool, .. } => {
                use diesel_async::AsyncPgConnection as Connection;
                let (asked, mut guarded) = store.take(access, pool, &caller_left).await?;
                guarded!(guarded, $run!(postgres, (guarded, asked), $conn, Connection, $body))
            }
        };
        caller.run(access, work).await
    }};
}

/// Gives the outcome of a use of the connection `$guarded`. When the use is cut short, or its error leaves open whether
/// the database has said all, the connection stays marked as in use and is never used again.
macro_rules! guarded {
    ($guarded:ident, $run:expr) => {{
        let done = $run;
        if !done.as_ref().is_err_and($crate::store::StoreError::leaves_doubt) {
            $guarded.end();
        }
        done
    }};
}

macro_rules! run_plain {
    ($kind:ident, ($guarded:ident, $asked:ident), $conn:ident, $type:ty, $body:expr) => {{
        let _ = $asked;
        let $conn: &mut $type = $guarded.begin();
        let done: Result<_, $crate::store::StoreError> = async { $body }.await;
        done
    }};
}

macro_rules! run_transaction {
    (sqlite, ($guarded:ident, $asked:ident), $conn:ident, $type:ty, $body:expr) => {{
        let connection: &mut $type = $guarded.begin();
        match $crate::store::work::wait_for_the_lock(connection, $asked).await {
            Ok(()) => in_transaction!(connection.immediate_transaction, $conn, $type, $body),
            Err(error) => Err(error),
        }
    }};
    ($server:ident, ($guarded:ident, $asked:ident), $conn:ident, $type:ty, $body:expr) => {
        run_read_transaction!(any, ($guarded, $asked), $conn, $type, $body)
    };
}

macro_rules! run_read_transaction {
    // Without this, each statement of a transaction of PostgreSQL sees the database at a moment of its own.
    (postgres, ($guarded:ident, $asked:ident), $conn:ident, $type:ty, $body:expr) => {{
        let _ = $asked;
        let connection: &mut $type = $guarded.begin();
        let mut transaction = connection.build_transaction().read_only().repeatable_read();
        in_transaction!(transaction.run, $conn, $type, $body)
    }};
    ($kind:ident, ($guarded:ident, $asked:ident), $conn:ident, $type:ty, $body:expr) => {{
        use diesel_async::AsyncConnection as _;
        let _ = $asked;
        let connection: &mut $type = $guarded.begin();
        in_transaction!(connection.transaction, $conn, $type, $body)
    }};
}

/// Runs `$body` in a transaction that `$connection.$begin` begins and ends. An error of the body is kept from the error
/// of a rollback: SQLite takes a transaction back by itself when the disk is full, and then refuses to do it again.
macro_rules! in_transaction {
    ($connection:ident.$begin:ident, $conn:ident, $type:ty, $body:expr) => {{
        let mut cause: Option<$crate::store::StoreError> = None;
        let noted = &mut cause;
        let body = async |$conn: &mut $type| -> Result<_, $crate::store::StoreError> {
            let done: Result<_, $crate::store::StoreError> = async { $body }.await;
            done.map_err(|error| {
                *noted = Some(error);
                $crate::store::StoreError::Interrupted
            })
        };
        let done = $connection.$begin(body).await;
        done.map_err(|error| cause.unwrap_or(error))
    }};
}
