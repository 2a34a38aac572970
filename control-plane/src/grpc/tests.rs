//! Nodes over loopback connections, against a database in a temporary directory.

mod config;
mod databases;
mod key_states;
mod large;
mod refusals;
pub(crate) mod support;
mod usage;
