//! Sessions, each of which is a login.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;
use shared::time::now_ms;

use super::change::audited;
use super::schema::{sessions, users};
use super::{Actor, Store, StoreError, audit};

/// A login.
#[derive(Clone, Debug)]
pub struct Session {
    /// Id of the session, a UUIDv7. The token has it as `sid`.
    pub id: String,
    /// Id of the user.
    pub user_id: String,
    /// When the session ends, in epoch milliseconds.
    pub expires_at: i64,
    /// Whether the user has logged out.
    pub revoked: bool,
}

/// Stores a login of `actor`, and notes its time with the user.
///
/// # Errors
/// [`StoreError`].
pub async fn open(store: &Store, session: &Session, user_agent: &str, actor: &Actor) -> Result<(), StoreError> {
    let (session, client_ip, user_agent) = (session.clone(), actor.client_ip.clone(), user_agent.to_owned());
    audited!(store, audit::Row::new(actor, "login", "session", None, &json!({})), conn => {
        let now = now_ms();
        let row = (
            sessions::id.eq(&session.id),
            sessions::user_id.eq(&session.user_id),
            sessions::created_at.eq(now),
            sessions::expires_at.eq(session.expires_at),
            sessions::client_ip.eq(&client_ip),
            sessions::user_agent.eq(&user_agent),
        );
        diesel::insert_into(sessions::table).values(row).execute(conn).await?;
        let user = diesel::update(users::table.find(&session.user_id));
        user.set(users::last_login_at.eq(now)).execute(conn).await?;
    })
}

/// The login of this id.
///
/// # Errors
/// [`StoreError`].
pub async fn get(store: &Store, id: &str) -> Result<Option<Session>, StoreError> {
    let id = id.to_owned();
    let row = with_conn!(store, conn => {
        let columns = (sessions::id, sessions::user_id, sessions::expires_at, sessions::revoked_at);
        let query = sessions::table.find(&id).select(columns);
        Ok(query.first::<(String, String, i64, Option<i64>)>(conn).await.optional()?)
    })?;
    Ok(row.map(|(id, user_id, expires_at, revoked_at)| Session {
        id,
        user_id,
        expires_at,
        revoked: revoked_at.is_some(),
    }))
}

/// Ends the login of this id, because `actor` logs out.
///
/// # Errors
/// [`StoreError`].
pub async fn revoke(store: &Store, id: &str, actor: &Actor) -> Result<(), StoreError> {
    let id = id.to_owned();
    audited!(store, audit::Row::new(actor, "logout", "session", None, &json!({})), conn => {
        let query = diesel::update(sessions::table.find(&id)).set(sessions::revoked_at.eq(now_ms()));
        query.execute(conn).await?;
    })
}

/// Deletes logins that have expired.
///
/// # Errors
/// [`StoreError`].
pub async fn purge_expired(store: &Store) -> Result<(), StoreError> {
    with_tx!(store, conn => {
        diesel::delete(sessions::table.filter(sessions::expires_at.lt(now_ms()))).execute(conn).await?;
        Ok(())
    })
}
