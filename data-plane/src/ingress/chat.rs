//! The chat APIs: OpenAI's chat completions and responses, Anthropic's messages, Gemini's generated content.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Uri, request};
use shared::time::now_ms;
use tokio::time::Instant;
use translation::names;
use translation::protocol::{Asked, Format, openai_error};

use super::{Gateway, failed, identified_to, request_id, sticky};
use crate::answer::{Answer, Failure, ProviderAnswer};
use crate::attempt::ClientHeaders;
use crate::auth;
use crate::body::collect::Patience;
use crate::body::receive;
use crate::error::{self, GatewayError};
use crate::metrics::Api;
use crate::request::{ChatRequest, Spoken};
use crate::respond::convert::{self, Conversation, Wish};
use crate::respond::learn::Learn;
use crate::respond::{headers, stream, unary};
use crate::route::plan::Plan;
use crate::usage::meter::Meter;

/// A request that has passed this many gateways like this one goes in a circle.
pub(super) const MOST_HOPS: u64 = 2;

/// How the answer is to be written on.
struct Delivery {
    format: Format,
    /// Takes note of the id in it, where further requests will name it.
    learn: Option<Learn>,
    hide_usage: bool,
    array: bool,
    deadline: Instant,
    /// Where the answer is to be converted.
    wish: Option<Wish>,
}

/// `POST /v1/chat/completions` (OpenAI API reference, "Create chat completion").
pub(super) async fn openai_chat(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    create(&gateway, request, Api::OpenAiChat, Format::OpenAiChat, Spoken::default()).await
}

/// `POST /v1/responses` (OpenAI API reference, "Create a model response").
pub(super) async fn openai_responses(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    create(&gateway, request, Api::OpenAiResponses, Format::OpenAiResponses, Spoken::default()).await
}

/// `POST /v1/messages` (Anthropic API reference, "Create a Message").
pub(super) async fn anthropic_messages(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let spoken = Spoken { beta: has(request.uri(), "beta", "true"), ..Spoken::default() };
    create(&gateway, request, Api::AnthropicMessages, Format::AnthropicMessages, spoken).await
}

/// A request to the chat API `format`.
pub(super) async fn create(gateway: &Gateway, request: Request, api: Api, format: Format, spoken: Spoken) -> Response {
    let (parts, body) = request.into_parts();
    let mut meter = Meter::start(&gateway.recorder, api, &parts);
    let id = request_id(&meter);
    let closing = meter.closing();
    let asked = tokio::select! {
        asked = ask(gateway, &parts, body, format, spoken, &mut meter) => asked,
        () = closing => Err(GatewayError::Draining.into()),
    };
    let response = match asked {
        Ok((answer, delivery)) => deliver(gateway, answer, delivery, meter).await,
        Err(Failure::Gateway(error)) => failed(&error, format, meter),
        Err(Failure::Provider(said)) => pass_on_error(&said, format, meter),
    };
    identified_to(format, response, &id)
}

/// From the client's request to the head of a provider's answer.
async fn ask(
    gateway: &Gateway,
    parts: &request::Parts,
    body: Body,
    format: Format,
    spoken: Spoken,
    meter: &mut Meter,
) -> Result<(Answer, Delivery), Failure> {
    let (table, body) = receive::or_discard(gateway.config.table().ok_or(GatewayError::NotReady), body).await?;
    meter.snapshot_version = table.snapshot.version;
    let (principal, body) = receive::or_discard(auth::principal(&table, parts, format), body).await?;
    meter.proxy_key = Some(Arc::clone(&principal.key));

    let body = receive::read(&parts.headers, body, &gateway.limits).await?;
    let sent = body.len() as u64;
    let conversation = (format == Format::OpenAiResponses)
        .then(|| Conversation { kept: gateway.conversations.of(&principal.key.id), asked: body.clone() });
    let body = conversation.as_ref().and_then(Conversation::resolved).unwrap_or(body);
    // What is estimated is what a provider gets to read, with what the client only referred to.
    meter.asked(&body);
    meter.request_bytes = sent;
    // A client of Gemini's wants events or an array.
    let array = spoken.stream == Some(true) && !has(&parts.uri, "alt", "sse");
    let signatures = gateway.signatures.of(&principal.key.id);
    let request = ChatRequest::read(format, &body, spoken)?;
    let request = request.signed_with(signatures.clone()).with_media(&gateway.media);
    meter.model = Some(request.model.to_string());
    meter.streamed = request.stream;
    meter.has_tools = request.has_tools;

    let client = ClientHeaders::new(parts, format);
    if let Some(trace_id) = client.trace_id() {
        meter.trace(trace_id);
    }
    if client.hops() >= MOST_HOPS {
        return Err(GatewayError::Loop.into());
    }
    let mut plan = Plan::serving(&table, principal, &request.model)?;
    let deadline = Instant::from_std(meter.started() + gateway.limits.request_timeout);
    sticky::follow(gateway, &mut plan, format, &body, &client, meter, deadline).await;
    let mut answer = gateway.attempts.walk(plan, &request, &client, meter, deadline).await?;
    let learns = format == Format::OpenAiResponses && answer.conversion.is_none();
    let learn = learns.then(|| Learn::new(&gateway.owners, &answer.candidate));
    let is_stream = convert::is_stream(&answer.head.headers);
    if answer.conversion.is_none() && is_stream != request.stream && request.neutral().is_ok() {
        // The provider did not do as it was asked. Packages that wait for the one make nothing of the other, and say
        // nothing.
        answer.conversion = Some(Box::default());
    }
    let wish = match &answer.conversion {
        Some(_) => {
            let neutral = request.neutral().map_err(GatewayError::Translate)?;
            let created = u64::try_from(now_ms() / 1000).unwrap_or_default();
            let asked = Asked { id: names::random(24), created, request: Arc::clone(neutral) };
            Some(Wish { format, stream: request.stream, array, asked, signatures, conversation })
        }
        None => None,
    };
    let hide_usage = format == Format::OpenAiChat && request.stream && !request.include_usage;
    Ok((answer, Delivery { format, learn, hide_usage, array, deadline, wish }))
}

