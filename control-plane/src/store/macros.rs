//! Macros that expand one body of code for three kinds of connection.

/// Runs `$body` on a connection that reads. It runs in a task of the store, so that a caller who leaves does not cut it
/// short.
macro_rules! with_conn {
    ($store:expr, $conn:ident => $body:expr) => {
        on_connection!($store, $conn, read, run_plain, $body)
    };
}

/// Runs `$body` in a transaction that writes, in a task of the store.
macro_rules! with_tx {
    ($store:expr, $conn:ident => $body:expr) => {
        on_connection!($store, $conn, write, run_transaction, $body)
    };
}

/// Runs `$body` in a transaction that reads. Everything in it sees the database as it is at one moment.
macro_rules! with_read_tx {
    ($store:expr, $conn:ident => $body:expr) => {
        on_connection!($store, $conn, read, run_read_transaction, $body)
    };
}

macro_rules! on_connection {
    ($store:expr, $conn:ident, $sqlite:ident, $run:ident, $body:expr) => {{
        let store = $crate::store::Store::clone($store);
        let tasks = store.0.tasks.clone();
        let work = async move {
            match &store.0.pools {
                $crate::store::pool::Pools::Sqlite { $sqlite: pool, .. } => {
                    let mut connection = pool.get().await.map_err($crate::store::StoreError::no_connection)?;
                    $run!(sqlite, connection, $conn, $crate::store::pool::AsyncSqliteConnection, $body)
                }
                $crate::store::pool::Pools::MySql(pool) => {
                    let mut connection = pool.get().await.map_err($crate::store::StoreError::no_connection)?;
                    $run!(server, connection, $conn, diesel_async::AsyncMysqlConnection, $body)
                }
                $crate::store::pool::Pools::Postgres(pool) => {
                    let mut connection = pool.get().await.map_err($crate::store::StoreError::no_connection)?;
                    $run!(server, connection, $conn, diesel_async::AsyncPgConnection, $body)
                }
            }
        };
        let work = async move {
            let late = |_| {
                $crate::store::metrics::deadline_hit();
                $crate::store::StoreError::Unavailable("it did not answer in time".to_owned())
            };
            tokio::time::timeout($crate::store::pool::QUERY_DEADLINE, work).await.map_err(late)?
        };
        tasks.spawn("database", work).await.unwrap_or_else(|_| Err($crate::store::StoreError::Interrupted))
    }};
}

macro_rules! run_plain {
    ($kind:ident, $connection:ident, $conn:ident, $type:ty, $body:expr) => {{
        let $conn: &mut $type = &mut $connection;
        let done: Result<_, $crate::store::StoreError> = async { $body }.await;
        done
    }};
}

macro_rules! run_transaction {
    (sqlite, $connection:ident, $conn:ident, $type:ty, $body:expr) => {{
        let connection: &mut $type = &mut $connection;
        connection
            .immediate_transaction(async |$conn: &mut $type| -> Result<_, $crate::store::StoreError> { $body })
            .await
    }};
    (server, $connection:ident, $conn:ident, $type:ty, $body:expr) => {
        run_read_transaction!(server, $connection, $conn, $type, $body)
    };
}

macro_rules! run_read_transaction {
    ($kind:ident, $connection:ident, $conn:ident, $type:ty, $body:expr) => {{
        use diesel_async::AsyncConnection as _;
        let connection: &mut $type = &mut $connection;
        connection.transaction(async |$conn: &mut $type| -> Result<_, $crate::store::StoreError> { $body }).await
    }};
}
