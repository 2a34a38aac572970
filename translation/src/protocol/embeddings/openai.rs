//! `POST /v1/embeddings` (OpenAI API reference, "Create embeddings").

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Embedded, EmbeddingsInput, EmbeddingsProtocol, Shape, dimensions, numbers, unusable};
use crate::ir::{ProviderError, TranslateError};
use crate::json::{Json, quoted};
use crate::object::{Object, kind};

/// The most texts of one request (API reference, "Create embeddings": `input`).
pub const MOST_TEXTS: usize = 2048;

/// OpenAI's embeddings.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiEmbeddings;

impl EmbeddingsProtocol for OpenAiEmbeddings {
    fn path(&self) -> &'static str {
        "/embeddings"
    }

    fn decode_request(&self, _path: &str, body: &[u8]) -> Result<EmbeddingsInput, TranslateError> {
        decode_request(body)
    }

    fn encode_request(&self, request: &EmbeddingsInput, _texts: Range<usize>, model: &str) -> Vec<u8> {
        encode_request(request, model)
    }

    fn decode_response(&self, body: &[u8]) -> Result<Embedded, ProviderError> {
        decode_response(body)
    }
}

#[derive(Deserialize)]
struct Wire {
    input: Option<Json>,
    dimensions: Option<Json>,
    encoding_format: Option<Json>,
}

/// Reads a client's request for a provider of another format.
///
/// # Errors
/// [`TranslateError`]: the request is malformed, or holds tokens, which only OpenAI's models understand.
pub fn decode_request(body: &[u8]) -> Result<EmbeddingsInput, TranslateError> {
    let wire: Wire = serde_json::from_slice(body)
        .map_err(|error| TranslateError::invalid("body", format!("the request cannot be read: {error}")))?;
    let shape = match wire.encoding_format.and_then(Json::non_null) {
        None => Shape::Numbers,
        Some(format) => match format.get() {
            r#""float""# => Shape::Numbers,
            r#""base64""# => Shape::Base64,
            _ => {
                let problem = "the field 'encoding_format' must be 'float' or 'base64'";
                return Err(TranslateError::invalid("encoding_format", problem));
            }
        },
    };
    let Some(input) = wire.input.and_then(Json::non_null) else {
        return Err(TranslateError::invalid("input", "the field 'input' is missing: it holds the text to embed"));
    };
    Ok(EmbeddingsInput { texts: texts(&input)?, dimensions: dimensions(wire.dimensions, "dimensions")?, shape })
}

fn texts(input: &Json) -> Result<Vec<String>, TranslateError> {
    let text = input.get();
    if text.starts_with('"')
        && let Ok(text) = input.read()
    {
        return Ok(vec![text]);
    }
    if let Ok(texts) = input.read::<Vec<String>>() {
        if texts.is_empty() || texts.len() > MOST_TEXTS {
            let problem = format!("the field 'input' must hold between 1 and {MOST_TEXTS} texts");
            return Err(TranslateError::invalid("input", problem));
        }
        return Ok(texts);
    }
    let tokens = input.read::<Vec<i64>>().is_ok() || input.read::<Vec<Vec<i64>>>().is_ok();
    Err(if tokens {
        let problem = "the field 'input' holds token ids, which only OpenAI's own models understand: send the text";
        TranslateError::unsupported("input", problem)
    } else {
        let problem = format!("the field 'input' must be a string or a list of strings, not {}", kind(text));
        TranslateError::invalid("input", problem)
    })
}

/// Writes a request for a provider.
pub fn encode_request(request: &EmbeddingsInput, model: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Wire<'r> {
        model: &'r str,
        input: &'r [String],
        encoding_format: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        dimensions: Option<u64>,
    }
    let wire = Wire { model, input: &request.texts, encoding_format: "float", dimensions: request.dimensions };
    // Texts always serialise.
    serde_json::to_vec(&wire).unwrap_or_default()
}

