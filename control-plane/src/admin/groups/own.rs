//! What an upstream key has of its own of what its group may have, too: a proxy, headers, and fields of requests.

use std::sync::Arc;

use shared::snapshot::{KeySettings, UpstreamKey};
use translation::vendors::Vendor;

use super::headers::read_headers;
use super::moved::check_password;
use super::proxy::read_proxy;
use crate::web::fields::Fields;

/// Reads what a key has of its own, and the names of those headers whose values are stored ones that were not sent.
/// What `entry` leaves out stays as it was.
pub(super) fn read_own(
    entry: &mut Fields,
    vendor: Option<&Vendor>,
    before: Option<&KeySettings>,
) -> (Option<Box<KeySettings>>, Vec<String>) {
    let before = before.cloned().unwrap_or_default();
    let (headers, kept) = read_headers(entry, vendor, Some(&before.headers));
    let stored = before.outbound_proxy.as_ref();
    let (outbound_proxy, keeps_password) = read_proxy(entry, stored);
    check_password(entry, stored, outbound_proxy.as_ref(), keeps_password);
    let proxy_enabled = if entry.has("proxyEnabled") {
        entry.boolean("proxyEnabled", false)
    } else {
        before.proxy_enabled && outbound_proxy.is_some()
    };
    if proxy_enabled && outbound_proxy.is_none() && entry.is_fine() {
        entry.error("proxyConfig", "is required when proxyEnabled is true");
    }
    let parameter_defaults = if entry.has("parameters") {
        entry.object("parameters").unwrap_or_default()
    } else {
        before.parameter_defaults
    };
    let parameter_overrides = if entry.has("parameterOverrides") {
        entry.object("parameterOverrides").unwrap_or_default()
    } else {
        before.parameter_overrides
    };
    let own = KeySettings { outbound_proxy, proxy_enabled, headers, parameter_defaults, parameter_overrides };
    (own.or_none(), kept)
}

/// The keys' own headers, as a body sends them.
#[derive(Debug, Default)]
pub(super) struct OwnHeaders {
    /// Ids of keys that the body has an entry for, and the places of those of their headers whose values it does not
    /// send.
    entries: Vec<(String, Vec<String>)>,
}

impl OwnHeaders {
    /// Notes that the entry at `place` is of the key `id`, and does not send the values of the headers `kept`.
    pub(super) fn of_entry(&mut self, id: &str, place: &str, kept: &[String]) {
        let places = kept.iter().map(|name| format!("{place}.headers[{name}]")).collect();
        self.entries.push((id.to_owned(), places));
    }

    /// The places of those headers of `keys` whose values were not sent: what has no entry keeps all of them.
    pub(super) fn kept(&self, keys: &[Arc<UpstreamKey>]) -> Vec<String> {
        let of_key = |(index, key): (usize, &Arc<UpstreamKey>)| {
            let mut entries = self.entries.iter().filter(|(id, _)| **id == *key.id).peekable();
            if entries.peek().is_some() {
                return entries.flat_map(|(_, places)| places.clone()).collect::<Vec<_>>();
            }
            let own = key.routing.own.iter().flat_map(|own| own.headers.keys());
            own.map(|name| format!("upstreamKeys[{index}].headers[{name}]")).collect()
        };
        keys.iter().enumerate().flat_map(of_key).collect()
    }
}
