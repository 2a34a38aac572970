//! A change of config, its version, its note for nodes and its audit entry are written together or not at all.

use std::collections::BTreeMap;

use serde_json::json;
use shared::crypto::sha256;
use shared::ids::new_id;
use shared::snapshot::{GroupPolicy, ProxyKey, ProxyKeyRouting};

use super::database::TestDatabase;
use super::{SCOPE, actor, open};
use crate::store::proxy_keys::StoredProxyKey;
use crate::store::published::{self, Since};
use crate::store::{Page, Store, StoreError, audit, groups, proxy_keys};

pub(super) fn proxy_key(name: &str) -> StoredProxyKey {
    let id = new_id();
    StoredProxyKey {
        key: ProxyKey {
            digest: sha256(id.as_bytes()),
            id: id.into(),
            name: name.into(),
            enabled: true,
            allowed_groups: Vec::new(),
            allowed_models: Vec::new(),
            group_policy: GroupPolicy::default(),
            group_weights: BTreeMap::new(),
            rpm_limit: 0,
            tpm_limit: 0,
            concurrency_limit: 0,
            expires_at_ms: None,
            routing: ProxyKeyRouting::default(),
        },
        masked: "sk-****".to_owned(),
        description: None,
        usage_count: 0,
        last_used_at: None,
        created_at: 0,
        updated_at: 0,
    }
}

/// The config version, and the entries of the audit log, the newest first.
async fn state(store: &Store) -> (u64, Vec<audit::StoredAudit>) {
    let version = published::snapshot(store).await.unwrap().version;
    let entries = audit::list(store, SCOPE, &Page { limit: 100, cursor: None }).await.unwrap().items;
    (version, entries)
}

/// The ids of proxy keys that nodes of `version` are told of, and the ids that they are told to forget.
async fn told(store: &Store, version: u64) -> (Vec<String>, Vec<String>) {
    let epoch = published::snapshot(store).await.unwrap().epoch;
    match published::since(store, version, &epoch).await.unwrap() {
        Since::Delta(delta) => (
            delta.proxy_keys.iter().map(|key| key.id.to_string()).collect(),
            delta.removed_proxy_keys.iter().map(ToString::to_string).collect(),
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_of_config_raises_the_version_and_is_noted_and_audited() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let announced = store.config_changed();
    let (first, entries) = state(&store).await;
    assert!(entries.is_empty());
    let stored = proxy_keys::create(&store, SCOPE, &proxy_key("app"), &actor()).await.unwrap();
    let id = stored.key.id.to_string();
    assert_eq!(told(&store, first).await, (vec![id.clone()], vec![]));
    proxy_keys::replace(&store, SCOPE, &stored, &actor()).await.unwrap();
    assert_eq!(told(&store, first + 1).await, (vec![id.clone()], vec![]));
    assert!(proxy_keys::delete(&store, SCOPE, &id, &actor()).await.unwrap());
    assert_eq!(told(&store, first + 2).await, (vec![], vec![id.clone()]));

    let (version, entries) = state(&store).await;
    assert_eq!(version, first + 3);
    assert_eq!(*announced.borrow(), version, "each commit is announced in this process");
    let said: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.detail.clone())).collect();
    let named = json!({ "name": "app" });
    assert_eq!(said, [("delete", json!({})), ("update", named.clone()), ("create", named)]);
    for entry in &entries {
        assert_eq!((entry.resource.as_str(), entry.resource_id.as_deref()), ("proxy_key", Some(id.as_str())));
        assert_eq!((entry.username.as_str(), entry.client_ip.as_str()), ("tester", "127.0.0.1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_refused_leaves_nothing_behind() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let stored = proxy_keys::create(&store, SCOPE, &proxy_key("app"), &actor()).await.unwrap();
    let (version, entries) = state(&store).await;
    let announced = store.config_changed();

    let stale = StoredProxyKey { updated_at: stored.updated_at - 1, ..stored.clone() };
    let refused = proxy_keys::replace(&store, SCOPE, &stale, &actor()).await;
    assert!(matches!(refused, Err(StoreError::Stale)), "{refused:?}");
    let refused = proxy_keys::create(&store, SCOPE, &proxy_key("app"), &actor()).await;
    assert!(matches!(refused, Err(StoreError::Taken { field: "key_name", .. })), "{refused:?}");
    assert!(!proxy_keys::delete(&store, SCOPE, "none", &actor()).await.unwrap());
    assert!(!groups::delete(&store, SCOPE, "none", &actor()).await.unwrap());

    let (version_after, entries_after) = state(&store).await;
    assert_eq!((version_after, entries_after.len()), (version, entries.len()));
    assert!(!announced.has_changed().unwrap());
}
