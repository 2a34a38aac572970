//! A group as it is written. Its fields are read, checked all at once, and laid over what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use shared::ids::new_id;
use shared::snapshot::{BalancePolicy, Group, validate_destination, validate_group, validate_pattern};

use super::endpoint::{read_base_url, read_vendor};
use super::headers::read_headers;
use super::keys::{WrittenKeys, check_keys, read_keys};
use super::moved::{self, KeptSecrets};
use super::place::place;
use super::proxy::{PROXY_FIELDS, read_proxy};
use super::routing::{read_routing, read_timeout};
use super::translating::{keep_agreeing, merge_rows, read_translating};
use super::view::{GroupView, KnownStates};
use crate::admin::bounds::{MODEL_BYTES, NAME_BYTES};
use crate::error::ApiError;
use crate::store::StoreError;
use crate::store::groups::StoredGroup;
use crate::web::fields::{Fields, Known, into_text, kind, text_problem};
use crate::web::merge_patch::merge;
use crate::web::warnings::FieldWarning;

/// The fields that a group may be written with.
pub(super) const FIELDS: &[Known] = &[
    Known::also("groupName", &["name"]),
    Known::new("providerType"),
    Known::new("baseUrl"),
    Known::new("apiKeys"),
    Known::new("models"),
    Known::new("modelAliases"),
    Known::also("parameters", &["parameterDefaults"]),
    Known::new("parameterOverrides"),
    Known::new("headers"),
    Known::new("balancePolicy"),
    Known::new("retryCount"),
    Known::new("timeout"),
    Known::also("rpmLimit", &["rpm"]),
    Known::also("concurrencyLimit", &["concurrency"]),
    Known::new("limits"),
    Known::new("limitMode"),
    Known::new("tokenWeights"),
    Known::new("raise"),
    Known::new("testModel"),
    Known::new("priority"),
    Known::new("enabled"),
    Known::new("proxyEnabled"),
    Known::new("proxyConfig"),
    Known::new("upstreamStream"),
    Known::new("fakeStreaming"),
    Known::new("unsupportedParameters"),
    Known::new("modelFacts"),
    Known::new("apiVersion"),
    Known::new("healthCheckEnabled"),
    Known::new("weight"),
    Known::new("tags"),
    Known::new("affinity"),
    Known::new("connectTimeout"),
    Known::new("chunkTimeout"),
    Known::new("totalTimeout"),
    Known::new("queueTimeoutMs"),
    Known::new("hedging"),
    Known::new("retryUnsafeRequests"),
    Known::new("retryEmptyAnswers"),
    Known::new("cacheSeconds"),
    Known::new("modelFallbacks"),
    Known::new("fallbackOn"),
    Known::new("errorRules"),
    Known::new("tlsRoots"),
    Known::new("prices"),
    Known::new("priceMultiplier"),
    Known::new("costHeader"),
    Known::new("upstreamKeys"),
    Known::new("updatedAt"),
    Known::new("id"),
    Known::new("createdAt"),
    Known::new("warnings"),
];

/// The fields that a write does not change. They are accepted so that what was read can be sent back.
pub(super) const READ_ONLY: &[&str] = &["id", "createdAt", "warnings"];

const DEFAULT_RETRY_COUNT: u32 = 3;
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// A group to be stored, and what was repaired in the body that describes it.
#[derive(Debug)]
pub(super) struct WrittenGroup {
    pub(super) stored: StoredGroup,
    pub(super) repairs: Vec<FieldWarning>,
}

