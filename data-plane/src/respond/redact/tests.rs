use std::sync::Arc;

use bytes::Bytes;

use super::{Redactor, redact};
use crate::route::fixtures::{group, snapshot};
use crate::route::table::RouteTable;

#[test]
fn a_key_that_is_repeated_is_taken_out() {
    let table = RouteTable::compile(Arc::new(snapshot([group("g", &["m"])], [])), None);
    let key = &table.routes("m")[0].group.keys[0];
    let secret = key.key.secret.expose().to_owned();
    let clean = |text: String| String::from_utf8(redact(key, Bytes::from(text)).to_vec()).unwrap();
    assert_eq!(clean(format!("{secret} x {secret}{secret} y")), "[redacted] x [redacted][redacted] y");
    assert_eq!(clean("nothing".to_owned()), "nothing");
    let same = Bytes::from_static(b"nothing of it");
    assert_eq!(redact(key, same.clone()).as_ptr(), same.as_ptr());
}

#[test]
fn a_key_across_pieces_is_taken_out_wherever_it_is_cut() {
    let table = RouteTable::compile(Arc::new(snapshot([group("g", &["m"])], [])), None);
    let key = &table.routes("m")[0].group.keys[0];
    let secret = key.key.secret.expose().to_owned();
    let text = format!("before {} {secret}{secret} after {}", &secret[..5], &secret[..7]);
    let expected = text.replace(&secret, "[redacted]");
    for cut in 0..=text.len() {
        for length in [1, 3, text.len()] {
            let (first, rest) = text.as_bytes().split_at(cut);
            let mut redactor = Redactor::default();
            let mut clean = redactor.push(key, Bytes::copy_from_slice(first)).to_vec();
            for piece in rest.chunks(length) {
                clean.extend_from_slice(&redactor.push(key, Bytes::copy_from_slice(piece)));
            }
            clean.extend_from_slice(&redactor.finish());
            assert_eq!(String::from_utf8(clean).unwrap(), expected, "cut at {cut}");
        }
    }
}
