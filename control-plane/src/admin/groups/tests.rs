mod endpoint;
mod fields;
mod key_forms;
mod moved;
mod own;
mod said;
mod translating;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::snapshot::{BalancePolicy, ProxyScheme};

use super::body;
use super::view::GroupView;
use crate::error::ApiError;
use crate::store::StoreError;
use crate::store::groups::StoredGroup;

fn replacement(body: Value, existing: Option<&StoredGroup>) -> Result<StoredGroup, ApiError> {
    body::replacement(body, existing).map(|written| written.stored)
}

fn patched(patch: Value, existing: &StoredGroup) -> Result<StoredGroup, ApiError> {
    body::patched(patch, existing).map(|written| written.stored)
}

/// Fields and messages of what was repaired in `body`.
fn repairs(body: Value) -> Vec<(String, String)> {
    let repairs = body::replacement(body, None).unwrap().repairs;
    repairs.into_iter().map(|warning| (warning.field, warning.message)).collect()
}

/// A root certificate.
const ROOT: &str = include_str!("../../../../tests/fixtures/tls/root.pem");

fn issue_body() -> Value {
    json!({
        "groupName": "openai-primary", "providerType": "openai", "apiKeys": ["sk-1", "sk-2"],
        "models": ["gpt-4o", "gpt-4o-mini"], "balancePolicy": "round_robin", "retryCount": 3, "timeout": 60,
        "priority": 1, "enabled": true, "parameters": {"temperature": 0.7, "max_tokens": 2000}
    })
}

fn full() -> StoredGroup {
    let mut body = json!({
        "group_name": "full", "provider_type": "openai_compatible", "base_url": "http://host:1/v1/",
        "api_keys": ["sk-first-key-0001", "sk-other-key-0002"], "models": ["m"], "model_aliases": {"fast": "m"},
        "parameter_defaults": {"temperature": 0.5}, "parameter_overrides": {"seed": 1},
        "headers": {"X-Token": "a-long-header-secret"}, "balance_policy": "least_used", "retry_count": 1,
        "timeout": 1.5, "rpm": 60, "test_model": "m", "priority": -2, "enabled": false, "proxy_enabled": true,
        "proxy_config": {"type": "socks5", "host": "proxy.test", "port": 1080, "username": "u",
                         "password": "proxy-password-1", "bypass_local": false, "bypass_domains": ["a.test"]},
        "fake_streaming": true, "health_check_enabled": true, "unsupported_parameters": "reject",
        "model_facts": {"m": {"max_output": 9, "off": null}}
    });
    let Value::Object(routing) = json!({
        "weight": 5, "tags": ["eu", "batch"], "affinity": false, "connect_timeout": 0.5, "chunk_timeout": 30,
        "total_timeout": 600, "queue_timeout_ms": 0, "hedging": true, "retry_unsafe_requests": true,
        "retry_empty_answers": true, "cache_seconds": 60, "model_fallbacks": {"m": ["n", "o"], "x": "y"},
        "fallback_on": ["context_length", "content_filter"],
        "error_rules": [{"status": 503, "words": ["Busy"], "step": "next_group"},
                        {"statuses": [400], "effect": "exhaust", "scope": "key", "seconds": 3600}],
        "upstream_keys": [{"key": "sk-other-key-0002", "models": ["m"], "denied_models": ["n*"], "weight": 2,
                           "note": "the spare", "tags": ["spare"], "account": "acme",
                           "expires_at": "2030-01-01T00:00:00Z"}]
    }) else {
        unreachable!("it is written as an object");
    };
    body.as_object_mut().unwrap().extend(routing);
    let mut group = replacement(body, None).unwrap();
    group.created_at = 1;
    group.updated_at = 2;
    group
}

fn view(group: &StoredGroup) -> Value {
    serde_json::to_value(GroupView::of(group, &HashMap::default(), 0)).unwrap()
}

fn bad(result: Result<StoredGroup, ApiError>) -> Vec<(String, String)> {
    match result {
        Err(ApiError::Invalid(errors)) => errors.into_iter().map(|error| (error.field, error.message)).collect(),
        other => panic!("{other:?}"),
    }
}

