//! Serves embeddings, translated between OpenAI's and Gemini's where the provider speaks the other
//! (`docs/TRANSLATION.md` section 12).

use axum::body::Body;
use translation::ir::Usage;
use translation::protocol::embeddings::{Embedded, EmbeddingsProtocol, Shape, gemini, openai};

use super::count::counted;
use super::reply::Reply;
use crate::answer::{Answer, Failure};
use crate::error::GatewayError;
use crate::ingress::admit::Admitted;
use crate::ingress::fallbacks::Relay;
use crate::ingress::further::Further;
use crate::ingress::memory::{self, Asked, Memory};
use crate::opening::whole::whole;
use crate::request::embeddings::EmbeddingsRequest;
use crate::request::json::JsonEndpoint;
use crate::route::candidate::Candidate;
use crate::route::plan::Plan;
use crate::usage::meter::Meter;

pub(super) async fn ask(
    admitted: &Admitted<'_>,
    asked: JsonEndpoint<'static>,
    body: Body,
    meter: &mut Meter,
) -> Result<Reply, Failure> {
    let body = admitted.body(body, meter).await?;
    let Further { body, models: further } = Further::of(admitted, body, asked.model.as_deref())?;
    let mut request = EmbeddingsRequest::read(asked, &body)?;
    meter.model = Some(request.json.model.to_string());
    admitted.may_name(request.json.names_further_models)?;
    admitted.reserve(&request.json.model, &body, Some(0), meter).await?;
    let (endpoint, model) = (request.json.path(), &*request.json.model);
    let wanted = Asked { chat: None, endpoint, body: &body, model, further: &further, stream: false };
    let missing = match memory::look_up(admitted, wanted, meter).await {
        Memory::Hit(kept) => return Ok(Reply::Kept(kept)),
        Memory::Miss(missing) => Some(missing),
        Memory::Off => None,
    };
    let mut relay = Relay::to(admitted, further);
    let mut plan = Plan::asked(admitted.table, admitted.client, &request.json.model);
    let (mut answer, candidates) = loop {
        let walked = match admitted.narrowed(plan, &request.json.model) {
            Ok(plan) => begin(admitted, plan, &request, meter).await,
            Err(unserved) => Err(unserved.into()),
        };
        match walked {
            Ok(begun) => break begun,
            Err(failure) => plan = Ok(relay.next(failure, meter)?),
        }
    };
    if let Some(missing) = missing {
        missing.record(admitted, &answer.candidate, meter);
    }
    if answer.format == admitted.format {
        let in_base64 = request.wants_base64();
        return Ok(if in_base64 { Reply::InBase64(Box::new(answer)) } else { Reply::bytes(answer, None) });
    }
    let texts = request.neutral()?.texts.len();
    let group = answer.candidate.group.group.id.clone();
    let mut embedded = Embedded::default();
    loop {
        let most = answer.format.embeddings().and_then(EmbeddingsProtocol::most_texts).unwrap_or(texts);
        let expected = most.min(texts - embedded.vectors.len());
        let further = read(admitted, answer).await?;
        if further.vectors.len() != expected {
            return Err(GatewayError::Unusable("it holds another number of embeddings than were asked for").into());
        }
        embedded.append(further);
        meter.usage = embedded.tokens.map(|input| Usage { input, ..Usage::default() });
        if embedded.vectors.len() >= texts {
            break;
        }
        // The next embeddings come from the same model, because vectors of two models cannot be compared.
        request.from(embedded.vectors.len());
        let same = |candidate: &&Candidate| candidate.group.group.id == group;
        let further = candidates.iter().filter(same).cloned();
        answer = admitted.walk_until(admitted.deadline, further, &request, meter).await?;
    }
    let neutral = request.neutral()?;
    let body = match neutral.shape {
        Shape::Single | Shape::Batch => gemini::encode_response(&embedded, neutral.shape),
        Shape::Numbers | Shape::Base64 => {
            let tokens = counted(body.clone()).await?;
            let written = openai::encode_response(&embedded, neutral.shape, &request.json.model, tokens);
            written.map_err(GatewayError::from)?
        }
    };
    Ok(Reply::Own(body.into()))
}

/// Asks the candidates of `plan` for the first embeddings. Gives all of them beside the answer.
async fn begin(
    admitted: &Admitted<'_>,
    plan: Plan<'_>,
    request: &EmbeddingsRequest<'_>,
    meter: &mut Meter,
) -> Result<(Answer, Vec<Candidate>), Failure> {
    meter.home = Some(plan.home());
    let candidates = admitted.candidates(plan).await?;
    let all = candidates.clone().into_iter();
    let answer = admitted.walk_until(admitted.deadline, all, request, meter).await?;
    Ok((answer, candidates))
}

async fn read(admitted: &Admitted<'_>, answer: Answer) -> Result<Embedded, GatewayError> {
    let format = answer.format;
    let patience = admitted.patience(&answer);
    let body = whole(&answer.head, answer.opened.into_body(), patience).await?;
    let protocol = format.embeddings().ok_or(GatewayError::Internal("no embeddings were asked for in this format"))?;
    protocol.decode_response(&body).map_err(GatewayError::from)
}
