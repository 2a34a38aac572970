//! Writes a request for a provider.
//!
//! - [`message`]: messages; [`media`]: pictures, sounds and files in them.
//! - [`tools`]: tools, and the choice among them.
//! - [`thinking`]: how hard to think, and the thoughts of earlier turns.
//! - [`settings`]: the rest.
//! - [`wire`]: the body.
//!
//! A request is "own" if a client of this format wrote it: its extensions are meant for the provider. "Newer"
//! fields are those that OpenAI's API did not have from the beginning: other vendors and older versions of it refuse
//! fields that they do not know.

mod media;
mod message;
mod settings;
mod thinking;
mod tools;
mod wire;

use bytes::Bytes;
use serde_json::{Map, Value};

use self::thinking::Planned;
use self::wire::BodyOut;
use crate::back::Back;
use crate::format::{Family, Format};
use crate::ir::{Dropped, Part, Request, TranslateError};
use crate::json::{Json, quoted};
use crate::names::{Mapping, OPENAI_IDS, OPENAI_NAMES, Rule};
use crate::protocol::contract::{Encoded, Target};

/// The request while it is written.
struct Writer<'r> {
    request: &'r Request,
    target: &'r Target<'r>,
    names: Mapping,
    ids: Mapping,
    dropped: Dropped,
    back: Back,
    /// What the vendor's rules make of the client's wish to think.
    thinking: Option<Planned>,
    own: bool,
    newer: bool,
    /// Whether tools of free text are declared as such.
    custom_tools: bool,
}

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
    let quirks = target.quirks;
    let own = request.origin == Format::OpenAiChat;
    let newer = quirks.take_newer_fields();
    let mut writer = Writer {
        request,
        target,
        names: Mapping::new(OPENAI_NAMES),
        ids: Mapping::new(Rule { exact: quirks.call_id_length, ..OPENAI_IDS }),
        dropped: Dropped::default(),
        back: Back { think_tags: quirks.think_tags, ..Back::default() },
        thinking: thinking::planned(request, target),
        own,
        newer,
        custom_tools: newer || own,
    };
    writer.reserve();
    let mut body = BodyOut { model: target.model, ..BodyOut::default() };
    writer.messages(&mut body)?;
    if body.messages.is_empty() {
        let param = crate::ir::Field::Messages.name(request.origin);
        return Err(TranslateError::invalid(param, format!("{param}: there is nothing to answer")));
    }
    writer.tools(&mut body)?;
    writer.settings(&mut body)?;
    let extensions = writer.extensions();
    let Writer { names, dropped, mut back, .. } = writer;
    back.tool_names = names.changed();
    let body = with_extensions(&body, &extensions);
    Ok(Encoded { body, dropped, back })
}

impl<'r> Writer<'r> {
    /// Keeps the names and ids that fit, so that no other is mapped to one of them.
    fn reserve(&mut self) {
        let parts = || self.request.messages.iter().flat_map(|message| &message.parts);
        let tools = self.request.tools.iter().map(|tool| tool.name.as_str());
        let called = parts().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        });
        self.names.reserve(tools.chain(called.clone().map(|call| call.name.as_str())));
        self.ids.reserve(called.map(|call| call.id.as_str()));
    }

    /// The fields without a neutral form that the provider is to get. Nested ones stand in their objects.
    fn extensions(&mut self) -> Vec<(&'r str, Json)> {
        let mut plain: Vec<(&str, Json)> = Vec::new();
        let mut nested: Vec<(&str, Map<String, Value>)> = Vec::new();
        // A client that uses the vendor's own field is given its way.
        let given = |path: &str| {
            let object = path.split('.').next().unwrap_or_default();
            self.request.extensions.iter().any(|(name, _)| name == path || name == object)
        };
        for (path, value) in self.thinking_fields().into_iter().filter(|(path, _)| !given(path)) {
            match path.split_once('.') {
                None => plain.push((path, Json::of(&value))),
                Some((object, field)) => match nested.iter_mut().find(|(name, _)| *name == object) {
                    Some((_, fields)) => drop(fields.insert(field.to_owned(), value)),
                    None => nested.push((object, Map::from_iter([(field.to_owned(), value)]))),
                },
            }
        }
        if self.target.stream && self.target.quirks.stream_usage {
            let usage = Map::from_iter([("include_usage".to_owned(), Value::Bool(true))]);
            nested.push(("stream_options", usage));
        }
        for (name, value) in &self.request.extensions {
            if !self.passes(name) {
                self.dropped.named(name.clone());
                continue;
            }
            match name.split_once('.') {
                None => plain.push((name, value.clone())),
                // Nothing is said of a stream where none is asked for.
                Some(("stream_options", _)) if !self.target.stream => {}
                Some((object, field)) => {
                    let value = value.read().unwrap_or(Value::Null);
                    match nested.iter_mut().find(|(name, _)| *name == object) {
                        Some((_, fields)) => drop(fields.insert(field.to_owned(), value)),
                        None => nested.push((object, Map::from_iter([(field.to_owned(), value)]))),
                    }
                }
            }
        }
        plain.extend(nested.into_iter().map(|(name, fields)| (name, Json::of(&fields))));
        plain
    }

    /// Whether the provider knows a field of that name.
    fn passes(&self, name: &str) -> bool {
        const SHARED_WITH_RESPONSES: [&str; 5] =
            ["metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store"];
        let openais = self.request.origin.family() == Family::OpenAi;
        self.own || (openais && self.newer && SHARED_WITH_RESPONSES.contains(&name))
    }
}

fn with_extensions(body: &BodyOut<'_>, extensions: &[(&str, Json)]) -> Bytes {
    // Texts and numbers always serialise.
    let mut bytes = serde_json::to_vec(body).unwrap_or_default();
    bytes.pop();
    for (name, value) in extensions {
        bytes.push(b',');
        bytes.extend_from_slice(quoted(name).as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(value.get().as_bytes());
    }
    bytes.push(b'}');
    bytes.into()
}

#[cfg(test)]
mod tests;
