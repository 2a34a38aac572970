//! The control plane: it owns the database, serves the admin API, and tells nodes their config.
//!
//! In the order in which a request meets the rooms, which is also the way that config flows to the nodes:
//!
//! - [`app`] puts everything together, [`state`] is what the handlers share, and [`config`] holds the settings.
//! - `router` has all routes, and what every answer has in common.
//! - [`web`] has what handlers of HTTP requests share, whatever they are about. It is the only place where an [`error`]
//!   becomes an answer.
//! - [`auth`] is login, sessions, and who may do what.
//! - [`admin`] is the REST API, one file or folder for each resource.
//! - [`store`] is the database, one file for each aggregate. [`secrets`] has the key that seals values in it, and the
//!   other secrets of an installation.
//! - [`snapshot`] is what nodes are told. It is built from the store, and published after each change.
//! - [`grpc`] is what nodes connect to.
//! - [`jobs`] is what goes on by itself.
//! - [`ledger`] takes usage records from the nodes into the store.

pub mod admin;
pub mod app;
pub mod auth;
pub mod config;
pub mod error;
pub mod grpc;
pub mod jobs;
pub mod ledger;
mod router;
pub mod secrets;
pub mod snapshot;
pub mod state;
pub mod store;
pub mod web;

pub use app::ControlPlane;
pub use config::ControlPlaneSettings;
