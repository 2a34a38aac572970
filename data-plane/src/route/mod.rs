//! Client and model → plan: the ordered candidates that a request may try, and why each other one is left out.
//!
//! - [`table`]: a snapshot, compiled for look-ups; [`current`]: the one in force; `patterns`: names of models that end
//!   in `*`; [`client`]: who asks, and what its proxy key allows.
//! - [`kept`]: what is remembered over changes of config; [`health`]: what is known of an upstream key, by the
//!   [`clock`] of the fleet; [`refusals`]: what a provider refuses of what the gateway adds.
//! - [`order`]: the order in which candidates are tried; [`affinity`]: which requests belong together; `turns`: whose
//!   turn it is; [`load`]: how busy and fast something is;
//!   [`occupied`]: an attempt as that sees it; [`breaker`]: what fails is left alone; [`models`]: both, of
//!   the models of a group; [`retries`]: how much a group's requests may be tried again.
//! - [`rest`]: keys of a group that fail alike are one failure of the group; `strikes`: refusals of a key that are in
//!   doubt; `share`: how much each key of a group may have in flight.
//! - [`plan`]: the candidates of a request, one after the other; [`candidate`]: one of them.
//! - [`owners`]: which candidate made an object that a client names by its id.

pub mod affinity;
pub mod breaker;
pub mod candidate;
pub mod client;
pub mod clock;
pub mod current;
pub mod health;
pub mod kept;
pub mod load;
pub mod models;
pub mod occupied;
pub mod order;
pub mod owners;
mod patterns;
mod places;
pub mod plan;
pub mod refusals;
pub mod rest;
pub mod retries;
mod share;
mod strikes;
pub mod table;
mod turns;

#[cfg(test)]
pub(crate) mod fixtures;
