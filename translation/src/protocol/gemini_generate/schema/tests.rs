//! Schemas, both ways (`docs/TRANSLATION.md` section 6.5).

use serde_json::{Value, json};

use super::{to_json_schema, to_openapi, to_parameters};

fn down(schema: Value) -> Value {
    let before = schema.clone();
    let converted = to_openapi(&schema);
    assert_eq!(schema, before, "the input is changed");
    converted
}

/// A property `x` of `schema`, with what it refers to.
fn property(schema: Value, defs: Value) -> Value {
    down(json!({"type": "object", "properties": {"x": schema}, "$defs": defs}))["properties"]["x"].clone()
}

fn alone(schema: Value) -> Value {
    property(schema, json!({}))
}

#[test]
fn point_19_references_are_put_in_place() {
    let defs = json!({"City": {"type": "string", "description": "a city"}, "a/b~c d": {"type": "integer"}, "Again": {"$ref": "#/$defs/City"}});
    assert_eq!(
        property(json!({"$ref": "#/$defs/City"}), defs.clone()),
        json!({"type": "string", "description": "a city"})
    );
    let beside = json!({"$ref": "#/$defs/City", "description": "where from"});
    assert_eq!(property(beside, defs.clone())["description"], "where from");
    assert_eq!(property(json!({"$ref": "#/$defs/Again"}), defs.clone())["type"], "string");
    assert_eq!(property(json!({"$ref": "#/$defs/a~1b~0c%20d"}), defs)["type"], "integer");
    let old = json!({"type": "object", "properties": {"x": {"$ref": "#/definitions/X"}}, "definitions": {"X": {"type": "number"}}});
    assert_eq!(down(old)["properties"]["x"], json!({"type": "number"}));
    for unknown in ["#/$defs/None", "https://example.com/schema.json", "#no", ""] {
        assert_eq!(alone(json!({"$ref": unknown}))["type"], "object", "{unknown}");
    }
}

#[test]
fn point_19_recursion_ends_at_the_second_visit() {
    let node = json!({
        "type": "object", "properties": {"value": {"type": "string"}, "next": {"$ref": "#/$defs/Node"}}, "required": ["value"],
    });
    let converted = property(json!({"$ref": "#/$defs/Node"}), json!({"Node": node}));
    assert_eq!(converted["properties"]["next"]["type"], "object");
    assert!(converted["properties"]["next"]["description"].as_str().unwrap().contains("Node"));
    assert!(converted["properties"]["next"]["properties"].is_null());
    let root = json!({"type": "object", "properties": {"child": {"$ref": "#"}, "name": {"type": "string"}}});
    assert_eq!(down(root)["properties"]["child"]["properties"]["child"]["type"], "object");
    for endless in [
        json!({"$ref": "#/$defs/A"}),
        json!({"allOf": [{"$ref": "#/$defs/A"}]}),
        json!({"anyOf": [{"$ref": "#/$defs/A"}]}),
    ] {
        let schema = json!({"$ref": "#/$defs/A", "$defs": {"A": endless}});
        assert!(down(schema).is_object());
    }
}

#[test]
fn point_19_growth_is_bounded() {
    // Each refers to the next twice: 2^40 nodes, if all were written.
    let mut defs = serde_json::Map::new();
    for at in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
        defs.insert(format!("d{at}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
    }
    let converted = down(json!({"$ref": "#/$defs/d0", "$defs": defs}));
    assert!(converted.to_string().len() < 10_000_000);
    let mut deep = json!({"type": "string"});
    for _ in 0..500 {
        deep = json!({"type": "array", "items": deep});
    }
    assert!(to_openapi(&deep).is_object());
}

#[test]
fn point_19_all_of_is_put_together() {
    let defs = json!({"Base": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}});
    let schema = json!({"allOf": [
        {"$ref": "#/$defs/Base"},
        {"properties": {"id": {"type": "string"}, "name": {"type": "string"}}, "required": ["name", "id"], "description": "both"},
    ]});
    let wanted = json!({
        "type": "object", "description": "both",
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}, "required": ["id", "name"],
    });
    assert_eq!(property(schema, defs), wanted);
}

