//! What ties the fields of a resource together: what its JSON may hold, what the OpenAPI document says of it, and what
//! is shown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use utoipa::PartialSchema;

use crate::web::fields::Known;

/// The fields of a resource as each part of it has them.
pub(super) struct Fields<'a> {
    /// What a body may hold.
    pub(super) accepted: &'a [Known],
    /// Those of `accepted` that a body may hold only so that what was read can be sent back.
    pub(super) read_only: &'a [&'a str],
    /// The properties of the schema of a body.
    pub(super) documented: BTreeMap<String, Value>,
    /// The properties of the schema of an answer.
    pub(super) documented_as_shown: BTreeMap<String, Value>,
    /// An answer.
    pub(super) shown: Value,
}

/// The properties of the schema of `T`, by name.
pub(super) fn properties<T: PartialSchema>() -> BTreeMap<String, Value> {
    let schema = serde_json::to_value(T::schema()).unwrap();
    serde_json::from_value(schema["properties"].clone()).unwrap()
}

impl Fields<'_> {
    /// Fails where a part lacks a field that the others have, or documents another type of it.
    pub(super) fn check(&self) {
        let names = |names: &mut dyn Iterator<Item = String>| -> BTreeSet<String> { names.collect() };
        let accepted = names(&mut self.accepted.iter().map(|known| known.name.to_owned()));
        let documented = names(&mut self.documented.keys().cloned());
        let read_only = names(&mut self.read_only.iter().map(|name| (*name).to_owned()));
        let shown = names(&mut self.shown.as_object().unwrap().keys().cloned());
        assert_eq!(&documented | &read_only, accepted, "documented for a body (left) and accepted in one (right)");
        assert!(documented.is_disjoint(&read_only), "{documented:?} are documented, {read_only:?} are only read");
        assert_eq!(shown, accepted, "shown (left) and accepted (right)");
        let documented_as_shown = names(&mut self.documented_as_shown.keys().cloned());
        assert_eq!(documented_as_shown, shown, "documented for an answer (left) and shown in one (right)");
        for (name, schema) in &self.documented {
            let as_shown = &self.documented_as_shown[name];
            assert_eq!(types(schema), types(as_shown), "{name} is documented as {schema} and shown as {as_shown}");
        }
    }

    /// Fails where a documented field is accepted and then not read: `bad_fields` names the bad fields of a body that
    /// holds, beside what is required, the field with a value of the wrong type.
    pub(super) fn check_each_is_read(&self, bad_fields: impl Fn(&str, Value) -> Vec<String>) {
        for name in self.documented.keys().filter(|name| *name != "updatedAt") {
            let bad = bad_fields(name, json!([[]]));
            assert!(bad.iter().any(|bad| bad.starts_with(name)), "{name} is not read, or not checked: {bad:?}");
        }
    }

    /// Fails where a field is not shown as it was written, or has no sample. A sample is what is written and what is
    /// then shown; `shown` makes a resource of what is written.
    pub(super) fn check_each_is_kept(
        &self,
        samples: &[(&str, Value, Value)],
        unwritten: &[&str],
        shown: impl Fn(&str, Value) -> Value,
    ) {
        let have: BTreeSet<&str> = samples.iter().map(|(name, ..)| *name).chain(unwritten.iter().copied()).collect();
        assert_eq!(have, self.documented.keys().map(String::as_str).collect(), "each field needs a sample");
        for (name, written, expected) in samples {
            assert_eq!(shown(name, written.clone())[name], *expected, "{name}");
        }
    }
}

/// The types that a schema allows, apart from null. None where it refers to another schema.
fn types(schema: &Value) -> Option<BTreeSet<&str>> {
    let types: BTreeSet<&str> = match &schema["type"] {
        Value::String(one) => [one.as_str()].into(),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    Some(types.into_iter().filter(|name| *name != "null").collect())
}
