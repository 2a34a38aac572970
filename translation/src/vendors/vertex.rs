//! Google Vertex AI, of a project and a location:
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>, and Claude at it:
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude>.
//!
//! It lists no models below a project. Links in media are refused for Claude, and for Gemini where the other side
//! forbids robots.

use super::{Auth, Vendor};
use crate::format::{Format, Path};
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "vertex",
    title: "Google Vertex AI",
    base_url_example: Some("https://us-central1-aiplatform.googleapis.com/v1/projects/PROJECT/locations/us-central1"),
    formats: &[Format::GeminiGenerate],
    model_formats: &[("claude-", &[Format::AnthropicMessages])],
    paths: &[
        (
            Format::AnthropicMessages,
            Path {
                whole: "/publishers/anthropic/models/{model}:rawPredict",
                stream: "/publishers/anthropic/models/{model}:streamRawPredict",
            },
        ),
        (
            Format::GeminiGenerate,
            Path {
                whole: "/publishers/google/models/{model}:generateContent",
                stream: "/publishers/google/models/{model}:streamGenerateContent?alt=sse",
            },
        ),
    ],
    models_path: None,
    auth: Auth::GoogleServiceAccount,
    anthropic_body_version: Some("vertex-2023-10-16"),
    quirks: Quirks { media_urls: false, ..Quirks::NONE },
    docs: "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
    ..Vendor::COMPATIBLE
};
