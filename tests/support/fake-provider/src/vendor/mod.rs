//! The vendors: how a request authenticates, what errors look like, which headers answers have.

mod anthropic;
mod azure;
mod gemini;
mod openai;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::script::Script;

/// A vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenAi,
    Azure,
    Anthropic,
    Gemini,
}

impl Vendor {
    /// The upstream key, or the refusal of a request without one.
    pub(crate) fn key(self, headers: &HeaderMap, query: &str) -> Result<String, Refusal> {
        let names: &[&str] = match self {
            Self::OpenAi => &[],
            Self::Azure => &["api-key"],
            Self::Anthropic => &["x-api-key"],
            Self::Gemini => &["x-goog-api-key"],
        };
        let own = names.iter().find_map(|name| headers.get(*name)?.to_str().ok());
        let bearer = || headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
        let asked = || if self == Self::Gemini { query_value(query, "key") } else { None };
        own.or_else(bearer).map(str::to_owned).or_else(asked).ok_or_else(|| match self {
            Self::OpenAi => openai::no_key(),
            Self::Azure => azure::no_key(),
            Self::Anthropic => anthropic::no_key(),
            Self::Gemini => gemini::no_key(),
        })
    }

    /// The refusal in the vendor's shape.
    pub(crate) fn error(self, refusal: &Refusal) -> Value {
        match self {
            Self::OpenAi => openai::error(refusal),
            Self::Azure => azure::error(refusal),
            Self::Anthropic => anthropic::error(refusal),
            Self::Gemini => gemini::error(refusal),
        }
    }

    /// The vendor's words for `status`, as recorded or documented.
    pub(crate) fn words(self, status: u16, model: &str) -> Refusal {
        match self {
            Self::OpenAi => openai::words(status, model),
            Self::Azure => azure::words(status, model),
            Self::Anthropic => anthropic::words(status, model),
            Self::Gemini => gemini::words(status, model),
        }
    }

    /// The body of an error answer by `script`: the script's own error object in the vendor's envelope, or its words.
    pub(crate) fn scripted_error(self, script: &Script, status: u16, model: &str) -> Value {
        match (&script.error, self) {
            (None, _) => self.error(&self.words(status, model)),
            (Some(own), Self::Anthropic) => anthropic::envelope(own),
            (Some(own), _) => json!({ "error": own }),
        }
    }

    /// Adds the headers that the vendor puts on each answer.
    pub(crate) fn headers(self, status: u16, headers: &mut HeaderMap) {
        let fixed = match self {
            Self::OpenAi => openai::HEADERS,
            Self::Azure => azure::HEADERS,
            Self::Anthropic => anthropic::HEADERS,
            Self::Gemini => gemini::HEADERS,
        };
        let by_status: &[(&str, &str)] = match self {
            Self::Azure => azure::headers_of(status),
            Self::Anthropic => anthropic::headers_of(status),
            Self::OpenAi | Self::Gemini => &[],
        };
        for (name, value) in fixed.iter().chain(by_status) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }

    pub(crate) fn json_type(self) -> &'static str {
        if self == Self::Gemini { "application/json; charset=UTF-8" } else { "application/json" }
    }
}

/// A frame of server-sent events without a name.
pub(crate) fn frame(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

/// The value of `name` in a query, decoded.
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decoded(&value.replace('+', " ")))
}

/// The text without percent-encoding. What is no valid encoding stays.
pub(crate) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            plain.push(byte);
            at += 3;
        } else {
            plain.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}
