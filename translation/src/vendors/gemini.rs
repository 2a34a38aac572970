//! Google's Gemini API (AI Studio): <https://ai.google.dev/api/generate-content>. Models are listed by
//! <https://ai.google.dev/api/models>, a page at a time.

use super::{Auth, Vendor};
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "gemini",
    title: "Google Gemini",
    base_url: Some("https://generativelanguage.googleapis.com"),
    formats: &[Format::GeminiGenerate],
    paths: &[],
    models_path: Some("/v1beta/models"),
    auth: Auth::GoogApiKey,
    quirks: Quirks::NONE,
    docs: "https://ai.google.dev/api/generate-content",
    ..Vendor::COMPATIBLE
};
