//! Tests of reading fields, and of merge patches.

use serde_json::{Value, json};

use super::fields::{Fields, Known};
use super::merge_patch::merge;
use crate::error::ApiError;

const FIELDS: &[Known] = &[
    Known::also("groupName", &["name"]),
    Known::new("models"),
    Known::new("retryCount"),
    Known::new("enabled"),
    Known::new("expiresAt"),
];

fn fields(body: Value) -> Fields {
    Fields::of(body, FIELDS).unwrap()
}

fn errors(fields: Fields) -> Vec<(String, String)> {
    match fields.finish() {
        Ok(()) => Vec::new(),
        Err(ApiError::Invalid(errors)) => errors.into_iter().map(|error| (error.field, error.message)).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn both_spellings_and_other_names_are_taken() {
    for name in ["groupName", "group_name", "name"] {
        let mut fields = fields(json!({ name: "a", "retry_count": 2, "models": null }));
        assert_eq!(fields.required_text("groupName", 10), "a");
        assert_eq!(fields.integer("retryCount", 0, 5), Some(2));
        assert_eq!(fields.texts("models", 10), None);
        assert_eq!(errors(fields), []);
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut fields = fields(json!({
        "group_name": 5, "models": ["a", "", 7, "a"], "retryCount": 1.5, "enabled": "yes", "modls": [], "expiresAt": "soon"
    }));
    fields.required_text("groupName", 10);
    fields.texts("models", 10);
    fields.integer("retryCount", 0, 5);
    fields.boolean("enabled", true);
    fields.time("expiresAt");
    let errors = errors(fields);
    let expect = [
        ("modls", "is not a known field; did you mean \"models\"?"),
        ("groupName", "must be a text, not a number"),
        ("models[1]", "must not be empty"),
        ("models[2]", "must be a text, not a number"),
        ("models[3]", "stands in the list already"),
        ("retryCount", "must be a whole number from 0 to 5"),
        ("enabled", "must be true or false, not a text"),
        ("expiresAt", "must be a time: epoch milliseconds, or a text such as 2027-01-31T12:00:00Z"),
    ];
    for (field, message) in expect {
        assert!(errors.contains(&(field.to_owned(), message.to_owned())), "{field} in {errors:#?}");
    }
    assert_eq!(errors.len(), expect.len());
}

#[test]
fn a_field_under_two_names_is_refused() {
    let fields = fields(json!({ "groupName": "a", "group_name": "b" }));
    assert_eq!(errors(fields).len(), 1);
    assert!(matches!(Fields::of(json!([1]), FIELDS), Err(ApiError::Malformed(_))));
}

#[test]
fn control_characters_and_long_texts_are_refused() {
    for text in ["a\nb", "\u{1b}[31m", "0123456789a"] {
        let mut fields = fields(json!({ "groupName": text }));
        assert_eq!(fields.required_text("groupName", 10), "");
        assert_eq!(errors(fields).len(), 1, "{text:?}");
    }
}

#[test]
fn times_are_milliseconds_or_rfc_3339() {
    for (given, wanted) in [(json!(978_307_200_000_i64), 978_307_200_000), (json!("1970-01-01T00:00:01.5Z"), 1_500)] {
        assert_eq!(fields(json!({ "expiresAt": given })).time("expiresAt"), Some(wanted));
    }
    assert_eq!(fields(json!({ "expiresAt": null })).time("expiresAt"), None);
    let mut seconds = fields(json!({ "expiresAt": 1_800_000_000 }));
    seconds.time("expiresAt");
    let told = errors(seconds)[0].1.clone();
    assert!(told.contains("milliseconds") && told.contains("write 1800000000000"), "{told}");
}

/// The examples of RFC 7396, appendix A.
#[test]
fn merge_patches_follow_the_rfc() {
    let cases = [
        (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
        (json!({"a":"b"}), json!({"a":null}), json!({})),
        (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
        (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
        (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
        (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a":"b"}), json!(["c"]), json!(["c"])),
        (json!({"a":"foo"}), json!(null), json!(null)),
        (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
        (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
        (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
    ];
    for (mut target, patch, wanted) in cases {
        merge(&mut target, patch);
        assert_eq!(target, wanted);
    }
}
