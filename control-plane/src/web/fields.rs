//! Reads the fields of a JSON object and collects everything that is wrong with them, so that a client learns it all at
//! once.
//!
//! Names are in camelCase; snake_case is accepted too. `null` means the same as an absent field.

use serde_json::{Map, Value};

use super::warnings::FieldWarning;
use crate::error::{ApiError, FieldError};

/// The part of a text that marks it as a mask. A secret that holds it could not be told from a mask.
pub(crate) const MASK_MARK: &str = "****";

/// The earliest time that is accepted as a number, 2001-01-01, in epoch milliseconds. A smaller number is meant in
/// another unit, most likely in seconds.
const EARLIEST_MS: i64 = 978_307_200_000;

/// A field that a request may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Name of the field in answers.
    pub(crate) name: &'static str,
    /// Other names under which the field is accepted.
    pub(crate) aliases: &'static [&'static str],
}

impl Known {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, aliases: &[] }
    }

    pub(crate) const fn also(name: &'static str, aliases: &'static [&'static str]) -> Self {
        Self { name, aliases }
    }
}

/// The fields of an object, under the names that answers have, and what has been found wrong with them so far.
#[derive(Debug)]
pub(crate) struct Fields {
    /// Stands in front of each name in messages, such as `proxyConfig.`.
    prefix: String,
    values: Map<String, Value>,
    errors: Vec<FieldError>,
    /// What was repaired.
    warnings: Vec<FieldWarning>,
}

impl Fields {
    /// The fields of a request body.
    pub(crate) fn of(body: Value, known: &[Known]) -> Result<Self, ApiError> {
        match body {
            Value::Object(values) => Ok(Self::named(String::new(), values, known)),
            other => Err(ApiError::Malformed(format!("the body must be a JSON object, not {}", kind(&other)))),
        }
    }

    /// The fields of a nested object.
    pub(crate) fn named(prefix: String, given: Map<String, Value>, known: &[Known]) -> Self {
        let mut fields = Self { prefix, values: Map::new(), errors: Vec::new(), warnings: Vec::new() };
        for (name, value) in given {
            let camel = camel_case(&name);
            let found = known.iter().find(|known| known.name == camel || known.aliases.contains(&camel.as_str()));
            match found {
                Some(known) if fields.values.contains_key(known.name) => {
                    fields.error(&name, format!("is given twice, also as {:?}", known.name));
                }
                Some(known) => {
                    fields.values.insert(known.name.to_owned(), value);
                }
                None => fields.error(&name, unknown(&camel, known)),
            }
        }
        fields
    }

    /// The fields of the object `given` in the field `name`, whose messages name both.
    pub(crate) fn nested(&self, name: &str, given: Map<String, Value>, known: &[Known]) -> Self {
        Self::named(format!("{}{name}.", self.prefix), given, known)
    }

    /// Notes that a field is bad.
    pub(crate) fn error(&mut self, field: &str, message: impl Into<String>) {
        let field = format!("{}{field}", self.prefix);
        self.errors.push(FieldError::new(field, message));
    }

    /// Notes what was repaired in a field.
    pub(crate) fn warn(&mut self, field: &str, message: impl Into<String>) {
        let field = format!("{}{field}", self.prefix);
        self.warnings.push(FieldWarning::new(field, message));
    }

    /// What has been repaired so far.
    pub(crate) fn take_warnings(&mut self) -> Vec<FieldWarning> {
        std::mem::take(&mut self.warnings)
    }

    /// Adds what was found wrong, or repaired, in a nested object.
    pub(crate) fn absorb(&mut self, nested: Self) {
        self.errors.extend(nested.errors);
        self.warnings.extend(nested.warnings);
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_fine(&self) -> bool {
        self.errors.is_empty()
    }

    /// Ends the reading, with an error where anything is wrong.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.errors.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.errors)) }
    }

    /// The fields that have not been read, for a merge patch.
    pub(crate) fn into_values(self) -> Result<Map<String, Value>, ApiError> {
        if self.errors.is_empty() { Ok(self.values) } else { Err(ApiError::Invalid(self.errors)) }
    }

