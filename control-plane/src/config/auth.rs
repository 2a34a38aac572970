//! Section `Auth`: the first user, and logins.

use serde::{Deserialize, Serialize};
use shared::secret::Secret;

/// Section `Auth`: the first user, and logins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AuthSettings {
    /// Name of the admin that a first start makes.
    pub username: String,
    /// Password of that admin. Without one, a password is made and printed once.
    pub password: Option<Secret>,
    /// Key that login tokens are signed under, at least 32 bytes. Without one, a key is made and kept.
    pub jwt_secret: Option<Secret>,
    /// Seconds that a login lasts.
    pub session_timeout: u64,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self { username: "admin".to_owned(), password: None, jwt_secret: None, session_timeout: 86_400 }
    }
}
