use bytes::Bytes;
use serde_json::json;

use crate::example::example;
use crate::form::Form;
use crate::vendor::{decoded, query_value};

#[test]
fn examples_fit_their_schemas() {
    let schema = json!({
        "type": "object",
        "$defs": { "city": { "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] } },
        "properties": {
            "city": { "$ref": "#/$defs/city" },
            "unit": { "enum": ["celsius", "kelvin"] },
            "kind": { "const": "now" },
            "days": { "type": "integer", "minimum": 3, "maximum": 5 },
            "when": { "type": ["null", "string"], "format": "date" },
            "tags": { "type": "array", "items": { "type": "string", "maxLength": 2 }, "minItems": 2 },
            "either": { "anyOf": [{ "type": "null" }, { "type": "boolean" }] },
            "both": { "allOf": [{ "type": "object", "properties": { "a": { "type": "number" } } }, { "type": "object",
                "properties": { "b": { "type": "null" } } }] },
        },
        "required": ["elsewhere"],
    });
    let expected = json!({
        "city": { "name": "Paris" },
        "unit": "celsius",
        "kind": "now",
        "days": 3,
        "when": "2026-11-23",
        "tags": ["Pa", "Pa"],
        "either": true,
        "both": { "a": 1, "b": null },
        "elsewhere": "Paris",
    });
    assert_eq!(example(&schema), expected);
    assert_eq!(
        example(&json!({ "type": "OBJECT", "properties": { "x": { "type": "STRING" } } })),
        json!({ "x": "Paris" })
    );
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let schema = json!({ "type": "object", "properties": { "next": { "$ref": "#" } } });
    assert!(example(&schema).to_string().len() < 200);
    let required = json!({ "type": "object", "properties": { "next": { "$ref": "#" } }, "required": ["next"] });
    assert!(example(&required).to_string().len() < 500);
}

#[test]
fn forms_are_read_whole_or_not_at_all() {
    let content_type = "multipart/form-data; boundary=\"b\"";
    let body = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--b\r\ncontent-disposition: form-data; name=\"f\"; \
                filename=\"x.bin\"\r\nContent-Type: x/y\r\n\r\none\r\n--two\r\n--b--\r\n";
    let form = Form::parse(content_type, &Bytes::from(body)).unwrap();
    assert_eq!((form.text("a").as_deref(), form.text("f").as_deref()), (Some(""), Some("one\r\n--two")));
    assert_eq!(form.get("f").unwrap().filename.as_deref(), Some("x.bin"));
    for end in 0..body.len() - 2 {
        assert!(Form::parse(content_type, &Bytes::from(&body.as_bytes()[..end])).is_none(), "{end}");
    }
    assert!(Form::parse("application/json", &Bytes::from(body)).is_none());
}

#[test]
fn paths_and_queries_are_decoded() {
    assert_eq!(decoded("a%2Fb%3Ac%zz%"), "a/b:c%zz%");
    assert_eq!(query_value("alt=sse&key=a%20b+c", "key").as_deref(), Some("a b c"));
    assert_eq!(query_value("alt=sse", "key"), None);
}
