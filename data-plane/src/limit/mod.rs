//! How much a proxy key, a proxy key with a model, a group or an upstream key may take.
//!
//! A subject has windows of requests and tokens, and seats for requests in flight. A request reserves one request and
//! an estimate of its tokens, and settles with the true figure when it ends. The arithmetic is
//! [`shared::limits::window`]; what is here holds no lock that two subjects share, and is kept over changes of config
//! (`route/kept.rs`). The rules are those of `docs/LIMITS.md`.
//!
//! - [`subject`]: what a subject may take, and has taken.
//! - `seats`: requests in flight, and those that wait for a seat.
//! - [`reservation`]: what one request has taken of a subject.
//! - [`client`]: the limits of a proxy key, with all models and with one.
//! - [`estimate`]: how many tokens a request has, about.
//! - [`standing`]: how much is left, for clients and operators.

pub mod client;
pub mod estimate;
pub mod reservation;
mod seats;
pub mod standing;
pub mod subject;

#[cfg(test)]
mod tests;
