//! The settings of a group that say how its requests are translated: streams, fields that a provider cannot express,
//! facts of models, and the version of the provider's API.

use std::sync::Arc;

use serde_json::{Map, Value};
use shared::snapshot::{UnsupportedParameters, UpstreamStream};
use translation::facts::Facts;
use translation::vendors::{self, Vendor};

use crate::admin::bounds::MODEL_BYTES;
use crate::web::fields::{Fields, camel_case, text_problem};

/// Longest `apiVersion`, in bytes.
const VERSION_BYTES: usize = 64;

/// The most rows that `modelFacts` may have.
const FACTS: usize = 1000;

pub(super) struct Translating {
    pub(super) upstream_stream: UpstreamStream,
    pub(super) unsupported_parameters: UnsupportedParameters,
    pub(super) model_facts: Map<String, Value>,
    pub(super) api_version: Option<Arc<str>>,
}

pub(super) fn read_translating(fields: &mut Fields, vendor: Option<&Vendor>) -> Translating {
    let unsupported =
        fields.name_of("unsupportedParameters", UnsupportedParameters::NAMES, UnsupportedParameters::from_name);
    Translating {
        upstream_stream: read_stream(fields),
        unsupported_parameters: unsupported.unwrap_or_default(),
        model_facts: read_facts(fields),
        api_version: read_version(fields, vendor),
    }
}

/// Reads `upstreamStream`, or the older name of one of its values: `fakeStreaming` means `never`.
fn read_stream(fields: &mut Fields) -> UpstreamStream {
    let fake = fields.flag("fakeStreaming");
    let stream = fields.name_of("upstreamStream", UpstreamStream::NAMES, UpstreamStream::from_name);
    match (stream, fake) {
        (Some(stream), Some(fake)) if fake != (stream == UpstreamStream::Never) => {
            let given = stream.as_str();
            let meaning = if fake { "means" } else { "excludes" };
            fields.error("fakeStreaming", format!("{fake} {meaning} upstreamStream \"never\", but that is {given:?}"));
            stream
        }
        (Some(stream), _) => stream,
        (None, Some(true)) => UpstreamStream::Never,
        (None, _) => UpstreamStream::default(),
    }
}

fn read_facts(fields: &mut Fields) -> Map<String, Value> {
    let mut rows = Map::new();
    let given = fields.object("modelFacts").unwrap_or_default();
    if given.len() > FACTS {
        fields.error("modelFacts", format!("must not have more than {FACTS} rows"));
        return rows;
    }
    for (name, facts) in given {
        let field = format!("modelFacts[{name}]");
        let blank = name.trim().is_empty().then(|| "must not be empty".to_owned());
        if let Some(problem) = blank.or_else(|| text_problem(&name, MODEL_BYTES)) {
            fields.error(&field, problem);
            continue;
        }
        let facts = match facts {
            Value::Object(facts) => facts.into_iter().map(|(fact, value)| (camel_case(&fact), value)).collect(),
            other => other,
        };
        match Facts::built_in().of(&name).changed(&facts) {
            Ok(_) => {
                rows.insert(name, facts);
            }
            Err(error) => fields.error(&field, error.to_string()),
        }
    }
    rows
}

fn read_version(fields: &mut Fields, vendor: Option<&Vendor>) -> Option<Arc<str>> {
    let version = fields.text("apiVersion", VERSION_BYTES)?;
    let version = version.trim();
    if version.is_empty() {
        return None;
    }
    if vendor.is_some_and(|vendor| !vendor.takes_api_version()) {
        let versioned = vendors::all().iter().filter(|vendor| vendor.takes_api_version());
        let names: Vec<&str> = versioned.map(|vendor| vendor.name).collect();
        fields.error("apiVersion", format!("has a meaning for {} only", names.join(" and ")));
    }
    Some(version.into())
}

/// Removes from `readable`, the group before `patch`, the setting that `patch` changes by its other name.
pub(super) fn keep_agreeing(readable: &mut Value, patch: &Map<String, Value>, before: UpstreamStream) {
    let Value::Object(readable) = readable else { return };
    if patch.contains_key("upstreamStream") {
        readable.remove("fakeStreaming");
    } else if let Some(fake) = patch.get("fakeStreaming") {
        // A `fakeStreaming` that was false and stays false says nothing of the other two values.
        if fake.as_bool().unwrap_or_default() != (before == UpstreamStream::Never) {
            readable.remove("upstreamStream");
        }
    }
}

/// Moves the rows of `modelFacts` from `patch` into `readable`, each as a whole. They are not merged, because null in a
/// row is a fact and does not mean that the fact is absent.
pub(super) fn merge_rows(readable: &mut Value, patch: &mut Map<String, Value>) {
    if !patch.get("modelFacts").is_some_and(Value::is_object) {
        return;
    }
    let Some(Value::Object(rows)) = patch.remove("modelFacts") else { return };
    let Some(Value::Object(facts)) = readable.get_mut("modelFacts") else { return };
    for (name, row) in rows {
        if row.is_null() {
            facts.remove(&name);
        } else {
            facts.insert(name, row);
        }
    }
}
