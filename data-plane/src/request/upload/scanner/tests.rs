use proptest::prelude::{any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{ModelField, ScanError, Scanner};
use crate::request::upload::part::PartError;

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
fn boundaries_stand_alone_in_their_line() {
    let part = format!("{MODEL}\r\n\r\nm\r\n");
    assert_eq!(found(&format!("\r\n--XbX\r\n{part}--XbX--\r\n \r\n")).as_deref(), Some("m"));
    assert_eq!(found("--XbX--"), None);
    let refused = |body: &str| (1..40).map(|step| scan(body.as_bytes(), step).unwrap_err()).collect::<Vec<_>>();
    for (body, error) in [
        (format!("preamble\r\n--XbX\r\n{part}--XbX--"), ScanError::Outside),
        (format!("--XbX\r\n{part}--XbX--\r\nepilogue\r\n--XbX\r\n{part}"), ScanError::Outside),
        (format!("--XbX \t\r\n{part}--XbX--"), ScanError::Boundary),
        (format!("--XbXY\r\n{part}"), ScanError::Boundary),
        (format!("--XbX\n{part}--XbX--"), ScanError::Boundary),
        (format!("--XbX\r\n{FILE}\r\n\r\nRIFF\n--XbX\n{part}--XbX--"), ScanError::Boundary),
        (format!("--XbX\r\n{FILE}\r\n\r\nRIFF\r--XbX\r{part}--XbX--"), ScanError::Boundary),
        (format!("--XbX\r\n{FILE}\r\n\r\nRIFF--XbX\r\n{part}--XbX--"), ScanError::Boundary),
    ] {
        assert!(refused(&body).iter().all(|seen| *seen == error), "{body}");
    }
    for open in ["", "--XbX", "--XbX\r\n"] {
        assert_eq!(scan(open.as_bytes(), 9), Ok((None, false)), "{open}");
    }
    let open = format!("--XbX\r\n{part}--XbX\r\n{FILE}\r\n\r\nRIFF");
    let (field, closed) = scan(open.as_bytes(), 7).unwrap();
    assert!(field.is_some() && !closed);
}

#[test]
fn what_no_reader_agrees_on_is_refused() {
    let twice = form(&[(MODEL, "a"), (FILE, "x"), (MODEL, "b")]);
    assert_eq!(scan(twice.as_bytes(), 5), Err(ScanError::Twice("model")));
    let n = "Content-Disposition: form-data; name=\"n\"";
    assert_eq!(scan(form(&[(n, "1"), (MODEL, "a"), (n, "9")]).as_bytes(), 5), Err(ScanError::Twice("n")));
    let other = "Content-Disposition: form-data; name=\"Model\"";
    let spelled = form(&[(MODEL, "a"), (other, "b")]);
    assert_eq!(scan(spelled.as_bytes(), 5), Err(ScanError::Part(PartError::Field("model"))));
    assert_eq!(scan(form(&[(MODEL, &"m".repeat(300))]).as_bytes(), 50), Err(ScanError::Model));
    let mut bytes = form(&[(MODEL, "a")]).into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'a').unwrap();
    bytes.windows(5).position(|window| window == b"\na\r\n-").map(|at| bytes[at + 1] = 0xff).unwrap();
    assert!(at > 0);
    assert_eq!(scan(&bytes, 5), Err(ScanError::Model));
    let endless = format!("--XbX\r\n{}", "X: y\r\n".repeat(3000));
    assert_eq!(scan(endless.as_bytes(), 1000), Err(ScanError::Headers));
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
