//! `:embedContent` and `:batchEmbedContents` (<https://ai.google.dev/api/embeddings>).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Embedded, EmbeddingsInput, EmbeddingsProtocol, Shape, dimensions, numbers, unusable};
use crate::ir::{ProviderError, TranslateError};
use crate::json::Json;

/// The most texts that Gemini takes at once.
pub const BATCH: usize = 100;

/// The endpoint for one text.
const SINGLE: &str = ":embedContent";

/// Gemini's embeddings.
#[derive(Clone, Copy, Debug)]
pub struct GeminiEmbeddings;

impl EmbeddingsProtocol for GeminiEmbeddings {
    fn path(&self) -> &'static str {
        ":batchEmbedContents"
    }

    fn most_texts(&self) -> Option<usize> {
        Some(BATCH)
    }

    fn decode_request(&self, path: &str, body: &[u8]) -> Result<EmbeddingsInput, TranslateError> {
        if path == SINGLE { decode_request(body) } else { decode_batch(body) }
    }

    fn encode_request(&self, request: &EmbeddingsInput, texts: Range<usize>, model: &str) -> Vec<u8> {
        encode_batch(request, texts, model)
    }

    fn decode_response(&self, body: &[u8]) -> Result<Embedded, ProviderError> {
        decode_response(body)
    }
}

#[derive(Deserialize)]
struct WireRequest {
    content: Option<WireContent>,
    #[serde(alias = "output_dimensionality", rename = "outputDimensionality")]
    output_dimensionality: Option<Json>,
}

#[derive(Deserialize)]
struct WireContent {
    parts: Option<Vec<WirePart>>,
}

#[derive(Deserialize)]
struct WirePart {
    text: Option<String>,
}

fn malformed(error: &serde_json::Error) -> TranslateError {
    TranslateError::invalid("body", format!("the request cannot be read: {error}"))
}

/// Reads the request of a client of `:embedContent`. The title of a text, and the task for which it is embedded, have
/// no place in other formats and are left out.
///
/// # Errors
/// [`TranslateError`]: the request is malformed, or holds more than text.
pub fn decode_request(body: &[u8]) -> Result<EmbeddingsInput, TranslateError> {
    let wire: WireRequest = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let (text, dimensions) = one(wire, "content")?;
    Ok(EmbeddingsInput { texts: vec![text], dimensions, shape: Shape::Single })
}

/// Reads the request of a client of `:batchEmbedContents`.
///
/// # Errors
/// [`TranslateError`]: the request is malformed, holds more than text, or wants vectors of several lengths at once.
pub fn decode_batch(body: &[u8]) -> Result<EmbeddingsInput, TranslateError> {
    #[derive(Deserialize)]
    struct Wire {
        requests: Vec<WireRequest>,
    }
    let wire: Wire = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let mut texts = Vec::with_capacity(wire.requests.len());
    let mut all: Option<Option<u64>> = None;
    for (at, request) in wire.requests.into_iter().enumerate() {
        let (text, wanted) = one(request, &format!("requests[{at}].content"))?;
        if *all.get_or_insert(wanted) != wanted {
            let problem = "the requests want vectors of different lengths, which the provider cannot give at once";
            return Err(TranslateError::unsupported("requests", problem));
        }
        texts.push(text);
    }
    if texts.is_empty() {
        return Err(TranslateError::invalid("requests", "the field 'requests' is empty"));
    }
    Ok(EmbeddingsInput { texts, dimensions: all.flatten(), shape: Shape::Batch })
}

fn one(request: WireRequest, place: &str) -> Result<(String, Option<u64>), TranslateError> {
    let parts = request.content.and_then(|content| content.parts).unwrap_or_default();
    if parts.is_empty() {
        return Err(TranslateError::invalid(place, format!("the field '{place}' holds no parts")));
    }
    let mut text = String::new();
    for part in parts {
        let Some(part) = part.text else {
            let problem = "the provider that serves this model embeds text only";
            return Err(TranslateError::unsupported(place, problem));
        };
        text.push_str(&part);
    }
    Ok((text, dimensions(request.output_dimensionality, "outputDimensionality")?))
}

/// Writes a request to `:batchEmbedContents` for the texts of `batch`, for the model that the vendor calls `model`.
pub fn encode_batch(request: &EmbeddingsInput, batch: Range<usize>, model: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Wire<'r> {
        requests: Vec<One<'r>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct One<'r> {
        model: &'r str,
        content: Content<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        output_dimensionality: Option<u64>,
    }
    #[derive(Serialize)]
    struct Content<'r> {
        parts: [Part<'r>; 1],
    }
    #[derive(Serialize)]
    struct Part<'r> {
        text: &'r str,
    }
    let model = if model.contains('/') { model.to_owned() } else { format!("models/{model}") };
    let texts = request.texts.get(batch).unwrap_or_default();
    let requests = texts.iter().map(|text| One {
        model: &model,
        content: Content { parts: [Part { text }] },
        output_dimensionality: request.dimensions,
    });
    // Texts always serialise.
    serde_json::to_vec(&Wire { requests: requests.collect() }).unwrap_or_default()
}

/// Reads a provider's answer to `:batchEmbedContents`.
///
/// # Errors
/// [`ProviderError`]: the body is no answer.
pub fn decode_response(body: &[u8]) -> Result<Embedded, ProviderError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        embeddings: Vec<Vector>,
        usage_metadata: Option<Json>,
    }
    #[derive(Deserialize)]
    struct Vector {
        values: Json,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Usage {
        prompt_token_count: Option<u64>,
    }
    let wire: Wire = serde_json::from_slice(body).map_err(|_| unusable())?;
    Ok(Embedded {
        vectors: numbers(wire.embeddings.into_iter().map(|vector| vector.values).collect()).ok_or_else(unusable)?,
        tokens: wire.usage_metadata.and_then(|usage| usage.read::<Usage>().ok()?.prompt_token_count),
    })
}

/// Writes an answer for a client.
pub fn encode_response(embedded: &Embedded, shape: Shape) -> Vec<u8> {
    #[derive(Serialize)]
    struct Vector<'e> {
        values: &'e Json,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire<'e> {
        #[serde(skip_serializing_if = "Option::is_none")]
        embedding: Option<Vector<'e>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        embeddings: Option<Vec<Vector<'e>>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage_metadata: Option<Usage>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Usage {
        prompt_token_count: u64,
    }
    let mut vectors = embedded.vectors.iter().map(|values| Vector { values });
    let usage_metadata = embedded.tokens.map(|prompt_token_count| Usage { prompt_token_count });
    let wire = if shape == Shape::Single {
        Wire { embedding: vectors.next(), embeddings: None, usage_metadata }
    } else {
        Wire { embedding: None, embeddings: Some(vectors.collect()), usage_metadata }
    };
    serde_json::to_vec(&wire).unwrap_or_default()
}
