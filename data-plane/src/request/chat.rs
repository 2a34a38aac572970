//! A request to one of the chat APIs.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use shared::ids::Id;
use tokio::time::Instant;
use translation::Format;
use translation::ir::{self, Dropped, TranslateError};
use translation::object::{Edits, Object};
use translation::protocol::contract::ThinkingEdits;
use translation::protocol::{anthropic_messages, openai_responses};

use super::decisive::{self, without_models};
use super::model::{check_model, missing_model};
use super::outgoing::{Added, Begins, Outbound, Outgoing, Preparation};
use super::written::{configure, target, written};
use crate::body::budget::Held;
use crate::body::growth::Growth;
use crate::error::GatewayError;
use crate::media::{FetchedMedia, MediaFetcher, Wanted};
use crate::route::affinity::SessionKey;
use crate::route::candidate::Candidate;
use crate::signatures::ClientSignatures;
use crate::upstream::Upstream;

mod least;
mod needs;

/// What a client says outside of the request's body.
#[derive(Debug, Default)]
pub struct Spoken {
    /// The model, where the URL names it.
    pub model: Option<String>,
    /// Whether the answer is to be a stream, where the URL tells.
    pub stream: Option<bool>,
    /// Whether the URL of an Anthropic client says `?beta=true`, which its SDKs add for features that are not in the
    /// API for good.
    pub beta: bool,
}

/// A request to one of the chat APIs, as far as routing reads it.
#[derive(Debug)]
pub struct ChatRequest<'b> {
    /// The client's format.
    pub format: Format,
    object: Object<'b>,
    body: &'b Bytes,
    model_in_body: bool,
    beta: bool,
    /// The model, as the client named it.
    pub model: Cow<'b, str>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether the client wants a stream to end with a count of tokens. Only OpenAI's chat completions know this.
    pub include_usage: bool,
    /// Whether the model may call tools.
    pub has_tools: bool,
    /// Whether the body names further models to fall back on.
    pub names_further_models: bool,
    /// The neutral form, read when the first candidate needs it.
    neutral: OnceLock<Result<Arc<ir::Request>, Unread>>,
    /// Whether signatures of another family stand in the request. They are looked for when a candidate takes the
    /// request as it is.
    holds_foreign: OnceLock<bool>,
    /// The signatures of earlier answers to the client.
    signatures: Option<ClientSignatures>,
    /// Fetches what the request names by URL, and the proxy key that it does so for.
    media: Option<(&'b MediaFetcher, &'b Id)>,
    fetched: FetchedMedia,
    /// What the node holds of the request beside its body, where that is counted.
    held: Option<HeldParts>,
}

/// What the node holds of a request beside its body.
#[derive(Debug)]
struct HeldParts {
    /// The neutral form.
    neutral: Held,
    /// The request as it was written for the newest candidate. Bodies for earlier ones are gone.
    written: Held,
}