fn bad_fields(result: Result<StoredGroup, ApiError>) -> Vec<String> {
    bad(result).into_iter().map(|(field, _)| field).collect()
}

#[test]
fn the_documented_body_makes_a_group_as_it_stands() {
    let stored = replacement(issue_body(), None).unwrap();
    let group = &stored.group;
    assert_eq!(&*group.base_url, "https://api.openai.com/v1");
    assert_eq!(group.balance_policy, BalancePolicy::RoundRobin);
    assert_eq!((group.retry_count, group.timeout, group.priority), (3, Duration::from_mins(1), 1));
    assert_eq!(group.upstream_keys.len(), 2);
    assert_ne!(group.upstream_keys[0].id, group.upstream_keys[1].id);
    assert_eq!(group.parameter_defaults["max_tokens"], 2000);
    let shown = view(&stored);
    assert_eq!(shown["apiKeys"], json!(["****", "****#2"]));
    assert_eq!(shown["timeout"], json!(60));
    assert_eq!(shown["parameters"], json!({"temperature": 0.7, "max_tokens": 2000}));
    assert!(!shown.to_string().contains("sk-1"));
}

#[test]
fn every_field_has_its_place_and_no_secret_is_shown() {
    let stored = full();
    let shown = view(&stored);
    assert_eq!(shown["baseUrl"], "http://host:1/v1");
    assert_eq!(shown["apiKeys"], json!(["sk-f****0001", "sk-o****0002"]));
    assert_eq!(shown["upstreamKeys"][0]["masked"], "sk-f****0001");
    let mut key = shown["upstreamKeys"][1].clone();
    assert!(key.as_object_mut().unwrap().remove("id").is_some());
    assert_eq!(
        key,
        json!({"masked": "sk-o****0002", "enabled": true, "models": ["m"], "deniedModels": ["n*"], "weight": 2,
               "note": "the spare", "tags": ["spare"], "account": "acme", "expiresAt": 1_893_456_000_000_i64,
               "proxyEnabled": false, "proxyConfig": null, "headers": {}, "parameters": {}, "parameterOverrides": {},
               "state": "ok", "stateUntil": null, "stateReason": null, "observedAt": null, "modelStates": [],
               "concurrencyLimit": 0, "limits": [], "limitMode": "enforce", "raise": null,
               "tokenWeights": {"cached": 1000, "output": 1000, "reasoning": 1000}})
    );
    assert_eq!((&shown["weight"], &shown["tags"]), (&json!(5), &json!(["eu", "batch"])));
    assert_eq!(shown["affinity"], false);
    assert_eq!(
        [&shown["connectTimeout"], &shown["chunkTimeout"], &shown["totalTimeout"], &shown["queueTimeoutMs"]],
        [&json!(0.5), &json!(30), &json!(600), &json!(0)]
    );
    for name in ["hedging", "retryUnsafeRequests", "retryEmptyAnswers"] {
        assert_eq!(shown[name], true, "{name}");
    }
    assert_eq!(shown["cacheSeconds"], 60);
    assert_eq!(shown["modelFallbacks"], json!({"m": ["n", "o"], "x": ["y"]}));
    assert_eq!(shown["fallbackOn"], json!(["context_length", "content_filter"]));
    assert_eq!(
        shown["errorRules"],
        json!([{"statuses": [503], "words": ["Busy"], "step": "next_group", "effect": null, "scope": "model",
                "seconds": 0},
               {"statuses": [400], "words": [], "step": null, "effect": "exhaust", "scope": "key", "seconds": 3600}])
    );
    assert_eq!(shown["headers"], json!({"x-token": "a-lo****cret"}));
    assert_eq!(
        shown["proxyConfig"],
        json!({"type": "socks5", "host": "proxy.test", "port": 1080, "username": "u", "password": "prox****rd-1",
               "bypassLocal": false, "bypassDomains": ["a.test"]})
    );
    assert_eq!(shown["timeout"], json!(1.5));
    assert_eq!(shown["rpmLimit"], 60);
    assert_eq!((&shown["fakeStreaming"], &shown["upstreamStream"]), (&json!(true), &json!("never")));
    assert_eq!(shown["unsupportedParameters"], "reject");
    assert_eq!(shown["modelFacts"], json!({"m": {"maxOutput": 9, "off": null}}));
    assert_eq!(shown["apiVersion"], Value::Null);
    assert_eq!(stored.group.outbound_proxy.as_ref().unwrap().scheme, ProxyScheme::Socks5);
    for secret in ["sk-first-key-0001", "a-long-header-secret", "proxy-password-1"] {
        assert!(!shown.to_string().contains(secret), "{secret}");
    }
}

