//! `contents` and `systemInstruction`.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::Body;
use crate::format::Family;
use crate::ir::media::{kind_of, normal_mime};
use crate::ir::{
    CallKind, Media, MediaKind, MediaSource, Message, Part, Role, Signature, ToolCall, ToolResult, TranslateError,
};
use crate::protocol::gemini_generate::answer::standard_base64;
use crate::protocol::gemini_generate::decode_response::{arguments, named_block};
use crate::protocol::gemini_generate::signature::{self, Of};

/// One value, or a list of values, each of which may be a bare text. Google's SDKs let a developer write all of these.
struct Many<T>(Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

struct One<T>(T);

impl<'de, T: Deserialize<'de> + From<String>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Of<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + From<String>> Visitor<'de> for Of<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, an object or a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Vec<T>, E> {
                Ok(vec![T::from(text.to_owned())])
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
                Ok(vec![T::deserialize(MapAccessDeserializer::new(map))?])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(One(element)) = seq.next_element()? {
                    list.push(element);
                }
                Ok(list)
            }
        }
        value.deserialize_any(Of(PhantomData)).map(Self)
    }
}

impl<'de, T: Deserialize<'de> + From<String>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Of<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + From<String>> Visitor<'de> for Of<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<T, E> {
                Ok(T::from(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        value.deserialize_any(Of(PhantomData)).map(Self)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content<'a> {
    role: Option<String>,
    #[serde(borrow)]
    parts: Option<Many<WirePart<'a>>>,
}

impl From<String> for Content<'_> {
    fn from(text: String) -> Self {
        Self { role: None, parts: Some(Many(vec![text.into()])) }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WirePart<'a> {
    text: Option<String>,
    thought: Option<bool>,
    #[serde(alias = "thought_signature")]
    thought_signature: Option<String>,
    #[serde(alias = "inline_data")]
    inline_data: Option<Blob>,
    #[serde(alias = "file_data")]
    file_data: Option<FileData>,
    #[serde(borrow, alias = "function_call")]
    function_call: Option<FunctionCall<'a>>,
    #[serde(borrow, alias = "function_response")]
    function_response: Option<FunctionResponse<'a>>,
    #[serde(borrow, alias = "executable_code")]
    executable_code: Option<&'a RawValue>,
    #[serde(borrow, alias = "code_execution_result")]
    code_execution_result: Option<&'a RawValue>,
    #[serde(borrow, alias = "tool_call")]
    tool_call: Option<&'a RawValue>,
    #[serde(borrow, alias = "tool_response")]
    tool_response: Option<&'a RawValue>,
}

impl From<String> for WirePart<'_> {
    fn from(text: String) -> Self {
        Self { text: Some(text), ..Self::default() }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Blob {
    #[serde(alias = "mime_type")]
    mime_type: Option<String>,
    data: Option<String>,
    #[serde(alias = "display_name")]
    display_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FileData {
    #[serde(alias = "mime_type")]
    mime_type: Option<String>,
    #[serde(alias = "file_uri")]
    file_uri: Option<String>,
    #[serde(alias = "display_name")]
    display_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionCall<'a> {
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionResponse<'a> {
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    parts: Option<Vec<WirePart<'a>>>,
}

/// The text parts of `systemInstruction`, whatever role it gives.
pub(super) fn system(body: &Body<'_>, value: &RawValue) -> Result<Vec<Part>, TranslateError> {
    let Many(contents) = body.read::<Many<Content<'_>>>(value)?;
    let parts = contents.into_iter().flat_map(|content| content.parts.unwrap_or_default().0);
    let texts = parts.enumerate().map(|(at, part)| match part.text {
        Some(text) => Ok(Part::text(text)),
        None => Err(TranslateError::unsupported(
            format!("systemInstruction.parts[{at}]"),
            "systemInstruction takes text parts only",
        )),
    });
    texts.filter(|part| part.as_ref().is_ok_and(|part| part.as_text() != Some("")) || part.is_err()).collect()
}

/// A call that waits for its result.
struct Waiting {
    id: String,
    name: String,
}

/// Reads `contents`, and appends its messages.
pub(super) fn read(body: &Body<'_>, value: &RawValue, messages: &mut Vec<Message>) -> Result<(), TranslateError> {
    let Many(contents) = body.read::<Many<Content<'_>>>(value)?;
    // Calls and results match by id where there is one, and otherwise by name and order.
    let mut waiting: Vec<Waiting> = Vec::new();
    for (at, content) in contents.into_iter().enumerate() {
        let parts = content.parts.unwrap_or_default().0;
        let role = role(at, content.role.as_deref(), &parts)?;
        for (place, part) in parts.into_iter().enumerate() {
            let path = || format!("contents[{at}].parts[{place}]");
            let (role, mut part) = if let Some(response) = part.function_response {
                (Role::Tool, Part::ToolResult(result(response, &mut waiting, (at, place), &path)?))
            } else {
                (role, read_part(part, (at, place), &path)?)
            };
            if let Part::ToolCall(call) = &part {
                if role != Role::Assistant {
                    return Err(TranslateError::invalid(path(), "a function call is of the role model"));
                }
                waiting.push(Waiting { id: call.id.clone(), name: call.name.clone() });
            }
            if role == Role::Assistant {
                join_thought(&mut part, messages);
            }
            match messages.last_mut() {
                // What stands in one content stays together, except for the results of calls.
                Some(last) if last.origin == at && last.role == role && place > 0 => last.parts.push(part),
                _ => messages.push(Message::new(role, vec![part], at)),
            }
        }
    }
    Ok(())
}

/// Completes a thought that came in pieces. A stream tells a thought in pieces and then, without more text, its
/// signature, and SDKs keep each as a part or a content of its own. Families other than Gemini want the thought back as
/// one. If `part` ends such a thought, the pieces before it go into it.
fn join_thought(part: &mut Part, messages: &mut Vec<Message>) {
    let Part::Thinking { text: whole, signature: Some(Signature { family, .. }) } = part else { return };
    if *family == Family::Gemini || !whole.is_empty() {
        return;
    }
    while let Some(last) = messages.last_mut().filter(|last| last.role == Role::Assistant) {
        match last.parts.pop() {
            Some(Part::Thinking { text: piece, signature: None }) => whole.insert_str(0, &piece),
            Some(other) => return last.parts.push(other),
            None => drop(messages.pop()),
        }
    }
}

fn role(at: usize, role: Option<&str>, parts: &[WirePart<'_>]) -> Result<Role, TranslateError> {
    match role {
        Some("model") => Ok(Role::Assistant),
        None | Some("") if parts.iter().any(|part| part.function_call.is_some()) => Ok(Role::Assistant),
        None | Some("" | "user" | "function" | "tool") => Ok(Role::User),
        Some(_) => {
            Err(TranslateError::invalid(format!("contents[{at}].role"), "Please use a valid role: user, model."))
        }
    }
}

fn read_part(part: WirePart<'_>, place: (usize, usize), path: &dyn Fn() -> String) -> Result<Part, TranslateError> {
    let signature = part.thought_signature.filter(|data| !data.is_empty()).map(signature::read);
    let own = |signature: Option<(Signature, Of)>| signature.map(|(signature, _)| signature);
    let blocks = [
        ("executableCode", part.executable_code),
        ("codeExecutionResult", part.code_execution_result),
        ("toolCall", part.tool_call),
        ("toolResponse", part.tool_response),
    ];
    if let Some((name, block)) = blocks.into_iter().find_map(|(name, block)| Some((name, block?))) {
        return Ok(Part::Opaque { family: Family::Gemini, block: named_block(name, block, own(signature).as_ref()) });
    }
    if let Some(call) = part.function_call {
        let name = call.name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| TranslateError::invalid(path(), "a function call has a name"))?;
        let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| made_up_id(place));
        let arguments = arguments(call.args);
        let (kind, signature) = (CallKind::Function, own(signature));
        return Ok(Part::ToolCall(ToolCall { id, name, arguments, kind, signature, cache: None }));
    }
    if part.inline_data.is_some() || part.file_data.is_some() {
        return media(part.inline_data, part.file_data, path).map(Part::Media);
    }
    match (part.thought == Some(true), signature, part.text) {
        (_, Some((signature, Of::Redacted)), _) => Ok(Part::RedactedThinking(signature)),
        (true, signature, text) if text.is_some() || signature.is_some() => {
            Ok(Part::Thinking { text: text.unwrap_or_default(), signature: own(signature) })
        }
        (false, signature, text) if text.is_some() || signature.is_some() => {
            let (text, signature) = (text.unwrap_or_default(), own(signature));
            Ok(Part::Text { text, cache: None, citations: Vec::new(), signature })
        }
        _ => Err(TranslateError::invalid(
            path(),
            "the part has no data: give text, inlineData, fileData, functionCall or functionResponse",
        )),
    }
}

/// The beginning of ids that the gateway gives to calls without one.
pub(in super::super) const MADE_UP: &str = "gemini_call_";

/// An id for a call without one. The same call gets the same id in every turn of the conversation.
fn made_up_id((content, part): (usize, usize)) -> String {
    format!("{MADE_UP}{content}_{part}")
}

fn media(blob: Option<Blob>, file: Option<FileData>, path: &dyn Fn() -> String) -> Result<Media, TranslateError> {
    let missing = |field: &str| TranslateError::invalid(format!("{}.{field}", path()), format!("{field} is missing"));
    let (source, mime, name) = match (blob, file) {
        (Some(blob), _) => {
            let data = blob.data.ok_or_else(|| missing("inlineData.data"))?;
            let mime = blob.mime_type.ok_or_else(|| missing("inlineData.mimeType"))?;
            (MediaSource::Base64(standard_base64(data)), Some(mime), blob.display_name)
        }
        (None, file) => {
            let file = file.unwrap_or_default();
            let uri = file.file_uri.ok_or_else(|| missing("fileData.fileUri"))?;
            (MediaSource::Url(uri), file.mime_type, file.display_name)
        }
    };
    let mime = mime.filter(|mime| !mime.is_empty()).map(|mime| normal_mime(mime.split(';').next().unwrap_or(&mime)));
    let named = mime.as_deref().or(match &source {
        MediaSource::Url(url) => crate::ir::media::mime_of_name(url),
        _ => None,
    });
    let kind = named.and_then(kind_of).unwrap_or(MediaKind::Document);
    Ok(Media { name, ..Media::new(kind, source, mime) })
}

fn result(
    response: FunctionResponse<'_>,
    waiting: &mut Vec<Waiting>,
    place: (usize, usize),
    path: &dyn Fn() -> String,
) -> Result<ToolResult, TranslateError> {
    let id = response.id.filter(|id| !id.is_empty());
    let name = response.name.filter(|name| !name.is_empty());
    if id.is_none() && name.is_none() {
        let param = format!("{}.functionResponse.name", path());
        return Err(TranslateError::invalid(param, "a function response has the name of its function"));
    }
    let by_id = id.as_ref().and_then(|id| waiting.iter().position(|call| call.id == *id));
    let by_name = || name.as_ref().and_then(|name| waiting.iter().position(|call| call.name == *name));
    let call = by_id.or_else(by_name).map(|at| waiting.remove(at));
    let (call_id, name) = match call {
        Some(call) => (call.id, Some(call.name)),
        None => (id.unwrap_or_else(|| made_up_id(place)), name),
    };
    let mut content = vec![Part::text(arguments(response.response))];
    for (at, part) in response.parts.unwrap_or_default().into_iter().enumerate() {
        let path = || format!("{}.functionResponse.parts[{at}]", path());
        content.push(Part::Media(media(part.inline_data, part.file_data, &path)?));
    }
    Ok(ToolResult { call_id, name, content, is_error: None, cache: None })
}
