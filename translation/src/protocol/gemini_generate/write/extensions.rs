//! Fields that have no neutral form: Gemini's own, which clients of OpenAI's format give under `extra_body.google`,
//! `google` or at the top (Gemini API documentation, "OpenAI compatibility").

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::writer::Writer;
use crate::format::Format;
use crate::ir::{Dropped, TranslateError};
use crate::json::Json;
use crate::protocol::gemini_generate::read::camel;

/// The fields that are sent.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) safety_settings: Option<Json>,
    pub(super) cached_content: Option<Json>,
    pub(super) thinking_config: Option<Json>,
    pub(super) labels: Option<Json>,
    pub(super) generation_config: Vec<(String, Json)>,
    pub(super) tool_config: Vec<(String, Json)>,
}

/// Fields of `generationConfig` that Gemini is known to have.
const GENERATION: [&str; 9] = [
    "speechConfig",
    "mediaResolution",
    "imageConfig",
    "enableEnhancedCivicAnswers",
    "audioTimestamp",
    "routingConfig",
    "modelSelectionConfig",
    "responseMimeType",
    "responseSchema",
];
/// Fields of `toolConfig` that Gemini is known to have.
const TOOLS: [&str; 2] = ["retrievalConfig", "includeServerSideToolInvocations"];

/// Gemini's name of a field that may be written in snake_case.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    camel(Cow::Borrowed(name))
}

/// Reads the fields of the request, and notes those that are of no use here.
pub(super) fn read(writer: &mut Writer<'_>) -> Result<Extensions, TranslateError> {
    let mut extensions = Extensions::default();
    let native = writer.request.origin == Format::GeminiGenerate;
    for (name, value) in &writer.request.extensions {
        match name.split_once('.') {
            Some(("generationConfig", field)) if native && GENERATION.contains(&field) => {
                extensions.generation_config.push((field.to_owned(), value.clone()));
            }
            Some(("toolConfig", field)) if native && TOOLS.contains(&field) => {
                extensions.tool_config.push((field.to_owned(), value.clone()));
            }
            Some(("extra_body", field)) => extensions.take(name, field, value, &mut writer.dropped),
            Some(_) => writer.dropped.named(name.clone()),
            None if name == "web_search_options" => {
                let words = "this model searches the web only through a tool of its own";
                return Err(TranslateError::unsupported(name.as_str(), words));
            }
            None => extensions.take(name, name, value, &mut writer.dropped),
        }
    }
    Ok(extensions)
}

impl Extensions {
    /// Takes a field that stands at `path`, and what it holds, if it is one of Gemini's.
    fn take(&mut self, path: &str, name: &str, value: &Json, dropped: &mut Dropped) {
        let place = match &*self::name(name) {
            "safetySettings" => &mut self.safety_settings,
            "cachedContent" => &mut self.cached_content,
            "thinkingConfig" => &mut self.thinking_config,
            "labels" => &mut self.labels,
            // Clients put one in the other, or leave out one of them.
            "google" | "extraBody" if value.is_object() => {
                for (name, value) in value.read::<Map<String, Value>>().unwrap_or_default() {
                    self.take(&format!("{path}.{name}"), &name, &Json::of(&value), dropped);
                }
                return;
            }
            _ => return dropped.named(path.to_owned()),
        };
        *place = Some(value.clone());
    }
}
