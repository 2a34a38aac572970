//! The node's end of the config stream.
//!
//! [`subscribe`] keeps the stream open and hands what comes to [`apply`], which puts it in force or refuses it whole.
//! [`last_good`] keeps what was applied on disk, for a start without a control plane; [`commands`] answers what the
//! control plane asks for.

pub mod apply;
pub mod commands;
mod key_state;
pub mod last_good;
pub mod subscribe;

#[cfg(test)]
pub(crate) mod tests;
