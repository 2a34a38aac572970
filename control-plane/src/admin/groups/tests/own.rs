//! What an upstream key has of its own of what its group may have, too.

use serde_json::{Value, json};

use super::{ROOT, bad, bad_fields, full, patched, replacement, view};
use crate::store::groups::StoredGroup;

/// A group with two keys, of which the second has everything of its own.
fn stored() -> StoredGroup {
    let body = json!({
        "groupName": "g", "providerType": "openai", "apiKeys": ["sk-first-key-0001", "sk-other-key-0002"],
        "models": ["m"], "upstreamKeys": [{
            "key": "sk-other-key-0002", "weight": 2, "proxyEnabled": true,
            "proxyConfig": {"type": "socks5", "host": "own.test", "username": "u", "password": "own-password-12"},
            "headers": {"X-Own": "a-long-own-secret"}, "parameterDefaults": {"temperature": 0.1},
            "parameterOverrides": {"seed": 3}
        }]
    });
    replacement(body, None).unwrap()
}

/// Changes the second key of `stored`.
fn entry(stored: &StoredGroup, more: Value) -> Value {
    let mut entry = json!({ "id": stored.group.upstream_keys[1].id });
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "upstreamKeys": [entry] })
}

#[test]
fn what_a_key_has_of_its_own_is_shown_without_its_secrets_and_written_back_as_it_was_shown() {
    let stored = stored();
    let shown = view(&stored);
    assert_eq!(shown["warnings"], json!([]));
    let (plain, own) = (&shown["upstreamKeys"][0], &shown["upstreamKeys"][1]);
    assert_eq!(
        (&plain["headers"], &plain["proxyConfig"], &plain["proxyEnabled"]),
        (&json!({}), &Value::Null, &json!(false))
    );
    assert_eq!((&own["headers"], &own["proxyEnabled"]), (&json!({"x-own": "a-lo****cret"}), &json!(true)));
    assert_eq!((&own["proxyConfig"]["host"], &own["proxyConfig"]["type"]), (&json!("own.test"), &json!("socks5")));
    assert_eq!((&own["parameters"], &own["parameterOverrides"]), (&json!({"temperature": 0.1}), &json!({"seed": 3})));
    for secret in ["own-password-12", "a-long-own-secret"] {
        assert!(!shown.to_string().contains(secret) && !format!("{stored:?}").contains(secret), "{secret}");
    }
    assert!(stored.group.upstream_keys[0].routing.own.is_none());
    let mut again = shown.clone();
    for read_only in ["createdAt", "warnings"] {
        again.as_object_mut().unwrap().remove(read_only);
    }
    assert_eq!(replacement(again, Some(&stored)).unwrap().group.upstream_keys, stored.group.upstream_keys);
}

#[test]
fn what_an_entry_leaves_out_stays_and_null_takes_it_away() {
    let stored = stored();
    let own = |group: &StoredGroup| group.group.upstream_keys[1].routing.own.clone();
    let same = patched(entry(&stored, json!({"weight": 5})), &stored).unwrap();
    assert_eq!((own(&same), same.group.upstream_keys[1].routing.weight), (own(&stored), 5));
    assert_eq!(own(&patched(json!({"priority": 3}), &stored).unwrap()), own(&stored));
    let changed = json!({"headers": {"x-own": "a-lo****cret", "x-new": "v"}, "parameters": {"top_p": 1}});
    let changed = own(&patched(entry(&stored, changed), &stored).unwrap()).unwrap();
    let headers: Vec<_> = changed.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("x-new", "v"), ("x-own", "a-long-own-secret")]);
    assert_eq!(Value::Object(changed.parameter_defaults), json!({"top_p": 1}));
    assert_eq!(Value::Object(changed.parameter_overrides), json!({"seed": 3}));
    let without = json!({"headers": null, "proxyConfig": null, "parameters": null, "parameterOverrides": null});
    assert_eq!(own(&patched(entry(&stored, without), &stored).unwrap()), None);
    // One that is switched off is kept, and nodes hear nothing of it.
    let off = patched(entry(&stored, json!({"proxyEnabled": false})), &stored).unwrap();
    assert_eq!(own(&off).unwrap().outbound_proxy, own(&stored).unwrap().outbound_proxy);
    let warnings = view(&off)["warnings"].clone();
    assert_eq!(warnings[0]["field"], "upstreamKeys[1].proxyConfig");
    assert_eq!(own(&off).unwrap().for_nodes().outbound_proxy, None);
    assert!(own(&stored).unwrap().for_nodes().outbound_proxy.is_some());
}

