//! Images, sounds, videos and documents (`docs/TRANSLATION.md` sections 6.1.6 and 6.1.7).

use std::borrow::Cow;

use super::writer::Writer;
use crate::facts::ThinkingForm;
use crate::ir::{Field, Media, MediaSource, TranslateError};
use crate::protocol::gemini_generate::part::{Fields, FileData, MediaResolution, mime};

/// Where Gemini's file API keeps files.
const FILES: &str = "https://generativelanguage.googleapis.com/";
/// Where videos stand that Gemini looks up itself.
const FILMS: [&str; 4] =
    ["https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/", "https://m.youtube.com/"];

/// Writes a medium that stands at `path` in the client's request.
pub(super) fn write<'r>(writer: &mut Writer<'r>, media: &'r Media, path: &str) -> Result<Fields<'r>, TranslateError> {
    let facts = writer.target.facts;
    let written = match &media.source {
        MediaSource::FileId(id) => {
            let file = id.strip_prefix("files/").map(|_| format!("{FILES}v1beta/{id}"));
            let file = file.or_else(|| id.starts_with(FILES).then(|| id.clone()));
            let Some(uri) = file else {
                let words = "this is no file of Gemini's file API: send the content itself";
                return Err(TranslateError::unsupported(path, words));
            };
            let file_data = Some(FileData { mime_type: mime(media), file_uri: Cow::Owned(uri) });
            Some(Fields { file_data, ..Fields::default() })
        }
        MediaSource::Url(url) if !is_own(url) && !is_fetched(writer, url) => {
            let words = "this model does not fetch the URL: the gateway must inline the content, or send it as data";
            return Err(TranslateError::unsupported(path, words));
        }
        MediaSource::Url(url) if media.mime.is_none() && is_film(url) => {
            Fields::medium(media, Cow::Borrowed("video/mp4"))
        }
        _ => Fields::medium(media, mime(media)),
    };
    let mut written = written.unwrap_or_default();
    match media.detail.as_deref() {
        // Newer models take the resolution for each part.
        Some("low") if facts.media_in_results => {
            written.media_resolution = Some(MediaResolution { level: "MEDIA_RESOLUTION_LOW" });
        }
        Some("high") if facts.media_in_results => {
            written.media_resolution = Some(MediaResolution { level: "MEDIA_RESOLUTION_HIGH" });
        }
        None | Some("auto") => {}
        Some(_) => writer.dropped.field(writer.request, Field::Detail),
    }
    Ok(written)
}

/// Whether Gemini has what is at `url` at hand, at any provider.
fn is_own(url: &str) -> bool {
    url.starts_with("gs://") || url.starts_with(FILES) || is_film(url)
}

fn is_film(url: &str) -> bool {
    FILMS.iter().any(|films| url.starts_with(films))
}

/// Whether the provider fetches `url`. AI Studio fetches public pages for models that are newer than 2.0, which all
/// think.
fn is_fetched(writer: &Writer<'_>, url: &str) -> bool {
    let newer = writer.target.facts.thinking != ThinkingForm::None;
    writer.target.quirks.media_urls && newer && url.starts_with("https://")
}
