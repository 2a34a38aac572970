//! A proxy key as it is written. Its fields are read, checked all at once, and laid over what is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use shared::crypto::{random_token, sha256};
use shared::ids::{Id, new_id};
use shared::secret::{Secret, mask};
use shared::snapshot::{GroupPolicy, HEAVIEST, ProxyKey, ProxyKeyRouting, validate_pattern, validate_proxy_key};
use utoipa::ToSchema;

use super::view::ProxyKeyView;
use crate::admin::bounds::{ID_BYTES, MODEL_BYTES, NAME_BYTES};
use crate::admin::fallbacks::read_fallbacks;
use crate::admin::limits::{
    ConcurrencyQueueBody, LimitRaiseBody, LimitWindowBody, ModelLimitsBody, TokenWeightsBody, read_limits,
};
use crate::error::{ApiError, FieldError};
use crate::store::proxy_keys::StoredProxyKey;
use crate::store::{Scope, Store, StoreError, groups};
use crate::web::fields::{Fields, Known, MASK_MARK, kind};
use crate::web::merge_patch::merge;
use crate::web::warnings::FieldWarning;

/// The fields that a proxy key may be written with.
pub(super) const FIELDS: &[Known] = &[
    Known::also("name", &["keyName"]),
    Known::new("key"),
    Known::new("description"),
    Known::new("enabled"),
    Known::new("allowedGroups"),
    Known::new("allowedModels"),
    Known::also("groupPolicy", &["groupBalancePolicy"]),
    Known::new("groupWeights"),
    Known::also("rpmLimit", &["rpm"]),
    Known::also("tpmLimit", &["tpm"]),
    Known::also("concurrencyLimit", &["concurrency"]),
    Known::new("limits"),
    Known::new("limitMode"),
    Known::new("tokenWeights"),
    Known::new("modelLimits"),
    Known::new("concurrencyQueue"),
    Known::new("raise"),
    Known::new("expiresAt"),
    Known::new("modelFallbacks"),
    Known::new("fallbackOn"),
    Known::new("clientHints"),
    Known::new("cacheSeconds"),
    Known::new("updatedAt"),
    Known::new("id"),
    Known::new("masked"),
    Known::new("usageCount"),
    Known::new("lastUsedAt"),
    Known::new("createdAt"),
    Known::new("warnings"),
];

/// The fields that a write does not change. They are accepted so that what was read can be sent back.
pub(super) const READ_ONLY: &[&str] = &["id", "masked", "usageCount", "lastUsedAt", "createdAt", "warnings"];

const WEIGHT_FIELDS: &[Known] = &[Known::new("groupId"), Known::new("weight")];

/// Prefix of a value that is made here.
const PREFIX: &str = "sk-orch-";

/// Random bytes of a value that is made here.
const MADE_BYTES: usize = 32;

/// Length of a value that a caller brings, which must be hard to guess.
const KEY_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=512;

const DESCRIPTION_BYTES: usize = 2000;

/// The longest time for which an answer is kept, in seconds.
const LONGEST_CACHE_SECONDS: i64 = 24 * 60 * 60;

/// A proxy key to be stored, its value where the value is new, and what was repaired in the body that describes it.
pub(super) struct Written {
    pub(super) stored: StoredProxyKey,
    pub(super) value: Option<Secret>,
    pub(super) repairs: Vec<FieldWarning>,
}

