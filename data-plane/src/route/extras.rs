//! What config has go with each request: headers, and fields of the body.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use shared::secret::Secret;
use shared::snapshot::{Group, UpstreamKey, is_reserved_field, is_reserved_header};
use tracing::warn;

use crate::provider::Endpoint;

/// What goes with each request to a group, or with one of its keys.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Request fields set where the client left them out, as JSON text.
    pub defaults: Vec<(String, String)>,
    /// Request fields that replace the client's, as JSON text.
    pub overrides: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
}

impl Extras {
    /// What goes with each request to `group`.
    pub(super) fn of(group: &Group, endpoint: Option<&Endpoint>) -> Self {
        Self {
            defaults: fields(&group.parameter_defaults),
            overrides: fields(&group.parameter_overrides),
            headers: headers(group, &group.headers, endpoint),
        }
    }

    /// What goes with each request to `group` with `key`, where that is not what the group says: the key's own counts
    /// before that of the group, each by its name.
    pub(super) fn of_key(group: &Group, key: &UpstreamKey, endpoint: Option<&Endpoint>) -> Option<Box<Self>> {
        let own = key.routing.own.as_ref()?;
        if own.headers.is_empty() && own.parameter_defaults.is_empty() && own.parameter_overrides.is_empty() {
            return None;
        }
        let merged = |of_group: &Map<String, Value>, own: &Map<String, Value>| {
            let mut merged = of_group.clone();
            merged.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
            fields(&merged)
        };
        let mut all = headers(group, &group.headers, endpoint);
        all.extend(headers(group, &own.headers, endpoint));
        Some(Box::new(Self {
            defaults: merged(&group.parameter_defaults, &own.parameter_defaults),
            overrides: merged(&group.parameter_overrides, &own.parameter_overrides),
            headers: all,
        }))
    }
}

/// Fields of requests as JSON text, without those that config may not set.
fn fields(object: &Map<String, Value>) -> Vec<(String, String)> {
    let settable = object.iter().filter(|(name, _)| !is_reserved_field(name));
    settable.map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// Those of `own`, the headers of `group` or of one of its keys, that may be set. The control plane has refused what
/// may not be; what is here nevertheless is left out.
fn headers(group: &Group, own: &BTreeMap<String, Secret>, endpoint: Option<&Endpoint>) -> HeaderMap {
    let header = |(name, value): (&String, &Secret)| {
        let foreign = |endpoint: &Endpoint| endpoint.vendor.auth.is_foreign_credential(name);
        if is_reserved_header(name) || endpoint.is_some_and(foreign) {
            warn!(group = &*group.name, header = &**name, "no group may set this header, and it is left out");
            return None;
        }
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    own.iter().filter_map(header).collect()
}
