//! Section `Secrets`: the secrets of an installation that an operator may bring.

use serde::{Deserialize, Serialize};
use shared::secret::Secret;

/// Section `Secrets`: secrets that are made at the first start where they are not given.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SecretSettings {
    /// Key that upstream keys are sealed under in the database.
    pub master_key: Option<Secret>,
    /// Token that nodes authenticate with.
    pub node_token: Option<Secret>,
}
