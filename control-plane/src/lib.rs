//! The control plane, in the order in which a request meets its parts: config flows one way, from the admin API to the nodes.
//!
//! - [`config`]: settings.
//! - [`app`]: puts everything together.
//! - [`web`]: what every HTTP answer has in common.
//! - [`auth`]: login, sessions, roles.
//! - [`admin`]: the REST API, one file for each resource.
//! - [`error`]: the only place where an error becomes an HTTP answer.
//! - [`store`]: the database, one file for each aggregate; [`secrets`]: what seals it, and other secrets of an installation.
//! - [`snapshot`]: what nodes are told, built from the store and published after each change.
//! - [`grpc`]: what nodes connect to.
//! - [`ledger`]: usage records, from the nodes into the store.

pub mod admin;
pub mod app;
pub mod auth;
pub mod config;
pub mod error;
pub mod grpc;
pub mod ledger;
pub mod secrets;
pub mod snapshot;
pub mod store;
pub mod web;

pub use app::ControlPlane;
pub use config::Settings;
