//! Reads the input of a request: a text, or a list of items (API reference, "Create a model response", `input`).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{list, read};
use super::item::{Annotation, Item, Kind, Piece, Thought, call_kind, opaque};
use super::lenient::{Content, Text, maybe};
use crate::ir::media::{mime_of_name, normal_mime, without_space};
use crate::ir::{
    Media, MediaKind, MediaSource, Message, Part, Request, Role, Signature, Tool, ToolResult, TranslateError,
};

/// Reads `input` into messages behind those that are there, and into tools.
pub(super) fn decode(input: &RawValue, request: &mut Request) -> Result<(), TranslateError> {
    match list("input", input)? {
        Content::Text(text) => {
            request.messages.push(Message::new(Role::User, vec![Part::text(text)], 0));
            Ok(())
        }
        Content::List(items) => {
            let fixed = request.messages.len();
            let mut reader =
                Reader { messages: &mut request.messages, tools: &mut request.tools, fixed, signature: None };
            items.into_iter().enumerate().try_for_each(|(at, item)| reader.item(at, item))
        }
        Content::None => Ok(()),
    }
}

/// An item that brings tools.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Loaded<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
}

struct Reader<'m> {
    messages: &'m mut Vec<Message>,
    tools: &'m mut Vec<Tool>,
    /// How many messages were there before. Nothing is joined to them.
    fixed: usize,
    /// The signature of the call that comes next.
    signature: Option<Signature>,
}

impl Reader<'_> {
    fn item(&mut self, at: usize, raw: &RawValue) -> Result<(), TranslateError> {
        let path = || format!("input[{at}]");
        if !raw.get().starts_with('{') {
            return Err(TranslateError::invalid(path(), "an item of the input must be an object"));
        }
        let kind: Kind<'_> = read(&path(), raw)?;
        match kind.r#type.or_empty() {
            "" | "message" => self.message(at, kind.role.or_empty(), raw),
            "reasoning" => {
                match Thought::of(&read(&path(), raw)?, true) {
                    Thought::Part(part) => self.push(Role::Assistant, part, at),
                    Thought::ForCall(signature) => self.signature = Some(signature),
                    Thought::Nothing => {}
                }
                Ok(())
            }
            r#type @ ("function_call" | "custom_tool_call") => {
                let item: Item<'_> = read(&path(), raw)?;
                for (name, value) in [("name", &item.name), ("call_id", &item.call_id)] {
                    if value.given().is_none() {
                        let param = format!("input[{at}].{name}");
                        return Err(TranslateError::invalid(param, format!("a tool call must have a {name}")));
                    }
                }
                let mut call = item.call(call_kind(r#type).unwrap_or_default());
                call.signature = self.signature.take();
                self.push(Role::Assistant, Part::ToolCall(call), at);
                Ok(())
            }
            "function_call_output" | "custom_tool_call_output" => {
                let item: Item<'_> = read(&path(), raw)?;
                let Some(id) = item.call_id.given() else {
                    let param = format!("input[{at}].call_id");
                    return Err(TranslateError::invalid(param, "the output of a tool must name its call"));
                };
                let call_id = id.to_owned();
                let content = pieces(at, "output", item.output)?;
                let result = ToolResult { call_id, name: None, content, is_error: None, cache: None };
                self.push(Role::Tool, Part::ToolResult(result), at);
                Ok(())
            }
            // What a search among deferred tools has found, or what the client adds on the way: every tool is given at
            // once to a model that does not search.
            r#type @ ("additional_tools" | "tool_search_output") => {
                let loaded: Loaded<'_> = read(&path(), raw)?;
                for tool in super::tools::decode(&format!("input[{at}].tools"), loaded.tools)? {
                    if self.tools.iter().all(|known| known.name != tool.name) {
                        self.tools.push(tool);
                    }
                }
                if r#type == "tool_search_output" {
                    self.push(Role::User, opaque(raw), at);
                }
                Ok(())
            }
            // The result of a tool that runs elsewhere, which the client gives back.
            r#type if r#type.ends_with("_output") || r#type.ends_with("_response") => {
                self.push(Role::User, opaque(raw), at);
                Ok(())
            }
            _ => {
                self.push(Role::Assistant, opaque(raw), at);
                Ok(())
            }
        }
    }

    /// Appends to the last message if that is of the same turn: what the model gave at once is one message, and so are
    /// the results of its calls.
    fn push(&mut self, role: Role, part: Part, at: usize) {
        let joins = matches!(role, Role::Assistant | Role::Tool);
        match self.messages[self.fixed..].last_mut() {
            Some(last) if joins && last.role == role => last.parts.push(part),
            _ => self.messages.push(Message::new(role, vec![part], at)),
        }
    }

    fn message(&mut self, at: usize, role: &str, raw: &RawValue) -> Result<(), TranslateError> {
        let role = match role {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "developer" => Role::Developer,
            other => {
                let message = format!("there is no role `{other}`");
                return Err(TranslateError::invalid(format!("input[{at}].role"), message));
            }
        };
        let item: Item<'_> = read(&format!("input[{at}]"), raw)?;
        if matches!(item.content, Content::None) && role == Role::User && !raw.get().contains("\"content\"") {
            return Err(TranslateError::invalid(format!("input[{at}].content"), "the message has no content"));
        }
        let parts = pieces(at, "content", item.content)?;
        if role == Role::Assistant {
            for part in parts {
                self.push(role, part, at);
            }
        } else {
            self.messages.push(Message::new(role, parts, at));
        }
        Ok(())
    }
}

