//! Nodes over loopback connections, against a database in a temporary directory.

mod config;
mod databases;
mod large;
mod refusals;
mod support;
mod usage;
