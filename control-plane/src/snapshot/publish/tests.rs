use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use shared::crypto::SealingKey;
use shared::drain::Tasks;
use shared::ids::new_id;
use shared::snapshot::{BalancePolicy, Group, GroupRouting, UnsupportedParameters, UpstreamStream};
use tokio::time::timeout;

use super::{ConfigPosition, Publisher, Update};
use crate::store::groups::{self, StoredGroup};
use crate::store::tests::database::{TestDatabase, execute};
use crate::store::{Actor, Scope, Store};

const PATIENCE: Duration = Duration::from_secs(20);

async fn open(database: &TestDatabase, tasks: &Tasks) -> Store {
    let key = SealingKey::derive("test", b"a secret of the tests", "tests").unwrap();
    Store::open(&database.url, Arc::new(key), tasks).await.unwrap()
}

async fn add_group(store: &Store, name: &str) {
    let group = Group {
        id: new_id().into(),
        name: name.into(),
        provider_type: "openai".into(),
        base_url: "https://api.example.com/v1".into(),
        upstream_keys: Vec::new(),
        models: Vec::new(),
        model_aliases: BTreeMap::new(),
        parameter_defaults: Map::new(),
        parameter_overrides: Map::new(),
        headers: BTreeMap::new(),
        balance_policy: BalancePolicy::default(),
        retry_count: 0,
        timeout: Duration::from_secs(30),
        rpm_limit: 0,
        test_model: None,
        priority: 0,
        enabled: true,
        upstream_stream: UpstreamStream::default(),
        unsupported_parameters: UnsupportedParameters::default(),
        model_facts: Map::new(),
        api_version: None,
        health_check_enabled: false,
        outbound_proxy: None,
        routing: GroupRouting::default(),
    };
    let actor = Actor { user_id: None, username: "test".to_owned(), client_ip: "127.0.0.1".to_owned() };
    let stored = StoredGroup { group, proxy_enabled: false, created_at: 0, updated_at: 0 };
    groups::create(store, &Scope::Everything, &stored, &actor).await.unwrap();
}

async fn moved_from(publisher: &Publisher, version: u64) -> ConfigPosition {
    let mut positions = publisher.position();
    let moved = timeout(PATIENCE, positions.wait_for(|position| position.version > version)).await;
    moved.expect("a newer version in time").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_another_replica_is_published() {
    let (database, tasks) = (TestDatabase::new().await, Tasks::new());
    let (here, there) = (open(&database, &tasks).await, open(&database, &tasks).await);
    let publisher = Publisher::start(here, &tasks).await.unwrap();
    let before = publisher.position().borrow().clone();
    add_group(&there, "from elsewhere").await;
    let after = moved_from(&publisher, before.version).await;
    assert_eq!(after.epoch, before.epoch);
    assert_eq!(publisher.snapshot().groups.len(), 1);
    let (position, update) = publisher.update(Some(&before));
    assert_eq!(position, after);
    assert!(matches!(update, Update::Delta(delta) if delta.groups.len() == 1 && delta.from_version == before.version));
    assert!(matches!(publisher.update(Some(&after)), (_, Update::Nothing)));
    assert!(matches!(publisher.update(None), (_, Update::Snapshot(_))));
    assert!(tasks.drain("test", PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_is_made_once_for_all_nodes() {
    let (database, tasks) = (TestDatabase::new().await, Tasks::new());
    let store = open(&database, &tasks).await;
    let publisher = Publisher::start(store.clone(), &tasks).await.unwrap();
    let before = publisher.position().borrow().clone();
    for name in ["a", "b", "c"] {
        let version = publisher.position().borrow().version;
        add_group(&store, name).await;
        moved_from(&publisher, version).await;
    }
    let (Update::Delta(one), Update::Delta(other)) =
        (publisher.update(Some(&before)).1, publisher.update(Some(&before)).1)
    else {
        panic!("not deltas");
    };
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!(one.groups.len(), 3);
    assert!(tasks.drain("test", PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_last_stays_while_the_database_fails() {
    let (database, tasks) = (TestDatabase::new().await, Tasks::new());
    let store = open(&database, &tasks).await;
    add_group(&store, "first").await;
    let publisher = Publisher::start(store.clone(), &tasks).await.unwrap();
    let before = publisher.snapshot();
    execute(&store, "ALTER TABLE settings RENAME TO away").await;
    let noticed = async {
        while publisher.problem().is_none() {
            publisher.check_now.notify_one();
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, noticed).await.unwrap();
    assert_eq!(publisher.snapshot(), before);
    assert!(matches!(publisher.update(None), (_, Update::Snapshot(snapshot)) if snapshot == before));

    execute(&store, "ALTER TABLE away RENAME TO settings").await;
    add_group(&store, "second").await;
    moved_from(&publisher, before.version).await;
    assert_eq!(publisher.snapshot().groups.len(), 2);
    timeout(PATIENCE, publisher.checked()).await.unwrap();
    assert_eq!(publisher.problem(), None);
    assert!(tasks.drain("test", PATIENCE).await);
}
