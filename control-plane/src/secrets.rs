//! stub
use shared::crypto::{CryptoError, SealingKey};
use shared::secret::Secret;
use std::path::Path;
/// s
#[expect(missing_docs)]
pub struct Secrets {
    pub jwt_secret: Secret,
    pub node_token: Secret,
}
/// s
#[expect(missing_docs)]
pub struct GivenSecrets {
    pub master_key: Option<Secret>,
    pub jwt_secret: Option<Secret>,
    pub node_token: Option<Secret>,
}
impl Secrets {
    /// s
    pub fn load_or_create(_: &Path, _g: GivenSecrets) -> Result<Self, CryptoError> {
        Ok(Self { jwt_secret: Secret::new("x".repeat(40)), node_token: Secret::new("y".repeat(40)) })
    }
    /// s
    pub fn sealing_key(&self) -> Result<SealingKey, CryptoError> {
        SealingKey::new("k", &[1; 32])
    }
}