    /// Whether the field is there, even if it is null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of the field; none where it is absent or null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name).filter(|value| !value.is_null())
    }

    fn typed<T>(&mut self, name: &str, wanted: &str, read: impl FnOnce(Value) -> Result<T, Value>) -> Option<T> {
        match read(self.take(name)?) {
            Ok(value) => Some(value),
            Err(other) => {
                self.error(name, format!("must be {wanted}, not {}", kind(&other)));
                None
            }
        }
    }

    /// A text of at most `longest` bytes without control characters.
    pub(crate) fn text(&mut self, name: &str, longest: usize) -> Option<String> {
        let text = self.typed(name, "a text", into_text)?;
        match text_problem(&text, longest) {
            Some(problem) => {
                self.error(name, problem);
                None
            }
            None => Some(text),
        }
    }

    /// A text that must be there and not blank. It is empty when it is not.
    pub(crate) fn required_text(&mut self, name: &str, longest: usize) -> String {
        if self.values.get(name).is_none_or(Value::is_null) {
            self.error(name, "is required");
            return String::new();
        }
        let text = self.text(name, longest);
        if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            self.error(name, "must not be empty");
        }
        text.unwrap_or_default()
    }

    pub(crate) fn boolean(&mut self, name: &str, default: bool) -> bool {
        self.flag(name).unwrap_or(default)
    }

    /// True or false, for a field whose absence means something else than either.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        self.typed(name, "true or false", |value| value.as_bool().ok_or(value))
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn integer(&mut self, name: &str, least: i64, most: i64) -> Option<i64> {
        let value = self.take(name)?;
        match whole(&value) {
            Some(number) if (least..=most).contains(&number) => return Some(number),
            Some(_) => self.error(name, format!("must be from {least} to {most}")),
            None if value.is_number() => self.error(name, format!("must be a whole number from {least} to {most}")),
            None => self.error(name, format!("must be a whole number, not {}", kind(&value))),
        }
        None
    }

    /// A limit, for which 0 means none.
    pub(crate) fn limit(&mut self, name: &str) -> u32 {
        self.integer(name, 0, i64::from(u32::MAX)).and_then(|limit| u32::try_from(limit).ok()).unwrap_or_default()
    }

    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        self.typed(name, "a number", |value| value.as_f64().ok_or(value))
    }

    pub(crate) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        self.typed(name, "an object", |value| match value {
            Value::Object(map) => Ok(map),
            other => Err(other),
        })
    }

    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        self.typed(name, "a list", |value| match value {
            Value::Array(list) => Ok(list),
            other => Err(other),
        })
    }

    /// A list of texts, of which none may be blank or stand there twice. `None` where the field is absent.
    pub(crate) fn texts(&mut self, name: &str, longest: usize) -> Option<Vec<String>> {
        let list = self.list(name)?;
        let mut texts = Vec::with_capacity(list.len());
        for (index, value) in list.into_iter().enumerate() {
            let place = format!("{name}[{index}]");
            match into_text(value) {
                Ok(text) if text.trim().is_empty() => self.error(&place, "must not be empty"),
                Ok(text) => match text_problem(&text, longest) {
                    Some(problem) => self.error(&place, problem),
                    None => texts.push((place, text)),
                },
                Err(other) => self.error(&place, format!("must be a text, not {}", kind(&other))),
            }
        }
        let mut seen = std::collections::HashSet::with_capacity(texts.len());
        let twice: Vec<String> =
            texts.iter().filter(|(_, text)| !seen.insert(text.as_str())).map(|(place, _)| place.clone()).collect();
        for place in twice {
            self.error(&place, "stands in the list already");
        }
        Some(texts.into_iter().map(|(_, text)| text).collect())
    }

    /// A list of names as people paste it: spaces around names, blank lines and repetitions are taken out, and said. A
    /// list of nothing but blanks is refused, since it was meant to hold something. `check` says what is wrong with a
    /// name.
    pub(crate) fn pasted_names(
        &mut self,
        name: &str,
        longest: usize,
        check: impl Fn(&str) -> Option<&'static str>,
    ) -> Option<Vec<String>> {
        let list = self.list(name)?;
        let blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
        let only_blanks = !list.is_empty() && list.iter().all(blank);
        let mut names: Vec<String> = Vec::with_capacity(list.len());
        let mut seen = std::collections::HashSet::with_capacity(list.len());
        for (index, value) in list.into_iter().enumerate() {
            let place = format!("{name}[{index}]");
            let text = match into_text(value) {
                Ok(text) => text,
                Err(other) => {
                    self.error(&place, format!("must be a text, not {}", kind(&other)));
                    continue;
                }
            };
            let trimmed = text.trim();
            if only_blanks {
                self.error(&place, "must not be empty");
            } else if trimmed.is_empty() {
                self.warn(&place, "was blank and is left out");
            } else if let Some(problem) = text_problem(trimmed, longest).or_else(|| check(trimmed).map(str::to_owned)) {
                self.error(&place, problem);
            } else if seen.insert(trimmed.to_owned()) {
                if trimmed != text {
                    self.warn(&place, "had spaces around it, which are taken off");
                }
                names.push(trimmed.to_owned());
            } else {
                self.warn(&place, format!("{trimmed:?} stands in the list already, and is left out here"));
            }
        }
        Some(names)
    }

    /// One name of a closed list of names.
    pub(crate) fn name_of<T>(&mut self, name: &str, names: &[&str], read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name, 64)?;
        let found = read(&text);
        if found.is_none() {
            self.error(name, format!("must be one of {}, not {text:?}", names.join(", ")));
        }
        found
    }

    /// A time in epoch milliseconds, or as RFC 3339 text.
    pub(crate) fn time(&mut self, name: &str) -> Option<i64> {
        let value = self.take(name)?;
        let time = match &value {
            Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
            number => whole(number),
        };
        if let (Value::Number(_), Some(seconds @ 1..EARLIEST_MS)) = (&value, time) {
            let milliseconds = seconds * 1000;
            let hint = if milliseconds < EARLIEST_MS { String::new() } else { format!(": write {milliseconds}") };
            self.error(name, format!("must be in milliseconds, and {seconds} is not{hint}"));
        } else if time.is_none_or(|time| time <= 0) {
            self.error(name, "must be a time: epoch milliseconds, or a text such as 2027-01-31T12:00:00Z");
        }
        time
    }
}

