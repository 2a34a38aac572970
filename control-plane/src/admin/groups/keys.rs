//! The upstream keys of a group. A new secret is a new key; a mask keeps the key that it stands for.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::http::HeaderValue;
use serde_json::{Map, Value};
use shared::ids::new_id;
use shared::secret::{Secret, mask};
use shared::snapshot::{UpstreamKey, UpstreamKeyRouting};
use translation::vendors::Vendor;
use utoipa::ToSchema;

use super::own::{OwnHeaders, read_own};
use super::pasted::{self, Pasted};
use super::routing::read_key_routing;
use super::view::masks;
use crate::admin::bounds::ID_BYTES;
use crate::admin::limits::{LimitRaiseBody, LimitWindowBody, TokenWeightsBody};
use crate::web::fields::{Fields, Known, MASK_MARK, kind};

pub(super) const FIELDS: &[Known] = &[
    Known::new("id"),
    Known::new("key"),
    Known::new("enabled"),
    Known::new("masked"),
    Known::new("models"),
    Known::new("deniedModels"),
    Known::new("weight"),
    Known::new("note"),
    Known::new("tags"),
    Known::new("account"),
    Known::new("expiresAt"),
    Known::new("state"),
    Known::new("stateUntil"),
    Known::new("stateReason"),
    Known::new("observedAt"),
    Known::new("modelStates"),
    Known::new("proxyEnabled"),
    Known::new("proxyConfig"),
    Known::new("headers"),
    Known::also("parameters", &["parameterDefaults"]),
    Known::new("parameterOverrides"),
    Known::also("concurrencyLimit", &["concurrency"]),
    Known::new("limits"),
    Known::new("limitMode"),
    Known::new("tokenWeights"),
    Known::new("raise"),
];

/// The fields that a write does not change. They are accepted so that what was read can be sent back.
pub(super) const READ_ONLY: &[&str] = &["masked", "state", "stateUntil", "stateReason", "observedAt", "modelStates"];

/// Longest upstream key, in bytes.
const KEY_BYTES: usize = 8192;

/// Settings of an upstream key.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UpstreamKeyBody {
    /// Id of a stored key.
    pub id: Option<String>,
    /// The key itself, in place of an id. A key that the group does not have yet is added to it.
    pub key: Option<String>,
    /// Whether it may be used. No probe changes that.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// Models that the key may be used for, as the vendor names them; a name may end in `*`. An empty list means all.
    pub models: Option<Vec<String>>,
    /// Models that it may not be used for.
    pub denied_models: Option<Vec<String>>,
    /// Weight among the keys of the group. 0: only when nothing else is left.
    #[schema(default = 1, maximum = 1_000_000)]
    pub weight: Option<u32>,
    /// Note for people.
    #[schema(max_length = 2000)]
    pub note: Option<String>,
    /// Labels for people.
    pub tags: Option<Vec<String>>,
    /// The account at the vendor. Keys of one account share its limits, and may serve what another of them made.
    pub account: Option<String>,
    /// When the key stops being used: epoch milliseconds, or RFC 3339 text.
    pub expires_at: Option<i64>,
    /// Whether requests with the key leave through its own `proxyConfig`, in place of the group's.
    #[schema(default = false)]
    pub proxy_enabled: Option<bool>,
    /// The proxy of the key itself. Null removes it.
    pub proxy_config: Option<super::proxy::ProxyConfigBody>,
    /// Headers that are sent with each request with the key, before those of the group of the same name. A mask keeps
    /// the value that it stands for; null removes all.
    pub headers: Option<BTreeMap<String, String>>,
    /// Request fields that are set where the client left them out, before those of the group of the same name.
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Map<String, Value>>,
    /// Request fields that replace the client's, before those of the group of the same name.
    #[schema(value_type = Option<Object>)]
    pub parameter_overrides: Option<Map<String, Value>>,
    /// Requests in flight; 0 means no limit. Also accepted as `concurrency`.
    #[schema(default = 0)]
    pub concurrency_limit: Option<u32>,
    /// Windows of requests and tokens, each kind once.
    pub limits: Option<Vec<LimitWindowBody>>,
    /// What the limits do: `enforce` (requests go elsewhere where they are reached), or `shadow` (they count and
    /// report).
    #[schema(default = "enforce")]
    pub limit_mode: Option<String>,
    /// How much each kind of token counts, in thousandths; 1000 each where nothing is said.
    pub token_weights: Option<TokenWeightsBody>,
    /// Another amount of each window until a date.
    pub raise: Option<LimitRaiseBody>,
}

