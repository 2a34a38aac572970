//! Client and model → plan: the ordered candidates that a request may try, and why each other one is left out.
//!
//! - [`table`]: a snapshot, compiled for look-ups; `state`: what its parts are like now; [`current`]: the one in force;
//!   `patterns`: names of models that end in `*`; [`client`]: who asks, and what its proxy key allows.
//! - [`kept`]: what is remembered over changes of config; [`health`]: what is known of an upstream key, by the
//!   clock of the fleet; [`refusals`]: what a provider refuses of what the gateway adds.
//! - [`order`]: the order in which candidates are tried; [`affinity`]: which requests belong together; `turns`: whose
//!   turn it is; [`load`]: how busy and fast something is;
//!   [`occupied`]: an attempt as that sees it; [`breaker`]: what fails is left alone; `one_test`: who tries whether
//!   it works again; [`models`]: both, of the models of a group; [`retries`]: how much a group's requests may be tried
//!   again.
//! - [`needs`]: what a request certainly needs of a model, and what a model certainly lacks.
//! - [`rest`]: keys of a group that fail alike are one failure of the group; `strikes`: refusals of a key that are in
//!   doubt; `share`: how much each key of a group may have in flight.
//! - `shared_limits`: how much may be sent to a group and with a key.
//! - [`plan`]: the candidates of a request, one after the other; [`candidate`]: one of them; [`single`]: one upstream
//!   key, whatever its state, for what the gateway itself asks.
//! - [`caching`]: what the answers to a client depend on, and whether they are kept in memory.
//! - [`owners`]: which candidate made an object that a client names by its id.

pub mod affinity;
pub mod breaker;
pub mod caching;
pub mod candidate;
pub mod client;
pub mod current;
pub mod extras;
pub mod health;
pub mod kept;
pub mod load;
pub mod models;
pub mod needs;
pub mod occupied;
mod one_test;
pub mod order;
pub mod owners;
mod patterns;
mod places;
pub mod plan;
pub mod refusals;
pub mod rest;
pub mod retries;
mod share;
mod shared_limits;
pub mod single;
mod state;
mod strikes;
pub mod table;
pub mod tail;
mod turns;

#[cfg(test)]
pub(crate) mod fixtures;