/// The proxy key that `body` describes. With `existing`, it is to replace that key: absent fields take their defaults,
/// but an absent value stays.
pub(super) fn replacement(body: Value, existing: Option<&StoredProxyKey>) -> Result<Written, ApiError> {
    let mut fields = Fields::of(body, FIELDS)?;
    let stale = is_stale(&mut fields, existing);
    let name = fields.required_text("name", NAME_BYTES).trim().to_owned();
    let value = read_value(&mut fields, existing)?;
    let description = fields.text("description", DESCRIPTION_BYTES).filter(|description| !description.is_empty());
    let tpm_limit = fields.integer("tpmLimit", 0, i64::MAX).and_then(|limit| u64::try_from(limit).ok());
    let key = ProxyKey {
        id: existing.map_or_else(|| new_id().into(), |stored| Arc::clone(&stored.key.id)),
        name: name.into(),
        digest: match (&value, existing) {
            (Some(value), _) => sha256(value.expose().as_bytes()),
            (None, Some(stored)) => stored.key.digest,
            (None, None) => [0; 32],
        },
        enabled: fields.boolean("enabled", true),
        allowed_groups: arcs(fields.pasted_names("allowedGroups", ID_BYTES, |_| None)),
        allowed_models: arcs(fields.pasted_names("allowedModels", MODEL_BYTES, |name| validate_pattern(name).err())),
        group_policy: fields.name_of("groupPolicy", GroupPolicy::NAMES, GroupPolicy::from_name).unwrap_or_default(),
        group_weights: read_weights(&mut fields),
        rpm_limit: fields.limit("rpmLimit"),
        tpm_limit: tpm_limit.unwrap_or_default(),
        concurrency_limit: fields.limit("concurrencyLimit"),
        expires_at_ms: fields.time("expiresAt"),
        routing: read_routing(&mut fields),
    };
    if fields.is_fine()
        && let Err(error) = validate_proxy_key(&key)
    {
        fields.error("key", error.to_string());
    }
    let repairs = fields.take_warnings();
    fields.finish()?;
    if stale {
        return Err(StoreError::Stale.into());
    }
    let masked = match (&value, existing) {
        (Some(value), _) => mask(value.expose()),
        (None, Some(stored)) => stored.masked.clone(),
        (None, None) => String::new(),
    };
    let stored = StoredProxyKey {
        key,
        masked,
        description,
        usage_count: existing.map_or(0, |stored| stored.usage_count),
        last_used_at: existing.and_then(|stored| stored.last_used_at),
        created_at: existing.map_or(0, |stored| stored.created_at),
        updated_at: existing.map_or(0, |stored| stored.updated_at),
    };
    Ok(Written { stored, value, repairs })
}

/// The proxy key after a merge patch (RFC 7396) over the form in which it is shown.
pub(super) fn patched(patch: Value, existing: &StoredProxyKey) -> Result<Written, ApiError> {
    let mut patch = Fields::of(patch, FIELDS)?.into_values()?;
    if let Some(weights @ Value::Array(_)) = patch.get_mut("groupWeights") {
        // A list replaces all weights. Turned into a map, it would be merged with them, so the others are removed.
        let mut fields =
            Fields::of(Value::Object(Map::from_iter([("groupWeights".to_owned(), weights.take())])), FIELDS)?;
        let given = read_weights(&mut fields);
        fields.finish()?;
        let gone = existing.key.group_weights.keys().map(|id| (id.to_string(), Value::Null));
        let given = given.into_iter().map(|(id, weight)| (id.to_string(), weight.into()));
        *weights = Value::Object(gone.chain(given).collect());
    }
    let mut readable = serde_json::to_value(ProxyKeyView::of(existing))
        .map_err(|error| ApiError::Internal(format!("a proxy key cannot be written as JSON: {error}")))?;
    merge(&mut readable, Value::Object(patch));
    replacement(readable, Some(existing))
}

/// Refuses ids of groups that do not exist. An id that the key had before is fine, because a group may be deleted while
/// a key names it.
pub(super) async fn check_groups(
    store: &Store,
    scope: &Scope,
    key: &ProxyKey,
    existing: Option<&ProxyKey>,
) -> Result<(), ApiError> {
    let known: BTreeSet<&Id> =
        existing.map(|key| key.allowed_groups.iter().chain(key.group_weights.keys()).collect()).unwrap_or_default();
    let allowed = key.allowed_groups.iter().enumerate().map(|(index, id)| (format!("allowedGroups[{index}]"), id));
    let weighted = key.group_weights.keys().map(|id| (format!("groupWeights[{id}]"), id));
    let mut checked: BTreeMap<&Id, Option<String>> = BTreeMap::new();
    let mut errors = Vec::new();
    for (field, id) in allowed.chain(weighted) {
        if known.contains(id) {
            continue;
        }
        if !checked.contains_key(id) {
            let problem = match groups::get(store, scope, id).await? {
                Some(_) => None,
                None => Some(match groups::id_of(store, scope, id).await? {
                    Some(named) => format!("{id:?} is the name of a group, and its id is wanted: {named:?}"),
                    None => format!("{id:?} is the id of no group"),
                }),
            };
            checked.insert(id, problem);
        }
        if let Some(Some(problem)) = checked.get(id) {
            errors.push(FieldError::new(field, problem));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::Invalid(errors)) }
}

