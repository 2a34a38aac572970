//! The node's end of the config stream.
//!
//! [`subscribe`] keeps the stream open and hands what comes to [`apply`], which puts it in force or refuses it whole.
//! [`allegiance`] knows to which database the node belongs, so that another one does not empty it.
//! [`last_good`] keeps what was applied on disk, for a start without a control plane, and [`kept_states`] what is known
//! of upstream keys; [`commands`] answers what the control plane asks for.

pub mod allegiance;
pub mod apply;
pub mod commands;
pub mod kept_states;
mod key_state;
pub mod last_good;
pub mod subscribe;

#[cfg(test)]
pub(crate) mod tests;
