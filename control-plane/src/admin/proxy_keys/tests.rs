mod fields;

use serde_json::{Value, json};
use shared::crypto::sha256;
use shared::snapshot::GroupPolicy;

use super::body::{Written, patched, replacement};
use super::view::ProxyKeyView;
use crate::error::ApiError;
use crate::store::proxy_keys::StoredProxyKey;

fn full() -> StoredProxyKey {
    let body = json!({
        "key_name": "app", "key": "sk-brought-along-0001", "description": "for the app", "enabled": false,
        "allowed_groups": ["g1", "g2"], "allowed_models": ["m"], "group_balance_policy": "weighted",
        "group_weights": [{"group_id": "g1", "weight": 3}, {"groupId": "g2", "weight": 0}],
        "rpm": 100, "tpm": 5_000_000_000_u64, "concurrency": 4, "expires_at": "2030-01-01T00:00:00Z",
        "model_fallbacks": {"m": ["n"]}, "fallback_on": ["content_filter"], "client_hints": true, "cache_seconds": 9
    });
    let mut stored = replacement(body, None).unwrap().stored;
    stored.updated_at = 7;
    stored
}

fn bad_fields(result: Result<Written, ApiError>) -> Vec<String> {
    match result {
        Err(ApiError::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => Vec::new(),
    }
}

#[test]
fn a_name_is_enough_and_a_value_is_made() {
    let made = replacement(json!({"name": "my-app-key", "rpm": 100, "enabled": true}), None).unwrap();
    let value = made.value.unwrap();
    assert!(value.expose().starts_with("sk-orch-") && value.expose().len() > 48, "{}", value.expose().len());
    assert_eq!(made.stored.key.digest, sha256(value.expose().as_bytes()));
    assert_eq!(made.stored.masked, value.mask());
    assert_eq!((made.stored.key.rpm_limit, made.stored.key.group_policy), (100, GroupPolicy::Failover));
    assert!(made.stored.key.allowed_groups.is_empty());
    let shown = serde_json::to_value(ProxyKeyView::of(&made.stored)).unwrap();
    assert_eq!(shown.get("key"), None);
    assert!(!shown.to_string().contains(value.expose()));
}

#[test]
fn every_field_has_its_place() {
    let stored = full();
    let key = &stored.key;
    assert_eq!(key.digest, sha256(b"sk-brought-along-0001"));
    assert_eq!(
        key.group_weights.iter().map(|(id, weight)| (&**id, *weight)).collect::<Vec<_>>(),
        [("g1", 3), ("g2", 0)]
    );
    assert_eq!((key.rpm_limit, key.tpm_limit, key.concurrency_limit), (100, 5_000_000_000, 4));
    assert_eq!(key.expires_at_ms, Some(1_893_456_000_000));
    assert_eq!(stored.masked, "sk-b****0001");
    let shown = serde_json::to_value(ProxyKeyView::of(&stored)).unwrap();
    assert_eq!(shown["groupPolicy"], "weighted");
    assert_eq!(shown["groupWeights"], json!({"g1": 3, "g2": 0}));
    assert_eq!(shown["modelFallbacks"], json!({"m": ["n"]}));
    assert_eq!(shown["fallbackOn"], json!(["content_filter"]));
    assert_eq!((&shown["clientHints"], &shown["cacheSeconds"]), (&json!(true), &json!(9)));
}

#[test]
fn what_was_read_can_be_sent_back_unchanged() {
    let stored = full();
    let shown = serde_json::to_value(ProxyKeyView::of(&stored)).unwrap();
    for written in [replacement(shown, Some(&stored)).unwrap(), patched(json!({}), &stored).unwrap()] {
        assert_eq!(written.stored.key, stored.key);
        assert!(written.value.is_none());
    }
    let masked = patched(json!({"key": "sk-b****0001"}), &stored).unwrap();
    assert_eq!(masked.stored.key.digest, stored.key.digest);
}

#[test]
fn a_put_takes_defaults_but_keeps_the_value() {
    let stored = full();
    let again = replacement(json!({"name": "app"}), Some(&stored)).unwrap().stored;
    assert_eq!((again.key.id, again.key.digest), (stored.key.id, stored.key.digest));
    assert_eq!((again.key.rpm_limit, again.key.enabled, again.key.expires_at_ms), (0, true, None));
}

#[test]
fn weights_are_merged_as_a_map_and_replaced_as_a_list() {
    let stored = full();
    let weights = |patch: Value| {
        let key = patched(json!({ "groupWeights": patch }), &stored).unwrap().stored.key;
        key.group_weights.iter().map(|(id, weight)| (id.to_string(), *weight)).collect::<Vec<_>>()
    };
    assert_eq!(weights(json!({"g1": null, "g3": 9})), [("g2".to_owned(), 0), ("g3".to_owned(), 9)]);
    assert_eq!(weights(json!([{"groupId": "g3", "weight": 9}])), [("g3".to_owned(), 9)]);
    assert_eq!(weights(json!(null)), []);
}

#[test]
fn all_bad_fields_are_named_at_once() {
    let body = json!({
        "name": "", "key": "too short", "groupPolicy": "fastest", "groupWeights": {"g": -1}, "rpm": -1, "tpm": "x",
        "allowedGroups": "g", "expiresAt": "tomorrow", "nmae": 1
    });
    let mut fields = bad_fields(replacement(body, None));
    fields.sort();
    assert_eq!(
        fields,
        [
            "allowedGroups",
            "expiresAt",
            "groupPolicy",
            "groupWeights[g].weight",
            "key",
            "name",
            "nmae",
            "rpmLimit",
            "tpmLimit"
        ]
    );
    assert_eq!(
        bad_fields(replacement(json!({"name": "n", "groupWeights": [{"weight": 1}, 5]}), None)),
        ["groupWeights[1]", "groupWeights[0].groupId"]
    );
}