/// The number where it is whole. `60.0` is accepted too, since some languages write it for 60.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within the range that f64 holds exactly")]
        Some(number as i64)
    })
}

pub(crate) fn into_text(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(other),
    }
}

pub(crate) fn text_problem(text: &str, longest: usize) -> Option<String> {
    if text.len() > longest {
        Some(format!("must not be longer than {longest} bytes"))
    } else if text.chars().any(char::is_control) {
        Some("must not hold control characters".to_owned())
    } else {
        None
    }
}

/// The type of a value, for messages. They never hold the value itself, which may be a secret.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn unknown(name: &str, known: &[Known]) -> String {
    let wanted = name.to_ascii_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&wanted, &known.to_ascii_lowercase());
    let nearest = known
        .iter()
        .flat_map(|known| std::iter::once(known.name).chain(known.aliases.iter().copied()))
        .max_by(|left, right| likeness(left).total_cmp(&likeness(right)));
    match nearest {
        Some(nearest) => format!("is not a known field; did you mean {nearest:?}?"),
        None => "is not a known field".to_owned(),
    }
}

/// `group_name` → `groupName`; other names stay as they are.
pub(crate) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for character in name.chars() {
        if character == '_' && !camel.is_empty() {
            raise = true;
        } else if raise {
            camel.extend(character.to_uppercase());
            raise = false;
        } else {
            camel.push(character);
        }
    }
    camel
}
