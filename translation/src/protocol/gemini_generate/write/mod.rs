//! A request for a provider (`docs/TRANSLATION.md` section 6). The model stands in the URL.
//!
//! - [`contents`]: the conversation, with [`media`] and [`results`] of tools.
//! - [`tools`]: functions, and whether one must be called.
//! - [`config`]: `generationConfig`, with [`thinking`] and [`output`].
//! - [`writer`]: what all of them write with; [`content`]: a piece of the conversation.
//! - [`extensions`]: fields that have no neutral form.

mod config;
mod content;
mod contents;
mod extensions;
mod media;
mod output;
mod results;
mod thinking;
mod tools;
mod writer;

use bytes::Bytes;

use self::writer::{Settings, Writer, is_system};
use super::part::Fields;
use super::part::Written;
use crate::back::Back;
use crate::ir::{Dropped, Field, Part, Request, ServiceTier, TranslateError};
use crate::json::Json;
use crate::names::{GEMINI_NAMES, Mapping};
use crate::protocol::contract::{Encoded, Target};

/// `GenerateContentRequest`.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    contents: Vec<content::Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<tools::Entry<'a>>,
    #[serde(skip_serializing_if = "Settings::is_empty")]
    tool_config: Settings,
    #[serde(skip_serializing_if = "Settings::is_empty")]
    generation_config: Settings,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_settings: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(serde::Serialize)]
struct Instruction<'a> {
    parts: Vec<Written<'a>>,
}

/// Writes `request`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
    let names = Mapping::new(GEMINI_NAMES);
    let mut writer = Writer { request, target, dropped: Dropped::default(), back: Back::default(), names };
    writer.reserve_names();
    let extensions = extensions::read(&mut writer)?;
    let (answer_tool, words) = output::plan(&mut writer)?;
    let (mut tools, mut tool_config) = tools::write(&mut writer, answer_tool.as_ref())?;
    let mut system_instruction = writer.system(words)?;
    let contents = contents::write(&mut writer)?;
    let generation_config = config::write(&mut writer, &extensions, answer_tool.is_some())?;
    tool_config.0.extend(extensions.tool_config);
    writer.report_rest();
    if extensions.cached_content.is_some() {
        // System message and tools are part of what is cached, and refused beside it.
        if system_instruction.take().is_some() {
            writer.dropped.field(request, Field::System);
        }
        if !std::mem::take(&mut tools).is_empty() {
            writer.dropped.field(request, Field::Tools);
        }
        tool_config = Settings::default();
    }
    let document = Document {
        contents,
        system_instruction,
        tools,
        tool_config,
        generation_config,
        safety_settings: extensions.safety_settings,
        cached_content: extensions.cached_content,
        labels: extensions.labels,
        service_tier: writer.service_tier(),
    };
    // Texts and numbers always serialise.
    let body = serde_json::to_vec(&document).unwrap_or_default();
    drop(document);
    let Writer { dropped, mut back, names, .. } = writer;
    back.tool_names = names.changed();
    Ok(Encoded { body: Bytes::from(body), dropped, back })
}

impl<'r> Writer<'r> {
    /// Keeps the names that fit, so that no other name is mapped to one of them.
    fn reserve_names(&mut self) {
        let request = self.request;
        self.names.reserve(request.tools.iter().map(|tool| &*tool.name));
        for part in request.messages.iter().flat_map(|message| &message.parts) {
            if let Part::ToolCall(call) = part {
                self.names.reserve([&*call.name]);
            }
        }
    }

    /// All system and developer messages, wherever they stand, with a part for each text (`docs/TRANSLATION.md` section
    /// 13, point 15).
    fn system(&mut self, words: Option<&'static str>) -> Result<Option<Instruction<'r>>, TranslateError> {
        let request = self.request;
        let mut parts = Vec::new();
        for message in request.messages.iter().filter(|message| is_system(message)) {
            for (at, part) in message.parts.iter().enumerate() {
                match (part.as_text(), part) {
                    (Some(""), _) => {}
                    (Some(text), _) => parts.push(Fields::text(text).into()),
                    (None, Part::Opaque { .. }) => self.dropped.named(request.path(message, Some(at))),
                    (None, _) => {
                        let path = request.path(message, Some(at));
                        return Err(TranslateError::unsupported(path, "Gemini takes only text as a system message"));
                    }
                }
            }
        }
        parts.extend(words.map(|words| Fields::text(words).into()));
        Ok((!parts.is_empty()).then_some(Instruction { parts }))
    }

    fn service_tier(&mut self) -> Option<&'static str> {
        let word = match self.request.service_tier.as_ref()? {
            ServiceTier::Auto | ServiceTier::Standard => return None,
            // Vertex AI takes the tier as a header, if at all.
            ServiceTier::Priority if self.target.quirks.media_urls => Some("priority"),
            ServiceTier::Flex if self.target.quirks.media_urls => Some("flex"),
            ServiceTier::Priority | ServiceTier::Flex | ServiceTier::Other(_) => None,
        };
        if word.is_none() {
            self.dropped.field(self.request, Field::ServiceTier);
        }
        word
    }

    /// Names the fields that Gemini has nothing like.
    fn report_rest(&mut self) {
        let request = self.request;
        let parts = || request.messages.iter().flat_map(|message| &message.parts);
        let cached = |part: &Part| match part {
            Part::Text { cache, .. } => cache.is_some(),
            Part::Media(media) => media.cache.is_some(),
            Part::ToolCall(call) => call.cache.is_some(),
            Part::ToolResult(result) => result.cache.is_some(),
            _ => false,
        };
        let cache =
            request.cache.is_some() || request.tools.iter().any(|tool| tool.cache.is_some()) || parts().any(cached);
        let absent = [
            (request.user.is_some(), Field::User),
            (request.verbosity.is_some(), Field::Verbosity),
            (request.messages.iter().any(|message| message.name.is_some()), Field::Name),
            (cache, Field::Cache),
        ];
        for (_, field) in absent.into_iter().filter(|(given, _)| *given) {
            self.dropped.field(request, field);
        }
    }
}
