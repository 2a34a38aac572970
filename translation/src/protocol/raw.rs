//! Edits within JSON that passes: lists and objects of which only what is edited is read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::quoted;

/// An object, its values as they stand.
pub(super) struct RawObject<'a>(pub(super) Vec<(Cow<'a, str>, &'a str)>);

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Key(name), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    fields.push((name, value.get()));
                }
                Ok(RawObject(fields))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'a> RawObject<'a> {
    /// The object that `text` is.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text of the field of that name.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// The string in the field of that name.
    pub(super) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.get(name)?)
    }
}

/// The string that `text` is.
pub(super) fn string(text: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Key<'_>>(text).ok().map(|Key(text)| text)
}

/// The elements of the list that `text` is, as they stand.
pub(super) fn list(text: &str) -> Option<Vec<&str>> {
    let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(list.into_iter().map(RawValue::get).collect())
}

/// What becomes of a value.
pub(super) enum Edit {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
    /// It becomes this JSON text.
    Set(String),
}

impl Edit {
    /// What `value` becomes: None where it goes. Notes in `changed` that it does not stay.
    fn apply<'v>(self, value: &'v str, changed: &mut bool) -> Option<Cow<'v, str>> {
        *changed |= !matches!(self, Self::Keep);
        match self {
            Self::Keep => Some(Cow::Borrowed(value)),
            Self::Remove => None,
            Self::Set(value) => Some(Cow::Owned(value)),
        }
    }
}

/// The object with its fields edited. None where all stay.
pub(super) fn edit_object(object: &RawObject<'_>, mut edit: impl FnMut(&str, &str) -> Edit) -> Option<String> {
    let mut changed = false;
    let mut out = String::from("{");
    for (name, value) in &object.0 {
        let Some(value) = edit(name, value).apply(value, &mut changed) else { continue };
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&quoted(name));
        out.push(':');
        out.push_str(&value);
    }
    out.push('}');
    changed.then_some(out)
}

/// The list with its elements edited. None where all stay.
pub(super) fn edit_list(list: &[&str], mut edit: impl FnMut(&str) -> Edit) -> Option<String> {
    let mut changed = false;
    let mut out = String::from("[");
    for value in list {
        let Some(value) = edit(value).apply(value, &mut changed) else { continue };
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&value);
    }
    out.push(']');
    changed.then_some(out)
}
