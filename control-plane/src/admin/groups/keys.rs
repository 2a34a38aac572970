//! The upstream keys of a group. A new secret is a new key; a mask keeps the key that it stands for.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::HeaderValue;
use serde_json::{Map, Value};
use shared::ids::new_id;
use shared::secret::{Secret, mask};
use shared::snapshot::UpstreamKey;
use translation::vendors::Vendor;
use utoipa::ToSchema;

use super::pasted::{self, Pasted};
use super::view::masks;
use crate::admin::bounds::ID_BYTES;
use crate::web::fields::{Fields, Known, MASK_MARK, kind};

pub(super) const FIELDS: &[Known] = &[Known::new("id"), Known::new("enabled"), Known::new("masked")];

/// Longest upstream key, in bytes.
const KEY_BYTES: usize = 8192;

/// Switches a stored upstream key.
#[derive(Debug, ToSchema)]
pub struct UpstreamKeyBody {
    /// Id of the key.
    pub id: String,
    /// Whether it may be used.
    pub enabled: bool,
}

/// The keys of a group as it is written.
pub(super) struct WrittenKeys {
    pub(super) keys: Vec<Arc<UpstreamKey>>,
    /// Whether a stored key is among them whose value was not sent.
    pub(super) keeps: bool,
}

pub(super) fn read_keys(fields: &mut Fields, existing: &[Arc<UpstreamKey>]) -> WrittenKeys {
    let (keys, keeps) = match fields.list("apiKeys") {
        None => (existing.to_vec(), !existing.is_empty()),
        Some(list) => {
            let mut chosen = Chosen {
                masks: masks(existing),
                existing,
                taken: HashSet::new(),
                secrets: HashSet::new(),
                keeps: false,
                said: Vec::new(),
            };
            let mut keys = Vec::with_capacity(list.len());
            for (index, value) in list.iter().enumerate() {
                let place = format!("apiKeys[{index}]");
                match chosen.key(value) {
                    Ok(key) => keys.push(key),
                    Err(problem) => fields.error(&place, problem),
                }
                for said in chosen.said.drain(..) {
                    fields.warn(&place, said);
                }
            }
            (keys, chosen.keeps)
        }
    };
    WrittenKeys { keys: switch(fields, keys, existing), keeps }
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

/// Sets `enabled` of the keys as `upstreamKeys` says. An entry may name a key that `apiKeys` of the same body has just
/// dropped.
fn switch(
    fields: &mut Fields,
    mut keys: Vec<Arc<UpstreamKey>>,
    existing: &[Arc<UpstreamKey>],
) -> Vec<Arc<UpstreamKey>> {
    for (index, value) in fields.list("upstreamKeys").unwrap_or_default().into_iter().enumerate() {
        let place = format!("upstreamKeys[{index}]");
        let Value::Object(entry) = value else {
            fields.error(&place, format!("must be an object, not {}", kind(&value)));
            continue;
        };
        let mut entry = Fields::named(format!("{place}."), entry, FIELDS);
        entry.take("masked");
        let id = entry.required_text("id", ID_BYTES);
        let enabled = entry.boolean("enabled", true);
        if entry.is_fine() && !existing.iter().any(|key| *key.id == *id) {
            entry.error("id", "is the id of no upstream key of this group; new keys go into apiKeys");
        }
        if let Some(key) = keys.iter_mut().find(|key| *key.id == *id && key.enabled != enabled) {
            *key = Arc::new(UpstreamKey { enabled, ..UpstreamKey::clone(key) });
        }
        fields.absorb(entry);
    }
    keys
}