/// The keys of a group as it is written.
pub(super) struct WrittenKeys {
    pub(super) keys: Vec<Arc<UpstreamKey>>,
    /// Whether a stored key is among them whose value was not sent.
    pub(super) keeps: bool,
    /// Places of the keys' own headers whose values were not sent either.
    pub(super) kept_headers: Vec<String>,
}

pub(super) fn read_keys(fields: &mut Fields, vendor: Option<&Vendor>, existing: &[Arc<UpstreamKey>]) -> WrittenKeys {
    let mut chosen = Chosen {
        masks: masks(existing),
        existing,
        taken: HashSet::new(),
        secrets: HashSet::new(),
        keeps: false,
        said: Vec::new(),
    };
    let mut keys = Vec::new();
    if let Some(list) = fields.list("apiKeys") {
        for (index, value) in list.iter().enumerate() {
            keys.extend(chosen.read(fields, &format!("apiKeys[{index}]"), value));
        }
    } else {
        keys = existing.to_vec();
        chosen.keeps = !existing.is_empty();
        chosen.secrets = existing.iter().map(|key| key.secret.expose().to_owned()).collect();
    }
    let kept_headers = set_up(fields, vendor, &mut keys, &mut chosen);
    WrittenKeys { keys, keeps: chosen.keeps, kept_headers }
}

/// What the list of keys has named so far.
struct Chosen<'a> {
    existing: &'a [Arc<UpstreamKey>],
    masks: Vec<String>,
    /// Positions of stored keys that the list has kept.
    taken: HashSet<usize>,
    secrets: HashSet<String>,
    /// Whether a mask has kept a stored key.
    keeps: bool,
    /// What was repaired in the key that was read last.
    said: Vec<&'static str>,
}

impl Chosen<'_> {
    /// The key that stands at `place`. What is wrong with it, or was repaired, is noted.
    fn read(&mut self, fields: &mut Fields, place: &str, value: &Value) -> Option<Arc<UpstreamKey>> {
        let key = self.key(value).map_err(|problem| fields.error(place, problem)).ok();
        for said in self.said.drain(..) {
            fields.warn(place, said);
        }
        key
    }

    fn key(&mut self, value: &Value) -> Result<Arc<UpstreamKey>, String> {
        let text = value.as_str().ok_or_else(|| format!("must be a text, not {}", kind(value)))?;
        let key = if text.contains(MASK_MARK) {
            self.masked(text.trim())?
        } else if let Some(file) = on_one_line(text) {
            self.plain(&file)?
        } else {
            let Pasted { key, said } = pasted::read(text)?;
            self.said = said;
            if key.is_empty() {
                return Err("must not be empty".to_owned());
            }
            self.plain(&key)?
        };
        if self.secrets.insert(key.secret.expose().to_owned()) {
            Ok(key)
        } else {
            Err("stands in the list already".to_owned())
        }
    }

    /// The stored key behind a mask. Where several keys look alike and the mask says no number, it means the first of
    /// them that has not been named yet.
    fn masked(&mut self, text: &str) -> Result<Arc<UpstreamKey>, String> {
        let position = (0..self.existing.len())
            .filter(|position| !self.taken.contains(position))
            .find(|position| self.masks[*position] == text || self.existing[*position].secret.mask() == text)
            .ok_or("is a mask, but of no stored key: send the key itself")?;
        self.taken.insert(position);
        self.keeps = true;
        Ok(Arc::clone(&self.existing[position]))
    }

    fn plain(&mut self, text: &str) -> Result<Arc<UpstreamKey>, String> {
        if text.len() > KEY_BYTES {
            return Err(format!("must not be longer than {KEY_BYTES} bytes"));
        }
        if HeaderValue::from_str(text).is_err() || !text.is_ascii() {
            return Err("holds characters that an HTTP header cannot carry".to_owned());
        }
        if let Some(position) = self.existing.iter().position(|key| key.secret.expose() == text) {
            self.taken.insert(position);
            return Ok(Arc::clone(&self.existing[position]));
        }
        Ok(Arc::new(UpstreamKey {
            id: new_id().into(),
            masked: mask(text).into(),
            secret: Secret::new(text),
            enabled: true,
            routing: UpstreamKeyRouting::default(),
        }))
    }
}