/// Why there is no neutral form.
#[derive(Clone, Debug)]
enum Unread {
    /// The request is malformed.
    Malformed(TranslateError),
    /// The request would grow too much.
    TooMany { number: usize, most: usize, what: &'static str },
    /// The node has no room for it.
    Busy(&'static str),
}

impl From<&Unread> for GatewayError {
    fn from(unread: &Unread) -> Self {
        match unread {
            Unread::Malformed(error) => Self::Translate(error.clone()),
            Unread::TooMany { number, most, what } => Self::TooMany { number: *number, most: *most, what },
            Unread::Busy(why) => Self::Busy(why),
        }
    }
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl<'b> ChatRequest<'b> {
    /// Reads `body`.
    ///
    /// # Errors
    /// [`GatewayError::Json`] with line and column, [`GatewayError::Field`] for a field of the wrong type.
    pub fn read(format: Format, body: &'b Bytes, spoken: Spoken) -> Result<Self, GatewayError> {
        let object = Object::read(body)?;
        decisive::check(&object, body, format)?;
        let (model_in_body, beta) = (spoken.model.is_none(), spoken.beta);
        let model = match spoken.model {
            Some(model) => Cow::Owned(model),
            None => object.string("model").map_err(GatewayError::field)?.ok_or_else(missing_model)?,
        };
        check_model(&model)?;
        let stream = match spoken.stream {
            Some(stream) => stream,
            None => object.flag("stream").map_err(GatewayError::field)?,
        };
        let include_usage = match object.non_null("stream_options") {
            Some(value) if format.facts().usage_if_asked => serde_json::from_str::<StreamOptions>(value)
                .map_err(|error| {
                    let problem = format!("the field 'stream_options' is wrong: {error}");
                    GatewayError::field(TranslateError::invalid("stream_options", problem))
                })?
                .include_usage
                .unwrap_or_default(),
            _ => false,
        };
        let has_tools =
            ["tools", "functions"].into_iter().filter_map(|name| object.non_null(name)).any(|value| value != "[]");
        let names_further_models = decisive::names_further_models(&object);
        Ok(Self {
            names_further_models,
            format,
            object,
            body,
            model_in_body,
            beta,
            model,
            stream,
            include_usage,
            has_tools,
            neutral: OnceLock::new(),
            holds_foreign: OnceLock::new(),
            signatures: None,
            media: None,
            fetched: FetchedMedia::default(),
            held: None,
        })
    }

    /// The tier of service that the request asks for, in its own word.
    pub fn tier(&self) -> Option<String> {
        let word = self.object.string(self.format.facts().fields.service_tier).ok()?;
        word.filter(|word| !word.is_empty()).map(Cow::into_owned)
    }

    /// What the request belongs to.
    pub fn session(&self, proxy_key: &Id, headers: &HeaderMap) -> Option<SessionKey> {
        SessionKey::of(proxy_key, self.format, headers, &self.object)
    }

    /// The request, which has the node hold what becomes of it along with the body that is `held`.
    #[must_use]
    pub fn held_with(mut self, held: &Held) -> Self {
        self.fetched.hold_with(held);
        self.held = Some(HeldParts { neutral: held.another(), written: held.another() });
        self
    }

    /// The request with the signatures of earlier answers restored, for providers that check them.
    #[must_use]
    pub fn signed_with(mut self, signatures: ClientSignatures) -> Self {
        self.signatures = Some(signatures);
        self
    }

    /// The request, which was sent with `proxy_key`, with media fetched by `media` in place of their URLs, for
    /// providers that want them as data.
    #[must_use]
    pub fn with_media(mut self, media: &'b MediaFetcher, proxy_key: &'b Id) -> Self {
        self.media = Some((media, proxy_key));
        self
    }

    /// The request in the neutral form.
    ///
    /// # Errors
    /// [`GatewayError`] when the request is malformed, would grow too much, or has no room.
    pub fn neutral(&self) -> Result<&Arc<ir::Request>, GatewayError> {
        self.neutral.get_or_init(|| self.read_neutral()).as_ref().map_err(GatewayError::from)
    }

    fn read_neutral(&self) -> Result<Arc<ir::Request>, Unread> {
        // What the body becomes is counted before it is read.
        let grown = Growth::of(self.body).check();
        let held =
            grown.and_then(|growth| self.held.as_ref().map_or(Ok(()), |held| held.neutral.grow(growth.tree_bytes())));
        held.map_err(|error| match error {
            GatewayError::TooMany { number, most, what } => Unread::TooMany { number, most, what },
            GatewayError::Busy(why) => Unread::Busy(why),
            other => Unread::Malformed(TranslateError::invalid("body", other.to_string())),
        })?;
        let mut request = self.format.protocol().decode_request(self.body).map_err(Unread::Malformed)?;
        request.model = self.model.to_string();
        request.stream = self.stream;
        Ok(Arc::new(request))
    }

    /// What the answer has to know of the request, which is not the conversation.
    ///
    /// # Errors
    /// As [`Self::neutral`].
    pub fn into_asked(mut self) -> Result<Arc<ir::Request>, GatewayError> {
        self.neutral()?;
        match self.neutral.take() {
            Some(Ok(request)) => Ok(Arc::new(Arc::unwrap_or_clone(request).without_conversation())),
            Some(Err(unread)) => Err((&unread).into()),
            None => Err(GatewayError::Internal("the request was not read")),
        }
    }

    /// The client's body with the vendor's name of the model, the fields that config sets, and the wish that a stream
    /// ends with a count of tokens. A body that needs no edit is not copied.
    /// Beside it stands what had to be left out.
    fn edited<'e>(
        &'e self,
        candidate: &'e Candidate,
        asks_for_usage: bool,
    ) -> Result<(Edits<'e, 'b>, Dropped), GatewayError> {
        let mut edits = self.object.edit();
        let target = target(candidate, self.stream)?;
        let thinking = self.format.protocol().thinking_edits(&|name| self.object.non_null(name), &target);
        let ThinkingEdits { set, removed, mut dropped } = thinking.unwrap_or_default();
        for (name, value) in set {
            edits.set(name, value);
        }
        for name in removed {
            edits.remove(name);
        }
        if self.model_in_body && *candidate.upstream_model != *self.model {
            edits.set_string("model", &candidate.upstream_model);
        }
        if !self.model_in_body {
            // The model stands in the URL, and another in the body must not count.
            edits.remove("model");
        }
        configure(&mut edits, candidate.extras(), &[]);
        for name in without_models(&self.object, &mut edits, candidate)?.names() {
            dropped.named(name.clone());
        }
        if let Some((field, version)) = candidate.endpoint()?.vendor.body_version(self.format) {
            edits.set_string(field, version);
            edits.remove("model");
        }
        let quirks = candidate.endpoint()?.quirks();
        let (field, protocol) = (self.format.facts().fields.messages, self.format.protocol());
        if let Some(messages) = self.object.get(field).and_then(|messages| protocol.without_foreign(messages, quirks)) {
            edits.set(field, messages);
        }
        if asks_for_usage {
            edits.set("stream_options", self.asking_for_usage());
        }
        Ok((edits, dropped))
    }

    /// The client's stream options, with `include_usage` set.
    fn asking_for_usage(&self) -> Cow<'static, str> {
        const ASKING: &str = r#"{"include_usage":true}"#;
        let given = self.object.get("stream_options").map(serde_json::from_str::<serde_json::Map<_, _>>);
        let Some(Ok(mut options)) = given else { return ASKING.into() };
        options.insert("include_usage".to_owned(), true.into());
        serde_json::Value::Object(options).to_string().into()
    }

    fn translated(&self, candidate: &Candidate, format: Format, stream: bool) -> Result<Outgoing, GatewayError> {
        let endpoint = candidate.endpoint()?;
        let target = target(candidate, stream)?;
        let request = self.neutral()?;
        if let Some(field) = openai_responses::stateful_field(request)
            && !format.facts().keeps_answers
        {
            let problem = format!(
                "'{field}' refers to something that the provider of another API keeps and this one ({format}) does not have: send the whole conversation in 'input'"
            );
            return Err(GatewayError::Translate(TranslateError::unsupported(field, problem)));
        }
        if format != self.format
            && let Some(refusal) = anthropic_messages::refused_thread(request)
        {
            return Err(GatewayError::Translate(refusal));
        }
        let mut request = self.fetched.put_into(request, Wanted::by(format, endpoint.quirks()));
        if let (Some(signatures), Some(family)) = (&self.signatures, format.facts().reads_signatures) {
            request = signatures.attach(family, &request);
        }
        // The written request is about as long as the client's, with the media in place of their URLs.
        self.hold_written((self.body.len() + 2 * self.fetched.bytes()) as u64)?;
        let encoded = format.protocol().encode_request(&request, &target).map_err(GatewayError::Translate)?;
        self.hold_written(encoded.body.len() as u64)?;
        if candidate.group.rejects_unsupported()
            && let Some(field) = encoded.dropped.names().first()
        {
            return Err(GatewayError::Unsupported { field: field.to_string(), format });
        }
        written(encoded, candidate, (format, stream), &[], &|name| self.object.get(name).is_some())
    }

    /// Has the node hold `bytes` of the request as it was written.
    fn hold_written(&self, bytes: u64) -> Result<(), GatewayError> {
        self.held.as_ref().map_or(Ok(()), |held| held.written.set(bytes))
    }

    /// The format to translate into for `candidate`, and whether it is asked for a stream. None where the bytes pass.
    fn translation(&self, candidate: &Candidate) -> Result<Option<(Format, bool)>, GatewayError> {
        let formats = candidate.endpoint()?.formats(&candidate.upstream_model);
        let (speaks, stream) = (formats.contains(&self.format), candidate.group.streams(self.stream));
        let read_foreign = || self.format.protocol().holds_foreign_signatures(self.body);
        if speaks && stream == self.stream && !*self.holds_foreign.get_or_init(read_foreign) {
            return Ok(None);
        }
        let preferred = formats.first().copied().unwrap_or(Format::OpenAiChat);
        Ok(Some((if speaks { self.format } else { preferred }, stream)))
    }
}

impl Outbound for ChatRequest<'_> {
    fn prepare<'p>(
        &'p self,
        candidate: &'p Candidate,
        upstream: &'p Upstream,
        until: Instant,
    ) -> Option<Preparation<'p>> {
        let (media, proxy_key) = self.media?;
        // Where the candidate or the request is wrong, `write` says so.
        let (format, _) = self.translation(candidate).ok()??;
        let (endpoint, request) = (candidate.endpoint().ok()?, self.neutral().ok()?);
        let wanted = Wanted::by(format, endpoint.quirks());
        media.is_needed(request, wanted, &self.fetched).then(|| -> Preparation<'p> {
            Box::pin(async move {
                let way = (upstream, &*candidate.key.exit);
                media.fetch(proxy_key, request, wanted, &self.fetched, way, until).await
            })
        })
    }

    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        if let Some((format, stream)) = self.translation(candidate)? {
            return self.translated(candidate, format, stream);
        }
        let endpoint = candidate.endpoint()?;
        let asks = self.format.facts().usage_if_asked
            && endpoint.quirks().stream_usage
            && self.stream
            && !self.include_usage
            && !refuses_usage(candidate);
        let (edits, dropped) = self.edited(candidate, asks)?;
        if candidate.group.rejects_unsupported()
            && let Some(field) = dropped.names().first()
        {
            return Err(GatewayError::Unsupported { field: field.to_string(), format: self.format });
        }
        let mut uri = endpoint.uri(self.format, &candidate.upstream_model, self.stream)?;
        if self.beta {
            uri = with_query(&uri, "beta=true")?;
        }
        let outgoing = Outgoing::edited(uri, self.body.len(), edits, self.format);
        if outgoing.pieces.is_empty() && outgoing.body.as_ptr() != self.body.as_ptr() {
            self.hold_written(outgoing.body.len() as u64)?;
        }
        let added = if asks { Added::StreamUsage } else { Added::Nothing };
        Ok(Outgoing { stream: self.stream, begins: Begins::Chat, added, dropped, ..outgoing })
    }
}

/// Whether the provider refuses to end a stream with a count of tokens.
pub(super) fn refuses_usage(candidate: &Candidate) -> bool {
    candidate.group.refusals.of(&candidate.upstream_model).is_some_and(|refused| {
        let wishes: Vec<_> = Added::StreamUsage.fields(Format::OpenAiChat).collect();
        refused.iter().any(|field| wishes.contains(field))
    })
}

fn with_query(uri: &Uri, pair: &str) -> Result<Uri, GatewayError> {
    let mark = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{mark}{pair}")
        .parse()
        .map_err(|_| GatewayError::Internal("the URL of the provider's endpoint is malformed"))
}

#[cfg(test)]
mod tests;
