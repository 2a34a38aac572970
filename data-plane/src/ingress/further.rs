//! The models that a client itself names to be asked one after the other: `models`, as OpenRouter's API has it
//! (API reference, "Model routing"). They count where the proxy key has `clientHints`, for every request that names its
//! model in JSON and may be repeated. Otherwise the field goes to those providers alone that understand it.

use std::sync::Arc;

use bytes::Bytes;
use translation::ir::TranslateError;
use translation::object::Object;

use super::admit::Admitted;
use crate::error::GatewayError;
use crate::request::decisive::MODELS as FIELD;
use crate::request::model::check_model;

/// The most models that a request may name.
const MOST: usize = 8;

/// What a request says of the models that may answer it.
#[derive(Debug)]
pub(super) struct Further {
    /// The body without the field, where it counts. The first of the models is its `model` where it has none.
    pub(super) body: Bytes,
    /// The models that are asked after that one, in their order.
    pub(super) models: Vec<Arc<str>>,
}

impl Further {
    /// Takes the models that are named in `body` out of it, where the client's proxy key lets it name them. In some
    /// APIs the model itself stands in the URL.
    ///
    /// # Errors
    /// As [`take`].
    pub(super) fn of(admitted: &Admitted<'_>, body: Bytes, in_url: Option<&str>) -> Result<Self, GatewayError> {
        let hints = admitted.client.key.routing.client_hints;
        let taken = if hints { take(&body, in_url)? } else { None };
        Ok(taken.unwrap_or(Self { body, models: Vec::new() }))
    }

    /// Refuses models beside the first for a request that makes something or costs much: it would not be sent again.
    ///
    /// # Errors
    /// [`GatewayError::Field`].
    pub(super) fn none_if(&self, once: bool) -> Result<(), GatewayError> {
        if once && !self.models.is_empty() {
            return Err(wrong("names further models for a request that is not sent again: name one model in 'model'"));
        }
        Ok(())
    }
}

/// Takes the models that are named in `body` out of it. None where it names none. In some APIs the model itself stands
/// in the URL.
///
/// # Errors
/// [`GatewayError::Field`] where the field is no list of names, or of too many.
fn take(body: &Bytes, in_url: Option<&str>) -> Result<Option<Further>, GatewayError> {
    if memchr::memmem::find(body, FIELD.as_bytes()).is_none() {
        return Ok(None);
    }
    let object = Object::read(body)?;
    let Some(value) = object.get(FIELD) else { return Ok(None) };
    object.unambiguous(&[FIELD]).map_err(GatewayError::field)?;
    let mut models: Vec<Arc<str>> = match value {
        "null" => Vec::new(),
        value => serde_json::from_str(value).map_err(|_| wrong("must be a list of names of models"))?,
    };
    if models.len() > MOST {
        return Err(wrong(&format!("may name {MOST} models at most")));
    }
    models.iter().try_for_each(|model| check_model(model))?;
    let mut edits = object.edit();
    edits.remove(FIELD);
    let named = object.string("model").map_err(GatewayError::field)?;
    let first = match in_url.or(named.as_deref()) {
        Some(model) => Some(Arc::from(model)),
        None if models.is_empty() => None,
        None => {
            let first = models.remove(0);
            edits.set_string("model", &first);
            Some(first)
        }
    };
    let mut seen: Vec<Arc<str>> = first.into_iter().collect();
    models.retain(|model| {
        let new = !seen.contains(model);
        seen.push(Arc::clone(model));
        new
    });
    let body = edits.apply();
    Ok(Some(Further { body, models }))
}

fn wrong(problem: &str) -> GatewayError {
    GatewayError::field(TranslateError::invalid(FIELD, format!("the field '{FIELD}' {problem}")))
}

#[cfg(test)]
mod tests;
