//! Images and files (`docs/TRANSLATION.md` sections 2.1.6 and 2.1.7; "Vision", "PDF support").

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::blocks::{Block, Cache, Enabled, Source};
use crate::format::Family;
use crate::format::Format;
use crate::ir::media::{mime_of_name, mime_of_start};
use crate::ir::{self, ErrorCode, Field, Media, MediaKind, Request, TranslateError};

/// What the writing of media depends on.
#[derive(Clone, Copy)]
pub(super) struct Rules<'r> {
    pub(super) request: &'r Request,
    /// Whether the target fetches URLs.
    pub(super) urls: bool,
    /// Whether documents are to be cited.
    pub(super) citations: bool,
}

const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
const PDF: &str = "application/pdf";

/// Writes `media`, which stands at `path` in the client's request.
pub(super) fn block<'r>(
    media: &'r Media,
    path: &dyn Fn() -> String,
    rules: Rules<'r>,
    dropped: &mut ir::Dropped,
) -> Result<Block<'r>, TranslateError> {
    // `auto` leaves the detail to the model, which always decides it anyway.
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        dropped.field(rules.request, Field::Detail);
    }
    let what = match media.kind {
        MediaKind::Image | MediaKind::Document => media.kind,
        MediaKind::Audio => return Err(TranslateError::unsupported(path(), "This model does not take audio.")),
        MediaKind::Video => return Err(TranslateError::unsupported(path(), "This model does not take video.")),
    };
    let cache_control = Cache::of(media.cache.as_ref());
    let title = media.name.as_deref().filter(|name| !name.is_empty());
    let citations = rules.citations.then_some(Enabled { enabled: true });
    let document = |source| Block::Document { source, title, citations, cache_control };
    match &media.source {
        ir::MediaSource::Base64(data) => {
            let mime = mime(media, data).ok_or_else(|| {
                let words = "The media type of this file is not given, and cannot be told from its content.";
                TranslateError::unsupported(path(), words)
            })?;
            if IMAGES.contains(&&*mime) {
                return Ok(Block::Image { source: Source::Base64 { media_type: mime, data }, cache_control });
            }
            if mime == PDF {
                return Ok(document(Source::Base64 { media_type: mime, data }));
            }
            if what == MediaKind::Image || mime.starts_with("image/") {
                let words = format!(
                    "Images of type {mime} are not supported: use image/jpeg, image/png, image/gif or image/webp."
                );
                return Err(TranslateError::new(ErrorCode::InvalidImageFormat, path(), words));
            }
            if mime.starts_with("text/") || mime == "application/json" {
                let text = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let text =
                    text.ok_or_else(|| TranslateError::invalid(path(), "This file is not UTF-8 text in base64."))?;
                return Ok(document(Source::Text { media_type: "text/plain", data: Cow::Owned(text) }));
            }
            let words = format!("Files of type {mime} are not supported: use PDF or text.");
            Err(TranslateError::unsupported(path(), words))
        }
        ir::MediaSource::Text(text) => {
            Ok(document(Source::Text { media_type: "text/plain", data: Cow::Borrowed(text) }))
        }
        ir::MediaSource::Url(url) => {
            // Anthropic itself takes no other scheme, and some places that host its models take no URL at all. The
            // gateway has already put what it could fetch in the place of the URL.
            if !rules.urls || !url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
                let words = "The provider does not fetch this URL, and the gateway could not fetch it either: give the content as a data URL.";
                return Err(TranslateError::unsupported(path(), words));
            }
            let source = Source::Url { url };
            Ok(if what == MediaKind::Image { Block::Image { source, cache_control } } else { document(source) })
        }
        ir::MediaSource::FileId(id) => {
            if rules.request.origin != Format::AnthropicMessages {
                let words = "A file id is of use only at the provider that gave it: give the file's content.";
                return Err(TranslateError::unsupported(path(), words));
            }
            let source = Source::File { file_id: id };
            Ok(if what == MediaKind::Image { Block::Image { source, cache_control } } else { document(source) })
        }
    }
}

/// The media type: the given one, else that of the name, else that of the first bytes.
fn mime<'r>(media: &'r Media, data: &str) -> Option<Cow<'r, str>> {
    let given = media.mime.as_deref().filter(|mime| !mime.is_empty() && *mime != "application/octet-stream");
    let given = given.map(|mime| if mime == "image/jpg" { "image/jpeg" } else { mime });
    let named = || media.name.as_deref().and_then(mime_of_name);
    given.or_else(named).or_else(|| mime_of_start(data)).map(Cow::Borrowed)
}

/// Whether a block of this family may be written. Those of other families mean nothing to Anthropic's models.
pub(super) fn is_ours(family: Family) -> bool {
    family == Family::Anthropic
}