#[test]
fn what_was_read_can_be_sent_back_unchanged() {
    let stored = full();
    let again = replacement(view(&stored), Some(&stored)).unwrap();
    assert_eq!(again.group, stored.group);
    assert_eq!(patched(json!({}), &stored).unwrap().group, stored.group);
}

#[test]
fn a_put_takes_defaults_but_keeps_secrets_that_are_not_named() {
    let stored = full();
    let same_place = json!({"groupName": "n", "providerType": "openai_compatible", "baseUrl": "http://host:1/v1"});
    let again = replacement(same_place, Some(&stored)).unwrap();
    assert_eq!(again.group.upstream_keys, stored.group.upstream_keys);
    assert_eq!(again.group.id, stored.group.id);
    assert_eq!(again.group.headers, stored.group.headers);
    assert_eq!(again.group.outbound_proxy, stored.group.outbound_proxy);
    assert!(!stored.group.headers.is_empty() && stored.group.outbound_proxy.is_some());
    let none = json!({"groupName": "n", "providerType": "openai", "baseUrl": "http://host:1/v1", "headers": null,
                      "proxyEnabled": false, "proxyConfig": null});
    for without in [replacement(none.clone(), Some(&stored)).unwrap(), patched(none, &stored).unwrap()] {
        assert!(without.group.headers.is_empty() && without.group.outbound_proxy.is_none());
    }
    assert_eq!((again.group.retry_count, again.group.timeout), (3, Duration::from_mins(1)));
    assert!(again.group.enabled && !again.group.health_check_enabled && !again.proxy_enabled);
    let mut elsewhere = issue_body();
    elsewhere["headers"] = json!({});
    let elsewhere = replacement(elsewhere, Some(&stored)).unwrap();
    assert_eq!((elsewhere.group.upstream_keys.len(), &*elsewhere.group.base_url), (2, "https://api.openai.com/v1"));
    let empty = json!({"groupName": "n", "providerType": "openai", "apiKeys": [], "headers": null});
    assert_eq!(replacement(empty, Some(&stored)).unwrap().group.upstream_keys.len(), 0);
}

#[test]
fn masks_keep_keys_by_id_and_new_secrets_are_new_keys() {
    let stored = full();
    let keys = &stored.group.upstream_keys;
    let patch = json!({"apiKeys": ["sk-o****0002", "sk-brand-new-key-3", "sk-first-key-0001"]});
    let again = patched(patch, &stored).unwrap();
    let ids: Vec<_> = again.group.upstream_keys.iter().map(|key| Arc::clone(&key.id)).collect();
    assert_eq!(ids[0], keys[1].id);
    assert_eq!(ids[2], keys[0].id, "the secret itself is the same key");
    assert!(keys.iter().all(|key| key.id != ids[1]));
    assert_eq!(again.group.upstream_keys[0].secret, keys[1].secret);

    let errors = bad(patched(json!({"apiKeys": ["sk-x****9999", "sk-o****0002", "sk-o****0002", "", 5]}), &stored));
    let wanted = "is a mask, but of no stored key: send the key itself";
    assert_eq!(errors[0], ("apiKeys[0]".to_owned(), wanted.to_owned()));
    assert_eq!(errors.len(), 4, "{errors:?}");
    let errors = bad_fields(replacement(view(&stored), None));
    assert_eq!(errors.len(), 6, "masks and ids make no new group: {errors:?}");
}