/// Whether the query says that `name` is `value`.
fn has(uri: &Uri, name: &str, value: &str) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(other, its)| other == name && its == value)
}

async fn deliver(gateway: &Gateway, mut answer: Answer, delivery: Delivery, meter: Meter) -> Response {
    let first = delivery.deadline.min(Instant::now() + answer.candidate.group.group.timeout);
    let patience = Patience { first, pause: gateway.limits.stream_idle_timeout, whole: delivery.deadline };
    let delivered = match (answer.conversion.take(), delivery.wish) {
        (Some(conversion), Some(wish)) => convert::respond(answer, *conversion, meter, patience, wish).await,
        _ if convert::is_stream(&answer.head.headers) => {
            stream::respond(answer, delivery.learn, meter, patience, delivery.hide_usage, delivery.array).await
        }
        _ => unary::respond(answer, delivery.learn, meter, patience).await,
    };
    delivered.unwrap_or_else(|(error, meter)| failed(&error, delivery.format, meter))
}

/// The provider's own status and words, in the client's shape.
pub(super) fn pass_on_error(said: &ProviderAnswer, format: Format, mut meter: Meter) -> Response {
    let key = &said.candidate.key;
    let same_shape = error_shape(said.format) == error_shape(format);
    let mut error = said.error.clone();
    error.message = key.leak.redact_text(error.message);
    let mut response = if same_shape && is_document(format, &said.body) {
        error::json_response(said.status, key.leak.redact(said.body.clone()))
    } else {
        if same_shape {
            error.status = said.status.as_u16();
            // What stands in front of the provider has no word for it, or another.
            error.code.get_or_insert("upstream_error".into());
        }
        if error.code.as_deref() == Some("model_not_found")
            && let Some(model) = &meter.model
        {
            // The client knows the model by its own name (`docs/TRANSLATION.md` section 5).
            error.message = error.message.replace(&*said.candidate.upstream_model, model);
        }
        error::answer(&error, format, meter.request_id())
    };
    meter.first_byte();
    meter.answering(response.status());
    meter.provider_failed(&error.message);
    meter.response_bytes = http_body::Body::size_hint(response.body()).lower();
    let mut forwarded = HeaderMap::new();
    headers::forward(&said.headers, &mut forwarded, key, format);
    forwarded.remove(CONTENT_TYPE);
    response.headers_mut().extend(forwarded);
    // The pause may stand in the body, or in Anthropic's own headers.
    error::tell_pause(&mut response, error.retry_after);
    response
}

/// Whether `body` is an error document of `format`, to be passed on as it stands. Gemini's may stand in an array, which
/// its own packages read.
fn is_document(format: Format, body: &[u8]) -> bool {
    let in_array = || {
        let documents = serde_json::from_slice::<[serde_json::Value; 1]>(body);
        documents.is_ok_and(|[document]| document["error"]["message"].is_string())
    };
    openai_error::is_document(body) || (format == Format::GeminiGenerate && in_array())
}

/// Formats with the same shape of errors are the same here.
fn error_shape(format: Format) -> Format {
    if format == Format::OpenAiResponses { Format::OpenAiChat } else { format }
}
