//! The users, who may log in.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::secret::Secret;
use shared::time::now_ms;

use super::schema::users;
use super::{Store, StoreError};

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
pub async fn by_name(store: &Store, name: &str) -> Result<Option<User>, StoreError> {
    let name = name.to_owned();
    let row = with_conn!(store, conn => {
        Ok(users::table.filter(users::username.eq(&name)).select(COLUMNS).first::<Row>(conn).await.optional()?)
    })?;
    row.map(user).transpose()
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