/// Reads a provider's answer, whose vectors are lists.
///
/// # Errors
/// [`ProviderError`]: the body is no answer.
pub fn decode_response(body: &[u8]) -> Result<Embedded, ProviderError> {
    #[derive(Deserialize)]
    struct Wire {
        data: Vec<Item>,
        usage: Option<Json>,
    }
    #[derive(Deserialize)]
    struct Item {
        embedding: Json,
        index: Option<usize>,
    }
    #[derive(Deserialize)]
    struct Usage {
        prompt_tokens: Option<u64>,
        total_tokens: Option<u64>,
    }
    let mut wire: Wire = serde_json::from_slice(body).map_err(|_| unusable())?;
    wire.data.sort_by_key(|item| item.index);
    let usage = wire.usage.and_then(|usage| usage.read::<Usage>().ok());
    Ok(Embedded {
        vectors: numbers(wire.data.into_iter().map(|item| item.embedding).collect()).ok_or_else(unusable)?,
        tokens: usage.and_then(|usage| usage.prompt_tokens.or(usage.total_tokens)),
    })
}

/// Writes an answer for a client that named the model `model`. `tokens` is an estimate that stands for the usage where
/// the provider tells none.
///
/// # Errors
/// [`ProviderError`]: a vector is no list of numbers.
pub fn encode_response(embedded: &Embedded, shape: Shape, model: &str, tokens: u64) -> Result<Vec<u8>, ProviderError> {
    let size: usize = embedded.vectors.iter().map(|vector| vector.get().len() + 64).sum();
    let mut body = Vec::with_capacity(size + 128);
    body.extend_from_slice(br#"{"object":"list","data":["#);
    for (index, vector) in embedded.vectors.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(format!(r#"{{"object":"embedding","index":{index},"embedding":"#).as_bytes());
        if shape == Shape::Base64 {
            body.push(b'"');
            body.extend_from_slice(base64(vector)?.as_bytes());
            body.push(b'"');
        } else {
            body.extend_from_slice(vector.get().as_bytes());
        }
        body.push(b'}');
    }
    let tokens = embedded.tokens.unwrap_or(tokens);
    let usage =
        format!(r#"],"model":{},"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#, quoted(model));
    body.extend_from_slice(usage.as_bytes());
    Ok(body)
}

/// Whether the beginning of an answer shows vectors that are lists of numbers.
pub fn begins_with_numbers(beginning: &[u8]) -> bool {
    static EMBEDDING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""embedding""#));
    // The name is also the value of `object`, behind which no colon stands.
    let values = EMBEDDING.find_iter(beginning).filter_map(|at| {
        let rest = beginning[at + EMBEDDING.needle().len()..].trim_ascii_start();
        rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start)
    });
    values.into_iter().next().is_some_and(|value| value.starts_with(b"["))
}

/// A provider's answer with its lists of numbers written in base64, for a client that asked for that and would read an
/// empty vector otherwise (`docs/TRANSLATION.md` section 12). All else stays. None where nothing has to change.
pub fn in_base64(body: &Bytes) -> Option<Bytes> {
    if !begins_with_numbers(body) {
        return None;
    }
    let answer = Object::read(body).ok()?;
    let items: Vec<&RawValue> = serde_json::from_str(answer.get("data")?).ok()?;
    let mut data = Vec::with_capacity(body.len() / 2);
    for item in items {
        data.push(if data.is_empty() { b'[' } else { b',' });
        let item = body.slice_ref(item.get().as_bytes());
        let item = Object::read(&item).ok()?;
        let mut edits = item.edit();
        if let Some(vector) = item.get("embedding").filter(|vector| vector.starts_with('[')) {
            edits.set_string("embedding", &base64(&Json::parse(vector)?).ok()?);
        }
        data.extend_from_slice(&edits.apply());
    }
    data.push(b']');
    let mut edits = answer.edit();
    edits.set("data", String::from_utf8(data).ok()?);
    Some(edits.apply())
}

/// The numbers as little-endian floats of four bytes, in base64.
fn base64(vector: &Json) -> Result<String, ProviderError> {
    let numbers: Vec<f32> = vector.read().map_err(|_| unusable())?;
    let mut bytes = Vec::with_capacity(4 * numbers.len());
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Ok(STANDARD.encode(bytes))
}
