//! Integration tests: the programs as a user starts them, spoken to over real sockets. One file for each route or
//! behaviour.
//!
//! The tests `pNN_…` hold the promises of those numbers in `docs/PROMISES.md` by their figures. A test says if it
//! scales a duration or a count down.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod admin;
mod admin_access;
mod admin_secrets;
mod affinity;
mod cache;
mod chat;
mod chat_edits;
mod chat_errors;
mod chat_failover;
mod chat_headers;
mod chat_slow;
mod client_paths;
mod config_stream;
mod connections;
mod database_file;
mod database_full;
mod database_stalls;
mod databases;
mod decisive;
mod health_checks;
mod key_news;
mod limits;
mod logins;
mod prices;
mod programs;
mod promises_access;
mod promises_bounds;
mod promises_clocks;
mod promises_config;
mod promises_failover;
mod promises_faults;
mod promises_formats;
mod promises_load;
mod promises_noise;
mod promises_overload;
mod promises_readers;
mod promises_security;
mod promises_smuggling;
mod promises_start;
mod promises_usage;
mod recovery;
mod replicas;
mod routing;
mod start_secrets;
mod start_settings;
mod starts;
mod support;
mod thinking;
mod uploads;
mod usage;
mod wire;
