use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{DataUrl, mime_of_name, mime_of_start};
use crate::ir::{Media, MediaKind, MediaSource};

#[test]
fn data_urls_of_all_forms_are_read() {
    let read = |url: &str| DataUrl::read(url).map(|data| (data.mime, data.base64));
    let pair = |mime: &str, data: &str| Some((mime.to_owned(), data.to_owned()));
    assert_eq!(read("data:image/png;base64,AAA="), pair("image/png", "AAA="));
    assert_eq!(read("DATA:image/JPG;charset=utf-8;base64,AA\n A="), pair("image/jpeg", "AAA="));
    assert_eq!(read("data:text/plain,a%20b"), pair("text/plain", "YSBi"));
    assert_eq!(read("data:,x%2"), pair("text/plain", "eCUy"));
    assert_eq!(read("https://example.com/a.png"), None);
    assert_eq!(read("data:image/png"), None);
}

#[test]
fn a_pdf_in_an_images_place_is_a_document() {
    let media = Media::at(MediaKind::Image, "data:application/pdf;base64,AA==");
    assert_eq!((media.kind, media.source), (MediaKind::Document, MediaSource::Base64("AA==".to_owned())));
    assert_eq!(Media::at(MediaKind::Image, "https://x/y").source, MediaSource::Url("https://x/y".to_owned()));
}

#[test]
fn names_tell_media_types() {
    assert_eq!(mime_of_name("https://x/y/z.JPG?w=1.png"), Some("image/jpeg"));
    assert_eq!(mime_of_name("report.pdf"), Some("application/pdf"));
    assert_eq!(mime_of_name("https://x.com/y"), None);
}

#[test]
fn the_first_bytes_tell_the_type() {
    let cases: [(&[u8], Option<&str>); 10] = [
        (b"%PDF-1.7 and more", Some("application/pdf")),
        (b"\x89PNG\r\n\x1a\n....", Some("image/png")),
        (b"\xff\xd8\xff\xe0........", Some("image/jpeg")),
        (b"GIF89a......", Some("image/gif")),
        // Both begin alike.
        (b"RIFF\x24\x08\x00\x00WEBPVP8 ", Some("image/webp")),
        (b"RIFF\x24\x08\x00\x00WAVEfmt ", Some("audio/wav")),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00", Some("audio/mpeg")),
        (b"OggS\x00\x02\x00\x00\x00\x00\x00\x00", Some("audio/ogg")),
        (b"plain words, no type", None),
        (b"short", None),
    ];
    for (bytes, mime) in cases {
        assert_eq!(mime_of_start(&STANDARD.encode(bytes)), mime, "{bytes:?}");
    }
    assert_eq!(mime_of_start("é".repeat(20).as_str()), None);
}

#[test]
fn base64_in_a_data_url_may_be_percent_encoded() {
    for (url, base64) in [
        ("data:image/png;base64,a%2Bb%3D", "a+b="),
        ("data:image/png;base64,a%2fb%3d%0A", "a/b="),
        ("data:image/png;base64,a+b=", "a+b="),
    ] {
        assert_eq!(DataUrl::read(url).map(|url| url.base64).as_deref(), Some(base64), "{url}");
    }
}

#[test]
fn a_url_that_is_given_away_is_read_like_any_other() {
    for url in [
        "data:image/png;base64,QUJD",
        "DATA:image/JPG;name=x;Base64,QUJD",
        "data:;base64,QUJD",
        "data:image/png;base64,QU JD",
        "data:text/plain,a%20b",
        "data:application/pdf;base64,QUJD",
        "https://example.com/a,b.png",
        "data:image/png;base64",
        "",
    ] {
        assert_eq!(Media::at_own(MediaKind::Image, url.to_owned()), Media::at(MediaKind::Image, url), "{url}");
    }
    let long = format!("data:image/png;base64,{}", "QUJD".repeat(1000));
    let place = long.as_ptr();
    let media = Media::at_own(MediaKind::Image, long);
    assert!(matches!(&media.source, MediaSource::Base64(data) if data.as_ptr() == place && data.len() == 4000));
}
