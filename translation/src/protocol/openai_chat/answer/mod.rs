//! Whole answers and errors, both ways.
//!
//! - [`wire`]: an answer as it stands, whole or in pieces; [`usage`]: its token counts.
//! - [`decode`]: from a provider; [`encode`]: for a client.

pub(super) mod decode;
pub(super) mod encode;
pub(super) mod usage;
pub(super) mod wire;

#[cfg(test)]
mod tests;
