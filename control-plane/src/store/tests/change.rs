//! A change of config, its version, its note for nodes and its audit entry are written together or not at all.

use std::collections::BTreeMap;

use serde_json::json;
use shared::crypto::sha256;
use shared::ids::new_id;
use shared::pb::KnownConfig;
use shared::pb::welcome::Lineage;
use shared::prices::PriceText;
use shared::snapshot::{ErrorRule, GroupPolicy, ProxyKey, ProxyKeyRouting, Snapshot};

use super::database::{TestDatabase, execute};
use super::{SCOPE, actor, open};
use crate::store::proxy_keys::StoredProxyKey;
use crate::store::published::{self, Since};
use crate::store::{Page, Store, StoreError, audit, error_rules, groups, prices, proxy_keys};

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

/// The ids of proxy keys that nodes with the config `had` are told of, and the ids that they are told to forget.
async fn told(store: &Store, had: &Snapshot) -> (Vec<String>, Vec<String>) {
    match published::since(store, had).await.unwrap() {
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
    let had = published::snapshot(&store).await.unwrap();
    let stored = proxy_keys::create(&store, SCOPE, &proxy_key("app"), &actor()).await.unwrap();
    let id = stored.key.id.to_string();
    assert_eq!(told(&store, &had).await, (vec![id.clone()], vec![]));
    let had = published::snapshot(&store).await.unwrap();
    proxy_keys::replace(&store, SCOPE, &stored, &actor()).await.unwrap();
    assert_eq!(told(&store, &had).await, (vec![id.clone()], vec![]));
    let had = published::snapshot(&store).await.unwrap();
    assert!(proxy_keys::delete(&store, SCOPE, &id, &actor()).await.unwrap());
    assert_eq!(told(&store, &had).await, (vec![], vec![id.clone()]));

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
async fn the_rules_for_errors_are_config_like_groups() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let none = error_rules::get(&store, SCOPE).await.unwrap();
    assert_eq!((none.rules.len(), none.updated_at), (0, None));
    for words in [&["one", "two"][..], &["three"], &[]] {
        let had = published::snapshot(&store).await.unwrap();
        let rule = |word: &&str| ErrorRule { words: vec![(*word).to_owned()], ..ErrorRule::default() };
        let rules: Vec<_> = words.iter().map(rule).collect();
        let stored = error_rules::replace(&store, SCOPE, rules.clone(), &actor()).await.unwrap();
        assert_eq!(error_rules::get(&store, SCOPE).await.unwrap(), stored);
        let now = published::snapshot(&store).await.unwrap();
        assert_eq!((now.version, &now.error_rules[..]), (had.version + 1, &rules[..]));
        match published::since(&store, &had).await.unwrap() {
            Since::Delta(delta) => assert_eq!(delta.error_rules.as_deref(), Some(&rules[..])),
            other => panic!("{other:?}"),
        }
    }
    let had = published::snapshot(&store).await.unwrap();
    proxy_keys::create(&store, SCOPE, &proxy_key("app"), &actor()).await.unwrap();
    match published::since(&store, &had).await.unwrap() {
        Since::Delta(delta) => assert_eq!(delta.error_rules, None, "they have not changed"),
        other => panic!("{other:?}"),
    }
    let (_, entries) = state(&store).await;
    let entry = &entries[1];
    assert_eq!((entry.action.as_str(), entry.resource.as_str(), entries.len()), ("update", "error_rules", 4));
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

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_known_by_its_lineage_as_long_as_its_changes_are_kept() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut had = Vec::new();
    for name in ["a", "b", "c"] {
        proxy_keys::create(&store, SCOPE, &proxy_key(name), &actor()).await.unwrap();
        had.push(published::snapshot(&store).await.unwrap());
    }
    assert!(!had[0].lineage.is_empty() && had[0].lineage != had[1].lineage);
    let known = |snapshot: &Snapshot| KnownConfig {
        epoch: snapshot.epoch.to_string(),
        version: snapshot.version,
        lineage: snapshot.lineage.to_string(),
    };
    let asked = async |known: KnownConfig| published::lineage(&store, known).await.unwrap();
    let Since::Delta(delta) = published::since(&store, &had[0]).await.unwrap() else { panic!("a delta") };
    assert_eq!((delta.version, &delta.lineage), (had[2].version, &had[2].lineage));
    for snapshot in &had {
        assert_eq!(asked(known(snapshot)).await, Lineage::Shared);
    }
    // An older node, one of another database, and one that is ahead.
    for config in [
        KnownConfig { lineage: String::new(), ..known(&had[1]) },
        KnownConfig { epoch: "another".to_owned(), ..known(&had[1]) },
        KnownConfig { version: had[2].version + 1, ..known(&had[1]) },
    ] {
        assert_eq!(asked(config).await, Lineage::Unspecified);
    }
    // A backup was restored, and changed since. Then it was changed by an older build.
    for made in ["UPDATE config_changes SET lineage = 'another'", "UPDATE config_changes SET lineage = NULL"] {
        execute(&store, made).await;
        assert_eq!(asked(known(&had[1])).await, Lineage::Other);
        assert!(matches!(published::since(&store, &had[1]).await.unwrap(), Since::Elsewhere));
    }
    published::prune(&store, 1).await.unwrap();
    assert_eq!(asked(known(&had[1])).await, Lineage::Unspecified, "nobody knows any more");
}

/// A server speaks the language of its settings where the user may not ask for another.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_known_in_any_language() {
    let database = TestDatabase::new().await;
    if database.kind() != "postgres" {
        return;
    }
    let store = open(&database).await;
    let (full, other) = ("53100", "53000");
    for (code, is_full) in [(full, true), (other, false)] {
        let refuse = format!("$$ BEGIN RAISE EXCEPTION 'kein Platz' USING ERRCODE = '{code}'; END $$");
        let make = format!(
            "CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS {refuse}; \
             CREATE TRIGGER refuse_row BEFORE INSERT ON proxy_keys EXECUTE FUNCTION refuse_row(); \
             CREATE FUNCTION refuse_table() RETURNS event_trigger LANGUAGE plpgsql AS {refuse}; \
             CREATE EVENT TRIGGER refuse_table ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS') \
                 EXECUTE FUNCTION refuse_table()"
        );
        execute(&store, make.leak()).await;
        let refused = proxy_keys::create(&store, SCOPE, &proxy_key("app"), &actor()).await.unwrap_err();
        assert_eq!(matches!(refused, StoreError::Full), is_full, "{refused}");
        execute(&store, "DROP FUNCTION refuse_row CASCADE; DROP FUNCTION refuse_table CASCADE").await;
    }
    proxy_keys::create(&store, SCOPE, &proxy_key("app"), &actor()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_for_all_groups_are_stored_as_a_change_of_config() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let none = prices::get(&store, SCOPE).await.unwrap();
    assert_eq!((none.prices.text().as_ref(), none.updated_at), ("", None));
    let document = PriceText::document(
        r#"{"asOf": "2026-11-30", "vendors": [{"providerTypes": ["openai"], "lookedUp": "2026-11-30",
            "source": "https://x.test", "rows": [{"models": ["m"], "rates": {"input": 5}}]}]}"#,
    );
    for text in [document.unwrap(), PriceText::default()] {
        let had = published::snapshot(&store).await.unwrap();
        let stored = prices::replace(&store, SCOPE, text.clone(), &actor()).await.unwrap();
        assert_eq!(prices::get(&store, SCOPE).await.unwrap(), stored);
        let now = published::snapshot(&store).await.unwrap();
        assert_eq!((now.version, &*now.prices), (had.version + 1, &text));
        match published::since(&store, &had).await.unwrap() {
            Since::Delta(delta) => assert_eq!(delta.prices.as_deref(), Some(&text)),
            other => panic!("{other:?}"),
        }
    }
    let page = Page { limit: 1, cursor: None };
    let entry = audit::list(&store, SCOPE, &page).await.unwrap().items.remove(0);
    assert_eq!((entry.action.as_str(), entry.resource.as_str()), ("update", "prices"));
}