/// Notes the keys that do not have the form of the vendor's keys. The base URL matters because the form can depend on
/// it.
pub(super) fn check_keys(fields: &mut Fields, vendor: &Vendor, keys: &[Arc<UpstreamKey>], base_url: &str) {
    for (index, key) in keys.iter().enumerate() {
        if let Err(problem) = vendor.auth.key(key.secret.expose(), base_url) {
            fields.error(&format!("apiKeys[{index}]"), problem);
        }
    }
}

/// The key file of a service account, which is JSON over many lines, on one line. None for another key.
fn on_one_line(text: &str) -> Option<String> {
    serde_json::from_str::<Map<String, Value>>(text).ok().map(|file| Value::Object(file).to_string())
}

/// Sets up the keys as `upstreamKeys` says. An entry may name a key that `apiKeys` of the same body has just dropped,
/// and one that comes with its value may be new. Gives the places of the keys' own headers whose values are stored ones
/// that were not sent.
fn set_up(
    fields: &mut Fields,
    vendor: Option<&Vendor>,
    keys: &mut Vec<Arc<UpstreamKey>>,
    chosen: &mut Chosen<'_>,
) -> Vec<String> {
    let mut own_headers = OwnHeaders::default();
    for (index, value) in fields.list("upstreamKeys").unwrap_or_default().into_iter().enumerate() {
        let place = format!("upstreamKeys[{index}]");
        let Value::Object(entry) = value else {
            fields.error(&place, format!("must be an object, not {}", kind(&value)));
            continue;
        };
        let mut entry = Fields::named(format!("{place}."), entry, FIELDS);
        for name in READ_ONLY {
            entry.take(name);
        }
        let id = match entry.take("key") {
            Some(value) if !entry.has("id") => {
                let named = |key: &&Arc<UpstreamKey>| value.as_str() == Some(key.secret.expose());
                match keys.iter().find(named).cloned().or_else(|| {
                    let key = chosen.read(&mut entry, "key", &value)?;
                    keys.push(Arc::clone(&key));
                    Some(key)
                }) {
                    Some(key) => key.id.to_string(),
                    None => String::new(),
                }
            }
            Some(_) => {
                entry.error("key", "is given beside id: one of them names the key");
                String::new()
            }
            None => {
                let id = entry.required_text("id", ID_BYTES);
                if entry.is_fine() && !chosen.existing.iter().any(|key| *key.id == *id) {
                    entry.error("id", "is the id of no upstream key of this group; a new key comes with its key");
                }
                id
            }
        };
        let key = keys.iter_mut().find(|key| *key.id == *id);
        let before = key.as_deref().map(|key| key.routing.clone()).unwrap_or_default();
        let (own, kept) = read_own(&mut entry, vendor, before.own.as_deref());
        own_headers.of_entry(&id, &place, &kept);
        let routing = UpstreamKeyRouting { own, ..read_key_routing(&mut entry, &before) };
        let enabled = if entry.has("enabled") { Some(entry.boolean("enabled", true)) } else { None };
        if let Some(key) = key {
            let enabled = enabled.unwrap_or(key.enabled);
            *key = Arc::new(UpstreamKey { enabled, routing, ..UpstreamKey::clone(key) });
        }
        fields.absorb(entry);
    }
    own_headers.kept(keys)
}
