//! Images, documents, videos and sounds (Bedrock API Reference, "ImageBlock", "DocumentBlock", "VideoBlock",
//! "AudioBlock"): their bytes in base64, or an object in S3.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::maker::Maker;
use super::wire::{Block, Medium, Source};
use crate::ir::media::{mime_of_name, normal_mime};
use crate::ir::{self, ErrorCode, Media, MediaKind, TranslateError};

/// The media of one request.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) maker: Maker,
    /// The names of the documents so far. Each document has a name of its own.
    names: HashSet<String>,
}

impl Writer {
    pub(super) fn new(maker: Maker) -> Self {
        Self { maker, names: HashSet::new() }
    }

    /// Writes `media`, which stands at `path` in the client's request.
    pub(super) fn block<'r>(
        &mut self,
        media: &'r Media,
        path: &dyn Fn() -> String,
    ) -> Result<Block<'r>, TranslateError> {
        let unsupported = |words: &str| TranslateError::unsupported(path(), words);
        let mime = mime(media).ok_or_else(|| {
            unsupported("The media type of this file is not given, and cannot be told from its name or content.")
        })?;
        let source = match &media.source {
            ir::MediaSource::Base64(data) if data.is_empty() => {
                return Err(TranslateError::invalid(path(), "This file is empty."));
            }
            ir::MediaSource::Base64(data) => Source::Bytes(Cow::Borrowed(data)),
            ir::MediaSource::Text(text) => Source::Bytes(Cow::Owned(STANDARD.encode(text))),
            ir::MediaSource::Url(uri) if uri.starts_with("s3://") => Source::S3Location { uri },
            ir::MediaSource::Url(_) => {
                return Err(unsupported(
                    "The provider does not fetch this URL, and the gateway could not fetch it either: give the content as a data URL.",
                ));
            }
            ir::MediaSource::FileId(_) => {
                return Err(unsupported(
                    "A file id is of use only at the provider that gave it: give the file's content.",
                ));
            }
        };
        if let Some(format) = image(&mime) {
            return Ok(Block::Image(Medium { format, name: None, source }));
        }
        if mime.starts_with("image/") || media.kind == MediaKind::Image {
            let words =
                format!("Images of type {mime} are not supported: use image/jpeg, image/png, image/gif or image/webp.");
            return Err(TranslateError::new(ErrorCode::InvalidImageFormat, path(), words));
        }
        // Claude takes neither sound nor video. Of the other makers' models, some do.
        let plays = self.maker != Maker::Claude;
        if let Some(format) = video(&mime).filter(|_| plays) {
            return Ok(Block::Video(Medium { format, name: None, source }));
        }
        if let Some(format) = audio(&mime).filter(|_| plays) {
            return Ok(Block::Audio(Medium { format, name: None, source }));
        }
        match media.kind {
            MediaKind::Audio => return Err(unsupported("This model does not take audio.")),
            MediaKind::Video => return Err(unsupported("This model does not take video.")),
            MediaKind::Image | MediaKind::Document => {}
        }
        let Some(format) = document(&mime) else {
            let words = format!("Files of type {mime} are not supported: use PDF, text or office documents.");
            return Err(unsupported(&words));
        };
        let name = Some(self.name(media.name.as_deref()));
        Ok(Block::Document(Medium { format, name, source }))
    }

    /// A name that Bedrock takes and that no other document has: letters, digits, single spaces, hyphens, parentheses
    /// and brackets.
    fn name(&mut self, given: Option<&str>) -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']');
        // The format says what the ending of the name would say.
        let given = given.unwrap_or_default();
        let stem = given.rsplit_once('.').map_or(given, |(stem, _)| stem);
        let words = stem.split(|c: char| !allowed(c)).filter(|word| !word.is_empty());
        let mut name = words.collect::<Vec<_>>().join(" ");
        name.truncate(LONGEST_NAME);
        let stem = if name.trim().is_empty() { "document".to_owned() } else { name.trim().to_owned() };
        let mut name = stem.clone();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{stem} ({number})");
        }
        name
    }
}

/// The longest name, in characters. It leaves room for a number, of the 200 that Bedrock takes.
const LONGEST_NAME: usize = 180;

/// The media type: the given one, else that of the name, else that of the first bytes.
fn mime(media: &Media) -> Option<Cow<'_, str>> {
    let given = media.mime.as_deref().filter(|mime| !mime.is_empty() && *mime != "application/octet-stream");
    if let Some(given) = given {
        return Some(Cow::Owned(normal_mime(given)));
    }
    let place = match &media.source {
        ir::MediaSource::Url(url) => Some(url.as_str()),
        _ => media.name.as_deref(),
    };
    let named = place.and_then(|name| mime_of_name(name).or_else(|| office(name)));
    named.or_else(|| begins(&media.source)).map(Cow::Borrowed)
}

fn begins(source: &ir::MediaSource) -> Option<&'static str> {
    let known = [
        ("JVBERi", "application/pdf"),
        ("iVBORw", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
    ];
    match source {
        ir::MediaSource::Base64(data) => {
            known.into_iter().find(|(start, _)| data.starts_with(start)).map(|(_, mime)| mime)
        }
        ir::MediaSource::Text(_) => Some("text/plain"),
        ir::MediaSource::Url(_) | ir::MediaSource::FileId(_) => None,
    }
}

fn image(mime: &str) -> Option<&'static str> {
    Some(match mime {
        "image/jpeg" => "jpeg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => return None,
    })
}

fn video(mime: &str) -> Option<&'static str> {
    Some(match mime {
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/webm" => "webm",
        "video/x-matroska" => "mkv",
        "video/x-flv" => "flv",
        "video/mpeg" => "mpeg",
        "video/x-ms-wmv" => "wmv",
        "video/3gpp" => "three_gp",
        _ => return None,
    })
}

fn audio(mime: &str) -> Option<&'static str> {
    Some(match mime {
        "audio/wav" => "wav",
        "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "audio/opus" => "opus",
        "audio/flac" => "flac",
        "audio/aac" => "aac",
        "audio/mp4" => "m4a",
        "audio/webm" => "webm",
        _ => return None,
    })
}

const DOC: &str = "application/msword";
const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLS: &str = "application/vnd.ms-excel";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

fn office(name: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match extension.as_str() {
        "doc" => DOC,
        "docx" => DOCX,
        "xls" => XLS,
        "xlsx" => XLSX,
        _ => return None,
    })
}

fn document(mime: &str) -> Option<&'static str> {
    Some(match mime {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/markdown" => "md",
        DOC => "doc",
        DOCX => "docx",
        XLS => "xls",
        XLSX => "xlsx",
        "application/json" => "txt",
        text if text.starts_with("text/") => "txt",
        _ => return None,
    })
}
