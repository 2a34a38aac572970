//! How a credential is got that is not at hand.

use tokio::time::Instant;

use crate::upstream::{Exit, Upstream};

/// How a credential is got that is not at hand.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'e> {
    /// Sends the request for it.
    pub upstream: &'e Upstream,
    /// The way by which the group's requests leave.
    pub exit: &'e Exit,
    /// When the credential has to be there.
    pub deadline: Instant,
}
