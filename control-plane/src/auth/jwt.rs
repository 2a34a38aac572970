//! Login tokens: JWT (RFC 7519), signed with HMAC-SHA-256 and nothing else.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use shared::secret::Secret;
use thiserror::Error;

/// The claims of a token. Times are epoch seconds, as the RFC has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Id of the user.
    pub(crate) sub: String,
    /// Id of the session; the token is worth nothing without it.
    pub(crate) sid: String,
    /// Role at login. It is not what counts: the user's present role is.
    pub(crate) role: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

/// Why a token was refused or not made.
#[derive(Debug, Error)]
#[error("token: {0}")]
pub(crate) struct TokenError(#[from] jsonwebtoken::errors::Error);

/// Signs and checks tokens under one secret.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Tokens {
    pub(crate) fn new(secret: &Secret) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_required_spec_claims(&["exp", "sub"]);
        let secret = secret.expose().as_bytes();
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), validation }
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<Secret, TokenError> {
        Ok(Secret::new(jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)?))
    }

    /// The claims of a token that was signed here, is of the right kind and has not expired.
    pub(crate) fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        Ok(jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)?.claims)
    }
}
