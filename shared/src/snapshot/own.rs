//! What is set at an upstream key besides at its group.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::OutboundProxy;
use crate::secret::Secret;

/// What an upstream key has of its own of what its group may have, too. It counts before what the group has: the proxy
/// in its place, headers and fields each by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySettings {
    /// The proxy through which requests with the key leave.
    pub outbound_proxy: Option<OutboundProxy>,
    /// Whether they do. Nodes are told of no other proxy.
    pub proxy_enabled: bool,
    /// Headers that are sent with each request. Values may be credentials.
    pub headers: BTreeMap<String, Secret>,
    /// Request fields set where the client left them out.
    pub parameter_defaults: Map<String, Value>,
    /// Request fields that replace the client's.
    pub parameter_overrides: Map<String, Value>,
}

impl KeySettings {
    /// The settings as a key has them: most have none.
    pub fn or_none(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// The settings as nodes are told them: without a proxy that is switched off.
    #[must_use]
    pub fn for_nodes(self) -> Self {
        let outbound_proxy = self.outbound_proxy.filter(|_| self.proxy_enabled);
        Self { proxy_enabled: outbound_proxy.is_some(), outbound_proxy, ..self }
    }
}
