use std::sync::Arc;

use bytes::Bytes;

use super::redact;
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
