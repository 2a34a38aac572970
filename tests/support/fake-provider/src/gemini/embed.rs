//! Embeddings of one text and of many. They have no count of tokens.

use serde_json::{Value, json};

use super::check::{self, field, list, parts};
use super::fields::{EMBED, EMBED_BATCH};
use crate::call::{Call, Reply};
use crate::fields::text_of;
use crate::refusal::Refusal;
use crate::vector;

const USUAL_DIMENSIONS: usize = 3072;
const MAX_BATCH: usize = 100;

/// `POST /v1beta/models/{model}:embedContent`.
pub(crate) fn one(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::names(call.json(), EMBED)?;
    Ok(Reply::Json(json!({ "embedding": embedding(call.json())? })))
}

/// `POST /v1beta/models/{model}:batchEmbedContents`.
pub(crate) fn batch(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::names(call.json(), EMBED_BATCH)?;
    let requests = list(call.json(), "requests");
    if requests.is_empty() || requests.len() > MAX_BATCH {
        let message = "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n";
        return Err(Refusal::invalid(message));
    }
    let path = format!("models/{}", call.model);
    if requests.iter().any(|request| text_of(request, "model") != Some(&path)) {
        let message = "* BatchEmbedContentsRequest.requests[0].model: model must be the same as in the path\n";
        return Err(Refusal::invalid(message));
    }
    let embeddings = requests.iter().map(embedding).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::Json(json!({ "embeddings": embeddings })))
}

fn embedding(request: &Value) -> Result<Value, Refusal> {
    let texts = field(request, "content").map_or(&[][..], parts).iter().filter_map(|part| text_of(part, "text"));
    let text: String = texts.collect();
    if text.is_empty() {
        return Err(Refusal::invalid("* EmbedContentRequest.content: contents is not specified\n"));
    }
    let dimensions = match field(request, "outputDimensionality") {
        None => USUAL_DIMENSIONS,
        Some(asked) => asked
            .as_u64()
            .and_then(|asked| usize::try_from(asked).ok())
            .filter(|asked| (1..=USUAL_DIMENSIONS).contains(asked))
            .ok_or_else(|| Refusal::invalid("output_dimensionality must be in the range of [1, 3072]."))?,
    };
    Ok(json!({ "values": vector::json(&vector::of(&text, dimensions)) }))
}
