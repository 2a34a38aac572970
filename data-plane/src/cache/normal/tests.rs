use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::fitness::Unfit;
use super::normalise;

fn normal_of(text: &str, skipped: &[&str]) -> Result<Vec<u8>, Unfit> {
    let mut out = Vec::new();
    normalise(text, skipped, &mut out).map(|()| out)
}

fn normal(text: &str) -> Vec<u8> {
    normal_of(text, &[]).unwrap()
}

/// Any JSON, without a name that refers to something elsewhere.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
        "[\"\\\\/\u{8}\n\u{7f}é😀a-c]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[\"\\\\ a-dé]{0,4}", inner), 0..6)
                .prop_map(|fields| { Value::Object(fields.into_iter().collect::<Map<String, Value>>()) }),
        ]
    })
}

/// The same value, its fields in the other order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().rev().map(|(name, value)| (name.clone(), reversed(value))).collect())
        }
        Value::Array(values) => values.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

/// `value` with its fields in the order of their names.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(values) => values.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// `value` with an escape for each character of a text that is not plain.
fn escaped(value: &Value) -> String {
    let compact = value.to_string();
    compact
        .chars()
        .map(|char| {
            let mut units = [0; 2];
            if char.is_ascii() {
                char.to_string()
            } else {
                char.encode_utf16(&mut units).iter().fold(String::new(), |text, unit| format!("{text}\\u{unit:04X}"))
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn spaces_the_order_of_fields_and_escapes_do_not_matter(value in value()) {
        let compact = normal(&value.to_string());
        prop_assert_eq!(&compact, &normal(&serde_json::to_string_pretty(&value).unwrap()));
        prop_assert_eq!(&compact, &normal(&serde_json::to_string_pretty(&reversed(&value)).unwrap()));
        prop_assert_eq!(&compact, &normal(&escaped(&value)));
    }

    #[test]
    fn whatever_else_differs_does_matter(one in value(), other in value()) {
        let same = sorted(&one) == sorted(&other);
        prop_assert_eq!(normal(&one.to_string()) == normal(&other.to_string()), same, "{} {}", one, other);
        let within = json!({ "a": [one.clone(), 1] });
        prop_assert_ne!(normal(&within.to_string()), normal(&json!({ "a": [one, 2] }).to_string()));
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        // What is no JSON is refused before; it must only end.
        let _normal = normal_of(&text, &[]);
    }
}

#[test]
fn numbers_count_as_they_are_written_and_fields_that_stand_twice_in_their_order() {
    assert_ne!(normal("1"), normal("1.0"));
    assert_ne!(normal("18446744073709551617"), normal("18446744073709551618"));
    assert_ne!(normal(r#"{"a":1,"a":2}"#), normal(r#"{"a":2,"a":1}"#));
    assert_ne!(normal(r#"{"a":1,"a":2}"#), normal(r#"{"a":2}"#));
    assert_ne!(normal(r#"["a","b"]"#), normal(r#"["b","a"]"#));
    assert_ne!(normal(r#""1""#), normal("1"));
    assert_ne!(normal(r#"{"a":null}"#), normal("{}"));
}

#[test]
fn fields_are_left_out_at_the_top_only() {
    let body = r#"{"user": "a", "messages": [{"user": "b"}], "stream" : true}"#;
    let other = r#"{"messages":[{"user":"b"}]}"#;
    assert_eq!(normal_of(body, &["user", "stream"]).unwrap(), normal(other));
    assert_ne!(normal_of(body, &["user", "stream"]).unwrap(), normal(r#"{"messages":[{}]}"#));
}

#[test]
fn half_of_a_pair_of_surrogates_stays_as_it_is() {
    assert_ne!(normal(r#""\ud800""#), normal(r#""\ud801""#));
}

#[test]
fn what_stands_elsewhere_makes_a_request_unfit() {
    for unfit in [
        r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://example.com/cat.png"}}]}]}"#,
        r#"{"input":[{"content":[{"type":"input_image","image_url":"HTTP://example.com/cat.png"}]}]}"#,
        r#"{"messages":[{"content":[{"type":"image","source":{"type":"url","url":"https://example.com/c"}}]}]}"#,
        r#"{"contents":[{"parts":[{"fileData":{"fileUri":"files/abc"}}]}]}"#,
        r#"{"messages":[{"content":[{"type":"file","file":{"file_id":"file-1"}}]}]}"#,
        r#"{"tools":[{"vector_store_ids":["vs_1"]}]}"#,
        r#"{"image_\u0075rl":"gs://bucket/cat"}"#,
    ] {
        assert_eq!(normal_of(unfit, &[]), Err(Unfit::Refers), "{unfit}");
    }
    for fit in [
        r#"{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#,
        r#"{"messages":[{"content":"see https://example.com/cat.png"}]}"#,
        r#"{"tools":[{"function":{"parameters":{"properties":{"url":{"type":"string"},"file_id":{}}}}}]}"#,
        r#"{"file_id":null}"#,
    ] {
        assert!(normal_of(fit, &[]).is_ok(), "{fit}");
    }
}

#[test]
fn what_is_too_deep_is_unfit() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(normal_of(&nested(60), &[]).is_ok());
    assert_eq!(normal_of(&nested(100_000), &[]), Err(Unfit::Deep));
}