/// Whether the client has read an older state than the stored one. Notes a bad `id` too, since an id cannot be changed.
fn is_stale(fields: &mut Fields, existing: Option<&StoredProxyKey>) -> bool {
    let updated_at = fields.take("updatedAt");
    let id = fields.take("id");
    for name in READ_ONLY {
        fields.take(name);
    }
    let Some(existing) = existing else { return false };
    if id.is_some_and(|id| id.as_str() != Some(&existing.key.id)) {
        fields.error("id", "cannot be changed");
    }
    updated_at.is_some_and(|updated_at| updated_at.as_i64() != Some(existing.updated_at))
}

/// The new value, if there is one: the caller's own, or for a new key one that is made here.
fn read_value(fields: &mut Fields, existing: Option<&StoredProxyKey>) -> Result<Option<Secret>, ApiError> {
    let Some(text) = fields.text("key", *KEY_CHARACTERS.end()) else {
        return if existing.is_some() {
            Ok(None)
        } else {
            let token = random_token(MADE_BYTES).map_err(|error| ApiError::Internal(error.to_string()))?;
            Ok(Some(Secret::new(format!("{PREFIX}{token}"))))
        };
    };
    if existing.is_some_and(|stored| stored.masked == text) {
        return Ok(None);
    }
    if text.contains(MASK_MARK) {
        fields.error("key", "is a mask, and not of this key: send the value itself");
    }
    if !KEY_CHARACTERS.contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let (least, most) = (KEY_CHARACTERS.start(), KEY_CHARACTERS.end());
        fields.error("key", format!("must be {least} to {most} visible ASCII characters"));
    }
    Ok(Some(text.into()))
}

/// Reads the weights of groups: a map of group id to weight, or a list of `{groupId, weight}`.
fn read_weights(fields: &mut Fields) -> BTreeMap<Id, u32> {
    let mut weights = BTreeMap::new();
    let entries: Vec<(String, Map<String, Value>)> = match fields.take("groupWeights") {
        None => Vec::new(),
        Some(Value::Object(map)) => map
            .into_iter()
            .map(|(id, weight)| {
                let entry =
                    Map::from_iter([("groupId".to_owned(), Value::String(id.clone())), ("weight".to_owned(), weight)]);
                (format!("groupWeights[{id}]"), entry)
            })
            .collect(),
        Some(Value::Array(list)) => {
            let mut entries = Vec::with_capacity(list.len());
            for (index, entry) in list.into_iter().enumerate() {
                let place = format!("groupWeights[{index}]");
                match entry {
                    Value::Object(entry) => entries.push((place, entry)),
                    other => fields.error(&place, format!("must be an object, not {}", kind(&other))),
                }
            }
            entries
        }
        Some(other) => {
            let message = format!("must be an object of group id and weight, or a list, not {}", kind(&other));
            fields.error("groupWeights", message);
            Vec::new()
        }
    };
    for (place, entry) in entries {
        let mut entry = Fields::named(format!("{place}."), entry, WEIGHT_FIELDS);
        let id = entry.required_text("groupId", ID_BYTES);
        let weight =
            entry.integer("weight", 0, i64::from(HEAVIEST)).and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1);
        if entry.is_fine() && weights.insert(id.into(), weight).is_some() {
            entry.error("groupId", "has a weight already");
        }
        fields.absorb(entry);
    }
    weights
}

fn read_routing(fields: &mut Fields) -> ProxyKeyRouting {
    let cache =
        fields.integer("cacheSeconds", 0, LONGEST_CACHE_SECONDS).and_then(|seconds| u64::try_from(seconds).ok());
    ProxyKeyRouting {
        fallbacks: read_fallbacks(fields),
        client_hints: fields.boolean("clientHints", false),
        cache: Duration::from_secs(cache.unwrap_or_default()),
        limits: read_limits(fields, None).or_none(),
    }
}

