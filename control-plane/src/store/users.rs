//! The users, who may log in.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;
use shared::secret::Secret;
use shared::time::now_ms;

use super::change::audited;
use super::schema::{sessions, users};
use super::{Actor, Store, StoreError, audit};

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRole {
    /// May do everything.
    Admin,
    /// May read everything, and change groups and proxy keys.
    Operator,
    /// May read everything.
    Viewer,
}

impl UserRole {
    /// Name of the role, as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }

    fn from_name(name: &str) -> Result<Self, StoreError> {
        match name {
            "admin" => Ok(Self::Admin),
            "operator" => Ok(Self::Operator),
            "viewer" => Ok(Self::Viewer),
            _ => Err(StoreError::Corrupt(format!("users.role {name:?}"))),
        }
    }
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Id of the user, a UUIDv7.
    pub id: String,
    /// Name of the user. No two users have the same.
    pub username: String,
    /// Argon2 hash of the password, in the PHC string format.
    pub password_hash: Secret,
    /// What the user may do.
    pub role: UserRole,
    /// Whether the user may log in.
    pub enabled: bool,
}

type Row = (String, String, String, String, bool);

const COLUMNS: (users::id, users::username, users::password_hash, users::role, users::enabled) =
    (users::id, users::username, users::password_hash, users::role, users::enabled);

fn user((id, username, password_hash, role, enabled): Row) -> Result<User, StoreError> {
    Ok(User { id, username, password_hash: password_hash.into(), role: UserRole::from_name(&role)?, enabled })
}

/// The user of this name.
///
/// # Errors
/// [`StoreError`].
pub async fn by_name(store: &Store, given: &str) -> Result<Option<User>, StoreError> {
    let name = given.to_owned();
    let row = with_conn!(store, conn => {
        Ok(users::table.filter(users::username.eq(&name)).select(COLUMNS).first::<Row>(conn).await.optional()?)
    })?;
    // MySQL takes "admin " for "admin", with which one account would be throttled as many.
    row.filter(|(_, username, ..)| *username == given).map(user).transpose()
}

/// The user of this id.
///
/// # Errors
/// [`StoreError`].
pub async fn get(store: &Store, id: &str) -> Result<Option<User>, StoreError> {
    let id = id.to_owned();
    let row = with_conn!(store, conn => {
        Ok(users::table.find(&id).select(COLUMNS).first::<Row>(conn).await.optional()?)
    })?;
    row.map(user).transpose()
}

/// Adds a user.
///
/// # Errors
/// [`StoreError::Taken`] for a name in use.
pub async fn create(store: &Store, user: &User) -> Result<(), StoreError> {
    let (given, now) = (user.clone(), now_ms());
    with_tx!(store, conn => {
        let row = (
            users::id.eq(&given.id),
            users::username.eq(&given.username),
            users::password_hash.eq(given.password_hash.expose()),
            users::role.eq(given.role.name()),
            users::enabled.eq(given.enabled),
            users::created_at.eq(now),
            users::updated_at.eq(now),
        );
        diesel::insert_into(users::table).values(row).execute(conn).await.map_err(StoreError::from)?;
        Ok(())
    })
    .map_err(|error| error.taken("username", &user.username))
}

/// Number of users.
///
/// # Errors
/// [`StoreError`].
pub async fn count(store: &Store) -> Result<i64, StoreError> {
    with_conn!(store, conn => Ok(users::table.count().get_result(conn).await?))
}

/// Names of the users who may log in and do everything.
///
/// # Errors
/// [`StoreError`].
pub async fn admins(store: &Store) -> Result<Vec<String>, StoreError> {
    with_conn!(store, conn => {
        let query = users::table.filter(users::role.eq(UserRole::Admin.name()).and(users::enabled.eq(true)));
        Ok(query.order(users::username).select(users::username).limit(20).load(conn).await?)
    })
}

/// A new password for a user.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// Argon2 hash of the new password, in the PHC string format.
    pub hash: Secret,
    /// The session that goes on. All others of the user end.
    pub kept_session: Option<String>,
    /// What the audit log calls it, such as `change_password`.
    pub action: &'static str,
}

/// Changes the password of `user`, whose row is as it was read, and ends the user's sessions.
///
/// # Errors
/// [`StoreError::Stale`] when the password was changed in the meantime.
pub async fn set_password(store: &Store, user: &User, new: NewPassword, actor: &Actor) -> Result<(), StoreError> {
    let (user, kept) = (user.clone(), new.kept_session.unwrap_or_default());
    let entry = audit::Row::new(actor, new.action, "user", Some(&user.id), &json!({ "name": user.username }));
    audited!(store, entry, conn => {
        let now = now_ms();
        let as_read = users::table.find(&user.id).filter(users::password_hash.eq(user.password_hash.expose()));
        let set = (users::password_hash.eq(new.hash.expose()), users::updated_at.eq(now));
        if diesel::update(as_read).set(set).execute(conn).await? == 0 {
            return Err(StoreError::Stale);
        }
        let others = sessions::table.filter(
            sessions::user_id.eq(&user.id).and(sessions::id.ne(&kept)).and(sessions::revoked_at.is_null()),
        );
        diesel::update(others).set(sessions::revoked_at.eq(now)).execute(conn).await?;
    })
}
