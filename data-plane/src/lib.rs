//! The data plane: serves clients, routes and fails over in memory, and reports usage. It owns no database and keeps
//! nothing that another node would miss.
//!
//! In the order in which a request meets them:
//!
//! - [`ingress`]: the APIs that clients speak. Every request passes one front, `ingress/admit.rs`.
//! - [`auth`]: finds the client that a key belongs to.
//! - [`limit`]: how much a client, a group or an upstream key may take.
//! - [`limits`]: bounds on one request.
//! - [`body`]: reads bodies within bounds.
//! - [`request`]: what the client asks for, written for a candidate. Wire formats and translation are the crate
//!   [`translation`].
//! - [`cache`]: answers that are kept in memory.
//! - [`route`]: client and model → plan.
//! - [`attempt`]: walks the plan. It ends in an [`answer`], or why there is none.
//! - [`media`]: fetches what a client names by URL, for providers that want data.
//! - [`provider`]: whom we call.
//! - [`upstream`]: the HTTP client.
//! - [`opening`]: waits until an answer has begun.
//! - [`respond`]: writes the answer on, or an [`error`] in the shape of the client's API.
//! - [`signatures`]: what a model signed, kept for clients that lose it; [`conversations`]: answers that clients refer
//!   to; both on a [`shelf`].
//! - [`usage`]: meters the request, keeps its record on disk, and reports it.
//!
//! Beside them: [`control`], which keeps the config in force, over the [`link`] to the control plane; [`node`], who
//! this node is; [`metrics`]; [`config`], [`app`] and [`data_dir`], of which the program is made.
//!
//! A room imports only what stands below it in the list of `tests/rooms.py`.

pub mod answer;
pub mod app;
pub mod attempt;
pub mod auth;
pub mod body;
pub mod cache;
pub mod config;
pub mod control;
pub mod conversations;
pub mod data_dir;
pub mod error;
pub mod ingress;
pub mod limit;
pub mod limits;
pub mod link;
pub mod media;
pub mod metrics;
pub mod node;
pub mod opening;
pub mod provider;
pub mod request;
pub mod respond;
pub mod route;
pub mod shelf;
pub mod signatures;
pub mod upstream;
pub mod usage;
