//! Principal and model → plan: the ordered candidates that a request may try, and why each other one is left out.
//!
//! - [`table`]: a snapshot, compiled for look-ups.
//! - [`health`]: what was learnt about an upstream key while serving.
//! - [`plan`]: which candidates, in which order.

pub mod health;
pub mod plan;
pub mod table;

#[cfg(test)]
pub(crate) mod fixtures;
