//! A JSON object as bytes: which fields it has and where, and edits to some fields that leave every other byte as it
//! is.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::ir::TranslateError;
use crate::json::quoted;

mod alike;

pub use alike::alike;

/// A JSON object as it stands in a body.
#[derive(Debug)]
pub struct Object<'b> {
    body: &'b Bytes,
    fields: Vec<Field<'b>>,
}

/// The most fields that an object may have. The largest request of any API has some dozen.
const MOST_FIELDS: usize = 1000;

/// A top-level field.
#[derive(Debug)]
struct Field<'b> {
    name: Cow<'b, str>,
    /// The field's value, as it stands in the body.
    value: &'b str,
}

/// Why a body cannot be read as a JSON object.
#[derive(Debug)]
pub enum ReadError {
    /// The body is not JSON. The error tells line and column.
    Json(serde_json::Error),
    /// The body is JSON, but no object.
    Shape(TranslateError),
}

impl<'b> Object<'b> {
    /// Reads `body`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(body: &'b Bytes) -> Result<Self, ReadError> {
        let Fields(fields) = serde_json::from_slice(body).map_err(|error| {
            if error.is_data() {
                let message = format!("the request body must be a JSON object: {error}");
                ReadError::Shape(TranslateError::invalid("body", message))
            } else {
                ReadError::Json(error)
            }
        })?;
        Ok(Self { body, fields })
    }

    /// The text of a field's value: of the first, where there are two of the name. `null` is a value.
    pub fn get(&self, name: &str) -> Option<&'b str> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value)
    }

    /// The names of all fields with the text of their values, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &'b str)> {
        self.fields.iter().map(|field| (&*field.name, field.value))
    }

    /// The text of a field's value, unless it is `null`.
    pub fn non_null(&self, name: &str) -> Option<&'b str> {
        self.get(name).filter(|value| *value != "null")
    }

    /// The value of a field that holds a string.
    ///
    /// # Errors
    /// When the field is there and holds something else.
    pub fn string(&self, name: &'static str) -> Result<Option<Cow<'b, str>>, TranslateError> {
        let Some(value) = self.non_null(name) else { return Ok(None) };
        let text: Result<Text<'b>, _> = serde_json::from_str(value);
        let wrong =
            |_| TranslateError::invalid(name, format!("the field '{name}' must be a string, not {}", kind(value)));
        text.map(|text| Some(text.0)).map_err(wrong)
    }

    /// The value of a field that holds a truth value. An absent field is false.
    ///
    /// # Errors
    /// When the field is there and holds something else.
    pub fn flag(&self, name: &'static str) -> Result<bool, TranslateError> {
        match self.non_null(name) {
            Some("true") => Ok(true),
            None | Some("false") => Ok(false),
            Some(other) => Err(TranslateError::invalid(
                name,
                format!("the field '{name}' must be true or false, not {}", kind(other)),
            )),
        }
    }

    /// Refuses an object that readers of JSON may understand differently: one with two fields of a name, or with a
    /// field whose name differs from one of `decisive` only in ways that some readers pass over, such as case.
    ///
    /// # Errors
    /// [`TranslateError`], naming the field.
    pub fn unambiguous(&self, decisive: &[&'static str]) -> Result<(), TranslateError> {
        alike::check(self.fields.iter().map(|field| &*field.name), decisive)
    }

    /// Whether the object has a field that some reader takes for one of `names`.
    pub fn has_any_like(&self, names: &[&str]) -> bool {
        self.fields.iter().any(|field| names.iter().any(|name| alike(&field.name, name)))
    }

    /// Begins to edit the object.
    pub fn edit(&self) -> Edits<'_, 'b> {
        Edits { object: self, replaced: Vec::new(), added: Vec::new(), removed: Vec::new() }
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Where `value` stands in the body that it was read from.
    fn span(&self, value: &str) -> Range<usize> {
        let start = value.as_ptr().addr() - self.body.as_ptr().addr();
        start..start + value.len()
    }
}

/// A piece of an edited body.
enum Piece<'p> {
    /// A part of the body as it was.
    Own(Range<usize>),
    /// What an edit puts there.
    Edit(&'p str),
}

/// Edits to an object. Without an edit the result is the client's body, uncopied.
#[derive(Debug)]
pub struct Edits<'o, 'b> {
    object: &'o Object<'b>,
    replaced: Vec<(Range<usize>, Cow<'o, str>)>,
    added: Vec<(&'o str, Cow<'o, str>)>,
    removed: Vec<&'o str>,
}

impl<'o> Edits<'o, '_> {
    /// Sets a field to `value`, a JSON text.
    pub fn set(&mut self, name: &'o str, value: impl Into<Cow<'o, str>>) {
        let value = value.into();
        let mut found = false;
        for field in self.object.fields.iter().filter(|field| field.name == name) {
            let span = self.object.span(field.value);
            self.replaced.retain(|(range, _)| *range != span);
            self.replaced.push((span, value.clone()));
            found = true;
        }
        if !found {
            self.added.retain(|(added, _)| *added != name);
            self.added.push((name, value));
        }
    }

    /// Sets a field to a string.
    pub fn set_string(&mut self, name: &'o str, value: &str) {
        self.set(name, quoted(value));
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &'o str) {
        if self.object.has(name) {
            self.removed.push(name);
        }
        self.added.retain(|(added, _)| *added != name);
    }

    /// Removes the fields whose names some readers take for `name`, and which are spelled otherwise.
    pub fn remove_lookalikes(&mut self, name: &str) {
        for field in &self.object.fields {
            if field.name != name && alike(&field.name, name) {
                self.removed.push(&field.name);
            }
        }
    }

    /// Whether the field is there after the edits.
    pub fn has(&self, name: &str) -> bool {
        let there = self.object.has(name) && !self.removed.contains(&name);
        there || self.added.iter().any(|(added, _)| *added == name)
    }

    /// The body after the edits.
    pub fn apply(self) -> Bytes {
        if !self.removed.is_empty() {
            return self.rebuilt();
        }
        if self.replaced.is_empty() && self.added.is_empty() { self.object.body.clone() } else { self.spliced() }
    }

    /// The body after the edits, in pieces, of which those that are not edited are the client's own, uncopied.
    pub fn apply_in_pieces(self) -> Vec<Bytes> {
        if !self.removed.is_empty() || (self.replaced.is_empty() && self.added.is_empty()) {
            return vec![self.apply()];
        }
        let source = self.object.body.clone();
        let mut pieces = Vec::new();
        self.splice(|piece| {
            pieces.push(match piece {
                Piece::Own(range) => source.slice(range),
                Piece::Edit(text) => Bytes::copy_from_slice(text.as_bytes()),
            });
        });
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    fn spliced(self) -> Bytes {
        let source = self.object.body;
        let more: usize = self.replaced.iter().map(|(_, value)| value.len()).sum();
        let more = more + self.added.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>();
        let mut body = Vec::with_capacity(source.len() + more);
        self.splice(|piece| match piece {
            Piece::Own(range) => body.extend_from_slice(&source[range]),
            Piece::Edit(text) => body.extend_from_slice(text.as_bytes()),
        });
        body.into()
    }

    /// Gives the pieces of the body after the edits, in their order.
    fn splice(mut self, mut put: impl FnMut(Piece<'_>)) {
        let source = self.object.body;
        self.replaced.sort_by_key(|(range, _)| range.start);
        let mut copied = 0;
        for (range, value) in self.replaced {
            put(Piece::Own(copied..range.start));
            put(Piece::Edit(&value));
            copied = range.end;
        }
        let last = self.object.fields.last().map(|field| self.object.span(field.value).end);
        // An object without a field gets the new ones behind its opening brace.
        let end = last.or_else(|| source.iter().position(|byte| *byte == b'{').map(|at| at + 1));
        let end = end.unwrap_or(copied).max(copied);
        put(Piece::Own(copied..end));
        for (at, (name, value)) in self.added.iter().enumerate() {
            if at > 0 || last.is_some() {
                put(Piece::Edit(","));
            }
            put(Piece::Edit(&quoted(name)));
            put(Piece::Edit(":"));
            put(Piece::Edit(value));
        }
        put(Piece::Own(end..source.len()));
    }

    /// The remaining fields, written anew.
    fn rebuilt(self) -> Bytes {
        let mut body = Vec::with_capacity(self.object.body.len());
        let left = self.object.fields.iter().filter(|field| !self.removed.iter().any(|name| field.name == *name));
        let left = left.map(|field| {
            let span = self.object.span(field.value);
            let replaced = self.replaced.iter().find(|(range, _)| *range == span);
            (&*field.name, replaced.map_or(field.value, |(_, value)| value))
        });
        for (name, value) in left.chain(self.added.iter().map(|(name, value)| (*name, &**value))) {
            body.push(if body.is_empty() { b'{' } else { b',' });
            body.extend_from_slice(quoted(name).as_bytes());
            body.push(b':');
            body.extend_from_slice(value.as_bytes());
        }
        if body.is_empty() {
            body.push(b'{');
        }
        body.push(b'}');
        body.into()
    }
}

/// What kind of JSON value `value` is, for messages.
pub fn kind(value: &str) -> &'static str {
    match value.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "a truth value",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A string, borrowed where it holds no escapes.
struct Text<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Visit)
    }
}

struct Fields<'b>(Vec<Field<'b>>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    if fields.len() == MOST_FIELDS {
                        return Err(de::Error::custom(format!("it has more than {MOST_FIELDS} fields")));
                    }
                    fields.push(Field { name, value: value.get() });
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

#[cfg(test)]
mod tests;
