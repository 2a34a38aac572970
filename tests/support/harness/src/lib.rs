//! Starts the programs as a user would, and speaks to them over real sockets.
//!
//! - [`planes`]: a deployment, standalone or split, each program in a process of its own.
//! - [`process`]: one such process, with its log, its signals, and what it costs.
//! - [`admin`]: the admin REST API.
//! - [`http`]: one HTTP/1.1 connection, which closes when it is dropped.
//! - [`flood`]: many requests at a rate that does not wait for answers.
//! - [`databases`]: a database server that can be stopped where it is.
//! - [`metrics`]: the text of `/metrics`.
//! - [`wait`]: waiting for a condition, with a deadline.
//! - [`ports`]: free ports.

pub mod admin;
pub mod databases;
pub mod flood;
pub mod http;
pub mod metrics;
pub mod planes;
pub mod ports;
pub mod process;
pub mod wait;

pub use process::raise_file_limit;