/// The group that `body` describes. With `existing`, it is to replace that group: absent fields take their defaults,
/// but upstream keys, headers and a proxy that are absent stay, and a mask keeps the secret that it stands for.
pub(super) fn replacement(body: Value, existing: Option<&StoredGroup>) -> Result<WrittenGroup, ApiError> {
    let mut fields = Fields::of(body, FIELDS)?;
    let stale = is_stale(&mut fields, existing);
    let group = existing.map(|stored| &stored.group);

    let name = fields.required_text("groupName", NAME_BYTES).trim().to_owned();
    let provider_type = fields.required_text("providerType", NAME_BYTES);
    let vendor = read_vendor(&mut fields, &provider_type);
    let base_url = read_base_url(&mut fields, vendor);
    let stored_keys = group.map_or(&[][..], |group| group.upstream_keys.as_slice());
    let WrittenKeys { keys: upstream_keys, keeps: keeps_keys, kept_headers: kept_key_headers } =
        read_keys(&mut fields, vendor, stored_keys);
    if let Some(vendor) = vendor.filter(|_| fields.is_fine()) {
        check_keys(&mut fields, vendor, &upstream_keys, &base_url);
    }
    let models = fields.pasted_names("models", MODEL_BYTES, |name| validate_pattern(name).err());
    let models = arcs(models.unwrap_or_default());
    let model_aliases = read_aliases(&mut fields);
    let parameter_defaults = fields.object("parameters").unwrap_or_default();
    let parameter_overrides = fields.object("parameterOverrides").unwrap_or_default();
    let (headers, kept_headers) = read_headers(&mut fields, vendor, group.map(|group| &group.headers));
    let stored_proxy = group.and_then(|group| group.outbound_proxy.as_ref());
    let (outbound_proxy, keeps_password) = read_proxy(&mut fields, stored_proxy);
    let proxy_enabled = fields.boolean("proxyEnabled", false);
    if proxy_enabled && outbound_proxy.is_none() && fields.is_fine() {
        fields.error("proxyConfig", "is required when proxyEnabled is true");
    }
    let retry_count = fields.integer("retryCount", 0, 100).and_then(|count| u32::try_from(count).ok());
    let priority = fields.integer("priority", i64::from(i32::MIN), i64::from(i32::MAX));
    let translating = read_translating(&mut fields, vendor);
    let group = Group {
        id: group.map_or_else(|| new_id().into(), |group| Arc::clone(&group.id)),
        name: name.into(),
        provider_type: provider_type.into(),
        base_url: base_url.into(),
        upstream_keys,
        models,
        model_aliases,
        parameter_defaults,
        parameter_overrides,
        headers,
        balance_policy: fields
            .name_of("balancePolicy", BalancePolicy::NAMES, BalancePolicy::from_name)
            .unwrap_or_default(),
        retry_count: retry_count.unwrap_or(DEFAULT_RETRY_COUNT),
        timeout: read_timeout(&mut fields, "timeout").unwrap_or(DEFAULT_TIMEOUT),
        rpm_limit: fields.limit("rpmLimit"),
        test_model: fields.text("testModel", MODEL_BYTES).filter(|model| !model.is_empty()).map(Into::into),
        priority: priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or_default(),
        enabled: fields.boolean("enabled", true),
        upstream_stream: translating.upstream_stream,
        unsupported_parameters: translating.unsupported_parameters,
        model_facts: translating.model_facts,
        api_version: translating.api_version,
        health_check_enabled: fields.boolean("healthCheckEnabled", false),
        outbound_proxy,
        routing: read_routing(&mut fields),
    };
    if fields.is_fine()
        && let Err(error) = validate_group(&group).and_then(|()| validate_destination(&group))
    {
        let (field, problem) = place(error);
        fields.error(&field, problem);
    }
    if let Some(existing) = existing.filter(|_| fields.is_fine()) {
        let headers = kept_headers.iter().map(|name| format!("headers[{name}]")).chain(kept_key_headers).collect();
        let kept = KeptSecrets { keys: keeps_keys, headers, proxy_password: keeps_password };
        moved::check(&mut fields, existing, &group, proxy_enabled, &kept);
    }
    let repairs = fields.take_warnings();
    fields.finish()?;
    if stale {
        return Err(StoreError::Stale.into());
    }
    let (created_at, updated_at) = existing.map_or((0, 0), |stored| (stored.created_at, stored.updated_at));
    Ok(WrittenGroup { stored: StoredGroup { group, proxy_enabled, created_at, updated_at }, repairs })
}

/// The group after a merge patch (RFC 7396) over the form in which it is shown.
pub(super) fn patched(patch: Value, existing: &StoredGroup) -> Result<WrittenGroup, ApiError> {
    let mut patch = Fields::of(patch, FIELDS)?.into_values()?;
    if let Some(Value::Object(proxy)) = patch.get_mut("proxyConfig") {
        let mut named = Fields::named("proxyConfig.".to_owned(), std::mem::take(proxy), PROXY_FIELDS).into_values()?;
        if named.get("password").is_some_and(Value::is_null) {
            // Without the field, the stored password would stay.
            named.insert("password".to_owned(), Value::String(String::new()));
        }
        *proxy = named;
    }
    if let Some(Value::Object(headers)) = patch.get_mut("headers") {
        *headers =
            std::mem::take(headers).into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    }
    let mut readable = serde_json::to_value(GroupView::of(existing, &KnownStates::default(), 0))
        .map_err(|error| ApiError::Internal(format!("a group cannot be written as JSON: {error}")))?;
    keep_agreeing(&mut readable, &patch, existing.group.upstream_stream);
    merge_rows(&mut readable, &mut patch);
    // The merge removes the fields that are null, and a write without them would keep what is stored.
    let removed = ["headers", "proxyConfig"].into_iter().filter(|name| patch.get(*name).is_some_and(Value::is_null));
    let removed: Vec<_> = removed.collect();
    merge(&mut readable, Value::Object(patch));
    for name in removed {
        readable[name] = Value::Null;
    }
    replacement(readable, Some(existing))
}

/// Whether the client has read an older state than the stored one. Notes a bad `id` too, since an id cannot be changed.
fn is_stale(fields: &mut Fields, existing: Option<&StoredGroup>) -> bool {
    let updated_at = fields.take("updatedAt");
    let id = fields.take("id");
    for name in READ_ONLY {
        fields.take(name);
    }
    let Some(existing) = existing else { return false };
    if id.is_some_and(|id| id.as_str() != Some(&existing.group.id)) {
        fields.error("id", "cannot be changed");
    }
    updated_at.is_some_and(|updated_at| updated_at.as_i64() != Some(existing.updated_at))
}

fn read_aliases(fields: &mut Fields) -> BTreeMap<Arc<str>, Arc<str>> {
    let mut aliases = BTreeMap::new();
    for (alias, model) in fields.object("modelAliases").unwrap_or_default() {
        let field = format!("modelAliases[{alias}]");
        let model = match into_text(model) {
            Ok(model) => model,
            Err(other) => {
                fields.error(&field, format!("must be a text, not {}", kind(&other)));
                continue;
            }
        };
        let (name, target) = (alias.trim(), model.trim());
        let blank = (name.is_empty() || target.is_empty()).then(|| "must not be empty".to_owned());
        let problem = blank.or_else(|| text_problem(name, MODEL_BYTES)).or_else(|| text_problem(target, MODEL_BYTES));
        if let Some(problem) = problem {
            fields.error(&field, problem);
            continue;
        }
        if (name, target) != (alias.as_str(), model.as_str()) {
            fields.warn(&field, "had spaces around a name, which are taken off");
        }
        if aliases.insert(name.into(), target.into()).is_some() {
            fields.error(&field, "is given twice");
        }
    }
    aliases
}

fn arcs(texts: Vec<String>) -> Vec<Arc<str>> {
    texts.into_iter().map(Into::into).collect()
}
