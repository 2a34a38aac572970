//! From where each account has been logged in to. A login from such a place need not wait for what strangers do to the
//! account from elsewhere.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::time::now_ms;

use super::schema::login_places;
use super::{Store, StoreError};

/// How long a place is remembered after its last login, in milliseconds.
const REMEMBERED_MS: i64 = 180 * 24 * 60 * 60 * 1000;

/// Whether `account` has been logged in to from `place`.
///
/// # Errors
/// [`StoreError`].
pub async fn is_known(store: &Store, account: &str, place: &str) -> Result<bool, StoreError> {
    let (account, place) = (account.to_owned(), place.to_owned());
    let found = with_conn!(store, conn => {
        let query = login_places::table.find((&account, &place)).select(login_places::last_login_at);
        Ok(query.first::<i64>(conn).await.optional()?)
    })?;
    Ok(found.is_some())
}

/// Notes a login to `account` from `place`.
///
/// # Errors
/// [`StoreError`].
pub async fn remember(store: &Store, account: &str, place: &str) -> Result<(), StoreError> {
    let (account, place) = (account.to_owned(), place.to_owned());
    let noted = with_tx!(store, conn => {
        diesel::delete(login_places::table.find((&account, &place))).execute(conn).await?;
        let row = (
            login_places::account.eq(&account),
            login_places::place.eq(&place),
            login_places::last_login_at.eq(now_ms()),
        );
        diesel::insert_into(login_places::table).values(row).execute(conn).await?;
        Ok(())
    });
    match noted {
        // Another login from there was noted at the same moment.
        Err(StoreError::Taken { .. }) => Ok(()),
        noted => noted,
    }
}

/// Forgets places without a login for half a year.
///
/// # Errors
/// [`StoreError`].
pub async fn purge(store: &Store) -> Result<(), StoreError> {
    with_tx!(store, conn => {
        let old = login_places::table.filter(login_places::last_login_at.lt(now_ms() - REMEMBERED_MS));
        diesel::delete(old).execute(conn).await?;
        Ok(())
    })
}
