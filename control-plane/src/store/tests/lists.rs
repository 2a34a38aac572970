//! Lists are in their order, page by page, whatever order the database has for texts.

use serde_json::json;
use shared::ids::new_id;
use shared::pb::UsageRecord;
use shared::secret::Secret;

use super::change::proxy_key;
use super::database::TestDatabase;
use super::{SCOPE, actor, open};
use crate::store::users::{self, User, UserRole};
use crate::store::{Page, Store, audit, proxy_keys, usage};

/// Walks through a list, two items a page.
async fn walk<T>(mut page: impl AsyncFnMut(Page) -> crate::store::Listed<T>) -> Vec<T> {
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let listed = page(Page { limit: 2, cursor }).await;
        assert!(listed.items.len() <= 2);
        items.extend(listed.items);
        match listed.next_cursor {
            Some(next) => cursor = Some(next),
            None => return items,
        }
    }
}

async fn change_five_times(store: &Store) -> Vec<String> {
    let mut names = Vec::new();
    // Names in an order that depends on the locale: by bytes, capitals stand before small letters.
    for name in ["b", "A", "a", "B", "ä"] {
        proxy_keys::create(store, SCOPE, &proxy_key(name), &actor()).await.unwrap();
        names.push(name.to_owned());
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_listed_in_any_locale() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut names = change_five_times(&store).await;
    let entries = walk(async |page| audit::list(&store, SCOPE, &page).await.unwrap()).await;
    let told: Vec<_> = entries.iter().map(|entry| entry.detail.clone()).collect();
    names.reverse();
    assert_eq!(told, names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(), "the newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_keys_and_usage_are_listed_in_the_order_in_which_they_came() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let names = change_five_times(&store).await;
    let keys = walk(async |page| proxy_keys::list(&store, SCOPE, &page).await.unwrap()).await;
    assert_eq!(keys.iter().map(|stored| stored.key.name.to_string()).collect::<Vec<_>>(), names);

    let records: Vec<_> = (0..5)
        .map(|number| UsageRecord { id: new_id(), started_at_ms: number / 2, ..UsageRecord::default() })
        .collect();
    assert_eq!(usage::insert(&store, &records, |_| None).await.unwrap(), 5);
    let filter = usage::UsageFilter::default();
    let listed = walk(async |page| usage::list(&store, SCOPE, &page, &filter).await.unwrap()).await;
    let mut wanted: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
    wanted.reverse();
    assert_eq!(listed.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), wanted);
}

/// Ids in the order of their bytes, even where the letters of the locale come before its digits.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_any_text_is_a_place_in_the_order_of_bytes() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    change_five_times(&store).await;
    for (cursor, count) in [("~", 5), ("z", 5), ("g", 5), ("!", 0), ("0", 0), ("A", 5)] {
        let page = Page { limit: 100, cursor: Some(cursor.to_owned()) };
        assert_eq!(audit::list(&store, SCOPE, &page).await.unwrap().items.len(), count, "audit before {cursor}");
        let after = proxy_keys::list(&store, SCOPE, &page).await.unwrap().items.len();
        assert_eq!(after, 5 - count, "proxy keys after {cursor}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_found_by_the_exact_name_alone() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let user = User {
        id: new_id(),
        username: "Anna".to_owned(),
        password_hash: Secret::new("hash"),
        role: UserRole::Viewer,
        enabled: true,
    };
    users::create(&store, &user).await.unwrap();
    assert_eq!(users::by_name(&store, "Anna").await.unwrap().unwrap().id, user.id);
    for name in ["anna", "ANNA", "Anna ", " Anna", "Änna", "Anna\u{200b}", "An_a", "%"] {
        assert!(users::by_name(&store, name).await.unwrap().is_none(), "{name:?}");
    }
}