#[test]
fn what_is_beside_another_is_no_recursion() {
    let defs = json!({"P": {"type": "object", "properties": {"lat": {"type": "number"}}}});
    let schema = json!({"type": "object", "properties": {"from": {"$ref": "#/$defs/P"}, "to": {"$ref": "#/$defs/P"}}});
    let converted = property(schema, defs);
    assert_eq!(converted["properties"]["from"], converted["properties"]["to"]);
    assert_eq!(converted["properties"]["to"]["properties"]["lat"]["type"], "number");
}

#[test]
fn point_19_constants_are_enumerations_of_one() {
    assert_eq!(alone(json!({"const": "a"})), json!({"type": "string", "enum": ["a"]}));
    assert_eq!(alone(json!({"const": 5})), json!({"type": "integer", "description": "One of: 5."}));
    assert_eq!(
        alone(json!({"const": true, "description": "On."})),
        json!({"type": "boolean", "description": "On. One of: true."})
    );
}

#[test]
fn point_19_lists_of_types() {
    assert_eq!(
        alone(json!({"type": ["string", "null"], "minLength": 1})),
        json!({"type": "string", "nullable": true, "minLength": 1})
    );
    let several = alone(json!({"type": ["string", "integer", "null"], "description": "d"}));
    assert_eq!(
        several,
        json!({"description": "d", "nullable": true, "anyOf": [{"type": "string"}, {"type": "integer"}]})
    );
    assert_eq!(alone(json!({"type": ["integer"]})), json!({"type": "integer"}));
}

#[test]
fn point_19_null_unions() {
    let one = alone(json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "description": "d"}));
    assert_eq!(one, json!({"type": "integer", "minimum": 0, "nullable": true, "description": "d"}));
    let two = alone(json!({"oneOf": [{"type": "string"}, {"type": "null"}, {"type": "number"}]}));
    assert_eq!(two, json!({"nullable": true, "anyOf": [{"type": "string"}, {"type": "number"}]}));
    let referred = property(
        json!({"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}),
        json!({"N": {"type": "object", "properties": {"a": {"type": "string"}}}}),
    );
    assert_eq!(referred, json!({"type": "object", "properties": {"a": {"type": "string"}}, "nullable": true}));
    assert_eq!(alone(json!({"anyOf": [{"type": "null"}]}))["nullable"], true);
    let shared = alone(
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"properties": {"b": {"type": "string"}}}]}),
    );
    assert_eq!(shared["anyOf"][1]["properties"].as_object().unwrap().len(), 2);
}

#[test]
fn point_19_enumerations_are_of_strings() {
    assert_eq!(alone(json!({"enum": ["a", "b"]})), json!({"type": "string", "enum": ["a", "b"]}));
    assert_eq!(
        alone(json!({"type": "string", "enum": ["a", null]})),
        json!({"type": "string", "enum": ["a"], "nullable": true})
    );
    assert_eq!(
        alone(json!({"type": "integer", "enum": [1, 2]})),
        json!({"type": "integer", "description": "One of: 1, 2."})
    );
    assert_eq!(alone(json!({"enum": [1, "a"]})), json!({"type": "string", "description": "One of: 1, \"a\"."}));
}

#[test]
fn bounds_that_have_no_keyword_are_told() {
    let converted = alone(
        json!({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9, "minimum": 1, "description": "d"}),
    );
    assert_eq!(converted, json!({"type": "integer", "minimum": 1, "description": "d Greater than 0. Less than 9."}));
}

#[test]
fn formats_are_those_that_are_known() {
    for (name, format) in [("string", "date-time"), ("string", "enum"), ("integer", "int64"), ("number", "double")] {
        assert_eq!(alone(json!({"type": name, "format": format}))["format"], format);
    }
    for (name, format) in [("string", "uuid"), ("string", "date"), ("integer", "double"), ("boolean", "x")] {
        assert!(alone(json!({"type": name, "format": format}))["format"].is_null(), "{format}");
    }
}

