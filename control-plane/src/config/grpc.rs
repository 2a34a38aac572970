//! Section `Grpc`: the listener for nodes.

use serde::{Deserialize, Serialize};

/// Section `Grpc`: the listener for nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GrpcSettings {
    /// Where the listener listens, as `address:port`.
    pub listen: String,
}

impl Default for GrpcSettings {
    fn default() -> Self {
        Self { listen: "0.0.0.0:5001".to_owned() }
    }
}
