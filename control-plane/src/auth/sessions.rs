//! Sessions: what a token stands for. Each request looks up its session and user, so that a logout, a disabled user or
//! a changed role counts at once.

use std::time::Duration;

use shared::ids::new_id;
use shared::secret::Secret;
use shared::time::now_ms;

use super::jwt::{Claims, Tokens};
use super::principal::Principal;
use crate::error::ApiError;
use crate::store::users::User;
use crate::store::{Actor, Store, sessions, users};

/// Longest `User-Agent` kept with a session, in characters.
const USER_AGENT_CHARACTERS: usize = 256;

const REFUSED: ApiError = ApiError::Unauthenticated("the token is not valid, has expired or was logged out");

/// Opens, checks and revokes sessions.
pub(crate) struct Sessions {
    tokens: Tokens,
    lifetime: Duration,
}

/// A session that has just been opened.
pub(crate) struct Opened {
    pub(crate) token: Secret,
    /// When the session ends, in epoch milliseconds.
    pub(crate) expires_at: i64,
}

impl Sessions {
    /// Sessions that last `lifetime`, with tokens signed under `secret`.
    pub(crate) fn new(secret: &Secret, lifetime: Duration) -> Self {
        Self { tokens: Tokens::new(secret), lifetime }
    }

    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Stores a session of `user`, whom the audit log names as `actor`, and signs its token.
    pub(crate) async fn open(
        &self,
        store: &Store,
        user: &User,
        user_agent: &str,
        actor: &Actor,
    ) -> Result<Opened, ApiError> {
        let now = now_ms();
        let lifetime = i64::try_from(self.lifetime.as_millis()).unwrap_or(i64::MAX);
        let expires_at = now.saturating_add(lifetime);
        let session = sessions::Session { id: new_id(), user_id: user.id.clone(), expires_at, revoked: false };
        let claims = Claims {
            sub: session.user_id.clone(),
            sid: session.id.clone(),
            role: user.role.name().to_owned(),
            iat: now / 1000,
            exp: expires_at / 1000,
        };
        let token = self.tokens.sign(&claims).map_err(|error| ApiError::Internal(error.to_string()))?;
        let user_agent: String = user_agent.chars().take(USER_AGENT_CHARACTERS).collect();
        sessions::open(store, &session, &user_agent, actor).await?;
        Ok(Opened { token, expires_at })
    }

    /// The user whose token this is.
    pub(crate) async fn check(&self, store: &Store, token: &str) -> Result<Principal, ApiError> {
        let claims = self.tokens.verify(token).map_err(|_| REFUSED)?;
        let session = sessions::get(store, &claims.sid).await?.ok_or(REFUSED)?;
        if session.revoked || session.user_id != claims.sub || session.expires_at <= now_ms() {
            return Err(REFUSED);
        }
        let user = users::get(store, &claims.sub).await?.filter(|user| user.enabled).ok_or(REFUSED)?;
        Ok(Principal {
            user_id: user.id.clone(),
            username: user.username,
            role: user.role,
            session_id: session.id,
            expires_at: session.expires_at,
            client_ip: String::new(),
        })
    }
}
