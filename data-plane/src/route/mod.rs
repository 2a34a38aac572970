//! Client and model → plan: the ordered candidates that a request may try, and why each other one is left out.
//!
//! - [`table`]: a snapshot, compiled for look-ups.
//! - [`health`]: what was learnt about an upstream key while serving.
//! - [`plan`]: which candidates, in which order.
//! - [`owners`]: which candidate made an object that a client names by its id.

pub mod health;
pub mod owners;
pub mod plan;
pub mod table;

#[cfg(test)]
pub(crate) mod fixtures;
