//! Gemini, at Google AI Studio (<https://ai.google.dev/api>).

use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue};
use translation::protocol::Format;
use translation::vendor::{Auth, Vendor};

use super::{Call, Provider, segment, versioned, with_query};

#[derive(Debug)]
pub(super) struct Gemini;

impl Provider for Gemini {
    fn serves(&self, vendor: &Vendor) -> bool {
        vendor.auth == Auth::GoogApiKey
    }

    fn url(&self, base: &str, call: Call<'_>) -> Option<String> {
        match call {
            Call::Chat { format: Format::GeminiGenerate, model, stream } => {
                let method = if stream { ":streamGenerateContent?alt=sse" } else { ":generateContent" };
                Some(versioned(base, "v1beta", &format!("/{}{method}", resource(model))))
            }
            Call::Other { format: Format::GeminiGenerate, model, path, query } => {
                let path = if model.is_empty() { path.to_owned() } else { format!("/{}{path}", resource(model)) };
                Some(with_query(versioned(base, "v1beta", &path), query))
            }
            Call::Chat { .. } | Call::Other { .. } => None,
        }
    }

    fn fixed_urls(&self) -> bool {
        false
    }

    /// Never in the query: URLs are logged.
    fn credential(&self, secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(secret)?;
        value.set_sensitive(true);
        Ok((HeaderName::from_static("x-goog-api-key"), value))
    }
}

/// `models/…` of a bare name; names of other collections (`tunedModels/…`) are whole.
fn resource(model: &str) -> String {
    match model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => format!("{collection}/{}", segment(name)),
        _ => format!("models/{}", segment(model)),
    }
}
