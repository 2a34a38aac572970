//! The domain model of a config snapshot: an immutable, versioned picture of all config that a node needs.
//!
//! This module holds the types, and `routing` those that say where requests go. `proto` is the one place that converts
//! them to and from the wire form, and `validate` decides whether a node may serve from them. `limits` says how much
//! may be taken, `own` is what an upstream key has besides its group, and `roots` reads certificates.

mod limits;
mod names;
mod own;
mod proto;
mod roots;
mod routing;
mod validate;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use self::names::names;
use crate::ids::Id;
use crate::prices::PriceText;
use crate::secret::Secret;

pub use limits::{
    HEAVIEST_TOKEN, LARGEST_AMOUNT, LONGEST_LIMIT_QUEUE, LONGEST_LIMIT_WAIT, LimitMode, LimitQueue, LimitRaise,
    LimitSpan, LimitUnit, LimitWindow, MOST_WINDOWS, ModelLimits, RAISES, SubjectLimits, TokenWeights,
};
pub use own::KeySettings;
pub use roots::tls_roots;
pub use routing::{
    ErrorRule, FallbackOn, Fallbacks, GroupRouting, HEAVIEST, ProxyKeyRouting, QUEUE_TIMEOUT, RuleEffect, RuleScope,
    RuleStep, UpstreamKeyRouting,
};
pub use validate::{
    is_reserved_field, is_reserved_header, validate_base_url, validate_destination, validate_group, validate_host,
    validate_pattern, validate_proxy_key,
};

/// The highest `min_schema` this build understands. It rises when config gains a meaning that an older node must not
/// ignore.
pub const SCHEMA: u32 = 1;

/// All config that a node needs, at one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Grows with every committed change.
    pub version: u64,
    /// The name of the history that versions count in.
    pub epoch: Arc<str>,
    /// Tells the version from one of the same number that another change led to. Empty where that is not known.
    pub lineage: Arc<str>,
    /// All groups by id, enabled or not.
    pub groups: HashMap<Id, Arc<Group>>,
    /// All proxy keys by id, enabled or not.
    pub proxy_keys: HashMap<Id, Arc<ProxyKey>>,
    /// What the operator says that answers mean in every group. The first rule that fits counts, behind those of the
    /// group.
    pub error_rules: Arc<[ErrorRule]>,
    /// The prices that the operator has set for all groups. They count before the list prices of vendors.
    pub prices: Arc<PriceText>,
}

/// What changed between two versions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// The version it applies to, and no other.
    pub from_version: u64,
    /// The version it leads to.
    pub version: u64,
    /// As in [`Snapshot::epoch`].
    pub epoch: Arc<str>,
    /// As in [`Snapshot::lineage`], of the version that it leads to.
    pub lineage: Arc<str>,
    /// Groups that are new or changed.
    pub groups: Vec<Arc<Group>>,
    /// Groups that are gone.
    pub removed_groups: Vec<Id>,
    /// Proxy keys that are new or changed.
    pub proxy_keys: Vec<Arc<ProxyKey>>,
    /// Proxy keys that are gone.
    pub removed_proxy_keys: Vec<Id>,
    /// The rules for errors as they are now. None where they have not changed.
    pub error_rules: Option<Arc<[ErrorRule]>>,
    /// The prices as they are now. None where they have not changed.
    pub prices: Option<Arc<PriceText>>,
}

