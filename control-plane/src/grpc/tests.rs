//! Nodes over loopback connections, against a database in a temporary directory.

mod config;
mod large;
mod support;
mod usage;
