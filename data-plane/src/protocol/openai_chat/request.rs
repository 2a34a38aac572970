//! A chat request as bytes: which top-level fields it has and where, and edits to some that leave every other byte as it is.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::GatewayError;

/// What routing reads of a chat request.
#[derive(Debug)]
pub struct ChatRequest<'b> {
    body: &'b Bytes,
    fields: Vec<Field<'b>>,
    /// The model, as the client named it.
    pub model: Cow<'b, str>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether a stream is to end with a count of tokens.
    pub include_usage: bool,
    /// Whether the model may call tools.
    pub has_tools: bool,
}

/// A top-level field.
#[derive(Debug)]
struct Field<'b> {
    name: Cow<'b, str>,
    /// Its value, as it stands in the body.
    value: &'b str,
}

/// Fields that no body may hold twice: which one counts differs between JSON parsers, so that the gateway could allow one model
/// and the provider run the other.
const ONCE: &[&str] = &["model", "stream", "stream_options"];

/// Either of these is the limit of the answer's length; a request may hold one.
const LENGTH_LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// Longest name of a model, in bytes; that of config, too.
const LONGEST_MODEL: usize = 256;

impl<'b> ChatRequest<'b> {
    /// Reads `body`.
    ///
    /// # Errors
    /// [`GatewayError::Json`] with line and column, [`GatewayError::Field`] for a field of the wrong type.
    pub fn read(body: &'b Bytes) -> Result<Self, GatewayError> {
        let Fields(fields) = serde_json::from_slice(body).map_err(shape_error)?;
        for name in ONCE {
            if fields.iter().filter(|field| field.name == *name).count() > 1 {
                return Err(invalid(name, format!("the field '{name}' stands twice in the request")));
            }
        }
        let find = |name: &str| fields.iter().find(|field| field.name == name).map(|field| field.value);
        let model = find("model").filter(|value| *value != "null").ok_or_else(|| {
            invalid("model", "the field 'model' is missing: name a model, GET /v1/models lists them".to_owned())
        })?;
        let model: Text<'b> = serde_json::from_str(model)
            .map_err(|_| invalid("model", format!("the field 'model' must be a string, not {}", kind(model))))?;
        if model.0.len() > LONGEST_MODEL {
            let problem = format!("the field 'model' is longer than {LONGEST_MODEL} bytes: no model has such a name");
            return Err(invalid("model", problem));
        }
        let stream = match find("stream") {
            Some("true") => true,
            None | Some("false" | "null") => false,
            Some(other) => {
                return Err(invalid(
                    "stream",
                    format!("the field 'stream' must be true or false, not {}", kind(other)),
                ));
            }
        };
        let include_usage = match find("stream_options") {
            None | Some("null") => false,
            Some(value) => serde_json::from_str::<StreamOptions>(value)
                .map_err(|error| invalid("stream_options", format!("the field 'stream_options' is wrong: {error}")))?
                .include_usage
                .unwrap_or_default(),
        };
        let has_tools =
            ["tools", "functions"].into_iter().filter_map(find).any(|value| !matches!(value, "null" | "[]"));
        Ok(Self { body, model: model.0, stream, include_usage, has_tools, fields })
    }

    /// The body to send: with the vendor's name of the model, config's fields, and, where `ask_for_usage`, the wish that a stream
    /// ends with a count of tokens. Without an edit it is the client's, uncopied.
    pub fn edited(
        &self,
        upstream_model: &str,
        defaults: &[(String, String)],
        overrides: &[(String, String)],
        ask_for_usage: bool,
    ) -> Bytes {
        let mut edits = Vec::new();
        let mut added = Vec::new();
        if upstream_model != self.model {
            self.set("model", quoted(upstream_model), &mut edits, &mut added);
        }
        for (name, value) in overrides {
            self.set(name, Cow::Borrowed(value), &mut edits, &mut added);
        }
        for (name, value) in defaults {
            let limits_length = LENGTH_LIMITS.contains(&name.as_str());
            let given = |name: &str| self.has(name) || overrides.iter().any(|(set, _)| set == name);
            let superseded = limits_length && LENGTH_LIMITS.iter().any(|other| given(other));
            if !given(name) && !superseded {
                added.push((name, Cow::Borrowed(value)));
            }
        }
        if ask_for_usage && self.stream && !self.include_usage {
            self.set("stream_options", self.asking_for_usage(), &mut edits, &mut added);
        }
        if edits.is_empty() && added.is_empty() { self.body.clone() } else { self.splice(edits, &added) }
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    fn set<'e>(
        &self,
        name: &'e str,
        value: Cow<'e, str>,
        edits: &mut Vec<(Range<usize>, Cow<'e, str>)>,
        added: &mut Vec<(&'e str, Cow<'e, str>)>,
    ) {
        let mut found = false;
        for field in self.fields.iter().filter(|field| field.name == name) {
            edits.push((self.span(field.value), value.clone()));
            found = true;
        }
        if !found {
            added.push((name, value));
        }
    }

    /// The client's stream options, with `include_usage` set.
    fn asking_for_usage(&self) -> Cow<'static, str> {
        const ASKING: &str = r#"{"include_usage":true}"#;
        let given = self.fields.iter().find(|field| field.name == "stream_options");
        let Some(Ok(mut options)) = given.map(|field| serde_json::from_str::<serde_json::Map<_, _>>(field.value))
        else {
            return ASKING.into();
        };
        options.insert("include_usage".to_owned(), true.into());
        serde_json::Value::Object(options).to_string().into()
    }

    /// Where `value` stands in the body that it was read from.
    fn span(&self, value: &str) -> Range<usize> {
        let start = value.as_ptr().addr() - self.body.as_ptr().addr();
        start..start + value.len()
    }

    fn splice(&self, mut edits: Vec<(Range<usize>, Cow<'_, str>)>, added: &[(&str, Cow<'_, str>)]) -> Bytes {
        edits.sort_by_key(|(range, _)| range.start);
        let more: usize = edits.iter().map(|(_, value)| value.len()).sum();
        let more = more + added.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>();
        let mut body = Vec::with_capacity(self.body.len() + more);
        let mut copied = 0;
        for (range, value) in edits {
            body.extend_from_slice(&self.body[copied..range.start]);
            body.extend_from_slice(value.as_bytes());
            copied = range.end;
        }
        // A request has a model, so there is a last field to add to.
        let end = self.fields.last().map_or(copied, |field| self.span(field.value).end).max(copied);
        body.extend_from_slice(&self.body[copied..end]);
        for (name, value) in added {
            body.push(b',');
            body.extend_from_slice(quoted(name).as_bytes());
            body.push(b':');
            body.extend_from_slice(value.as_bytes());
        }
        body.extend_from_slice(&self.body[end..]);
        body.into()
    }
}

fn quoted(text: &str) -> Cow<'static, str> {
    serde_json::Value::from(text).to_string().into()
}

fn invalid(param: &'static str, message: String) -> GatewayError {
    GatewayError::Field { param, message }
}

fn shape_error(error: serde_json::Error) -> GatewayError {
    if error.is_data() {
        GatewayError::Field { param: "body", message: format!("the request body must be a JSON object: {error}") }
    } else {
        GatewayError::Json(error)
    }
}

/// What a JSON value is, for messages.
fn kind(value: &str) -> &'static str {
    match value.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "a truth value",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
    #[serde(flatten)]
    _others: IgnoredAny,
}

/// A string that borrows where it holds no escapes.
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