/// A provider account or pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Stable id.
    pub id: Id,
    /// The name that people give it, which is unique.
    pub name: Arc<str>,
    /// Name of the vendor, such as `openai`. A node that does not know it leaves the group out of its plans.
    pub provider_type: Arc<str>,
    /// The URL as the vendor's own SDK takes it, without a trailing slash.
    pub base_url: Arc<str>,
    /// The upstream keys in the order that the operator gave them.
    pub upstream_keys: Vec<Arc<UpstreamKey>>,
    /// Names of the models at the vendor.
    pub models: Vec<Arc<str>>,
    /// Name that clients ask for → name at the vendor.
    pub model_aliases: BTreeMap<Arc<str>, Arc<str>>,
    /// Request fields set where the client left them out.
    pub parameter_defaults: Map<String, Value>,
    /// Request fields that replace the client's.
    pub parameter_overrides: Map<String, Value>,
    /// Headers that are sent with each upstream request and override the gateway's own. Values may be credentials.
    pub headers: BTreeMap<String, Secret>,
    /// How the group picks among its upstream keys.
    pub balance_policy: BalancePolicy,
    /// How many further attempts, after the first one of a request, this group gets.
    pub retry_count: u32,
    /// Deadline of one attempt up to the first byte of the answer.
    pub timeout: Duration,
    /// Requests a minute; 0 is no limit.
    pub rpm_limit: u32,
    /// The model that probes use.
    pub test_model: Option<Arc<str>>,
    /// The priority. A group with a higher number goes first.
    pub priority: i32,
    /// Whether the group may serve.
    pub enabled: bool,
    /// Whether the provider is asked for a stream.
    pub upstream_stream: UpstreamStream,
    /// What to do with request fields that the provider's API cannot express.
    pub unsupported_parameters: UnsupportedParameters,
    /// Corrections to the table of models: the beginning of a model's name → the facts that differ, as the crate
    /// `translation` spells them.
    pub model_facts: Map<String, Value>,
    /// Version of the provider's API. `None` is the vendor's default.
    pub api_version: Option<Arc<str>>,
    /// Whether background probes cover the group.
    pub health_check_enabled: bool,
    /// The proxy through which requests of the group leave.
    pub outbound_proxy: Option<OutboundProxy>,
    /// How the group is routed to.
    pub routing: GroupRouting,
}

/// A vendor's API key in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamKey {
    /// Stable id: a new secret is a new key.
    pub id: Id,
    /// A printable form of the key that does not give it away.
    pub masked: Arc<str>,
    /// The key itself.
    pub secret: Secret,
    /// Whether the key may be used. No probe changes that.
    pub enabled: bool,
    /// How the key is used.
    pub routing: UpstreamKeyRouting,
}

/// A proxy between a node and the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundProxy {
    /// The protocol that the proxy speaks.
    pub scheme: ProxyScheme,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Empty if the proxy wants none.
    pub username: String,
    /// Empty if the proxy wants none.
    pub password: Secret,
    /// Whether addresses of the local network are reached without the proxy.
    pub bypass_local: bool,
    /// Domains that are reached without the proxy.
    pub bypass_domains: Vec<String>,
}

/// A credential of a client of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyKey {
    /// Stable id.
    pub id: Id,
    /// The name that people give it.
    pub name: Arc<str>,
    /// SHA-256 of the key's value.
    pub digest: [u8; 32],
    /// Whether the key may be used.
    pub enabled: bool,
    /// Groups that the key may use. Empty means all. An id that no group has allows nothing.
    pub allowed_groups: Vec<Id>,
    /// Models that the key may use, as clients name them. Empty means all.
    pub allowed_models: Vec<Arc<str>>,
    /// How the key picks among groups that serve the model.
    pub group_policy: GroupPolicy,
    /// Group id → weight, in place of the group's own.
    pub group_weights: BTreeMap<Id, u32>,
    /// Requests a minute; 0 is no limit.
    pub rpm_limit: u32,
    /// Tokens a minute; 0 is no limit.
    pub tpm_limit: u64,
    /// Requests in flight; 0 is no limit.
    pub concurrency_limit: u32,
    /// The time from which on the key is refused, in epoch milliseconds.
    pub expires_at_ms: Option<i64>,
    /// How its requests are routed.
    pub routing: ProxyKeyRouting,
}

names! {
    /// How a group picks among its upstream keys.
    BalancePolicy {
        /// One after the other.
        #[default]
        RoundRobin = "round_robin",
        /// Uniformly.
        Random = "random",
        /// At random, by weight.
        Weighted = "weighted",
        /// The one with the fewest requests in flight, and of those the one with the fewest so far.
        LeastUsed = "least_used",
        /// The faster one of two that are drawn at random, by the time to the first byte and the requests in flight.
        Latency = "latency",
    }
}

