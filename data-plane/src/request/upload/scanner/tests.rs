use http::HeaderValue;
use proptest::prelude::{any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{ModelField, ScanError, Scanner, boundary};

const FILE: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a;b.wav\"\r\nContent-Type: audio/wav";
const MODEL: &str = "Content-Disposition: form-data; name=\"model\"";

fn form(parts: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (headers, value) in parts {
        body.push_str("--XbX\r\n");
        body.push_str(headers);
        body.push_str("\r\n\r\n");
        body.push_str(value);
        body.push_str("\r\n");
    }
    body + "--XbX--\r\n"
}

fn scan(body: &[u8], step: usize) -> Result<(Option<ModelField>, bool), ScanError> {
    let mut scanner = Scanner::new("XbX");
    for portion in body.chunks(step.max(1)) {
        scanner.push(portion)?;
    }
    Ok((scanner.field().cloned(), scanner.is_closed()))
}

fn found(body: &str) -> Option<String> {
    let (field, closed) = scan(body.as_bytes(), 1 << 20).unwrap();
    assert!(closed, "{body}");
    field.map(|field| {
        let range = usize::try_from(field.range.start).unwrap()..usize::try_from(field.range.end).unwrap();
        assert_eq!(&body[range], field.value);
        field.value
    })
}

#[test]
fn the_model_is_found_before_and_behind_the_file() {
    let sound = "RIFF\r\n--Xb\r\n\r\n--\r\nmodel\r\r\n";
    for body in [
        form(&[(MODEL, "whisper-1"), (FILE, sound)]),
        form(&[(FILE, sound), (MODEL, "whisper-1")]),
        form(&[(FILE, ""), (MODEL, "whisper-1"), (FILE, "\r\n")]),
    ] {
        assert_eq!(found(&body).as_deref(), Some("whisper-1"));
        for step in 1..40 {
            assert_eq!(scan(body.as_bytes(), step), scan(body.as_bytes(), 1 << 20), "{step}");
        }
    }
    assert_eq!(found(&form(&[(FILE, sound)])), None);
}

#[test]
fn odd_ways_to_write_it_are_read() {
    for headers in [
        "content-disposition:form-data;name=model",
        "Content-Type: text/plain; charset=utf-8\r\nCONTENT-DISPOSITION: form-data ; NAME = \"model\"",
        "Content-Disposition: form-data; filename=\"\\\"; name=x\"; name=\"mod\\el\"",
        "Content-Disposition: form-data;\r\n name=\"model\"",
        "Content-Disposition: form-data; odd; name=\"model\"",
        "Content-Disposition: form-data; name*=utf-8''model",
    ] {
        assert_eq!(found(&form(&[(headers, "m")])).as_deref(), Some("m"), "{headers}");
    }
    for headers in [
        "Content-Disposition: form-data; name=\"models\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"name=model\"",
        "X-Content-Disposition: form-data; name=\"model\"",
        "Content-Disposition: form-data",
    ] {
        assert_eq!(found(&form(&[(headers, "m")])), None, "{headers}");
    }
}

#[test]
fn boundaries_may_stand_oddly() {
    let part = format!("{MODEL}\r\n\r\nm\r\n");
    assert_eq!(found(&format!("preamble\r\n--XbX\r\n{part}--XbX--")).as_deref(), Some("m"));
    assert_eq!(found(&format!("--XbX \t\r\n{part}--XbX--\r\nepilogue\r\n--XbX\r\n{part}")).as_deref(), Some("m"));
    assert_eq!(found("--XbX\r\n\r\n\r\nno headers\r\n--XbX--"), None);
    assert_eq!(found("--XbX--"), None);
    assert_eq!(scan(format!("--XbXY\r\n{part}").as_bytes(), 9), Err(ScanError::Boundary));
    for open in ["", "--XbX", "--XbX\r\n", "no boundary at all"] {
        assert_eq!(scan(open.as_bytes(), 9), Ok((None, false)), "{open}");
    }
    let open = format!("--XbX\r\n{part}--XbX\r\n{FILE}\r\n\r\nRIFF");
    let (field, closed) = scan(open.as_bytes(), 7).unwrap();
    assert!(field.is_some() && !closed);
}

#[test]
fn what_no_reader_agrees_on_is_refused() {
    let twice = form(&[(MODEL, "a"), (FILE, "x"), (MODEL, "b")]);
    assert_eq!(scan(twice.as_bytes(), 5), Err(ScanError::Twice));
    assert_eq!(scan(form(&[(MODEL, &"m".repeat(300))]).as_bytes(), 50), Err(ScanError::Model));
    let mut bytes = form(&[(MODEL, "a")]).into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'a').unwrap();
    bytes.windows(5).position(|window| window == b"\na\r\n-").map(|at| bytes[at + 1] = 0xff).unwrap();
    assert!(at > 0);
    assert_eq!(scan(&bytes, 5), Err(ScanError::Model));
    let endless = format!("--XbX\r\n{}", "X: y\r\n".repeat(3000));
    assert_eq!(scan(endless.as_bytes(), 1000), Err(ScanError::Headers));
    assert_eq!(scan(format!("--XbX{}", " ".repeat(1000)).as_bytes(), 100), Err(ScanError::Boundary));
}

#[test]
fn the_boundary_is_that_of_the_content_type() {
    let of = |value: &str| boundary(&HeaderValue::from_str(value).unwrap());
    assert_eq!(of("multipart/form-data; boundary=XbX").as_deref(), Some("XbX"));
    assert_eq!(
        of("Multipart/Form-Data; charset=utf-8; Boundary=\"a b'()+_,-./:=?\"").as_deref(),
        Some("a b'()+_,-./:=?")
    );
    for none in [
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        "application/json",
        &format!("multipart/form-data; boundary={}", "x".repeat(71)),
    ] {
        assert_eq!(of(none), None, "{none}");
    }
}

proptest! {
    #[test]
    fn any_split_finds_the_same(noise in prop::collection::vec(prop::sample::select(b"\r\n-XbX-a".to_vec()), 0..200), step in 1usize..30) {
        let mut body = form(&[(MODEL, "m")]).into_bytes();
        body.truncate(body.len() - "--XbX--\r\n".len());
        body.extend_from_slice(format!("--XbX\r\n{FILE}\r\n\r\n").as_bytes());
        body.extend_from_slice(&noise);
        body.extend_from_slice(b"\r\n--XbX--\r\n");
        prop_assert_eq!(scan(&body, step), scan(&body, 1 << 20));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500), step in 1usize..50) {
        if let Ok((Some(field), _)) = scan(&bytes, step) {
            prop_assert!(field.range.end <= bytes.len() as u64);
        }
    }
}
