//! Embeddings, translated between OpenAI's and Gemini's where the provider speaks the other (`docs/TRANSLATION.md`
//! section 12).

use axum::body::Body;
use translation::ir::Usage;
use translation::protocol::Format;
use translation::protocol::embeddings::{Embedded, Shape, gemini, openai};

use super::count::counted;
use super::serve::{Asking, Reply};
use crate::answer::{Answer, Failure};
use crate::error::GatewayError;
use crate::request::embeddings::EmbeddingsRequest;
use crate::request::json::Asked;
use crate::respond::unary;
use crate::route::plan::{Candidate, Plan};
use crate::usage::meter::Meter;

pub(super) async fn ask(
    asking: &Asking<'_>,
    asked: Asked<'static>,
    body: Body,
    meter: &mut Meter,
) -> Result<Reply, Failure> {
    let body = asking.body(body, meter).await?;
    let mut request = EmbeddingsRequest::read(asked, &body)?;
    meter.model = Some(request.json.model.to_string());
    let plan = Plan::serving(asking.table, asking.principal, &request.json.model)?;
    let candidates = plan.candidates.clone();
    let mut answer = asking.walk(plan, &request, meter).await?;
    if answer.format == asking.format {
        return Ok(Reply::bytes(answer));
    }
    let texts = request.neutral()?.texts.len();
    let group = answer.candidate.group.group.id.clone();
    let mut embedded = Embedded::default();
    loop {
        let expected = if answer.format == Format::GeminiGenerate { gemini::BATCH } else { texts };
        let expected = expected.min(texts - embedded.vectors.len());
        let further = read(asking, answer).await?;
        if further.vectors.len() != expected {
            return Err(GatewayError::Unusable("it holds another number of embeddings than were asked for").into());
        }
        embedded.append(further);
        meter.usage = embedded.tokens.map(|input| Usage { input, ..Usage::default() });
        if embedded.vectors.len() >= texts {
            break;
        }
        // The next ones come from the same model: vectors of two cannot be compared.
        request.from(embedded.vectors.len());
        let same = |candidate: &&Candidate| candidate.group.group.id == group;
        let plan = Plan { candidates: candidates.iter().filter(same).cloned().collect(), skipped: Vec::new() };
        answer = asking.walk(plan, &request, meter).await?;
    }
    let neutral = request.neutral()?;
    let body = match neutral.shape {
        Shape::Single | Shape::Batch => gemini::encode_response(&embedded, neutral.shape),
        Shape::Numbers | Shape::Base64 => {
            let tokens = counted(body.clone()).await?;
            let written = openai::encode_response(&embedded, neutral.shape, &request.json.model, tokens);
            written.map_err(|error| GatewayError::Provider(Box::new(error)))?
        }
    };
    Ok(Reply::Own(body.into()))
}

async fn read(asking: &Asking<'_>, answer: Answer) -> Result<Embedded, GatewayError> {
    let format = answer.format;
    let patience = asking.patience(&answer);
    let body = unary::take(answer, patience).await?;
    let embedded =
        if format == Format::GeminiGenerate { gemini::decode_response(&body) } else { openai::decode_response(&body) };
    embedded.map_err(|error| GatewayError::Provider(Box::new(error)))
}