#[test]
fn what_no_group_may_have_no_key_may() {
    let stored = stored();
    for (more, field) in [
        (json!({"headers": {"host": "x"}}), "headers[host]"),
        (json!({"headers": {"x-orchestration-hops": "9"}}), "headers[x-orchestration-hops]"),
        (json!({"headers": {"x-api-key": "v"}}), "headers[x-api-key]"),
        (json!({"headers": {"x-new": "v****w"}}), "headers[x-new]"),
        (json!({"headers": {"x-new": "a\nb"}}), "headers[x-new]"),
        (json!({"proxyConfig": {"host": "a/b", "password": "p"}}), "proxyConfig.host"),
        (json!({"proxyConfig": {"host": "own.test", "port": 0, "password": "p"}}), "proxyConfig.port"),
        (json!({"proxyConfig": {"host": "169.254.169.254", "password": "p"}}), "proxyConfig.host"),
        (json!({"proxyConfig": {"kind": "http", "host": "own.test", "password": "p"}}), "proxyConfig.kind"),
        (json!({"proxyConfig": null, "proxyEnabled": true}), "proxyConfig"),
        (json!({"parameters": []}), "parameters"),
        (json!({"parameterOverrides": "x"}), "parameterOverrides"),
        // The stored password is not for another proxy.
        (json!({"proxyConfig": {"host": "evil.test"}}), "proxyConfig.password"),
    ] {
        let told = bad_fields(patched(entry(&stored, more.clone()), &stored));
        let place = i32::from(field == "proxyConfig.host" && more.to_string().contains("169"));
        assert_eq!(told, [format!("upstreamKeys[{place}].{field}")], "{more}");
    }
    let reserved = json!({"parameters": {"stream": true}, "parameterOverrides": {"model": "x"}});
    let warned = view(&patched(entry(&stored, reserved), &stored).unwrap())["warnings"].clone();
    let fields: Vec<_> = warned.as_array().unwrap().iter().map(|warning| warning["field"].clone()).collect();
    assert_eq!(fields, ["upstreamKeys[1].parameters[stream]", "upstreamKeys[1].parameterOverrides[model]"]);
}

#[test]
fn another_host_asks_for_the_headers_of_keys_again() {
    let stored = stored();
    let keys = json!(["sk-first-key-0001", "sk-other-key-0002"]);
    let moved = |mut more: Value| {
        more["baseUrl"] = json!("https://evil.test/v1");
        more["apiKeys"] = keys.clone();
        patched(more, &stored)
    };
    let told = bad(moved(json!({})));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 == "upstreamKeys[1].headers[x-own]" && told[0].1.contains("must be sent again"), "{told:?}");
    let masked = entry(&stored, json!({"headers": {"x-own": "a-lo****cret"}}));
    assert_eq!(bad_fields(moved(masked)), ["upstreamKeys[0].headers[x-own]"]);
    assert!(moved(entry(&stored, json!({"headers": {"x-own": "a-new-secret"}}))).is_ok());
    assert!(moved(entry(&stored, json!({"headers": null}))).is_ok());
}

#[test]
fn a_proxy_of_a_key_that_reads_what_is_sent_asks_for_keys_again() {
    let body = json!({
        "groupName": "g", "providerType": "openai_compatible", "baseUrl": "http://host:1/v1", "apiKeys": ["sk-first-key-0001"]
    });
    let stored = replacement(body, None).unwrap();
    let id = &stored.group.upstream_keys[0].id;
    let proxied = |host: &str| json!({ "id": id, "proxyEnabled": true, "proxyConfig": { "host": host } });
    let told = bad(patched(json!({ "upstreamKeys": [proxied("evil.test")] }), &stored));
    assert!(told[0].0 == "apiKeys" && told[0].1.contains("the proxy evil.test:8080 would read them"), "{told:?}");
    let again = json!({ "apiKeys": ["sk-first-key-0001"], "upstreamKeys": [proxied("own.test")] });
    let own = patched(again, &stored).unwrap();
    assert!(patched(json!({"priority": 1}), &own).is_ok());
    let off = json!({ "upstreamKeys": [{ "id": id, "proxyEnabled": false }] });
    assert!(patched(off, &own).is_ok(), "then nobody reads them");
}

#[test]
fn new_root_certificates_ask_for_keys_and_headers_again() {
    let stored = full();
    let told = bad_fields(patched(json!({ "tlsRoots": ROOT }), &stored));
    assert_eq!(told, ["apiKeys", "headers[x-token]"]);
    let secrets = json!({ "tlsRoots": ROOT, "apiKeys": ["sk-new"], "headers": {"x-token": "new"} });
    let trusting = patched(secrets, &stored).unwrap();
    assert_eq!(&*trusting.group.routing.tls_roots, ROOT.trim());
    assert!(patched(json!({"priority": 1}), &trusting).is_ok());
    assert!(patched(json!({"tlsRoots": null}), &trusting).is_ok());
    for (bad, why) in [(json!("x"), "holds no certificate"), (json!(5), "must be a text")] {
        let told = super::bad(patched(json!({ "tlsRoots": bad }), &stored));
        assert!(told[0].0 == "tlsRoots" && told[0].1.contains(why), "{told:?}");
    }
}
