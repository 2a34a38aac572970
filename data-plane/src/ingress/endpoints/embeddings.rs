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
    let mut request = EmbeddingsRequest::read(asked, &body)?;
    meter.model = Some(request.json.model.to_string());
    let plan = Plan::serving(admitted.table, admitted.client, &request.json.model)?;
    meter.home = Some(plan.home());
    let candidates = admitted.candidates(plan).await?;
    let all = candidates.clone().into_iter();
    let mut answer = admitted.walk_until(admitted.deadline, all, &request, meter).await?;
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

async fn read(admitted: &Admitted<'_>, answer: Answer) -> Result<Embedded, GatewayError> {
    let format = answer.format;
    let patience = admitted.patience(&answer);
    let body = whole(&answer.head, answer.opened.into_body(), patience).await?;
    let protocol = format.embeddings().ok_or(GatewayError::Internal("no embeddings were asked for in this format"))?;
    protocol.decode_response(&body).map_err(GatewayError::from)
}