/// The pieces of an item's content, or of a tool's output.
fn pieces(at: usize, field: &str, content: Content<'_>) -> Result<Vec<Part>, TranslateError> {
    match content {
        Content::None => Ok(Vec::new()),
        Content::Text(text) if text.is_empty() => Ok(Vec::new()),
        Content::Text(text) => Ok(vec![Part::text(text)]),
        Content::List(pieces) => {
            pieces.iter().enumerate().map(|(n, raw)| piece(&format!("input[{at}].{field}[{n}]"), raw)).collect()
        }
    }
}

fn piece(path: &str, raw: &RawValue) -> Result<Part, TranslateError> {
    let piece: Piece<'_> = read(path, raw)?;
    Ok(match piece.r#type.or_empty() {
        "input_text" | "output_text" | "text" | "summary_text" => {
            let citations = piece.annotations.items().iter().filter_map(|raw| maybe::<Annotation<'_>>(raw));
            let citations = citations.filter_map(|annotation| annotation.citation(0)).collect();
            let Some(text) = piece.text.take() else {
                return Err(TranslateError::invalid(format!("{path}.text"), "a text must have its words"));
            };
            Part::Text { text: text.into_owned(), cache: None, citations, signature: None }
        }
        "refusal" => Part::Refusal(piece.refusal.or_empty().to_owned()),
        "input_image" | "computer_screenshot" => Part::Media(image(path, &piece)?),
        "input_file" => Part::Media(file(path, &piece)?),
        "input_audio" => Part::Media(audio(path, piece.input_audio)?),
        other => {
            let message = format!("there is no content of type `{other}`");
            return Err(TranslateError::invalid(format!("{path}.type"), message));
        }
    })
}

fn image(path: &str, piece: &Piece<'_>) -> Result<Media, TranslateError> {
    /// A file as clients of chat completions write it.
    #[derive(Deserialize)]
    struct Wrapped {
        url: String,
    }

    let url = piece
        .image_url
        .and_then(|raw| maybe::<String>(raw).or_else(|| maybe::<Wrapped>(raw).map(|wrapped| wrapped.url)));
    let mut media = match (url, piece.file_id.given()) {
        (Some(url), _) if !url.is_empty() => Media::at_own(MediaKind::Image, url),
        (_, Some(id)) => Media::new(MediaKind::Image, MediaSource::FileId(id.to_owned()), None),
        _ => {
            let message = "an image must have an image_url or a file_id";
            return Err(TranslateError::invalid(format!("{path}.image_url"), message));
        }
    };
    media.detail = piece.detail.given().map(str::to_owned);
    Ok(media)
}

fn file(path: &str, piece: &Piece<'_>) -> Result<Media, TranslateError> {
    let name = piece.filename.given();
    let mut media = if let Some(data) = piece.file_data.given() {
        // The file is a data URL, or bare base64 (`docs/TRANSLATION.md` section 2.1.7).
        match Media::at(MediaKind::Document, data) {
            Media { source: MediaSource::Url(_), .. } => {
                let mime = name.and_then(mime_of_name).unwrap_or("application/pdf");
                let source = MediaSource::Base64(without_space(data).into_owned());
                Media::new(MediaKind::Document, source, Some(mime.to_owned()))
            }
            media => media,
        }
    } else if let Some(url) = piece.file_url.given() {
        let mut media = Media::at(MediaKind::Document, url);
        media.mime = media.mime.or_else(|| mime_of_name(name.unwrap_or(url)).map(str::to_owned));
        media
    } else if let Some(id) = piece.file_id.given() {
        Media::new(MediaKind::Document, MediaSource::FileId(id.to_owned()), None)
    } else {
        let message = "a file must have file_data, a file_url or a file_id";
        return Err(TranslateError::invalid(format!("{path}.file_data"), message));
    };
    media.name = name.map(str::to_owned);
    Ok(media)
}

fn audio(path: &str, raw: Option<&RawValue>) -> Result<Media, TranslateError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Audio<'a> {
        #[serde(borrow)]
        data: Text<'a>,
        #[serde(borrow)]
        format: Text<'a>,
    }

    let audio = raw.and_then(maybe::<Audio<'_>>).unwrap_or_default();
    let Some(data) = audio.data.given() else {
        return Err(TranslateError::invalid(format!("{path}.input_audio.data"), "a sound must have its data"));
    };
    let mime = normal_mime(&format!("audio/{}", audio.format.given().unwrap_or("wav")));
    Ok(Media::new(MediaKind::Audio, MediaSource::Base64(without_space(data).into_owned()), Some(mime)))
}
