//! Fields that the gateway writes into a provider's request and that it can leave out again, where the provider refuses
//! them. Each format lists its own in [`FormatFacts`](crate::format::FormatFacts).

use bytes::Bytes;
use serde_json::Value;

use crate::format::OptionalField;
use crate::ir::ProviderError;
use crate::object::Object;

/// Words by which providers say that they do not know a field, or do not serve it.
const REFUSING: [&str; 20] = [
    "unsupported",
    "not support",
    "unknown",
    "unrecognized",
    "unrecognised",
    "unexpected",
    "extra_forbidden",
    "extra input",
    "extra field",
    "not permitted",
    "not allowed",
    "not available",
    "not implemented",
    "cannot find field",
    "does not exist",
    "deprecated",
    "invalid parameter",
    "invalid argument name",
    "no longer",
    "additional properties",
];

/// The first of `fields` that the provider refuses in its error answer, which says `error` and has this `document`.
/// `request` is the body that it was sent.
pub fn refused<'f>(
    fields: impl IntoIterator<Item = &'f OptionalField>,
    error: &ProviderError,
    document: &[u8],
    request: &Bytes,
) -> Option<&'f OptionalField> {
    let words = words(error, document);
    let lower = words.to_ascii_lowercase();
    if !REFUSING.iter().any(|refusing| lower.contains(refusing)) {
        return None;
    }
    let object = Object::read(request).ok()?;
    let param = error.param.as_deref().unwrap_or_default();
    let named = |field: &OptionalField| {
        let of_param = param.split(['.', '[', ']']).any(|part| part == field.name);
        of_param || mentions(&words, field.name, field.is_word)
    };
    let there = |field: &OptionalField| field.paths.iter().any(|path| stands_in(&object, path));
    // A path says more than a mention: the message may name what to use instead.
    let mut named: Vec<_> = fields.into_iter().filter(|field| named(field) && there(field)).collect();
    let first = |field: &OptionalField| words.find(field.name).unwrap_or(usize::MAX);
    named.sort_by_key(|field| (param.split(['.', '[', ']']).all(|part| part != field.name), first(field)));
    named.first().copied()
}

/// `request` without `fields`. None where it holds none of them.
pub fn without<'f>(request: &Bytes, fields: impl IntoIterator<Item = &'f OptionalField>) -> Option<Bytes> {
    let mut request = request.clone();
    let mut changed = false;
    for path in fields.into_iter().flat_map(|field| field.paths.iter().map(move |path| (*path, field.instead))) {
        if let Some(less) = without_path(&request, path) {
            request = less;
            changed = true;
        }
    }
    changed.then_some(request)
}

fn without_path(request: &Bytes, (path, instead): (&'static str, Option<&'static str>)) -> Option<Bytes> {
    let object = Object::read(request).ok()?;
    let (top, rest) = path.split_once('.').map_or((path, None), |(top, rest)| (top, Some(rest)));
    let value = object.get(top)?;
    let mut edits = object.edit();
    match (rest, instead) {
        (None, None) => edits.remove(top),
        (None, Some(instead)) => {
            edits.remove(top);
            if object.get(instead).is_none() {
                edits.set(instead, value);
            }
        }
        (Some(rest), _) => {
            let mut value: Value = serde_json::from_str(value).ok()?;
            if !remove(&mut value, rest) {
                return None;
            }
            edits.set(top, value.to_string());
        }
    }
    Some(edits.apply())
}

/// Removes what stands at `path` in `value`. Gives whether there was anything.
fn remove(value: &mut Value, path: &str) -> bool {
    match path.split_once('.') {
        Some(("*", rest)) => value
            .as_array_mut()
            .is_some_and(|values| values.iter_mut().fold(false, |any, value| remove(value, rest) | any)),
        Some((name, rest)) => value.get_mut(name).is_some_and(|value| remove(value, rest)),
        None => value.as_object_mut().is_some_and(|fields| fields.remove(path).is_some()),
    }
}

fn stands_in(object: &Object<'_>, path: &str) -> bool {
    let (top, rest) = path.split_once('.').map_or((path, None), |(top, rest)| (top, Some(rest)));
    let Some(value) = object.get(top) else { return false };
    rest.is_none_or(|rest| serde_json::from_str::<Value>(value).is_ok_and(|mut value| remove(&mut value, rest)))
}

/// What an error answer says, without what it repeats of the request.
fn words(error: &ProviderError, document: &[u8]) -> String {
    let mut words = error.message.clone();
    for text in [error.code.as_deref(), error.param.as_deref(), error.provider_type.as_deref()].into_iter().flatten() {
        words.push(' ');
        words.push_str(text);
    }
    if let Ok(document) = serde_json::from_slice::<Value>(document) {
        texts(&document, &mut words);
    }
    words
}

fn texts(value: &Value, words: &mut String) {
    match value {
        Value::String(text) => {
            words.push(' ');
            words.push_str(text);
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, words)),
        Value::Object(fields) => {
            let own =
                fields.iter().filter(|(name, _)| !matches!(name.as_str(), "input" | "ctx" | "url" | "request_id"));
            own.for_each(|(_, value)| texts(value, words));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether `words` hold `name` as a word, in quotes where it has to be.
fn mentions(words: &str, name: &str, quoted: bool) -> bool {
    const QUOTES: [char; 3] = ['\'', '"', '`'];
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    words.match_indices(name).any(|(at, _)| {
        let before = words[..at].chars().next_back();
        let after = words[at + name.len()..].chars().next();
        let stands_alone = !before.is_some_and(is_part) && !after.is_some_and(is_part);
        let in_quotes = before.is_some_and(|c| QUOTES.contains(&c) || c == '.');
        stands_alone && (!quoted || in_quotes)
    })
}

#[cfg(test)]
mod tests;
