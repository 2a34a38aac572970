//! The first start makes an admin to log in with. Its password is never one that others may know.

use shared::config::SettingError;
use shared::crypto::random_token;
use shared::ids::new_id;
use shared::secret::Secret;
use shared::secret::strength::is_placeholder;
use tracing::{info, warn};

use super::passwords::{Passwords, Turn};
use crate::config::AuthSettings;
use crate::error::ApiError;
use crate::store::users::{User, UserRole};
use crate::store::{Store, StoreError, users};

/// Shortest password that an operator may choose, in characters.
const PASSWORD_CHARACTERS: usize = 8;

/// Longest password that an operator may choose, in bytes. A login takes none that is longer.
const PASSWORD_BYTES: usize = 1024;

/// Longest name of a user, in bytes.
const USERNAME_BYTES: usize = 255;

/// Shortest secret that an operator may choose.
const SECRET_BYTES: usize = 32;

/// Random bytes of a password that is made here, which become 24 characters.
const MADE_PASSWORD_BYTES: usize = 18;

/// Passwords that everyone tries first, as letters and digits alone.
const WELL_KNOWN: &[&str] = &[
    "admin1234",
    "12345678",
    "123456789",
    "1234567890",
    "87654321",
    "abcd1234",
    "abc12345",
    "qwertyui",
    "qwertyuiop",
    "1q2w3e4r",
    "1qaz2wsx",
    "qwerty123",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "trustno1",
    "adminadmin",
    "passw0rd",
    "orchestration",
    "orchestrationapi",
];

/// Words that are no passwords, whatever digits stand behind them, up to [`SHORT`] characters in all.
const WELL_KNOWN_STEMS: &[&str] = &[
    "admin",
    "administrator",
    "root",
    "user",
    "test",
    "guest",
    "demo",
    "default",
    "secret",
    "password",
    "passwort",
    "passw0rd",
    "pass",
    "changeme",
    "changeit",
    "letmein",
    "welcome",
    "qwerty",
    "abc",
    "hello",
    "orchestration",
];

/// Length up to which digits behind a well-known word do not help.
const SHORT: usize = 13;

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
    let username = &settings.username;
    if username.trim().is_empty() {
        return Err(SettingError::new("Auth:Username", "is empty"));
    }
    if username.len() > USERNAME_BYTES || username.chars().any(char::is_control) || username.trim() != username {
        let problem = format!(
            "must have at most {USERNAME_BYTES} bytes, no control characters, and no blanks at its beginning or end"
        );
        return Err(SettingError::new("Auth:Username", problem));
    }
    if settings.session_timeout == 0 || settings.session_timeout > 366 * 86_400 {
        return Err(SettingError::new("Auth:SessionTimeout", "must be from 1 second to 366 days (31622400)"));
    }
    if let Some(password) = &settings.password
        && let Some(problem) = password_problem(password.expose(), username)
    {
        return Err(SettingError::new("Auth:Password", format!("{problem}: choose another")));
    }
    if let Some(secret) = &settings.jwt_secret
        && secret.expose().len() < SECRET_BYTES
    {
        let problem = format!("is shorter than {SECRET_BYTES} bytes: choose another, or leave it out to have one made");
        return Err(SettingError::new("Auth:JwtSecret", problem));
    }
    Ok(())
}

/// Why `password` may not be the password of `username`; nothing where it may.
pub(super) fn password_problem(password: &str, username: &str) -> Option<String> {
    let plain: String = password.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let stem = plain.trim_end_matches(|character: char| character.is_ascii_digit());
    let name = username.to_lowercase();
    let folded = password.to_lowercase();
    let known = WELL_KNOWN.contains(&plain.as_str())
        || (plain.len() <= SHORT && WELL_KNOWN_STEMS.contains(&stem))
        || folded == name
        || folded.trim_end_matches(|character: char| !character.is_alphabetic()) == name
        || is_placeholder(password);
    if known {
        return Some("is a well-known default".to_owned());
    }
    if password.chars().count() < PASSWORD_CHARACTERS {
        return Some(format!("is shorter than {PASSWORD_CHARACTERS} characters"));
    }
    if password.len() > PASSWORD_BYTES {
        return Some(format!("is longer than {PASSWORD_BYTES} bytes"));
    }
    if password.chars().any(char::is_control) {
        return Some("holds control characters, which a login does not take".to_owned());
    }
    let first = password.chars().next();
    password.chars().all(|character| Some(character) == first).then(|| "is one character, repeated".to_owned())
}

/// A password that nobody knows.
pub(super) fn made_password() -> Result<Secret, ApiError> {
    random_token(MADE_PASSWORD_BYTES).map(Secret::new).map_err(|error| ApiError::Internal(error.to_string()))
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
        tell_of_another_password(store, settings, passwords).await?;
        return Ok(None);
    }
    let (password, made) = match &settings.password {
        Some(password) => (password.clone(), false),
        None => (made_password()?, true),
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
            info!(username = %user.username, "the first admin was made");
            Ok(made.then(|| InitialAdmin { username: user.username, password }))
        }
        // Another control plane on the same database made the admin first.
        Err(StoreError::Taken { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Says that the password in the settings is not the one that counts, which is the stored one.
async fn tell_of_another_password(
    store: &Store,
    settings: &AuthSettings,
    passwords: &Passwords,
) -> Result<(), ApiError> {
    let Some(password) = &settings.password else { return Ok(()) };
    let username = &settings.username;
    match users::by_name(store, username).await? {
        None => warn!(
            %username,
            "Auth:Username and Auth:Password are those of a first start, and have no effect now: there is no user of this \
             name"
        ),
        Some(user) => {
            if !passwords.verify(password.clone(), Some(&user.password_hash), Turn::Known).await? {
                warn!(
                    %username,
                    "Auth:Password is not the password of this user, and has no effect: it counts at a first start alone. \
                     Change the password with POST /auth/change-password, or with the subcommand reset-password"
                );
            }
        }
    }
    Ok(())
}
