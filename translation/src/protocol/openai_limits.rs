//! Values that other formats take and OpenAI's APIs refuse, put so that they are taken.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::ir::Media;
use crate::ir::media::mime_of_name;
use crate::json::Json;
use crate::names::{Mapping, Rule};

/// The longest name of a user, in bytes.
const LONGEST_USER: usize = 64;

/// The name of a user. A long name keeps its beginning and gets a digest, so that it stays unlike others.
pub(super) fn user(user: &str) -> Cow<'_, str> {
    if user.len() <= LONGEST_USER {
        return Cow::Borrowed(user);
    }
    let rule = Rule { longest: LONGEST_USER, allows: |byte, _| byte.is_ascii_graphic(), exact: None, marked: true };
    Cow::Owned(Mapping::new(rule).map(user))
}

/// The parameters of a function. OpenAI wants an object to name its properties, even if it has none ("object schema
/// missing properties"). Tools of MCP servers often do not.
pub(super) fn parameters(schema: &Json) -> Cow<'_, Json> {
    #[derive(Deserialize)]
    struct Top {
        r#type: Option<Value>,
        properties: Option<IgnoredAny>,
    }
    let fits = |top: &Top| top.properties.is_some() || top.r#type.as_ref().is_some_and(|kind| kind != "object");
    if schema.read::<Top>().is_ok_and(|top| fits(&top)) {
        return Cow::Borrowed(schema);
    }
    let Ok(mut fields) = schema.read::<Map<String, Value>>() else { return Cow::Borrowed(schema) };
    if fields.get("type").is_none_or(Value::is_null) {
        fields.insert("type".to_owned(), Value::from("object"));
    }
    fields.insert("properties".to_owned(), Value::Object(Map::new()));
    Cow::Owned(Json::of(&fields))
}

/// The name of a file. OpenAI wants the name to tell the type ("Expected context stuffing file type to be a supported
/// format … but got none"), which titles of documents do not.
pub(super) fn file_name(media: &Media) -> Cow<'_, str> {
    let mime = media.mime.as_deref().unwrap_or("application/pdf");
    let ending = if mime.starts_with("text/") { "txt" } else { "pdf" };
    match media.name.as_deref().filter(|name| !name.is_empty()) {
        None => Cow::Owned(format!("document.{ending}")),
        Some(name) if mime == "application/pdf" && mime_of_name(name) != Some(mime) => {
            Cow::Owned(format!("{name}.{ending}"))
        }
        Some(name) => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests;
