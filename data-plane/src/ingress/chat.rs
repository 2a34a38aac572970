//! A request to any of the chat APIs: OpenAI's chat completions and responses, Anthropic's messages, Gemini's generated
//! content.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use shared::time::now_ms;
use translation::Format;
use translation::names;
use translation::protocol::contract::AnswerContext;

use super::admit::{Arrival, unless_closing};
use super::further::Further;
use super::gateway::Gateway;
use super::memory::{self, Asked, Memory};
use super::{fallbacks, query};
use crate::answer::{Answer, Failure};
use crate::body::collect::Patience;
use crate::cache::kept::KeptAnswer;
use crate::metrics::Api;
use crate::request::{ChatRequest, Spoken};
use crate::respond::convert::{self, Conversation, Wish};
use crate::respond::headers::name_dropped;
use crate::respond::learn::Learn;
use crate::respond::stream::UsageEvent;
use crate::respond::{error, replay, stream, unary};
use crate::usage::meter::Meter;

/// How the answer of a provider is to be written on.
struct Delivery {
    format: Format,
    /// Takes note of the id in the answer, where further requests will name it.
    learn: Option<Learn>,
    usage: UsageEvent,
    array: bool,
    /// What the client is to get of an answer that has to be converted.
    wish: Option<Wish>,
}

/// What a client of a chat API gets.
#[expect(clippy::large_enum_variant, reason = "it is moved once, and most are of the large kind")]
enum Told {
    /// The answer of a provider.
    Provider(Answer, Delivery),
    /// An answer from memory.
    Kept(Arc<KeptAnswer>),
}

/// Serves a request to the chat API `format`.
pub(super) async fn create(gateway: &Gateway, request: Request, api: Api, format: Format, spoken: Spoken) -> Response {
    let (parts, body) = request.into_parts();
    let (arrival, mut meter) = Arrival::new(gateway, parts, api, format);
    let closing = meter.closing();
    let asked = unless_closing(closing, pin!(ask(&arrival, body, spoken, &mut meter))).await;
    let response = match asked {
        Ok(Told::Provider(answer, delivery)) => {
            let patience = arrival.patience(&answer);
            deliver(answer, delivery, patience, meter).await
        }
        Ok(Told::Kept(kept)) => replay::respond(kept.headers.clone(), kept.body.clone(), kept.streams, meter),
        Err(failure) => error::failed(&failure, format, meter),
    };
    arrival.identify(response)
}

/// Goes from the client's request to the head of a provider's answer, or to an answer from memory.
async fn ask(arrival: &Arrival<'_>, body: Body, spoken: Spoken, meter: &mut Meter) -> Result<Told, Failure> {
    let (admitted, body) = arrival.admit_with(body, meter).await?;
    let (gateway, format, proxy_key) = (admitted.gateway, admitted.format, &admitted.client.key.id);
    let facts = format.facts();
    let body = admitted.read(body, meter).await?;
    let sent = body.len() as u64;
    let Further { body, models: further } = Further::of(&admitted, body, spoken.model.as_deref())?;
    let conversation =
        facts.keeps_answers.then(|| Conversation { kept: gateway.conversations.of(proxy_key), asked: body.clone() });
    let body = match &conversation {
        Some(conversation) => {
            let resolved = conversation.resolved(gateway.limits.max_body_bytes, meter.held.as_ref())?;
            resolved.unwrap_or(body)
        }
        None => body,
    };
    // Tokens are estimated from what a provider gets to read, which includes what the client only refers to.
    meter.asked(&body);
    meter.request_bytes = sent;
    // A client of Gemini's API wants a stream as events or as an array.
    let array = spoken.stream == Some(true) && !query::has(&admitted.parts.uri, "alt", "sse");
    let signatures = gateway.signatures.of(proxy_key);
    let request = ChatRequest::read(format, &body, spoken)?;
    let mut request = request.signed_with(signatures.clone()).with_media(&gateway.media, proxy_key);
    if let Some(held) = &meter.held {
        request = request.held_with(held);
    }
    meter.model = Some(request.model.to_string());
    meter.streamed = request.stream;
    meter.has_tools = request.has_tools;
    meter.tier = request.tier();
    admitted.trace(meter)?;
    admitted.may_name(request.names_further_models)?;
    admitted.reserve(&request.model, &body, request.longest_answer(), meter).await?;

    let asked = Asked {
        chat: Some(format),
        endpoint: "",
        body: &body,
        model: &request.model,
        further: &further,
        stream: request.stream,
    };
    let missing = match memory::look_up(&admitted, asked, meter).await {
        Memory::Hit(kept) => {
            meter.let_go(0);
            return Ok(Told::Kept(kept));
        }
        Memory::Miss(missing) => Some(missing),
        Memory::Off => None,
    };
    let mut answer = fallbacks::walk(&admitted, &request, further, &body, meter).await?;
    if let Some(missing) = missing {
        missing.record(&admitted, &answer.candidate, meter);
    }
    if answer.dropped.names().iter().any(|name| *name == facts.fields.service_tier) {
        meter.tier = None;
    }
    let learns = facts.keeps_answers && answer.conversion.is_none();
    let learn = learns.then(|| Learn::new(&gateway.owners, &answer.candidate));
    let streams = answer.streams();
    if answer.conversion.is_none() && streams != request.stream && request.neutral().is_ok() {
        // The provider did not answer in the way that it was asked for. SDKs that wait for a stream make nothing of a
        // whole answer, nor the other way round, and do not say so.
        answer.conversion = Some(Box::default());
    }
    let stream = request.stream;
    let usage = match (facts.usage_if_asked && stream, request.include_usage) {
        (false, _) => UsageEvent::Passes,
        (true, false) => UsageEvent::Hidden,
        (true, true) => UsageEvent::Owed,
    };
    let wish = match &answer.conversion {
        Some(_) => {
            let created = u64::try_from(now_ms() / 1000).unwrap_or_default();
            let asked = AnswerContext { id: names::random(24), created, request: request.into_asked()? };
            Some(Wish { format, stream, array, asked, signatures, conversation })
        }
        None => None,
    };
    // From here on, what is held of the request is the body of a turn that the client may refer to, and what the answer
    // has to know of it.
    let kept = wish.as_ref().map_or(0, |wish| {
        let turn = if wish.conversation.is_some() { sent } else { 0 };
        turn + wish.asked.request.text_bytes() as u64
    });
    meter.let_go(kept);
    Ok(Told::Provider(answer, Delivery { format, learn, usage, array, wish }))
}

async fn deliver(mut answer: Answer, delivery: Delivery, patience: Patience, meter: Meter) -> Response {
    let Delivery { format, learn, usage, array, wish } = delivery;
    let dropped = std::mem::take(&mut answer.dropped);
    let delivered = match (answer.conversion.take(), wish) {
        (Some(conversion), Some(wish)) => convert::respond(answer, *conversion, meter, patience, wish).await,
        _ if answer.streams() => Ok(stream::respond(answer, learn, meter, patience, usage, array)),
        _ => unary::respond(answer, learn, meter, patience).await,
    };
    let mut response = delivered.unwrap_or_else(|(error, meter)| error::refused(&error, format, meter));
    name_dropped(&mut response, &dropped);
    response
}
