//! What messages hold: text, pictures, sounds, files.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::soft::Soft;
use super::super::thoughts::{self, Words};
use super::value::required;
use crate::format::Family;
use crate::ir::media::{kind_of, mime_of_name, normal_mime, without_space};
use crate::ir::{CacheControl, Media, MediaKind, MediaSource, Part, Signature, TranslateError};

/// `content`: a text, or parts.
pub(super) enum Content {
    Text(String),
    Parts(Vec<PartIn>),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of content parts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = list.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }
        deserializer.deserialize_any(ContentVisitor)
    }
}

/// A content part of any type.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PartIn {
    r#type: Option<String>,
    text: Option<String>,
    image_url: Option<UrlIn>,
    video_url: Option<UrlIn>,
    input_audio: Option<AudioIn>,
    file: Option<FileIn>,
    refusal: Option<String>,
    thinking: Soft<Words>,
    signature: Soft<String>,
    data: Soft<String>,
    cache_control: Option<CacheIn>,
    prompt_cache_breakpoint: Option<IgnoredAny>,
}

/// `image_url`: an object, or the bare URL of older clients.
#[derive(Default)]
struct UrlIn {
    url: Option<String>,
    detail: Option<String>,
}

impl<'de> Deserialize<'de> for UrlIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Object {
            url: Option<String>,
            detail: Option<String>,
        }
        struct UrlVisitor;
        impl<'de> Visitor<'de> for UrlVisitor {
            type Value = UrlIn;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an object with 'url'")
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<UrlIn, E> {
                Ok(UrlIn { url: Some(url.to_owned()), detail: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UrlIn, A::Error> {
                let Object { url, detail } = Object::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(UrlIn { url, detail })
            }
        }
        deserializer.deserialize_any(UrlVisitor)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AudioIn {
    data: Option<String>,
    format: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileIn {
    file_data: Option<String>,
    filename: Option<String>,
    file_id: Option<String>,
    file_url: Option<String>,
}

/// Anthropic's `cache_control`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CacheIn {
    ttl: Option<String>,
}

impl From<CacheIn> for CacheControl {
    fn from(cache: CacheIn) -> Self {
        Self { ttl: cache.ttl }
    }
}

/// The parts of `content`, which stands at `path`. Empty texts are left out: they say nothing, and some targets refuse
/// them.
pub(super) fn parts(content: Option<Content>, path: &str) -> Result<Vec<Part>, TranslateError> {
    match content {
        None => Ok(Vec::new()),
        Some(Content::Text(text)) => Ok(if text.is_empty() { Vec::new() } else { vec![Part::text(text)] }),
        Some(Content::Parts(parts)) => {
            let mut read = Vec::with_capacity(parts.len());
            for (at, part) in parts.into_iter().enumerate() {
                read.extend(part.read(|| format!("{path}[{at}]"))?);
            }
            Ok(read)
        }
    }
}

impl PartIn {
    fn read(self, path: impl Fn() -> String) -> Result<Option<Part>, TranslateError> {
        let Some(kind) = self.r#type else { return Err(required(format!("{}.type", path()))) };
        let missing = |field: &str| required(format!("{}.{field}", path()));
        let cache = self.cache_control.map(CacheControl::from);
        // OpenAI's own mark of a breakpoint (prompt caching guide).
        let cache = cache.or(self.prompt_cache_breakpoint.map(|_| CacheControl::default()));
        let media = |media: Media| Some(Part::Media(Media { cache: cache.clone(), ..media }));
        Ok(match kind.as_str() {
            "text" => {
                let text = self.text.ok_or_else(|| missing("text"))?;
                let (citations, signature) = (Vec::new(), None);
                (!text.is_empty()).then_some(Part::Text { text, cache, citations, signature })
            }
            "image_url" => media(at_url(MediaKind::Image, self.image_url, || missing("image_url.url"))?),
            "video_url" => media(at_url(MediaKind::Video, self.video_url, || missing("video_url.url"))?),
            "input_audio" => {
                let AudioIn { data, format } = self.input_audio.unwrap_or_default();
                let data = data.filter(|data| !data.is_empty()).ok_or_else(|| missing("input_audio.data"))?;
                let format = format.ok_or_else(|| missing("input_audio.format"))?;
                let mut audio = Media::at(MediaKind::Audio, &data);
                if matches!(audio.source, MediaSource::Url(_)) {
                    audio.source = MediaSource::Base64(without_space(&data).into_owned());
                    audio.mime = Some(normal_mime(&format!("audio/{format}")));
                }
                media(audio)
            }
            "file" => media(self.file.unwrap_or_default().read(|| missing("file.file_data"))?),
            "refusal" => self.refusal.filter(|refusal| !refusal.is_empty()).map(Part::Refusal),
            "thinking" => {
                let text = self.thinking.0.map(|words| words.0).unwrap_or_default();
                let signature = self.signature.filled().map(|data| Signature { family: Family::Anthropic, data });
                thoughts::thought(text, signature)
            }
            "redacted_thinking" => {
                self.data.filled().map(|data| Part::RedactedThinking(Signature { family: Family::Anthropic, data }))
            }
            other => {
                let param = format!("{}.type", path());
                let message = format!("{param}: content parts of type '{other}' are not supported");
                return Err(TranslateError::unsupported(param, message));
            }
        })
    }
}

fn at_url(kind: MediaKind, url: Option<UrlIn>, missing: impl Fn() -> TranslateError) -> Result<Media, TranslateError> {
    let UrlIn { url, detail } = url.unwrap_or_default();
    let url = url.filter(|url| !url.is_empty()).ok_or_else(missing)?;
    Ok(Media { detail, ..Media::at_own(kind, url) })
}

impl FileIn {
    fn read(self, missing: impl Fn() -> TranslateError) -> Result<Media, TranslateError> {
        let named = self.filename.as_deref().and_then(mime_of_name);
        let mut media = match (self.file_data, self.file_id, self.file_url) {
            (Some(data), _, _) if !data.is_empty() => {
                let mut media = Media::at_own(MediaKind::Document, data);
                if let MediaSource::Url(data) = &media.source {
                    // Without a scheme the field is the base64 itself (`docs/TRANSLATION.md` section 2.1.7).
                    media.source = MediaSource::Base64(without_space(data).into_owned());
                    media.mime = named.map(str::to_owned);
                }
                media
            }
            (_, Some(id), _) if !id.is_empty() => {
                Media::new(MediaKind::Document, MediaSource::FileId(id), named.map(str::to_owned))
            }
            (_, _, Some(url)) if !url.is_empty() => Media::at_own(MediaKind::Document, url),
            _ => return Err(missing()),
        };
        if let Some(kind) = media.mime.as_deref().and_then(kind_of) {
            media.kind = kind;
        }
        Ok(Media { name: self.filename, ..media })
    }
}
