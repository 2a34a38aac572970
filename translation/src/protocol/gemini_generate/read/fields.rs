//! Reads the fields of a client's request, and names the one that is wrong.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ir::TranslateError;
use crate::json::Json;

/// The body of a request.
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    /// The fields of the body.
    pub(super) fn top(&self) -> Result<Fields<'a>, TranslateError> {
        serde_json::from_slice(self.0).map_err(|error| self.fault(0, &error))
    }

    /// Reads a value that stands in the body.
    pub(super) fn read<'v, T: Deserialize<'v>>(&self, value: &'v RawValue) -> Result<T, TranslateError> {
        serde_json::from_str(value.get()).map_err(|error| self.fault(self.place(value), &error))
    }

    /// An error about `value`.
    pub(super) fn invalid(&self, value: &RawValue, message: &str) -> TranslateError {
        let path = path(self.0, self.place(value));
        TranslateError::invalid(path.clone(), format!("Invalid value at '{path}': {message}"))
    }

    /// The value is a piece of the body, so the distance between their beginnings is its place.
    fn place(&self, value: &RawValue) -> usize {
        value.get().as_ptr().addr().saturating_sub(self.0.as_ptr().addr())
    }

    fn fault(&self, start: usize, error: &serde_json::Error) -> TranslateError {
        let lines = self.0.get(start..).unwrap_or_default().split_inclusive(|byte| *byte == b'\n');
        let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
        let path = path(self.0, start + before + error.column());
        let words = error.to_string();
        let words = words.rsplit_once(" at line ").map_or(&*words, |(words, _)| words);
        let (message, param) = if error.is_data() && !path.is_empty() {
            (format!("Invalid value at '{path}': {words}"), Some(path))
        } else {
            (format!("Invalid JSON payload received: {error}"), None)
        };
        TranslateError { param, ..TranslateError::invalid("", message) }
    }
}

enum Step {
    Field(Option<String>),
    Element(usize),
}

/// The path of the value at which a reader has come that has read `end` bytes of `json`.
fn path(json: &[u8], end: usize) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut at = 0;
    let mut is_key = false;
    while at < end.min(json.len()) {
        match json[at] {
            b'"' => {
                let length = text_length(&json[at..]);
                if is_key && let Some(Step::Field(name)) = steps.last_mut() {
                    *name = serde_json::from_slice(&json[at..at + length]).ok();
                    is_key = false;
                }
                at += length;
                continue;
            }
            b'{' => {
                steps.push(Step::Field(None));
                is_key = true;
            }
            b'[' => steps.push(Step::Element(0)),
            b'}' | b']' => {
                steps.pop();
            }
            b',' => match steps.last_mut() {
                Some(Step::Element(place)) => *place += 1,
                Some(Step::Field(name)) => {
                    *name = None;
                    is_key = true;
                }
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for step in steps {
        let _ = match step {
            Step::Field(Some(name)) if path.is_empty() => write!(path, "{name}"),
            Step::Field(Some(name)) => write!(path, ".{name}"),
            Step::Element(place) => write!(path, "[{place}]"),
            Step::Field(None) => Ok(()),
        };
    }
    path
}

/// The length of the text that `json` begins with.
fn text_length(json: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in json.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

/// The fields of an object by their camelCase names. Those that are null are left out.
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                #[derive(Deserialize)]
                struct Name<'n>(#[serde(borrow)] Cow<'n, str>);
                let mut fields = Vec::with_capacity(8);
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    if value.get() != "null" {
                        fields.push((camel(name), value));
                    }
                }
                Ok(Fields(fields))
            }
        }
        value.deserialize_map(Of)
    }
}

/// `name` in camelCase.
pub(in super::super) fn camel(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.trim_start_matches('_').contains('_') {
        return match name.strip_prefix('_') {
            // `_responseJsonSchema`, as an SDK writes it.
            Some(bare) => Cow::Owned(bare.to_owned()),
            None => name,
        };
    }
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        camel.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    Cow::Owned(camel)
}

/// A text.
#[derive(Deserialize)]
pub(super) struct Text(pub(super) String);

/// A word of an enumeration.
pub(super) type Word = Text;

/// Reads a number, or a text that is one.
struct Number;

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    #[expect(clippy::cast_precision_loss, reason = "a measure, not a count")]
    fn visit_u64<E>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "a measure, not a count")]
    fn visit_i64<E>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_f64<E>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A real number.
pub(super) struct Real(pub(super) f64);

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(Number).map(Self)
    }
}

/// A whole number.
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Of;
        impl Visitor<'_> for Of {
            type Value = i64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_i64<E>(self, number: i64) -> Result<i64, E> {
                Ok(number)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
                i64::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
                if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
                    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
                    Ok(number as i64)
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(number), &self))
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        value.deserialize_any(Of).map(Self)
    }
}

/// `value` as it stands.
pub(super) fn json(value: &RawValue) -> Json {
    Json::of(value)
}

/// The fields of `value`, which has to be an object.
pub(super) fn fields<'a>(body: &Body<'a>, value: &'a RawValue) -> Result<Fields<'a>, TranslateError> {
    body.read(value)
}