#[test]
fn keys_that_look_alike_are_told_apart_by_position() {
    let stored = replacement(issue_body(), None).unwrap();
    let keys = &stored.group.upstream_keys;
    let kept = |list: Value| patched(json!({ "apiKeys": list }), &stored).unwrap().group.upstream_keys;
    assert_eq!(kept(json!(["****", "****#2"])), *keys);
    assert_eq!(kept(json!(["****", "****"])), *keys);
    assert_eq!(kept(json!(["****#2"])), [Arc::clone(&keys[1])]);
    assert_eq!(kept(json!(["****#2", "****"])), [Arc::clone(&keys[1]), Arc::clone(&keys[0])]);
    assert_eq!(bad_fields(patched(json!({"apiKeys": ["****", "****", "****"]}), &stored)), ["apiKeys[2]"]);
}

#[test]
fn the_same_secret_twice_is_refused() {
    let body = json!({"groupName": "n", "providerType": "openai", "apiKeys": ["sk-1", "sk-2", " sk-1 "]});
    assert_eq!(bad_fields(replacement(body, None)), ["apiKeys[2]"]);
}

#[test]
fn upstream_keys_are_switched_by_id() {
    let stored = full();
    let id = &stored.group.upstream_keys[1].id;
    let again = patched(json!({"upstreamKeys": [{"id": id, "enabled": false}]}), &stored).unwrap();
    let enabled: Vec<bool> = again.group.upstream_keys.iter().map(|key| key.enabled).collect();
    assert_eq!(enabled, [true, false]);
    assert_eq!(
        bad_fields(patched(json!({"upstreamKeys": [{"id": "x", "enabled": false}]}), &stored)),
        ["upstreamKeys[0].id"]
    );
}

#[test]
fn upstream_keys_are_set_up_by_id_or_by_themselves() {
    let stored = full();
    let set_up = |entry: Value| patched(json!({ "upstreamKeys": [entry] }), &stored);
    let again = set_up(json!({"key": "sk-other-key-0002", "note": null, "weight": 9})).unwrap();
    let routing = &again.group.upstream_keys[1].routing;
    assert_eq!((routing.weight, &*routing.note, &*routing.account), (9, "", "acme"), "what is left out stays");
    let again = set_up(json!({"key": "sk-third-key-00003", "enabled": false, "weight": 4})).unwrap();
    let keys = &again.group.upstream_keys;
    assert_eq!(keys[..2], stored.group.upstream_keys);
    assert_eq!((keys[2].secret.expose(), keys[2].enabled, keys[2].routing.weight), ("sk-third-key-00003", false, 4));
    let id = &stored.group.upstream_keys[0].id;
    for (entry, field) in [
        (json!({"key": "sk-other-key-0002", "id": id}), "key"),
        (json!({"key": ""}), "key"),
        (json!({"weight": 1}), "id"),
        (json!({"id": id, "weight": -1}), "weight"),
        (json!({"id": id, "models": ["a*b"]}), "models[0]"),
        (json!({"id": id, "tags": ["a,b"]}), "tags[0]"),
        (json!({"id": id, "expiresAt": "soon"}), "expiresAt"),
    ] {
        assert_eq!(bad_fields(set_up(entry.clone())), [format!("upstreamKeys[0].{field}")], "{entry}");
    }
}

#[test]
fn a_rule_fits_something_and_does_something() {
    for (rule, field) in [
        (json!({"step": "end"}), "words"),
        (json!({"status": 500}), "step"),
        (json!({"status": 200, "step": "end"}), "statuses"),
        (json!({"status": 500, "step": "again"}), "step"),
        (json!({"status": 500, "effect": "cool", "seconds": -1}), "seconds"),
    ] {
        let bad = bad_fields(patched(json!({ "errorRules": [rule] }), &full()));
        assert_eq!(bad, [format!("errorRules[0].{field}")]);
    }
}

