//! What config says of routing: who may serve what, in which order, for how long, and what is done when it fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::SubjectLimits;
use super::names::names;
use super::own::KeySettings;
use crate::prices::GroupPricing;

/// The heaviest weight of a group or an upstream key.
pub const HEAVIEST: u32 = 1_000_000;

/// How long a request waits for the earliest return of a key when all are out, where the group says nothing else.
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);

/// How a group is routed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupRouting {
    /// The weight among groups of the same priority, and for group policies that weigh. 0: only when nothing else is
    /// left.
    pub weight: u32,
    /// Labels by which clients may narrow their requests.
    pub tags: Vec<Arc<str>>,
    /// Whether requests of one conversation stay at one upstream key.
    pub affinity: bool,
    /// For a connection. `None`: as the node has it.
    #[serde(with = "optional_ms")]
    pub connect_timeout: Option<Duration>,
    /// Between two chunks of an answer. `None`: as the node has it.
    #[serde(with = "optional_ms")]
    pub chunk_timeout: Option<Duration>,
    /// For a whole attempt. `None`: as the node has it.
    #[serde(with = "optional_ms")]
    pub total_timeout: Option<Duration>,
    /// How long a request waits for a key to return when all are out.
    #[serde(with = "ms")]
    pub queue_timeout: Duration,
    /// Whether a second attempt is made elsewhere when the first byte is late.
    pub hedging: bool,
    /// Whether requests that may have been carried out are sent again though that may carry them out twice.
    pub retry_unsafe_requests: bool,
    /// Whether an answer that ends well and holds nothing counts as a failure.
    pub retry_empty_answers: bool,
    /// How long identical requests are answered from memory. Zero: never.
    #[serde(with = "ms")]
    pub cache: Duration,
    /// The models that are asked when the one that was asked for fails.
    pub fallbacks: Fallbacks,
    /// What the operator says that answers mean. The first rule that fits counts.
    pub error_rules: Vec<ErrorRule>,
    /// Root certificates that the group's connections trust besides the system's, as PEM; mostly none.
    pub tls_roots: Arc<str>,
    /// How much may be sent to the group, beside its [`super::Group::rpm_limit`].
    pub limits: Option<Box<SubjectLimits>>,
    /// What the group says of prices.
    pub pricing: GroupPricing,
}

impl Default for GroupRouting {
    fn default() -> Self {
        Self {
            weight: 1,
            tags: Vec::new(),
            affinity: true,
            connect_timeout: None,
            chunk_timeout: None,
            total_timeout: None,
            queue_timeout: QUEUE_TIMEOUT,
            hedging: false,
            retry_unsafe_requests: false,
            retry_empty_answers: false,
            cache: Duration::ZERO,
            fallbacks: Fallbacks::default(),
            error_rules: Vec::new(),
            tls_roots: Arc::from(""),
            limits: None,
            pricing: GroupPricing::default(),
        }
    }
}

/// How an upstream key is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpstreamKeyRouting {
    /// The models that the key may be used for, as the vendor names them; a name may end in `*`. Empty: all.
    pub models: Vec<Arc<str>>,
    /// The models that it may not be used for.
    pub denied_models: Vec<Arc<str>>,
    /// The weight among the keys of its group. 0: only when nothing else is left.
    pub weight: u32,
    /// What people note about it.
    pub note: String,
    /// Labels for people.
    pub tags: Vec<Arc<str>>,
    /// The account at the vendor. Keys of one account share its limits, and may serve what another of them made.
    pub account: Arc<str>,
    /// The time from which on the key is not used, in epoch milliseconds.
    pub expires_at_ms: Option<i64>,
    /// What the key has of its own of what its group may have, too; mostly nothing. It holds secrets, and is stored by
    /// itself.
    #[serde(skip)]
    pub own: Option<Box<KeySettings>>,
    /// How much may be sent with the key.
    pub limits: Option<Box<SubjectLimits>>,
}

impl Default for UpstreamKeyRouting {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            denied_models: Vec::new(),
            weight: 1,
            note: String::new(),
            tags: Vec::new(),
            account: Arc::from(""),
            expires_at_ms: None,
            own: None,
            limits: None,
        }
    }
}

impl UpstreamKeyRouting {
    /// Whether the key may be used for the model that its vendor calls `model`. What names no model, it may be.
    pub fn serves(&self, model: &str) -> bool {
        let named = |names: &[Arc<str>]| {
            names.iter().any(|name| name.strip_suffix('*').map_or(**name == *model, |start| model.starts_with(start)))
        };
        model.is_empty() || ((self.models.is_empty() || named(&self.models)) && !named(&self.denied_models))
    }
}

/// How requests of a proxy key are routed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyKeyRouting {
    /// The models that are asked when the one that was asked for fails. They count before those of a group.
    pub fallbacks: Fallbacks,
    /// Whether requests may narrow by themselves where they go.
    pub client_hints: bool,
    /// How long identical requests of the key are answered from memory. Zero: as the group says.
    #[serde(with = "ms")]
    pub cache: Duration,
    /// How much the key may take, beside its own limits a minute and in flight.
    pub limits: Option<Box<SubjectLimits>>,
}

/// Which models are asked when another fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fallbacks {
    /// The model that a client asks for → those that are asked after it, in their order. Names as clients have them.
    pub models: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// For which faults of the request itself, too. Failures of providers always count.
    pub on: Vec<FallbackOn>,
}

names! {
    /// A refusal of a request that another model may not share.
    FallbackOn {
        /// The request is longer than the model's context.
        #[default]
        ContextLength = "context_length",
        /// The provider's filter refuses its content.
        ContentFilter = "content_filter",
    }
}

/// What certain error answers mean, as the operator says. It can neither make a fault of the client's harm a key, nor
/// repeat what may not be repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorRule {
    /// The statuses with which it counts. Empty: all errors.
    pub statuses: Vec<u16>,
    /// What must stand in the answer, any one of these, whatever its letters' case. Empty: nothing.
    pub words: Vec<String>,
    /// What is done next. `None`: as without the rule.
    pub step: Option<RuleStep>,
    /// What it says of the upstream key. `None`: as without the rule.
    pub effect: Option<RuleEffect>,
    /// What of the key that is about.
    pub scope: RuleScope,
    /// How long the key is out by `cool` and `exhaust`. 0: as the answer says, or as without the rule.
    pub seconds: u32,
}

names! {
    /// What is done after an answer.
    RuleStep {
        /// The client gets it.
        #[default]
        End = "end",
        /// The next upstream key is tried.
        NextKey = "next_key",
        /// The next group is tried.
        NextGroup = "next_group",
    }
}

names! {
    /// What an answer says of the upstream key.
    RuleEffect {
        /// Nothing.
        #[default]
        Nothing = "none",
        /// It is to rest.
        Cool = "cool",
        /// Its quota or money is spent.
        Exhaust = "exhaust",
        /// It is refused.
        Refuse = "refuse",
    }
}

names! {
    /// What of a key something is about.
    RuleScope {
        /// The key for the model that was asked for.
        #[default]
        Model = "model",
        /// The whole key.
        Key = "key",
    }
}

/// A duration as whole milliseconds.
mod ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// A duration as whole milliseconds, or null.
mod optional_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}
