//! The conversation: messages and their blocks.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::lenient::{Content, Fields, Object, Text};
use super::super::signature::{self, Redacted};
use super::value::{cache, read, required};
use crate::format::Family;
use crate::ir::media::{kind_of, normal_mime, without_space};
use crate::ir::{
    CallKind, Citation, Media, MediaKind, MediaSource, Message, Part, Request, Role, Signature, ToolCall, ToolResult,
    TranslateError,
};
use crate::json::Json;

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
}

/// A block of any type.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    r#type: Text<'a>,
    text: Option<String>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    title: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    tool_use_id: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    is_error: Option<bool>,
    #[serde(borrow)]
    citations: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

/// The parts of `system`.
pub(super) fn system(value: &RawValue, request: &mut Request) -> Result<Vec<Part>, TranslateError> {
    parts("system", read("system", value)?, request)
}

/// Reads `messages`.
pub(super) fn messages(value: &RawValue, request: &mut Request) -> Result<(), TranslateError> {
    let turns: Vec<Turn<'_>> = match serde_json::from_str(value.get()) {
        Ok(turns) => turns,
        Err(_) => return Err(what_is_wrong(value)),
    };
    // Where a field is there twice, the last one counts.
    request.messages = Vec::with_capacity(turns.len() + 1);
    for (index, turn) in turns.into_iter().enumerate() {
        let path = format!("messages.{index}.content");
        let role = match turn.role.as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            Some(other) => {
                let path = format!("messages.{index}.role");
                let words = format!("{path}: Input should be 'user' or 'assistant', not '{other}'");
                return Err(TranslateError::invalid(path, words));
            }
            None => return Err(required(format!("messages.{index}.role"))),
        };
        let content = turn.content.ok_or_else(|| required(path.clone()))?;
        let parts = parts(&path, content, request)?;
        let (results, rest): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| matches!(part, Part::ToolResult(_)));
        if !results.is_empty() {
            request.messages.push(Message::new(Role::Tool, results, index));
            if rest.is_empty() {
                continue;
            }
        }
        request.messages.push(Message::new(role, rest, index));
    }
    Ok(())
}

/// Finds the message that cannot be read.
fn what_is_wrong(value: &RawValue) -> TranslateError {
    let turns: Vec<&RawValue> = match read("messages", value) {
        Ok(turns) => turns,
        Err(error) => return error,
    };
    let wrong = turns.into_iter().enumerate().find_map(|(index, turn)| {
        let path = format!("messages.{index}");
        match read::<Fields<'_>>(&path, turn) {
            Err(error) => Some(error),
            Ok(fields) => fields.0.into_iter().find_map(|(name, value)| match &*name {
                "role" => read::<Option<String>>(&format!("{path}.role"), value).err(),
                "content" => read::<Option<Content<'_>>>(&format!("{path}.content"), value).err(),
                _ => None,
            }),
        }
    });
    wrong.unwrap_or_else(|| TranslateError::invalid("messages", "messages: Input should be a valid list"))
}

fn parts(path: &str, content: Content<'_>, request: &mut Request) -> Result<Vec<Part>, TranslateError> {
    let blocks = match content {
        Content::Text(text) => return Ok(vec![Part::text(text)]),
        Content::Blocks(blocks) => blocks,
    };
    let mut parts = Vec::with_capacity(blocks.len());
    // The signature of the tool call that comes next.
    let mut of_call = None;
    for (index, raw) in blocks.into_iter().enumerate() {
        let path = format!("{path}.{index}");
        let block: Block<'_> = read(&path, raw)?;
        read_block(&path, block, raw, request, &mut of_call, &mut parts)?;
    }
    Ok(parts)
}

fn read_block(
    path: &str,
    block: Block<'_>,
    raw: &RawValue,
    request: &mut Request,
    of_call: &mut Option<Signature>,
    parts: &mut Vec<Part>,
) -> Result<(), TranslateError> {
    let cached = cache(path, block.cache_control)?;
    let field = |value: Option<String>, name: &str| value.ok_or_else(|| required(format!("{path}.{name}")));
    match block.r#type.as_str() {
        "" => return Err(required(format!("{path}.type"))),
        "text" => parts.push(Part::Text {
            text: field(block.text, "text")?,
            cache: cached,
            citations: block.citations.map(citations).unwrap_or_default(),
            signature: None,
        }),
        "image" => parts.push(Part::Media(Media { cache: cached, ..media(path, MediaKind::Image, block.source)? })),
        "document" => {
            if block.citations.is_some_and(|citations| citations.get().contains("true"))
                && request.extensions.iter().all(|(name, _)| name != DOCUMENT_CITATIONS)
            {
                request.extensions.push((DOCUMENT_CITATIONS.to_owned(), Json::of(&true)));
            }
            let document = media(path, MediaKind::Document, block.source)?;
            parts.push(Part::Media(Media { cache: cached, name: block.title, ..document }));
        }
        "search_result" => parts.push(Part::Text {
            text: search_result(path, &block)?,
            cache: cached,
            citations: Vec::new(),
            signature: None,
        }),
        "thinking" => {
            let text = field(block.thinking, "thinking")?;
            let signature = block.signature.and_then(signature::of_thought);
            if !text.is_empty() || signature.is_some() {
                parts.push(Part::Thinking { text, signature });
            }
        }
        "redacted_thinking" => match signature::of_redacted(field(block.data, "data")?) {
            Some(Redacted::Thought(signature)) => parts.push(Part::RedactedThinking(signature)),
            Some(Redacted::OfCall(signature)) => *of_call = Some(signature),
            None => {}
        },
        "tool_use" => {
            let arguments = block.input.map_or("{}", RawValue::get);
            if !arguments.starts_with('{') {
                let path = format!("{path}.input");
                return Err(TranslateError::invalid(path.clone(), format!("{path}: Input should be an object")));
            }
            parts.push(Part::ToolCall(ToolCall {
                id: field(block.id, "id")?,
                name: field(block.name, "name")?,
                arguments: arguments.to_owned(),
                kind: CallKind::Function,
                signature: of_call.take(),
                cache: cached,
            }));
        }
        "tool_result" => {
            let content = match block.content {
                Some(content) => {
                    let path = format!("{path}.content");
                    self::parts(&path, read(&path, content)?, request)?
                }
                None => Vec::new(),
            };
            parts.push(Part::ToolResult(ToolResult {
                call_id: field(block.tool_use_id, "tool_use_id")?,
                name: None,
                content,
                is_error: block.is_error,
                cache: cached,
            }));
        }
        // A block of what runs at the provider, or one that is newer than this gateway.
        _ => {
            if let Some(block) = Json::parse(raw.get()) {
                parts.push(Part::Opaque { family: Family::Anthropic, block });
            }
        }
    }
    Ok(())
}

