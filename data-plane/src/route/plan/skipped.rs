//! What is left out of a plan, and why.

use std::fmt;
use std::sync::Arc;

use crate::error::LimitSubject;
use crate::route::health::Unhealthy;
use crate::route::needs::Lack;

/// A group, or one of its keys, that is left out.
#[derive(Debug)]
pub struct Skipped {
    /// The name of the group.
    pub group: Arc<str>,
    /// What stands for the upstream key where it may be seen, if the reason is one of the key.
    pub key: Option<Arc<str>>,
    /// Why it is left out.
    pub reason: SkipReason,
}

/// Why something is left out of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The proxy key may not use the group.
    NotAllowed,
    /// This build has no provider of the group's type.
    UnknownProvider,
    /// The group has no upstream key that is enabled.
    NoKeys,
    /// The model lacks what the request needs.
    Lacks(Lack),
    /// The upstream key may not be used for the model.
    NotForModel,
    /// The upstream key has expired.
    Expired,
    /// Requests to the model at this group, or with this key, have failed too often of late.
    Failing,
    /// The keys of the group have failed alike, so that it rests, or the model there.
    Resting,
    /// The upstream key is out: refused, exhausted, or to rest.
    Unhealthy(Unhealthy),
    /// The operator has switched the group or the upstream key off.
    Disabled,
    /// Nothing may be sent to where the group's requests would go.
    RefusedDestination,
    /// The group does not serve the model.
    ModelNotServed,
    /// A limit of the group or the upstream key is reached.
    Limited(LimitSubject),
}

impl SkipReason {
    /// The reason for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::UnknownProvider => "unknown_provider",
            Self::NoKeys => "no_keys",
            Self::Lacks(Lack::Room(_)) => "no_room",
            Self::Lacks(Lack::Tools | Lack::Vision) => "cannot",
            Self::NotForModel => "not_for_model",
            Self::Expired => "expired",
            Self::Failing => "failing",
            Self::Resting => "resting",
            Self::Unhealthy(Unhealthy::CoolingDown | Unhealthy::Guessed) => "cooling",
            Self::Unhealthy(Unhealthy::Exhausted) => "exhausted",
            Self::Unhealthy(Unhealthy::Doubted | Unhealthy::Invalid) => "invalid",
            Self::Disabled => "disabled",
            Self::RefusedDestination => "refused_destination",
            Self::ModelNotServed => "model_not_served",
            Self::Limited(_) => "limited",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lacks(lack) => return lack.fmt(f),
            Self::NotAllowed => "the proxy key may not use the group",
            Self::UnknownProvider => "this node does not serve the group's provider type",
            Self::NoKeys => "the group has no enabled upstream key",
            Self::NotForModel => "the upstream key may not be used for the model",
            Self::Expired => "the upstream key has expired",
            Self::Failing => "too many requests have failed of late",
            Self::Disabled => "it is switched off",
            Self::RefusedDestination => "nothing may be sent to its address",
            Self::ModelNotServed => "the group does not serve the model",
            Self::Limited(LimitSubject::UpstreamKey) => "the upstream key has reached a limit that is set for it",
            Self::Limited(_) => "the group has reached a limit that is set for it",
            Self::Unhealthy(Unhealthy::Invalid) => "the provider refused the upstream key",
            Self::Unhealthy(Unhealthy::Doubted) => {
                "requests with the upstream key were refused, it may be because of it"
            }
            Self::Resting => "the upstream keys of the group have failed alike",
            Self::Unhealthy(Unhealthy::Exhausted) => "the account of the upstream key has no money or quota left",
            Self::Unhealthy(Unhealthy::Guessed) => "the provider limited the upstream key, and stated no pause",
            Self::Unhealthy(Unhealthy::CoolingDown) => "the provider asked for a pause of the upstream key",
        })
    }
}

impl Skipped {
    /// Whether the client is not to know of it: a group does not exist for a client that may not use it.
    pub fn is_hidden(&self) -> bool {
        self.reason == SkipReason::NotAllowed
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (group {})", self.reason, self.group)
    }
}
