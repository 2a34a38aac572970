//! What is kept of a group and has no effect, or none yet. What comes into force is taken from here.

use shared::snapshot::{UpstreamKey, is_reserved_field, validate_destination};
use translation::vendors;

use super::endpoint::lacks_version;
use super::place::place;
use crate::store::groups::StoredGroup;
use crate::web::warnings::FieldWarning;

/// What there is to know about the group.
pub(super) fn of(stored: &StoredGroup) -> Vec<FieldWarning> {
    let group = &stored.group;
    let mut warnings = Vec::new();
    let mut warn = |field: &str, message: &str| warnings.push(FieldWarning::new(field, message));
    if let Err(error) = validate_destination(group) {
        let (field, problem) = place(error);
        warn(&field, &format!("{problem}: nodes leave this group out"));
    }
    let enabled = |key: &std::sync::Arc<UpstreamKey>| key.enabled;
    if group.upstream_keys.is_empty() {
        warn(
            "apiKeys",
            "is empty: the group serves nothing until it has a key; for a server that wants none, any text will do",
        );
    } else if !group.upstream_keys.iter().any(enabled) {
        warn("upstreamKeys", "are all switched off: the group serves nothing");
    }
    if group.models.is_empty() && group.model_aliases.is_empty() {
        warn("models", "is empty, and so is modelAliases: the group serves no model; \"*\" serves every name");
    }
    if let Some(vendor) = vendors::by_name(&group.provider_type) {
        if lacks_version(&group.base_url, vendor) {
            warn("baseUrl", "names no path: servers of this kind mostly have their API below one, such as /v1");
        }
        let own = vendor.auth.header();
        if group.headers.contains_key(own) {
            warn(&format!("headers[{own}]"), "is sent in place of every upstream key of the group");
        }
    }
    for (place, fields) in
        [("parameters", &group.parameter_defaults), ("parameterOverrides", &group.parameter_overrides)]
    {
        for name in fields.keys().filter(|name| is_reserved_field(name)) {
            warn(&format!("{place}[{name}]"), "has no effect: the gateway sets this field by itself");
        }
    }
    for (index, key) in group.upstream_keys.iter().enumerate() {
        let Some(own) = &key.routing.own else { continue };
        for (place, fields) in
            [("parameters", &own.parameter_defaults), ("parameterOverrides", &own.parameter_overrides)]
        {
            for name in fields.keys().filter(|name| is_reserved_field(name)) {
                let field = format!("upstreamKeys[{index}].{place}[{name}]");
                warn(&field, "has no effect: the gateway sets this field by itself");
            }
        }
        if own.outbound_proxy.is_some() && !own.proxy_enabled {
            warn(&format!("upstreamKeys[{index}].proxyConfig"), "has no effect, because proxyEnabled is false");
        }
    }
    if group.outbound_proxy.is_some() && !stored.proxy_enabled {
        warn("proxyConfig", "has no effect, because proxyEnabled is false");
    }
    warnings
}
