use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Object, ReadError};

type Change = fn(&mut super::Edits<'_, '_>);

fn edit(body: &str, change: Change) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let object = Object::read(&body).unwrap();
    let mut edits = object.edit();
    change(&mut edits);
    let edited = String::from_utf8(edits.apply().to_vec()).unwrap();
    let mut edits = object.edit();
    change(&mut edits);
    assert_eq!(String::from_utf8(edits.apply_in_pieces().concat()).unwrap(), edited);
    edited
}

#[test]
fn a_body_in_pieces_is_the_clients_own_but_for_the_edits() {
    let text = format!(r#"{{"model":"fast","messages":"{}"}}"#, "x".repeat(1000));
    let body = Bytes::from(text);
    let object = Object::read(&body).unwrap();
    let mut edits = object.edit();
    edits.set_string("model", "m");
    edits.set("stream_options", "{}");
    let pieces = edits.apply_in_pieces();
    let own = body.as_ptr_range();
    let copied: usize = pieces.iter().filter(|piece| !own.contains(&piece.as_ptr())).map(Bytes::len).sum();
    assert!(copied < 50, "{copied} bytes are copied");
    let whole = pieces.concat();
    assert!(whole.ends_with(br#"","stream_options":{}}"#) && whole.starts_with(br#"{"model":"m","#));
}

#[test]
fn an_object_of_very_many_fields_is_refused() {
    let fields = |count: usize| (0..count).map(|at| format!(r#""{at}":1"#)).collect::<Vec<_>>().join(",");
    let read = |count| Object::read(&Bytes::from(format!("{{{}}}", fields(count)))).map(drop);
    assert!(read(1000).is_ok());
    assert!(matches!(read(1001), Err(ReadError::Shape(error)) if error.message.contains("1000 fields")));
}

#[test]
fn without_an_edit_the_bytes_are_the_same() {
    let body = Bytes::from_static(b"{ \"model\" : \"gpt-4o\",\n\t\"unknown\":[1.0,2e3 ] }  ");
    let edited = Object::read(&body).unwrap().edit().apply();
    assert_eq!(edited, body);
    assert_eq!(edited.as_ptr(), body.as_ptr());
}

#[test]
fn edits_leave_every_other_byte() {
    let set: Change = |edits| edits.set_string("model", "gpt-4o");
    assert_eq!(
        edit("{ \"x\": 1.0,\"model\" : \"fast\" , \"y\":null }", set),
        "{ \"x\": 1.0,\"model\" : \"gpt-4o\" , \"y\":null }"
    );
    assert_eq!(edit("{ }", set), "{\"model\":\"gpt-4o\" }");
    assert_eq!(edit(r#"{"a":1}"#, set), r#"{"a":1,"model":"gpt-4o"}"#);
    let twice: Change = |edits| {
        edits.set("a", "2");
        edits.set("a", "3");
        edits.set("b", "4");
        edits.set("b", "5");
    };
    assert_eq!(edit(r#"{"a":1}"#, twice), r#"{"a":3,"b":5}"#);
}

#[test]
fn fields_are_taken_out() {
    let remove: Change = |edits| {
        edits.set("b", "2");
        edits.remove("a");
        edits.remove("c");
        edits.remove("nothing");
    };
    assert_eq!(edit(r#"{"a":{"x":1}, "b":1.0 ,"c":3, "d": "e"}"#, remove), r#"{"b":2,"d":"e"}"#);
    assert_eq!(edit(r#"{"a":1,"b":1}"#, |edits| (edits.remove("a"), edits.remove("b")).0), "{}");
}

#[test]
fn values_are_read() {
    let body = Bytes::from_static(br#"{"mod\u0065l":"gpt\u002d4o","stream":true,"n":null,"x":5}"#);
    let object = Object::read(&body).unwrap();
    assert_eq!(object.string("model").unwrap().unwrap(), "gpt-4o");
    assert_eq!((object.flag("stream"), object.flag("n"), object.flag("absent")), (Ok(true), Ok(false), Ok(false)));
    assert_eq!((object.get("n"), object.non_null("n"), object.string("n")), (Some("null"), None, Ok(None)));
    assert!(object.flag("x").unwrap_err().message.contains("a number"));
    assert!(object.string("x").is_err());
}

#[test]
fn a_body_that_readers_understand_differently_is_refused() {
    let check = |body: &str| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Object::read(&body).unwrap().unambiguous(&["stream", "model", "max_tokens"]).map_err(|error| error.param)
    };
    for (body, param) in [
        (r#"{"model":"a","mod\u0065l":"b"}"#, "model"),
        (r#"{"model":"a","Model":"b"}"#, "model"),
        (r#"{"MODEL":"b","model":"a"}"#, "model"),
        (r#"{"model":"a","STREAM":true}"#, "stream"),
        (r#"{"model":"a","\u017ftream":true}"#, "stream"),
        ("{\"model\":\"a\",\"max_to\u{212a}ens\":9}", "max_tokens"),
        (r#"{"model":"a","model\u0000x":"b"}"#, "model"),
        (r#"{"model":"a","model ":"b"}"#, "model"),
        (r#"{"model":"a","seed":1,"seed":2}"#, "seed"),
        (r#"{"model":"a","seed":1,"Seed":2}"#, "Seed"),
    ] {
        assert_eq!(check(body), Err(Some(param.to_owned())), "{body}");
    }
    for body in [r#"{"model":"a","Seed":1}"#, r#"{"model":"a","models":1,"stream_":2}"#, "{}"] {
        assert_eq!(check(body), Ok(()), "{body}");
    }
    let many = |last: &str| {
        let fields: Vec<String> = (0..900).map(|number| format!("\"x{number}\":1")).collect();
        check(&format!("{{{},\"{last}\":1}}", fields.join(",")))
    };
    assert_eq!(many("y"), Ok(()));
    assert_eq!(many("X7"), Err(Some("x7".to_owned())));
}

#[test]
fn lookalikes_of_a_field_are_taken_out() {
    let set: Change = |edits| {
        edits.remove_lookalikes("seed");
        edits.set("seed", "7");
    };
    assert_eq!(edit(r#"{"a":1,"Seed":2,"SEED":3,"seed":4}"#, set), r#"{"a":1,"seed":7}"#);
    assert_eq!(edit(r#"{"a":1,"seed":4}"#, set), r#"{"a":1,"seed":7}"#);
}

#[test]
fn what_is_no_object_is_refused() {
    let read = |body: &str| Object::read(&Bytes::copy_from_slice(body.as_bytes())).map(|_| ()).unwrap_err();
    assert!(matches!(read("[]"), ReadError::Shape(_)));
    for body in ["", "{", "{\"model\":\"m\"} x", "{\"model\":\"m\",}"] {
        assert!(matches!(read(body), ReadError::Json(_)), "{body:?}");
    }
    let deep = Bytes::from(format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000)));
    // Nesting is skipped without recursion, or refused: it does not overflow.
    drop(Object::read(&deep));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let body = Bytes::from(body);
        if let Ok(object) = Object::read(&body) {
            let mut edits = object.edit();
            edits.set("x", "1");
            edits.apply();
        }
    }

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else(
        names in prop::collection::btree_set("[a-z]{1,6}", 0..6),
        value in prop::sample::select(vec![json!(null), json!(1.5), json!("\"x\\"), json!([1, {"a": "}"}])]),
        pretty in any::<bool>(),
        remove in any::<bool>(),
    ) {
        let mut object: serde_json::Map<String, Value> = names.iter().map(|name| (name.clone(), value.clone())).collect();
        object.insert("model".to_owned(), json!("alias"));
        let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
        let body = Bytes::from(text);
        let read = Object::read(&body).unwrap();
        let mut edits = read.edit();
        edits.set_string("model", "real");
        edits.set("set", "{}");
        object.insert("model".to_owned(), json!("real"));
        object.insert("set".to_owned(), json!({}));
        let first = names.first().filter(|name| remove && *name != "set" && *name != "model");
        if let Some(name) = first {
            edits.remove(name);
            object.shift_remove(name);
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&edits.apply()).unwrap(), Value::Object(object));
    }
}
