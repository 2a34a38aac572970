//! What both planes mean by the same words.
//!
//! - [`program`]: the skeleton of every `main`.
//! - [`config`]: settings from file, environment and flags, with unknown keys named.
//! - [`telemetry`]: the one place that sets up logs and metrics.
//! - [`drain`]: owns every background task and ends it.
//! - [`health`]: readiness as a set of guards, and the probes that show it.
//! - [`serve`]: the HTTP/1 and HTTP/2 accept loop with its deadlines.
//! - [`descriptors`]: how many files may be open.
//! - [`snapshot`]: the domain model of a config snapshot, its validation, and its conversion to and from the wire.
//! - [`hosts`]: hosts that nothing may be sent to.
//! - [`marks`]: what is known of an upstream key, and how news of it are merged.
//! - [`pb`]: generated from `proto/`.
//! - [`marks`], [`key_news`]: what is known of upstream keys, and how peers tell it.
//! - [`verdict`]: what a provider's answer means for the request and for the upstream key.
//! - [`limits`]: the arithmetic of limits.
//! - [`prices`]: what models cost at their vendors.
//! - [`forwarded`]: the address of a client behind proxies.
//! - [`clock`]: the time of the fleet.
//! - [`ids`], [`time`], [`secret`], [`crypto`]: identifiers, clock, redacted values, and cryptography.

pub mod clock;
pub mod config;
pub mod crypto;
pub mod descriptors;
pub mod drain;
pub mod forwarded;
pub mod health;
pub mod hosts;
pub mod ids;
pub mod key_news;
pub mod limits;
pub mod marks;
pub mod pb;
pub mod prices;
pub mod program;
pub mod secret;
pub mod serve;
pub mod snapshot;
pub mod telemetry;
pub mod time;
pub mod tokens;
pub mod verdict;
