//! A stored secret is not sent to a host that it was not given for.

use serde_json::{Value, json};

use super::{bad, full, patched, replacement};
use crate::store::groups::StoredGroup;

fn refused(patch: Value, stored: &StoredGroup) -> Vec<String> {
    bad(patched(patch, stored)).into_iter().map(|(field, told)| format!("{field}: {told}")).collect()
}

fn secrets() -> Value {
    json!({"apiKeys": ["sk-new-key-for-there"], "headers": {"x-token": "a-new-token"}})
}

#[test]
fn another_host_asks_for_keys_and_headers_again() {
    let stored = full();
    for url in [
        "http://evil.test:1/v1",
        "http://host:2/v1",
        "http://host/v1",
        "https://host:1/v1",
        "http://host.evil.test:1/v1",
    ] {
        let told = refused(json!({ "baseUrl": url }), &stored);
        assert_eq!(told.len(), 2, "{url}: {told:?}");
        assert!(
            told[0].starts_with("apiKeys: must be sent again") && told[0].contains("and led to http://host:1"),
            "{told:?}"
        );
        assert!(told[1].starts_with("headers[x-token]: must be sent again"), "{told:?}");
        // Masks, and keys that are switched by id, are stored keys too.
        for kept in [json!(["sk-f****0001"]), json!(["sk-brand-new-key-3", "sk-o****0002"])] {
            let told = refused(json!({ "baseUrl": url, "apiKeys": kept, "headers": null }), &stored);
            assert!(told.len() == 1 && told[0].starts_with("apiKeys"), "{told:?}");
        }
        let mut whole = secrets();
        whole["baseUrl"] = json!(url);
        assert_eq!(&*patched(whole, &stored).unwrap().group.base_url, url);
        // The keys themselves are fine, even those that are stored.
        let own = json!({ "baseUrl": url, "apiKeys": ["sk-first-key-0001", "sk-other-key-0002"], "headers": null });
        let again = patched(own, &stored).unwrap();
        assert_eq!(again.group.upstream_keys, stored.group.upstream_keys);
    }
}

#[test]
fn a_put_and_a_change_of_vendor_ask_as_well() {
    let stored = full();
    for put in [
        json!({"groupName": "n", "providerType": "openai"}),
        json!({"groupName": "n", "providerType": "openai_compatible", "baseUrl": "http://evil.test/v1"}),
        json!({"groupName": "n", "providerType": "openai", "apiKeys": ["sk-f****0001", "sk-o****0002"]}),
    ] {
        let told = bad(replacement(put, Some(&stored)));
        assert_eq!(told[0].0, "apiKeys", "{told:?}");
        assert_eq!(told[1].0, "headers[x-token]", "{told:?}");
    }
    let told = refused(json!({"providerType": "openai", "baseUrl": null}), &stored);
    assert!(told[0].contains("baseUrl leads to https://api.openai.com:443"), "{told:?}");
}

#[test]
fn the_same_host_asks_for_nothing() {
    let stored = full();
    for url in ["http://host:1/v2", "http://host:1", "http://HOST:1/v1/other"] {
        assert_eq!(
            patched(json!({ "baseUrl": url }), &stored).unwrap().group.upstream_keys,
            stored.group.upstream_keys
        );
    }
    assert!(patched(json!({"providerType": "openai"}), &stored).is_ok());
    let plain = json!({"groupName": "n", "providerType": "openai_compatible", "baseUrl": "http://host/v1", "apiKeys": ["sk-1"]});
    let plain = replacement(plain, None).unwrap();
    assert!(patched(json!({"baseUrl": "https://host/v1"}), &plain).is_ok(), "TLS only protects them");
    let back =
        refused(json!({"baseUrl": "http://api.openai.com/v1"}), &replacement(super::issue_body(), None).unwrap());
    assert!(back[0].starts_with("apiKeys"), "the same host without TLS lets others read them: {back:?}");
    let keyless = json!({"groupName": "n", "providerType": "openai_compatible", "baseUrl": "http://host/v1"});
    let keyless = replacement(keyless, None).unwrap();
    assert!(patched(json!({"baseUrl": "http://other.test/v1"}), &keyless).is_ok(), "there is nothing to send");
}

#[test]
fn a_proxy_that_reads_what_is_sent_asks_for_keys_and_another_proxy_for_its_password() {
    let stored = full();
    let told = refused(json!({"proxyConfig": {"host": "evil.test"}}), &stored);
    assert!(told[0].starts_with("apiKeys") && told[0].contains("the proxy evil.test:1080 would read them"), "{told:?}");
    assert!(told.last().unwrap().starts_with("proxyConfig.password"), "{told:?}");
    let mut off = stored.clone();
    off.proxy_enabled = false;
    assert!(refused(json!({"proxyEnabled": true}), &off)[0].starts_with("apiKeys"));
    assert!(patched(json!({"proxyEnabled": false}), &stored).is_ok());
    assert!(patched(json!({"proxyConfig": {"bypassLocal": true}}), &stored).is_ok());
    // With TLS, the proxy sees nothing of what passes.
    let tls = json!({"groupName": "n", "providerType": "openai", "apiKeys": ["sk-1"]});
    let tls = replacement(tls, None).unwrap();
    assert!(patched(json!({"proxyEnabled": true, "proxyConfig": {"host": "proxy.test"}}), &tls).is_ok());
}
