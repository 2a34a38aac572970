use bytes::Bytes;
use shared::secret::Secret;

use super::{Leak, Redactor};

const SECRET: &str = "sk-upstream-1";

#[test]
fn a_key_that_is_repeated_is_taken_out() {
    let leak = Leak::of(&Secret::new(SECRET));
    let clean = |text: String| String::from_utf8(leak.redact(Bytes::from(text)).to_vec()).unwrap();
    assert_eq!(clean(format!("{SECRET} x {SECRET}{SECRET} y")), "[redacted] x [redacted][redacted] y");
    assert_eq!(clean("nothing".to_owned()), "nothing");
    let same = Bytes::from_static(b"nothing of it");
    assert_eq!(leak.redact(same.clone()).as_ptr(), same.as_ptr());
}

#[test]
fn a_key_across_pieces_is_taken_out_wherever_it_is_cut() {
    let leak = Leak::of(&Secret::new(SECRET));
    let text = format!("before {} {SECRET}{SECRET} after {}", &SECRET[..5], &SECRET[..7]);
    let expected = text.replace(SECRET, "[redacted]");
    for cut in 0..=text.len() {
        for length in [1, 3, text.len()] {
            let (first, rest) = text.as_bytes().split_at(cut);
            let mut redactor = Redactor::default();
            let mut clean = redactor.push(&leak, Bytes::copy_from_slice(first)).to_vec();
            for piece in rest.chunks(length) {
                clean.extend_from_slice(&redactor.push(&leak, Bytes::copy_from_slice(piece)));
            }
            clean.extend_from_slice(&redactor.finish());
            assert_eq!(String::from_utf8(clean).unwrap(), expected, "cut at {cut}");
        }
    }
}