#[test]
fn what_is_not_known_is_left_out() {
    let schema = json!({
        "type": "object", "$schema": "x", "$id": "y", "additionalProperties": false, "patternProperties": {}, "default": {}, "examples": [],
        "unevaluatedProperties": false, "not": {}, "if": {}, "then": {}, "properties": {"a": {"type": "string", "default": "b", "examples": ["c"]}},
        "title": "T",
    });
    assert_eq!(down(schema), json!({"type": "object", "title": "T", "properties": {"a": {"type": "string"}}}));
}

#[test]
fn lists_always_say_of_what() {
    assert_eq!(alone(json!({"type": "array"})), json!({"type": "array", "items": {"type": "string"}}));
    assert_eq!(alone(json!({"type": "array", "items": {}})), json!({"type": "array", "items": {"type": "string"}}));
    let tuple = json!({"type": "array", "minItems": 2, "maxItems": 2, "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}});
    assert_eq!(alone(json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]})), tuple);
    assert_eq!(alone(json!({"type": "array", "items": [{"type": "string"}, {"type": "number"}]})), tuple);
    let same = alone(json!({"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "minItems": 1}));
    assert_eq!(same, json!({"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "number"}}));
}

#[test]
fn point_19_properties_may_be_called_like_keywords() {
    let names =
        ["type", "format", "$ref", "enum", "required", "properties", "additionalProperties", "const", "anyOf", "items"];
    let properties: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string", "description": name}))).collect();
    let converted = down(json!({"type": "object", "properties": properties, "required": ["type", "$ref", "gone"]}));
    assert_eq!(converted["properties"], Value::Object(properties));
    assert_eq!(converted["required"], json!(["type", "$ref"]));
    let up = json!({"type": "OBJECT", "properties": {"nullable": {"type": "BOOLEAN"}, "type": {"type": "STRING"}, "my_name": {"type": "STRING"}}});
    let wanted = json!({"type": "object", "properties": {"nullable": {"type": "boolean"}, "type": {"type": "string"}, "my_name": {"type": "string"}}});
    assert_eq!(to_json_schema(&up), wanted);
}

#[test]
fn parameters_without_properties_are_none() {
    for empty in
        [json!({}), json!({"type": "object"}), json!({"type": "object", "properties": {}}), json!(null), json!(true)]
    {
        assert_eq!(to_parameters(&empty), None, "{empty}");
    }
    assert!(to_parameters(&json!({"properties": {"a": {}}})).is_some());
}

#[test]
fn what_is_of_another_shape_is_survived() {
    for odd in [
        json!(null),
        json!(5),
        json!([]),
        json!({"type": 5}),
        json!({"type": []}),
        json!({"properties": 5, "required": 5, "enum": 5, "items": 5, "anyOf": 5, "allOf": 5, "$ref": 5}),
    ] {
        assert!(down(odd.clone()).is_object(), "{odd}");
        let _ = to_json_schema(&odd);
    }
}

#[test]
fn the_subset_becomes_json_schema() {
    let schema = json!({
        "type": "OBJECT", "nullable": true, "propertyOrdering": ["a"], "required": ["a"],
        "properties": {
            "a": {"type": "STRING", "format": "enum", "enum": ["x", "y"], "nullable": true},
            "b": {"type": "ARRAY", "min_items": "1", "maxItems": 3, "items": {"type": "INTEGER", "format": "int32"}},
            "c": {"any_of": [{"type": "NUMBER"}, {"type": "BOOLEAN"}], "nullable": true},
            "d": {"type": "TYPE_UNSPECIFIED", "description": "any"},
        },
    });
    let wanted = json!({
        "type": ["object", "null"], "required": ["a"],
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", "y", null]},
            "b": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "integer", "format": "int32"}},
            "c": {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "null"}]},
            "d": {"description": "any"},
        },
    });
    assert_eq!(to_json_schema(&schema), wanted);
    assert_eq!(to_json_schema(&wanted), wanted);
}
