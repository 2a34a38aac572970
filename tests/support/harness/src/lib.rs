//! Starts the programs as a user would, and speaks to them over real sockets.
//!
//! - [`planes`]: a deployment, standalone or split, each program in a process of its own.
//! - [`process`]: one such process: its log, its signals, what it costs.
//! - [`admin`]: the admin REST API.
//! - [`http`]: one HTTP/1.1 connection, which closes when it is dropped.
//! - [`metrics`]: what `/metrics` says.
//! - [`wait`]: waiting for a condition, with a deadline.
//! - [`ports`]: free ports.

pub mod admin;
pub mod http;
pub mod metrics;
pub mod planes;
pub mod ports;
pub mod process;
pub mod wait;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process, and those it starts, open as many files as the system grants: a test of 1,000 connections needs
/// two for each.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Without it the test that needs them says so by itself.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