names! {
    /// Whether a provider is asked for a stream. The client gets the form that it asks for in any case.
    UpstreamStream {
        /// The provider is asked for what the client asks for.
        #[default]
        Auto = "auto",
        /// Always, for a provider that only streams. A client that wants no stream gets the collected answer.
        Always = "always",
        /// Never: a client that wants a stream gets one made of the whole answer. Also called fake streaming.
        Never = "never",
    }
}

names! {
    /// What to do with request fields that a provider's API cannot express, and that only tune the answer. What would
    /// change the meaning of the request is refused in any case.
    UnsupportedParameters {
        /// Leave the fields out, and name them to the client.
        #[default]
        Drop = "drop",
        /// Refuse the request.
        Reject = "reject",
    }
}

names! {
    /// How a proxy key picks among groups that serve the model.
    GroupPolicy {
        /// The highest priority first, and among equals at random by weight.
        #[default]
        Failover = "failover",
        /// One after the other.
        RoundRobin = "round_robin",
        /// At random, by weight.
        Weighted = "weighted",
        /// Uniformly.
        Random = "random",
        /// The one with the fewest requests in flight, and of those the one with the fewest so far.
        LeastUsed = "least_used",
        /// The faster one of two that are drawn at random, by the time to the first byte and the requests in flight.
        Latency = "latency",
        /// The cheapest for the model.
        Cost = "cost",
    }
}

names! {
    /// How to talk to an [`OutboundProxy`].
    ProxyScheme {
        /// Plain HTTP, `CONNECT` for TLS targets.
        #[default]
        Http = "http",
        /// HTTP over TLS.
        Https = "https",
        /// SOCKS 5, names resolved by the proxy.
        Socks5 = "socks5",
    }
}

/// Why config was refused. The text is the reason in a Nack, is shown to the operator, and holds no secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SnapshotError {
    /// A value makes no sense.
    #[error("{place}: {problem}")]
    Invalid {
        /// Path of the value, such as `groups[openai-primary].base_url`.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The config means something that this build does not know.
    #[error("the config needs schema {needed}, this node understands up to {SCHEMA}: upgrade the node")]
    Schema {
        /// What the config asks for.
        needed: u32,
    },
    /// The delta applies to another version.
    #[error("the delta applies to version {from} of history {epoch:?}, this node has version {have} of {have_epoch:?}")]
    WrongBase {
        /// What the delta applies to.
        from: u64,
        /// Its history.
        epoch: String,
        /// What the node has.
        have: u64,
        /// The node's history.
        have_epoch: String,
    },
}

impl SnapshotError {
    pub(crate) fn invalid(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), problem: problem.into() }
    }
}

impl Snapshot {
    /// The validated snapshot after `delta`. `self` stays as it is. The call copies two maps of pointers.
    ///
    /// # Errors
    /// [`SnapshotError::WrongBase`] when the delta is for another version, [`SnapshotError::Invalid`] when the outcome
    /// would not be valid.
    pub fn apply(&self, delta: &Delta) -> Result<Self, SnapshotError> {
        if delta.from_version != self.version || delta.epoch != self.epoch {
            return Err(SnapshotError::WrongBase {
                from: delta.from_version,
                epoch: delta.epoch.to_string(),
                have: self.version,
                have_epoch: self.epoch.to_string(),
            });
        }
        if delta.version <= delta.from_version {
            return Err(SnapshotError::invalid("version", "is not higher than the version it changes"));
        }
        let mut next = self.clone();
        next.version = delta.version;
        next.lineage = Arc::clone(&delta.lineage);
        for id in &delta.removed_groups {
            next.groups.remove(id);
        }
        for group in &delta.groups {
            next.groups.insert(Arc::clone(&group.id), Arc::clone(group));
        }
        for id in &delta.removed_proxy_keys {
            next.proxy_keys.remove(id);
        }
        for key in &delta.proxy_keys {
            next.proxy_keys.insert(Arc::clone(&key.id), Arc::clone(key));
        }
        if let Some(rules) = &delta.error_rules {
            next.error_rules = Arc::clone(rules);
        }
        if let Some(prices) = &delta.prices {
            next.prices = Arc::clone(prices);
        }
        next.validate()?;
        Ok(next)
    }
}

#[cfg(test)]
mod tests;
