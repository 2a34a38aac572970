//! Who is logged in.

use crate::store::Actor;
use crate::store::users::UserRole;

/// A user with a valid session.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Id of the user.
    pub user_id: String,
    /// The user's name.
    pub username: String,
    /// The role that the user has now, which may differ from the role at login.
    pub role: UserRole,
    /// Id of the session that the token stands for.
    pub session_id: String,
    /// When the session ends, in epoch milliseconds.
    pub expires_at: i64,
    /// Address that the request came from.
    pub client_ip: String,
}

impl Principal {
    /// The user as the audit log names it.
    pub fn actor(&self) -> Actor {
        Actor {
            user_id: Some(self.user_id.clone()),
            username: self.username.clone(),
            client_ip: self.client_ip.clone(),
        }
    }
}
