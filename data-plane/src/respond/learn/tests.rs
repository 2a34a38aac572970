use std::sync::Arc;

use serde_json::json;

use super::{Learn, first_string};
use crate::route::owners::{Owner, Owners};

fn learnt(teach: impl FnOnce(&Learn)) -> impl Fn(&str) -> bool {
    let owners = Arc::new(Owners::default());
    let owner = Owner { group: "g".into(), key: "k".into() };
    teach(&Learn { owners: Arc::clone(&owners), owner });
    move |id| owners.of(id).is_some()
}

#[test]
fn a_whole_answer_names_its_objects() {
    let body = json!({
        "id": "batch_1", "object": "batch", "input_file_id": "file-in", "output_file_id": null, "error_file_id": 5,
        "metadata": { "id": "no" },
    });
    let knows = learnt(|learn| learn.whole(body.to_string().as_bytes()));
    assert!(knows("batch_1") && knows("file-in") && !knows("no"));
    let list =
        json!({ "object": "list", "data": [{ "id": "file-1" }, { "id": "file-2", "output_file_id": "file-3" }] });
    let knows = learnt(|learn| learn.whole(list.to_string().as_bytes()));
    assert!(["file-1", "file-2", "file-3"].iter().all(|id| knows(id)));
    for junk in ["", "[]", "{\"id\":", "{\"data\":5}"] {
        assert!(!learnt(|learn| learn.whole(junk.as_bytes()))(""), "{junk}");
    }
}

#[test]
fn a_stream_names_its_response_at_its_start() {
    let event = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\": \"resp_1\",\"output\":[]}}\n\n";
    let knows = learnt(|learn| {
        assert!(!learn.start(b"event: ping\ndata: {}\n\n"));
        assert!(learn.start(event.as_bytes()));
    });
    assert!(knows("resp_1"));
}

#[test]
fn what_stands_in_a_string_is_no_field() {
    let body = json!({ "text": "{\"file_id\":\"no\"}", "file_id": null, "part": { "file_id" : "file-1" } }).to_string();
    assert_eq!(first_string(body.as_bytes(), "file_id"), Some("file-1"));
    for none in ["", "{\"file_id\":", "{\"file_id\":5}", "{\"file_id\":\"a", "{\"file_id\":\"a\\u0041\"}"] {
        assert_eq!(first_string(none.as_bytes(), "file_id"), None);
    }
}