#[test]
fn a_patch_changes_what_it_names_in_either_spelling() {
    let stored = full();
    let again = patched(
        json!({
            "retry_count": 9, "parameterDefaults": {"temperature": null, "top_p": 1}, "model_aliases": {"slow": "m"},
            "headers": {"X-TOKEN": null, "x-new": "value"}, "proxy_config": {"bypass_local": true}, "testModel": null
        }),
        &stored,
    )
    .unwrap();
    assert_eq!(again.group.retry_count, 9);
    assert_eq!(Value::Object(again.group.parameter_defaults.clone()), json!({"top_p": 1}));
    assert_eq!(again.group.model_aliases.len(), 2);
    assert_eq!(again.group.headers.keys().collect::<Vec<_>>(), ["x-new"]);
    assert_eq!(again.group.test_model, None);
    let proxy = again.group.outbound_proxy.unwrap();
    assert!(proxy.bypass_local);
    assert_eq!(proxy.password.expose(), "proxy-password-1");
    assert_eq!(again.group.upstream_keys, stored.group.upstream_keys);

    let without = patched(json!({"proxyConfig": {"password": null}}), &stored).unwrap();
    assert!(without.group.outbound_proxy.unwrap().password.is_empty());
    let none = patched(json!({"proxyConfig": null, "proxyEnabled": false}), &stored).unwrap();
    assert_eq!(none.group.outbound_proxy, None);
    assert_eq!(bad_fields(patched(json!({"proxyConfig": null}), &stored)), ["proxyConfig"]);
}

#[test]
fn all_bad_fields_are_named_at_once() {
    let body = json!({
        "groupName": " ", "providerType": "opanai", "baseUrl": "ftp://x", "apiKeys": ["ok-key", "b\nd", 3],
        "models": "gpt-4o", "modelAliases": {"a": 1, "b": ""}, "parameters": [], "headers": {"b d": "x", "te": "x", "ok": "a\nb"},
        "balancePolicy": "fastest", "retryCount": -1, "timeout": 0, "rpmLimit": "many", "priority": 1e12,
        "enabled": 1, "proxyConfig": {"host": "http://x/", "port": 0, "typ": "http"}, "colour": 1
    });
    let mut fields = bad_fields(replacement(body, None));
    fields.sort();
    let mut wanted = [
        "groupName",
        "providerType",
        "baseUrl",
        "apiKeys[1]",
        "apiKeys[2]",
        "models",
        "modelAliases[a]",
        "modelAliases[b]",
        "parameters",
        "headers[b d]",
        "headers[te]",
        "headers[ok]",
        "balancePolicy",
        "retryCount",
        "timeout",
        "rpmLimit",
        "priority",
        "enabled",
        "proxyConfig.host",
        "proxyConfig.port",
        "proxyConfig.typ",
        "colour",
    ];
    wanted.sort_unstable();
    assert_eq!(fields, wanted);
}

#[test]
fn a_compatible_provider_needs_its_base_url() {
    let errors = bad(replacement(json!({"groupName": "n", "providerType": "openai_compatible"}), None));
    assert_eq!(errors, [("baseUrl".to_owned(), "is required for this providerType".to_owned())]);
    assert_eq!(bad_fields(replacement(json!({}), None)), ["groupName", "providerType"]);
}

#[test]
fn each_vendor_makes_a_group_with_its_base_url() {
    for vendor in translation::vendors::all() {
        let mut body = json!({"groupName": "n", "providerType": vendor.name});
        if let Some(url) = vendor.base_url {
            assert_eq!(&*replacement(body, None).unwrap().group.base_url, url);
            continue;
        }
        let errors = bad(replacement(body.clone(), None));
        assert!(errors[0].1.starts_with("is required for this providerType"), "{errors:?}");
        let url = vendor.base_url_example.unwrap_or("http://host/v1");
        assert!(vendor.base_url_example.is_none() || errors[0].1.ends_with(url), "{errors:?}");
        body["baseUrl"] = json!(url);
        assert_eq!(&*replacement(body, None).unwrap().group.base_url, url);
    }
    let errors = bad(replacement(json!({"groupName": "n", "providerType": "opanai"}), None));
    assert!(errors[0].1.contains("openai, openai_responses, anthropic, gemini, azure_openai, bedrock"), "{errors:?}");
}

#[test]
fn a_write_over_an_older_state_is_refused() {
    let stored = full();
    for (updated_at, fine) in [(json!(2), true), (json!(1), false), (json!(null), true)] {
        let result = patched(json!({ "updatedAt": updated_at, "priority": 4 }), &stored);
        assert_eq!(result.is_ok(), fine, "{updated_at}");
        if let Err(error) = result {
            assert!(matches!(error, ApiError::Store(StoreError::Stale)), "{error:?}");
        }
    }
    assert_eq!(bad_fields(patched(json!({"id": "other"}), &stored)), ["id"]);
}
