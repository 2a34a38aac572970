//! What a group's JSON may hold is what is documented and what is shown.

use serde_json::{Value, json};

use super::{ROOT, bad_fields, full, replacement, view};
use crate::admin::groups::body::{FIELDS, READ_ONLY};
use crate::admin::groups::proxy::PROXY_FIELDS;
use crate::admin::groups::{
    GroupBody, GroupView, ProxyConfigBody, ProxyConfigView, UpstreamKeyBody, UpstreamKeyView, keys,
};
use crate::admin::tests::{Fields, properties};

/// The least that a body must hold, with one more field.
fn body(field: &str, value: Value) -> Value {
    let mut body = json!({
        "groupName": "n", "providerType": "azure_openai", "baseUrl": "https://host", "apiKeys": ["sk-first-key-0001"]
    });
    body[field] = value;
    body
}

fn fields() -> Fields<'static> {
    Fields {
        accepted: FIELDS,
        read_only: READ_ONLY,
        documented: properties::<GroupBody>(),
        documented_as_shown: properties::<GroupView>(),
        shown: view(&full()),
    }
}

#[test]
fn a_group_accepts_documents_and_shows_the_same_fields() {
    fields().check();
    fields().check_each_is_read(|name, value| bad_fields(replacement(body(name, value), None)));
}

#[test]
fn each_field_of_a_group_is_shown_as_it_was_written() {
    let proxy = json!({
        "type": "https", "host": "proxy.test", "port": 1, "username": "u", "password": "",
        "bypassLocal": false, "bypassDomains": ["a.test"]
    });
    let same = |name: &'static str, value: Value| (name, value.clone(), value);
    let samples = [
        same("groupName", json!("other")),
        same("providerType", json!("openai")),
        same("baseUrl", json!("https://elsewhere/v1")),
        ("apiKeys", json!(["sk-other-key-0002"]), json!(["sk-o****0002"])),
        same("models", json!(["m"])),
        same("modelAliases", json!({"fast": "m"})),
        same("parameters", json!({"temperature": 0.5})),
        same("parameterOverrides", json!({"seed": 1})),
        ("headers", json!({"X-Token": "a-long-header-secret"}), json!({"x-token": "a-lo****cret"})),
        same("balancePolicy", json!("random")),
        same("retryCount", json!(7)),
        same("timeout", json!(1.5)),
        same("rpmLimit", json!(9)),
        same("concurrencyLimit", json!(4)),
        same("limits", json!([{"unit": "requests", "window": "hour", "amount": 9}])),
        same("limitMode", json!("shadow")),
        same("tokenWeights", json!({"cached": 0, "output": 1000, "reasoning": 1})),
        same("raise", json!({"percent": 150, "until": 1_893_456_000_000_u64})),
        same("testModel", json!("m")),
        same("priority", json!(-3)),
        same("enabled", json!(false)),
        same("proxyConfig", proxy),
        same("upstreamStream", json!("always")),
        same("fakeStreaming", json!(true)),
        same("unsupportedParameters", json!("reject")),
        same("modelFacts", json!({"m": {"maxOutput": 9}})),
        same("apiVersion", json!("2024-10-21")),
        same("healthCheckEnabled", json!(true)),
        same("weight", json!(0)),
        same("tags", json!(["eu"])),
        same("affinity", json!(false)),
        same("connectTimeout", json!(0.25)),
        same("chunkTimeout", json!(7)),
        same("totalTimeout", json!(70)),
        same("queueTimeoutMs", json!(0)),
        same("hedging", json!(true)),
        same("retryUnsafeRequests", json!(true)),
        same("retryEmptyAnswers", json!(true)),
        same("cacheSeconds", json!(3)),
        same("modelFallbacks", json!({"m": ["n"]})),
        same("fallbackOn", json!(["content_filter"])),
        (
            "errorRules",
            json!([{"status": 503, "step": "end"}]),
            json!([{"statuses": [503], "words": [], "step": "end", "effect": null, "scope": "model", "seconds": 0}]),
        ),
        ("tlsRoots", json!(ROOT), json!(ROOT.trim())),
        same("prices", json!([{"models": ["m"], "rates": {"input": 5}}])),
        ("priceMultiplier", json!("0.350"), json!("0.35")),
        same("costHeader", json!(true)),
    ];
    // `upstreamKeys` and `updatedAt` are about what is stored already, and `proxyEnabled` goes with `proxyConfig`:
    // other tests change them.
    fields().check_each_is_kept(&samples, &["upstreamKeys", "updatedAt", "proxyEnabled"], |name, value| {
        view(&replacement(body(name, value), None).unwrap())
    });
}

#[test]
fn what_is_nested_in_a_group_accepts_documents_and_shows_the_same_fields() {
    let shown = view(&full());
    let proxy = Fields {
        accepted: PROXY_FIELDS,
        read_only: &[],
        documented: properties::<ProxyConfigBody>(),
        documented_as_shown: properties::<ProxyConfigView>(),
        shown: shown["proxyConfig"].clone(),
    };
    proxy.check();
    proxy.check_each_is_read(|name, value| {
        let mut config = json!({ "host": "proxy.test" });
        config[name] = value;
        let bad = bad_fields(replacement(body("proxyConfig", config), None));
        bad.into_iter().map(|field| field.trim_start_matches("proxyConfig.").to_owned()).collect()
    });
    // A key itself is written and never shown.
    let accepted: Vec<_> = keys::FIELDS.iter().copied().filter(|known| known.name != "key").collect();
    let mut documented = properties::<UpstreamKeyBody>();
    assert!(documented.remove("key").is_some());
    let upstream_key = Fields {
        accepted: &accepted,
        read_only: keys::READ_ONLY,
        documented,
        documented_as_shown: properties::<UpstreamKeyView>(),
        shown: shown["upstreamKeys"][0].clone(),
    };
    upstream_key.check();
}
