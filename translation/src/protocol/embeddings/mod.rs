//! Embeddings in OpenAI's format (API reference, "Create embeddings") and in Gemini's
//! (<https://ai.google.dev/api/embeddings>), through one neutral form (`docs/TRANSLATION.md` section 12).
//!
//! - [`openai`]: `POST /v1/embeddings`.
//! - [`gemini`]: `:embedContent` and `:batchEmbedContents`.

use std::fmt::Debug;
use std::ops::Range;

use crate::ir::{ErrorKind, ProviderError, TranslateError};
use crate::json::Json;

pub mod gemini;
pub mod openai;

/// A wire format for embeddings.
pub trait EmbeddingsProtocol: Debug + Send + Sync {
    /// The endpoint for several texts, which stands beside the chat endpoint of the format.
    fn path(&self) -> &'static str;

    /// The most texts that a provider takes in one request. None: as many as a client may give.
    fn most_texts(&self) -> Option<usize> {
        None
    }

    /// Reads the request of a client, which came to `path`.
    ///
    /// # Errors
    /// [`TranslateError`]: the request is malformed, or cannot be expressed in another format.
    fn decode_request(&self, path: &str, body: &[u8]) -> Result<EmbeddingsInput, TranslateError>;

    /// Writes a request for the `texts` of `request`, for the model that the vendor calls `model`.
    fn encode_request(&self, request: &EmbeddingsInput, texts: Range<usize>, model: &str) -> Vec<u8>;

    /// Reads a provider's answer to a request for several texts.
    ///
    /// # Errors
    /// [`ProviderError`]: the body is no answer.
    fn decode_response(&self, body: &[u8]) -> Result<Embedded, ProviderError>;
}

/// What is to be embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingsInput {
    /// The texts, in their order.
    pub texts: Vec<String>,
    /// How many numbers a vector is to have.
    pub dimensions: Option<u64>,
    /// How the client wants the vectors written.
    pub shape: Shape,
}

/// How a client wants vectors written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// OpenAI: a list of numbers.
    Numbers,
    /// OpenAI: base64 of little-endian floats of four bytes. The SDKs of Python and Node ask for it by themselves, and
    /// Node's reads a list in its place as an empty vector.
    Base64,
    /// Gemini's `:embedContent`: one vector.
    Single,
    /// Gemini's `:batchEmbedContents`.
    Batch,
}

/// Vectors, in the order of the texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedded {
    /// The vectors, each a list of numbers as the provider wrote it.
    pub vectors: Vec<Json>,
    /// The tokens in, where the provider tells them.
    pub tokens: Option<u64>,
}

impl Embedded {
    /// Appends the vectors of a further batch.
    pub fn append(&mut self, other: Self) {
        self.vectors.extend(other.vectors);
        self.tokens = match (self.tokens, other.tokens) {
            (Some(left), Some(right)) => Some(left.saturating_add(right)),
            (left, right) => left.or(right),
        };
    }
}

/// The vectors, if each is a flat list of numbers. Their text goes to the client as it is.
fn numbers(vectors: Vec<Json>) -> Option<Vec<Json>> {
    let plain =
        |byte: u8| matches!(byte, b'0'..=b'9' | b'e' | b'E' | b'+' | b'-' | b'.' | b',') || byte.is_ascii_whitespace();
    let flat = |vector: &Json| {
        let list = vector.get().strip_prefix('[').and_then(|list| list.strip_suffix(']'));
        list.is_some_and(|list| list.bytes().all(plain))
    };
    vectors.iter().all(flat).then_some(vectors)
}

/// The error of a provider whose answer holds no embeddings.
fn unusable() -> ProviderError {
    ProviderError::new(ErrorKind::Server, "the provider's answer holds no embeddings").code("upstream_invalid_response")
}

/// A number of dimensions, from the field `name` of the client's request.
fn dimensions(value: Option<Json>, name: &'static str) -> Result<Option<u64>, TranslateError> {
    let Some(value) = value.and_then(Json::non_null) else { return Ok(None) };
    match value.read::<u64>() {
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => Err(TranslateError::invalid(name, format!("the field '{name}' must be a whole number above 0"))),
    }
}

#[cfg(test)]
mod tests;