fn arcs(texts: Option<Vec<String>>) -> Vec<Arc<str>> {
    texts.unwrap_or_default().into_iter().map(Into::into).collect()
}

/// A key that clients authenticate with, as it is made or changed. Names in snake_case are accepted too.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ProxyKeyBody {
    /// Name of the key. No two proxy keys have the same. Also accepted as `keyName`.
    #[schema(example = "my-app-key", max_length = 128)]
    pub name: String,
    /// A value of your own, 16 to 512 visible ASCII characters. A value is made where a new key comes without one.
    pub key: Option<String>,
    /// Description for people.
    pub description: Option<String>,
    /// Whether the key may be used.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// Ids of the groups that the key may use. An empty list means all.
    pub allowed_groups: Option<Vec<String>>,
    /// Models that the key may use, as clients name them. An empty list means all.
    pub allowed_models: Option<Vec<String>>,
    /// How the key picks among groups that serve the model: `failover` (the highest priority first, equals by weight),
    /// `round_robin`, `weighted`, `random`, `least_used` (the fewest in flight), `latency` (the faster one of two that
    /// are drawn) or `cost` (the cheapest for the model by list prices, equals as `failover`). Also accepted as
    /// `groupBalancePolicy`.
    #[schema(default = "failover")]
    pub group_policy: Option<String>,
    /// Group id → weight, in place of the group's own. A list of `{groupId, weight}` is accepted too.
    pub group_weights: Option<BTreeMap<String, u32>>,
    /// Requests a minute; 0 means no limit. Also accepted as `rpm`.
    #[schema(default = 0, example = 100)]
    pub rpm_limit: Option<u32>,
    /// Tokens a minute; 0 means no limit. Also accepted as `tpm`.
    #[schema(default = 0)]
    pub tpm_limit: Option<u64>,
    /// Requests in flight; 0 means no limit. Also accepted as `concurrency`.
    #[schema(default = 0)]
    pub concurrency_limit: Option<u32>,
    /// Further windows of requests and tokens, each kind once.
    pub limits: Option<Vec<LimitWindowBody>>,
    /// What the limits of the key do: `enforce`, or `shadow` (they count and report, and refuse nothing).
    #[schema(default = "enforce")]
    pub limit_mode: Option<String>,
    /// How much each kind of token counts, in thousandths; 1000 each where nothing is said.
    pub token_weights: Option<TokenWeightsBody>,
    /// Model that a client asks for → what the key may take with it. A name may end in `*`: the models that it fits
    /// share the limit.
    pub model_limits: Option<BTreeMap<String, ModelLimitsBody>>,
    /// How requests wait where as many are in flight as may be; null: they are refused at once.
    pub concurrency_queue: Option<ConcurrencyQueueBody>,
    /// Another amount of each window until a date.
    pub raise: Option<LimitRaiseBody>,
    /// When the key stops being valid: epoch milliseconds, or RFC 3339 text.
    pub expires_at: Option<i64>,
    /// Model that a client asks for → the models that are asked when it fails, in their order. They count before those
    /// of a group.
    #[schema(example = json!({"gpt-4o": ["claude-sonnet-4-5", "gemini-2.5-pro"]}))]
    pub model_fallbacks: Option<BTreeMap<String, Vec<String>>>,
    /// Refusals of a request for which the fallbacks are asked, too: `context_length`, `content_filter`.
    pub fallback_on: Option<Vec<String>>,
    /// Whether requests may narrow by themselves where they go, with `models` in the body and the headers
    /// `x-orchestration-group` and `x-orchestration-tags`.
    #[schema(default = false)]
    pub client_hints: Option<bool>,
    /// Seconds for which identical requests of the key are answered from memory. 0: as the group says.
    #[schema(default = 0, maximum = 86_400)]
    pub cache_seconds: Option<u32>,
    /// The `updatedAt` that was read. The write is refused with 409 when the key has changed since.
    pub updated_at: Option<i64>,
}
