//! Images and files (`docs/TRANSLATION.md` sections 2.1.6 and 2.1.7).

use serde_json::{Value, json};

use super::{NOVA, SONNET, body, dropped, encode, encoded, request};
use crate::ir::{ErrorCode, Media, MediaKind, MediaSource, Part, Request};

fn with(parts: Vec<Part>) -> Request {
    let mut request = request();
    request.messages[0].parts = parts;
    request
}

fn base64(kind: MediaKind, data: &str, mime: Option<&str>) -> Media {
    Media::new(kind, MediaSource::Base64(data.to_owned()), mime.map(str::to_owned))
}

fn content(request: &Request, model: &str) -> Value {
    body(request, model)["messages"][0]["content"].clone()
}

#[test]
fn point_22_images_are_bytes_with_a_format() {
    for (mime, format) in [
        ("image/png", "png"),
        ("image/jpg", "jpeg"),
        ("image/jpeg", "jpeg"),
        ("image/gif", "gif"),
        ("image/webp", "webp"),
    ] {
        let image = base64(MediaKind::Image, "AAAA", Some(mime));
        let written = content(&with(vec![Part::Media(image)]), SONNET);
        assert_eq!(written, json!([{"image": {"format": format, "source": {"bytes": "AAAA"}}}]));
    }
    let told = base64(MediaKind::Image, "/9j/4AAQ", None);
    assert_eq!(content(&with(vec![Part::Media(told)]), SONNET)[0]["image"]["format"], "jpeg");
    let tiff = base64(MediaKind::Image, "AAAA", Some("image/tiff"));
    let error = encode(&with(vec![Part::Media(tiff)]), SONNET).unwrap_err();
    assert_eq!((error.code, error.param.as_deref()), (ErrorCode::InvalidImageFormat, Some("messages[0].content[0]")));
}

#[test]
fn point_22_documents_have_names_and_words_beside_them() {
    let pdf = |name: &str| {
        let mut pdf = base64(MediaKind::Document, "JVBERi0x", None);
        pdf.name = Some(name.to_owned());
        Part::Media(pdf)
    };
    let written = content(&with(vec![pdf("my_report.v2.pdf"), pdf("my report v2.pdf"), pdf("")]), SONNET);
    let document = |name: &str| json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "JVBERi0x"}}});
    let documents = [document("my report v2"), document("my report v2 (2)"), document("document")];
    assert_eq!(written, json!([documents[0], documents[1], documents[2], {"text": "(document)"}]));
    let with_words = content(&with(vec![Part::text("Read."), pdf("a.pdf")]), SONNET);
    assert_eq!(with_words.as_array().unwrap().len(), 2);
}

#[test]
fn point_22_text_files_are_bytes_too() {
    let text = Media::new(MediaKind::Document, MediaSource::Text("héllo".to_owned()), Some("text/plain".to_owned()));
    let written = content(&with(vec![Part::Media(text)]), SONNET);
    assert_eq!(written[0]["document"]["format"], "txt");
    assert_eq!(written[0]["document"]["source"], json!({"bytes": "aMOpbGxv"}));
    for (name, format) in [("a.docx", "docx"), ("a.xlsx", "xlsx"), ("a.csv", "csv"), ("a.md", "md"), ("a.html", "html")]
    {
        let mut file = base64(MediaKind::Document, "AAAA", Some("application/octet-stream"));
        file.name = Some(name.to_owned());
        assert_eq!(content(&with(vec![Part::Media(file)]), SONNET)[0]["document"]["format"], format);
    }
}

#[test]
fn point_22_objects_in_s3_are_named_and_other_urls_refused() {
    let at = |url: &str| with(vec![Part::Media(Media::at(MediaKind::Image, url))]);
    let written = content(&at("s3://bucket/cat.png"), NOVA);
    assert_eq!(
        written,
        json!([{"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/cat.png"}}}}])
    );
    let error = encode(&at("https://example.com/cat.png"), SONNET).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages[0].content[0]"));
    let file =
        Media::new(MediaKind::Document, MediaSource::FileId("file-1".to_owned()), Some("application/pdf".to_owned()));
    assert!(encode(&with(vec![Part::Media(file)]), SONNET).unwrap_err().message.contains("file id"));
    let empty = base64(MediaKind::Image, "", Some("image/png"));
    assert_eq!(encode(&with(vec![Part::Media(empty)]), SONNET).unwrap_err().code, ErrorCode::InvalidValue);
    let unknown = base64(MediaKind::Document, "AAAA", Some("application/zip"));
    assert!(encode(&with(vec![Part::Media(unknown)]), SONNET).unwrap_err().message.contains("application/zip"));
}

#[test]
fn films_and_sounds_are_for_models_other_than_claude() {
    let film = with(vec![Part::Media(base64(MediaKind::Video, "AAAA", Some("video/mp4")))]);
    assert_eq!(content(&film, NOVA), json!([{"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}]));
    assert!(encode(&film, SONNET).unwrap_err().message.contains("video"));
    let sound = with(vec![Part::Media(base64(MediaKind::Audio, "AAAA", Some("audio/wav")))]);
    assert_eq!(content(&sound, NOVA)[0]["audio"]["format"], "wav");
    assert!(encode(&sound, SONNET).unwrap_err().message.contains("audio"));
}

#[test]
fn detail_is_left_out_and_named() {
    let mut image = base64(MediaKind::Image, "AAAA", Some("image/png"));
    image.detail = Some("low".to_owned());
    assert_eq!(dropped(&encoded(&with(vec![Part::Media(image)]), SONNET).1), ["detail"]);
}
