//! What structured outputs take of a schema.

use serde_json::{Value, json};

use super::super::schema::{Parameters, parameters, sanitised};
use crate::protocol::claude::schema::Inexpressible;

fn fitted(schema: &Value) -> Value {
    sanitised(&schema.to_string()).unwrap()
}

fn refused(schema: &Value) -> bool {
    sanitised(&schema.to_string()) == Err(Inexpressible)
}

#[test]
fn every_object_is_closed() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "object", "properties": {}},
        "b": {"type": "array", "items": {"type": ["object", "null"], "properties": {"c": {"type": "string"}}}},
    }});
    let closed = fitted(&schema);
    assert_eq!(closed["additionalProperties"], false);
    assert_eq!(closed["properties"]["a"]["additionalProperties"], false);
    assert_eq!(closed["properties"]["b"]["items"]["additionalProperties"], false);
}

#[test]
fn what_is_not_taken_goes_into_words() {
    let schema = json!({"type": "integer", "description": "Age.", "minimum": 0, "maximum": 150});
    assert_eq!(fitted(&schema), json!({"type": "integer", "description": "Age. (minimum: 0, maximum: 150)"}));
    let text = json!({"type": "string", "minLength": 1, "pattern": "^a"});
    assert_eq!(fitted(&text), json!({"type": "string", "description": "(minLength: 1, pattern: \"^a\")"}));
    for keyword in ["exclusiveMinimum", "multipleOf", "maxLength", "maxItems", "uniqueItems", "minProperties", "not"] {
        let fitted = fitted(&json!({"type": "string", keyword: 2}));
        assert!(fitted.get(keyword).is_none() && fitted["description"].as_str().unwrap().contains(keyword));
    }
}

#[test]
fn few_items_and_known_formats_stay() {
    assert_eq!(fitted(&json!({"type": "array", "minItems": 1}))["minItems"], 1);
    assert!(fitted(&json!({"type": "array", "minItems": 2})).get("minItems").is_none());
    assert_eq!(fitted(&json!({"type": "string", "format": "uuid"}))["format"], "uuid");
    let other = fitted(&json!({"type": "string", "format": "color"}));
    assert_eq!(other, json!({"type": "string", "description": "(format: \"color\")"}));
}

#[test]
fn one_of_is_any_of() {
    let schema = json!({"oneOf": [{"type": "string"}, {"type": "null"}]});
    assert_eq!(fitted(&schema), json!({"anyOf": [{"type": "string"}, {"type": "null"}]}));
    assert!(refused(&json!({"oneOf": [{"type": "string"}], "anyOf": [{"type": "string"}]})));
}

#[test]
fn what_has_to_fit_several_schemas_still_can() {
    // References are not taken within `allOf` ("Structured outputs", section "JSON Schema limitations"); generators of
    // schemas put a single one there to describe it.
    let described = json!({"allOf": [{"$ref": "#/$defs/A"}], "description": "An A."});
    let schema = json!({"type": "object", "properties": {"a": described}, "$defs": {"A": {"type": "string"}}});
    assert_eq!(fitted(&schema)["properties"]["a"], json!({"anyOf": [{"$ref": "#/$defs/A"}], "description": "An A."}));
    let plain = json!({"allOf": [{"type": "string", "format": "date"}, {"type": "string", "enum": ["2026-01-01"]}]});
    assert_eq!(fitted(&plain), plain);
    let [a, b] = ["a", "b"].map(|name| json!({"type": "object", "properties": {name: {"type": "string"}}}));
    assert!(refused(&json!({"allOf": [a, b]})), "closed to each other");
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let beside = json!({"type": "object", "properties": {"a": {"type": "string"}}, keyword: [b]});
        assert!(refused(&beside), "closed to each other: {keyword}");
    }
    let either = json!({"type": "object", "properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}]});
    assert_eq!(fitted(&either)["anyOf"], json!([{"required": ["a"]}]));
    assert!(refused(&json!({"enum": [{"a": 1}]})), "values of enums are plain");
}

#[test]
fn point_19_a_property_may_be_called_like_a_keyword() {
    let properties = json!({"minimum": {"type": "string"}, "$ref": {"type": "string"}, "not": {"type": "string"}});
    let schema = json!({"type": "object", "properties": properties, "required": ["minimum"]});
    assert_eq!(fitted(&schema)["properties"], properties);
}

#[test]
fn references_stay_within_and_do_not_come_back() {
    let schema = json!({
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/A"}},
        "definitions": {"A": {"type": "object", "properties": {"b": {"$ref": "#/definitions/B"}}}, "B": {"type": "string"}},
    });
    let fitted = fitted(&schema);
    assert_eq!(fitted["properties"]["a"]["$ref"], "#/$defs/A");
    assert_eq!(fitted["$defs"]["A"]["properties"]["b"]["$ref"], "#/$defs/B");
    let tree = json!({
        "type": "object",
        "properties": {"root": {"$ref": "#/$defs/Node"}},
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
    });
    assert!(refused(&tree));
    assert!(refused(&json!({"$ref": "https://example.org/schema.json"})));
    assert!(refused(&json!({"type": "object", "properties": {"a": {"$ref": "#"}}})));
    assert!(refused(&json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/Missing"}}})));
}

#[test]
fn a_long_chain_of_definitions_is_not_followed() {
    let definitions: serde_json::Map<String, Value> =
        (0..100_000).map(|at| (format!("d{at}"), json!({"$ref": format!("#/$defs/d{}", at + 1)}))).collect();
    assert!(refused(&json!({"type": "object", "properties": {}, "$defs": definitions})));
}

#[test]
fn what_changes_the_shape_is_refused() {
    assert!(refused(&json!({"type": "object", "additionalProperties": {"type": "string"}})));
    assert!(refused(&json!({"type": "object"})), "any object");
    assert!(refused(&json!({"type": "object", "properties": {"a": {}}})), "any value");
    assert!(refused(&json!({"type": "object", "properties": {"a": true}})));
    assert!(refused(&json!({"type": "object", "properties": {}, "patternProperties": {"^a": {"type": "string"}}})));
    assert!(!refused(&json!({"type": "object", "additionalProperties": false})), "nothing but the empty object");
}

#[test]
fn null_in_the_manner_of_openapi_is_a_type() {
    assert_eq!(fitted(&json!({"type": "string", "nullable": true})), json!({"type": ["string", "null"]}));
}

#[test]
fn parameters_that_are_an_object_are_not_touched() {
    assert_eq!(parameters(r#"{"type":"object","properties":{}}"#), Parameters::AsTheyAre);
    assert_eq!(parameters(r#"{"type":"object"}"#), Parameters::Anew(json!({"type": "object", "properties": {}})));
    assert!(matches!(parameters("5"), Parameters::Refused(_)));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in r#"[{}\[\]":,a-z$#/0-9]{0,80}"#) {
        let _ = sanitised(&text);
        let _ = parameters(&text);
    }
}
