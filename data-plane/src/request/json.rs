//! A JSON request to an endpoint that is no chat and names a model: completions, embeddings, moderations, images,
//! speech, reranking, counting tokens. All of it passes unchanged, except for the name of a model that an alias maps.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;
use translation::Format;
use translation::ir::Dropped;
use translation::object::{Edits, Object};

use super::chat::refuses_usage;
use super::decisive::{self, without_models};
use super::model::{check_model, missing_model};
use super::outgoing::{Added, Begins, Outbound, Outgoing, Proof};
use crate::error::GatewayError;
use crate::provider::Call;
use crate::route::candidate::Candidate;

/// The endpoint that a model answers for nothing (OpenAI, "Moderation").
const FREE: &str = "/moderations";

/// Which endpoint is asked.
#[derive(Clone, Debug)]
pub struct JsonEndpoint<'p> {
    /// The format whose API has the endpoint.
    pub format: Format,
    /// The path of the endpoint behind the version, or behind the model.
    pub path: Cow<'p, str>,
    /// The client's query, without a credential.
    pub query: Option<String>,
    /// The model, where the URL names it.
    pub model: Option<String>,
    /// The model that the provider takes where the request names none.
    pub default_model: Option<&'static str>,
}

/// A JSON request to an endpoint that is no chat.
#[derive(Debug)]
pub struct JsonRequest<'b> {
    pub(super) asked: JsonEndpoint<'b>,
    object: Object<'b>,
    /// The length of the body in bytes.
    length: usize,
    /// The model, as the client named it.
    pub model: Cow<'b, str>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether the body names further models to fall back on.
    pub names_further_models: bool,
}

impl<'b> JsonRequest<'b> {
    /// Reads `body`.
    ///
    /// # Errors
    /// [`GatewayError::Json`] with line and column, [`GatewayError::Field`] for a field of the wrong type.
    pub fn read(asked: JsonEndpoint<'b>, body: &'b Bytes) -> Result<Self, GatewayError> {
        let object = Object::read(body)?;
        decisive::check(&object, body, asked.format)?;
        decisive::check_query(asked.query.as_deref())?;
        let model = if let Some(model) = &asked.model {
            decisive::check_model_of_url(&object, body, model)?;
            Cow::Owned(model.clone())
        } else {
            let named = object.string("model").map_err(GatewayError::field)?;
            named.or(asked.default_model.map(Cow::Borrowed)).ok_or_else(missing_model)?
        };
        check_model(&model)?;
        // The speech API has another field for that than the others.
        let stream = object.flag("stream").map_err(GatewayError::field)?
            || object.non_null("stream_format").is_some_and(|format| format == r#""sse""#);
        let names_further_models = decisive::names_further_models(&object);
        Ok(Self { asked, object, length: body.len(), model, stream, names_further_models })
    }

    /// The path of the endpoint behind the version, or behind the model.
    pub fn path(&self) -> &str {
        &self.asked.path
    }

    /// The text of a field.
    pub fn text(&self, name: &'static str) -> Option<Cow<'b, str>> {
        self.object.string(name).ok().flatten()
    }

    /// Whether the provider is asked for usage at the end of a stream, which the client has not asked for.
    pub fn hides_usage(&self) -> bool {
        self.stream && self.asked.path == "/completions" && self.object.get("stream_options").is_none()
    }

    /// Whether `candidate` is asked for usage that the client has not asked for.
    fn asks_for_usage(&self, candidate: &Candidate) -> bool {
        self.hides_usage()
            && candidate.group.endpoint.as_ref().is_some_and(|endpoint| endpoint.quirks().stream_usage)
            && !refuses_usage(candidate)
    }

    /// Whether the request costs much, so that it is not sent again where it may have been carried out.
    pub fn is_dear(&self) -> bool {
        ["/images/", "/audio/"].iter().any(|dear| self.asked.path.starts_with(dear))
    }

    /// The client's body as `candidate` gets it, and what had to be left out.
    fn edited<'e>(&'e self, candidate: &'e Candidate) -> Result<(Edits<'e, 'b>, Dropped), GatewayError> {
        let mut edits = self.object.edit();
        let dropped = without_models(&self.object, &mut edits, candidate)?;
        if *candidate.upstream_model != *self.model {
            if self.asked.model.is_none() {
                edits.set_string("model", &candidate.upstream_model);
            } else {
                self.rename(&mut edits, &candidate.upstream_model);
            }
        }
        if self.asks_for_usage(candidate) {
            edits.set("stream_options", r#"{"include_usage":true}"#);
        }
        Ok((edits, dropped))
    }

    /// Puts `model` wherever the body repeats the model of the URL, as Gemini's bodies may: both must be the same.
    fn rename<'o>(&'o self, edits: &mut Edits<'o, '_>, model: &str) {
        let name = if model.contains('/') { model.to_owned() } else { format!("models/{model}") };
        if self.object.non_null("model").is_some() {
            edits.set_string("model", &name);
        }
        for field in ["generateContentRequest", "generate_content_request", "requests"] {
            let Some(Ok(mut value)) = self.object.non_null(field).map(serde_json::from_str::<Value>) else { continue };
            let rename = |value: &mut Value| {
                if let Some(named) = value.get_mut("model") {
                    *named = Value::from(name.as_str());
                }
            };
            match &mut value {
                Value::Array(values) => values.iter_mut().for_each(rename),
                value => rename(value),
            }
            edits.set(field, value.to_string());
        }
    }
}

impl Outbound for JsonRequest<'_> {
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        let JsonEndpoint { format, path, query, .. } = &self.asked;
        let call = Call { format: *format, model: &candidate.upstream_model, path, query: query.as_deref() };
        let endpoint = candidate.endpoint()?;
        let uri = endpoint.call(call)?;
        let any_answer = format.facts().any_answer_beside;
        let (edits, dropped) = self.edited(candidate)?;
        let outgoing = Outgoing::edited(uri, self.length, edits, *format);
        let added = if self.asks_for_usage(candidate) { Added::StreamUsage } else { Added::Nothing };
        Ok(Outgoing {
            stream: self.stream,
            any_answer,
            begins: Begins::Beside,
            added,
            beside_chat: true,
            once: self.is_dear(),
            proves: if path == FREE { Proof::Model } else { Proof::Key },
            dropped,
            ..outgoing
        })
    }
}

#[cfg(test)]
mod tests;