/// The switch that says that documents are to be cited. It is on for all documents of a request or for none.
pub(in super::super) const DOCUMENT_CITATIONS: &str = "messages.content.citations";

fn media(path: &str, kind: MediaKind, source: Option<&RawValue>) -> Result<Media, TranslateError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        r#type: Option<String>,
        media_type: Option<String>,
        #[serde(borrow)]
        data: Option<Cow<'a, str>>,
        url: Option<String>,
        file_id: Option<String>,
        #[serde(borrow)]
        content: Option<Content<'a>>,
    }
    let path = format!("{path}.source");
    let source: Wire<'_> = read(&path, source.ok_or_else(|| required(path.clone()))?)?;
    let missing = |name: &str| required(format!("{path}.{name}"));
    let mime = source.media_type.as_deref().map(normal_mime);
    Ok(match source.r#type.as_deref().unwrap_or_default() {
        "base64" => {
            let data = source.data.ok_or_else(|| missing("data"))?;
            let kind = mime.as_deref().and_then(kind_of).unwrap_or(kind);
            Media::new(kind, MediaSource::Base64(without_space(&data).into_owned()), mime)
        }
        "url" => Media::new(kind, MediaSource::Url(source.url.ok_or_else(|| missing("url"))?), mime),
        "file" => Media::new(kind, MediaSource::FileId(source.file_id.ok_or_else(|| missing("file_id"))?), mime),
        "text" => {
            let text = source.data.ok_or_else(|| missing("data"))?.into_owned();
            Media::new(kind, MediaSource::Text(text), mime.or_else(|| Some("text/plain".to_owned())))
        }
        "content" => {
            let text = match source.content.ok_or_else(|| missing("content"))? {
                Content::Text(text) => text.into_owned(),
                Content::Blocks(blocks) => texts(&blocks),
            };
            Media::new(kind, MediaSource::Text(text), Some("text/plain".to_owned()))
        }
        "" => return Err(missing("type")),
        other => {
            let words = format!("{path}.type: '{other}' is not a source that this gateway can read");
            return Err(TranslateError::invalid(format!("{path}.type"), words));
        }
    })
}

/// The texts among `blocks`, each on a line.
fn texts(blocks: &[&RawValue]) -> String {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        text: Text<'a>,
    }
    let blocks = blocks.iter().filter_map(|block| serde_json::from_str::<Wire<'_>>(block.get()).ok());
    let texts: Vec<_> = blocks.filter_map(|block| block.text.filled()).collect();
    texts.join("\n")
}

/// A result of the client's own search, as text.
fn search_result(path: &str, block: &Block<'_>) -> Result<String, TranslateError> {
    let source: String = match block.source {
        Some(source) => read(&format!("{path}.source"), source)?,
        None => String::new(),
    };
    let body = match block.content {
        Some(content) => texts(&read::<Vec<&RawValue>>(&format!("{path}.content"), content)?),
        None => String::new(),
    };
    let lines = [block.title.as_deref().unwrap_or_default(), &source, &body];
    Ok(lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}

/// The citations of a text, as far as they have a neutral form.
pub(in super::super) fn citations(value: &RawValue) -> Vec<Citation> {
    let citations: Vec<Object<WireCitation<'_>>> = serde_json::from_str(value.get()).unwrap_or_default();
    citations.into_iter().filter_map(|citation| citation.0).map(Citation::from).collect()
}

/// A citation of any kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct WireCitation<'a> {
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    document_title: Text<'a>,
    #[serde(borrow)]
    cited_text: Text<'a>,
}

impl From<WireCitation<'_>> for Citation {
    fn from(wire: WireCitation<'_>) -> Self {
        let source = wire.source.filled().filter(|source| source.starts_with("http"));
        Self {
            url: wire.url.filled().or(source),
            title: wire.title.filled().or_else(|| wire.document_title.filled()),
            start: None,
            end: None,
            quote: wire.cited_text.filled(),
        }
    }
}
