//! The control plane, in the order in which a request meets its parts: config flows one way, from the admin API to the
//! nodes.
//!
//! - [`config`] holds the settings.
//! - [`app`] puts everything together.
//! - [`web`] has what every HTTP answer shares.
//! - [`auth`] is login, sessions, roles.
//! - [`admin`] is the REST API, one file for each resource.
//! - [`error`] is the only place where an error becomes an HTTP answer.
//! - [`store`] is the database, one file for each aggregate; [`secrets`] has what seals it, and the other secrets of an
//!   installation.
//! - [`snapshot`] is what nodes are told, built from the store and published after each change.
//! - [`grpc`] is what nodes connect to.
//! - [`ledger`] takes usage records from the nodes into the store.

pub mod admin;
pub mod app;
pub mod auth;
pub mod config;
pub mod error;
pub mod grpc;
pub mod ledger;
pub mod router;
pub mod secrets;
pub mod snapshot;
pub mod state;
pub mod store;
pub mod web;

pub use app::ControlPlane;
pub use config::ControlPlaneSettings;
