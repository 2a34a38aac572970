//! What a proxy key's JSON may hold is what is documented and what is shown.

use serde_json::{Value, json};

use super::{bad_fields, full};
use crate::admin::proxy_keys::body::{FIELDS, READ_ONLY, replacement};
use crate::admin::proxy_keys::{ProxyKeyBody, ProxyKeyView};
use crate::admin::tests::{Fields, properties};

/// The least that a body must hold, with one more field.
fn body(field: &str, value: Value) -> Value {
    let mut body = json!({ "name": "n" });
    body[field] = value;
    body
}

/// The answer that shows the value too, which is the one to the write that brought it.
fn shown(body: Value) -> Value {
    let written = replacement(body, None).unwrap();
    serde_json::to_value(super::super::shown(&written.stored, written.value.as_ref(), written.repairs)).unwrap()
}

fn fields() -> Fields<'static> {
    let view = ProxyKeyView { key: Some("sk-brought-along-0001".to_owned()), ..ProxyKeyView::of(&full()) };
    Fields {
        accepted: FIELDS,
        read_only: READ_ONLY,
        documented: properties::<ProxyKeyBody>(),
        documented_as_shown: properties::<ProxyKeyView>(),
        shown: serde_json::to_value(view).unwrap(),
    }
}

#[test]
fn a_proxy_key_accepts_documents_and_shows_the_same_fields() {
    fields().check();
    fields().check_each_is_read(|name, value| bad_fields(replacement(body(name, value), None)));
}

#[test]
fn each_field_of_a_proxy_key_is_shown_as_it_was_written() {
    let same = |name: &'static str, value: Value| (name, value.clone(), value);
    let samples = [
        same("name", json!("other")),
        same("key", json!("sk-brought-along-0001")),
        same("description", json!("for the app")),
        same("enabled", json!(false)),
        same("allowedGroups", json!(["g"])),
        same("allowedModels", json!(["m"])),
        same("groupPolicy", json!("weighted")),
        same("groupWeights", json!({"g": 3})),
        same("rpmLimit", json!(1)),
        same("tpmLimit", json!(5_000_000_000_u64)),
        same("concurrencyLimit", json!(3)),
        same("limits", json!([{"unit": "tokens", "window": "day", "amount": 1_000}])),
        same("limitMode", json!("shadow")),
        same("tokenWeights", json!({"cached": 100, "output": 2000, "reasoning": 0})),
        same(
            "modelLimits",
            json!({"gpt-*": {"limits": [{"unit": "requests", "window": "hour", "amount": 5}], "concurrencyLimit": 2}}),
        ),
        same("concurrencyQueue", json!({"length": 3, "waitMs": 500})),
        same("raise", json!({"percent": 200, "until": 1_893_456_000_000_u64})),
        same("expiresAt", json!(1_893_456_000_000_u64)),
        same("modelFallbacks", json!({"m": ["n"]})),
        same("fallbackOn", json!(["context_length"])),
        same("clientHints", json!(true)),
        same("cacheSeconds", json!(5)),
    ];
    // `updatedAt` is about what is stored already: other tests send it.
    fields().check_each_is_kept(&samples, &["updatedAt"], |name, value| shown(body(name, value)));
}
