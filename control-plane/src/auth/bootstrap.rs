//! The first start makes an admin to log in with. Its password is never one that others may know.

use shared::config::SettingError;
use shared::crypto::random_token;
use shared::ids::new_id;
use shared::secret::Secret;

use super::passwords::Passwords;
use crate::config::AuthSettings;
use crate::error::ApiError;
use crate::store::users::{User, UserRole};
use crate::store::{Store, StoreError, users};

/// Shortest password that an operator may choose, in characters.
const PASSWORD_CHARACTERS: usize = 8;

/// Shortest secret that an operator may choose.
const SECRET_BYTES: usize = 32;

/// Random bytes of a password that is made here, which become 24 characters.
const MADE_PASSWORD_BYTES: usize = 18;

/// Passwords that everyone tries first.
const WELL_KNOWN: &[&str] = &[
    "admin123",
    "admin1234",
    "administrator",
    "12345678",
    "123456789",
    "1234567890",
    "password",
    "password1",
    "password123",
    "changeme",
    "changeit",
    "change-me",
    "change_me",
    "letmein1",
    "qwertyui",
    "qwerty123",
    "11111111",
    "00000000",
    "adminadmin",
    "orchestration",
];

/// The admin that a first start made, with a password that is printed once.
#[derive(Clone, Debug)]
pub struct InitialAdmin {
    /// Name to log in with.
    pub username: String,
    /// Password to log in with.
    pub password: Secret,
}

/// Refuses a password or secret that others may know.
///
/// # Errors
/// [`SettingError`] naming the setting.
pub fn check_settings(settings: &AuthSettings) -> Result<(), SettingError> {
    if settings.username.trim().is_empty() {
        return Err(SettingError::new("Auth:Username", "is empty"));
    }
    if settings.session_timeout == 0 || settings.session_timeout > 366 * 86_400 {
        return Err(SettingError::new("Auth:SessionTimeout", "must be from 1 second to 366 days"));
    }
    if let Some(password) = &settings.password {
        let password = password.expose();
        let known = WELL_KNOWN.iter().any(|known| password.eq_ignore_ascii_case(known));
        if known || password.eq_ignore_ascii_case(&settings.username) {
            return Err(SettingError::new("Auth:Password", "is a well-known default: choose another"));
        }
        if password.chars().count() < PASSWORD_CHARACTERS {
            let problem = format!("is shorter than {PASSWORD_CHARACTERS} characters: choose another");
            return Err(SettingError::new("Auth:Password", problem));
        }
    }
    if let Some(secret) = &settings.jwt_secret
        && secret.expose().len() < SECRET_BYTES
    {
        let problem = format!("is shorter than {SECRET_BYTES} bytes: choose another, or leave it out to have one made");
        return Err(SettingError::new("Auth:JwtSecret", problem));
    }
    Ok(())
}

/// Makes the admin where there is no user yet. Returns it when its password was made here, so that it can be shown.
///
/// # Errors
/// [`ApiError`] when the store fails or there is no randomness.
pub(crate) async fn first_admin(
    store: &Store,
    settings: &AuthSettings,
    passwords: &Passwords,
) -> Result<Option<InitialAdmin>, ApiError> {
    if users::count(store).await? > 0 {
        return Ok(None);
    }
    let (password, made) = if let Some(password) = &settings.password {
        (password.clone(), false)
    } else {
        let password = random_token(MADE_PASSWORD_BYTES).map_err(|error| ApiError::Internal(error.to_string()))?;
        (Secret::new(password), true)
    };
    let user = User {
        id: new_id(),
        username: settings.username.clone(),
        password_hash: passwords.hash(password.clone()).await?,
        role: UserRole::Admin,
        enabled: true,
    };
    match users::create(store, &user).await {
        Ok(()) => {
            tracing::info!(username = %user.username, "the first admin was made");
            Ok(made.then(|| InitialAdmin { username: user.username, password }))
        }
        // Another control plane on the same database made the admin first.
        Err(StoreError::Taken { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
