//! Results of tools: Gemini knows them by the function's name, and by their order (`docs/TRANSLATION.md` section 6.2).

use std::borrow::Cow;

use super::content::{Calls, Content, Kind, id, push};
use super::media;
use super::writer::Writer;
use crate::ir::{Message, Part, ToolResult, TranslateError};
use crate::json::{self, Json};
use crate::protocol::builtin;
use crate::protocol::gemini_generate::part::{Fields, FunctionResponse, Object, Written};

/// Results of messages that follow each other.
#[derive(Default)]
pub(super) struct Group<'r> {
    responses: Vec<FunctionResponse<'r>>,
    /// Media that the model takes only beside the results.
    media: Vec<Written<'r>>,
}

impl<'r> Group<'r> {
    /// Adds the results of `message`.
    pub(super) fn add(
        &mut self,
        writer: &mut Writer<'r>,
        calls: &Calls<'r>,
        message: &'r Message,
    ) -> Result<(), TranslateError> {
        for (at, part) in message.parts.iter().enumerate() {
            let Part::ToolResult(result) = part else {
                let path = writer.request.path(message, Some(at));
                return Err(TranslateError::invalid(path, "a message of a tool holds its result and nothing else"));
            };
            // A client that only goes on with what the provider keeps names the function by itself.
            let name = calls.get(&*result.call_id).copied().or(result.name.as_deref()).unwrap_or(&result.call_id);
            let mut parts = Vec::new();
            for (inner, part) in result.content.iter().enumerate() {
                if let Part::Media(medium) = part {
                    let path = format!("{}.content[{inner}]", writer.request.path(message, Some(at)));
                    let written = media::write(writer, medium, &path)?.into();
                    let place = if writer.target.facts.media_in_results { &mut parts } else { &mut self.media };
                    place.push(written);
                }
            }
            let name = Cow::Owned(writer.names.map(name));
            let id = id(writer, &result.call_id);
            self.responses.push(FunctionResponse { id, name, response: response(result), parts });
        }
        Ok(())
    }

    /// Writes the results as a content of their own.
    pub(super) fn close(&mut self, contents: &mut Vec<Content<'r>>) {
        for response in self.responses.drain(..) {
            let fields = Fields { function_response: Some(response), ..Fields::default() };
            push(contents, Kind::Results, fields.into());
        }
        for part in self.media.drain(..) {
            push(contents, Kind::User, part);
        }
    }
}

/// What the tool gave, as the object that the field has to be.
fn response(result: &ToolResult) -> Object<'_> {
    let said = |part| Part::as_text(part).map(Cow::Borrowed).or_else(|| builtin::in_words(part).map(Cow::Owned));
    let mut texts = result.content.iter().filter_map(said);
    let first = texts.next().unwrap_or_default();
    let more: Vec<_> = texts.collect();
    let text = if more.is_empty() { first } else { Cow::Owned([&*first, &more.join("\n")].join("\n")) };
    if result.is_error == Some(true) {
        return Object::field("error", &Json::of(&*text));
    }
    if let Cow::Borrowed(text) = text
        && let Some(object) = Object::of(text)
    {
        return object;
    }
    let value = if json::is_json(&text) { Json::parse(text.trim()) } else { None };
    match value {
        Some(value) if value.is_object() => Object::Made(value),
        Some(value) => Object::field("result", &value),
        None => Object::field("result", &Json::of(&*text)),
    }
}
