//! Pictures, sounds and files in messages of the user.

use std::borrow::Cow;

use super::Writer;
use super::wire::{CacheOut, FileOut, PartOut, SoundOut, UrlOut};
use crate::format::Family;
use crate::ir::{CacheControl, Field, Media, MediaKind, MediaSource, TranslateError};
use crate::protocol::openai_limits;

impl<'r> Writer<'r> {
    /// A breakpoint, if a client of this format wrote it. Otherwise it is noted as left out.
    pub(super) fn cache(&mut self, cache: Option<&'r CacheControl>) -> Option<CacheOut<'r>> {
        let cache = cache?;
        if !self.own {
            self.dropped.field(self.request, Field::Cache);
            return None;
        }
        Some(CacheOut { r#type: "ephemeral", ttl: cache.ttl.as_deref() })
    }

    /// The part that shows `media`, which stands at `path`.
    pub(super) fn media(&mut self, media: &'r Media, path: impl Fn() -> String) -> Result<PartOut<'r>, TranslateError> {
        let refused = |what: &str| {
            let path = path();
            let message = format!("{path}: {what}");
            Err(TranslateError::unsupported(path, message))
        };
        let cache_control = self.cache(media.cache.as_ref());
        match (media.kind, &media.source) {
            (_, MediaSource::Text(text)) => Ok(text_part(media.titled(text), cache_control)),
            (MediaKind::Image, MediaSource::FileId(_)) => refused("images can be given by URL or as data only"),
            (MediaKind::Image, source) => {
                let image_url = UrlOut { url: url(media, source, "image/png"), detail: media.detail.as_deref() };
                Ok(PartOut::ImageUrl { image_url, cache_control })
            }
            (MediaKind::Audio, MediaSource::Base64(data)) => {
                let format = match media.mime.as_deref() {
                    None | Some("audio/wav") => "wav",
                    Some("audio/mpeg") => "mp3",
                    Some(other) => other.rsplit('/').next().unwrap_or(other),
                };
                Ok(PartOut::InputAudio { input_audio: SoundOut { data, format } })
            }
            (MediaKind::Audio, _) => refused("audio can be given as data only"),
            (MediaKind::Video, MediaSource::Base64(_) | MediaSource::Url(_)) if self.own => Ok(PartOut::VideoUrl {
                video_url: UrlOut { url: url(media, &media.source, "video/mp4"), detail: None },
            }),
            (MediaKind::Video, _) => refused("this model does not take video"),
            (MediaKind::Document, source) => {
                let filename = media.name.as_deref().map(Cow::Borrowed);
                let file = match source {
                    MediaSource::Base64(data) => match plain_text(media, data) {
                        // OpenAI's file parts hold only PDF (file inputs guide).
                        Some(text) if !self.own => {
                            return Ok(text_part(media.titled(&text).into_owned(), cache_control));
                        }
                        _ => {
                            let data = url(media, source, "application/pdf").into_owned();
                            let filename = if self.own { filename } else { Some(openai_limits::file_name(media)) };
                            FileOut { filename, file_data: Some(data), ..FileOut::default() }
                        }
                    },
                    MediaSource::FileId(id) if self.request.origin.family() == Family::OpenAi => {
                        FileOut { filename, file_id: Some(id), ..FileOut::default() }
                    }
                    MediaSource::Url(url) if self.own => {
                        FileOut { filename, file_url: Some(url), ..FileOut::default() }
                    }
                    _ => return refused("documents can be given as data only"),
                };
                Ok(PartOut::File { file, cache_control })
            }
        }
    }
}

pub(super) fn text_part<'a>(text: impl Into<Cow<'a, str>>, cache_control: Option<CacheOut<'a>>) -> PartOut<'a> {
    PartOut::Text { text: text.into(), cache_control }
}

fn plain_text(media: &Media, data: &str) -> Option<String> {
    use base64::Engine as _;
    let mime = media.mime.as_deref()?;
    if !mime.starts_with("text/") && mime != "application/json" {
        return None;
    }
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(data).ok()?).ok()
}

fn url<'a>(media: &Media, source: &'a MediaSource, mime: &str) -> Cow<'a, str> {
    match source {
        MediaSource::Base64(data) => {
            Cow::Owned(format!("data:{};base64,{data}", media.mime.as_deref().unwrap_or(mime)))
        }
        MediaSource::Url(text) | MediaSource::FileId(text) | MediaSource::Text(text) => Cow::Borrowed(text),
    }
}
