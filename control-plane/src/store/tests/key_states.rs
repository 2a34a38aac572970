use serde_json::json;
use shared::marks::{Marks, Observed, Outage};

use super::database::{TestDatabase, execute};
use super::{SCOPE, actor, open};
use crate::grpc::tests::support::group;
use crate::store::groups::{self, StoredGroup};
use crate::store::key_states::{StoredKeyState, keep, load, prune, recover, replace_all, since};
use crate::store::{Page, Store, audit};

const NOW: i64 = 1_800_000_000_000;

/// A group with one key. Gives the ids of both.
async fn add_group(store: &Store, name: &str) -> (String, String) {
    let group = group(name);
    let ids = (group.id.to_string(), group.upstream_keys[0].id.to_string());
    let stored = StoredGroup { group, proxy_enabled: false, created_at: 0, updated_at: 0 };
    groups::create(store, SCOPE, &stored, &actor()).await.unwrap();
    ids
}

fn state((group_id, key): &(String, String), model: &str, observed: Observed, at: i64, words: &str) -> StoredKeyState {
    let mut state = StoredKeyState {
        upstream_key_id: key.clone(),
        model: model.to_owned(),
        group_id: group_id.clone(),
        marks: Marks::of(observed, at, 401),
        ..StoredKeyState::default()
    };
    for outage in Outage::ALL.into_iter().filter(|outage| state.marks.mark(*outage).at != 0) {
        state.words.set(outage, words);
    }
    state
}

async fn kept(store: &Store) -> Vec<StoredKeyState> {
    let mut states = load(store, 100).await.unwrap().states;
    states.sort_by(|left, right| left.model.cmp(&right.model));
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn p38_what_is_kept_is_added_to_and_never_overwritten_by_what_is_older() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let key = add_group(&store, "a").await;
    let refused = Observed::Refused { times: 0 };
    let newer = state(&key, "", Observed::Exhausted { until: NOW + 90_000, times: 0 }, NOW, "no credits");
    let of_model = state(&key, "a model ünter", refused, NOW, "what is this?");
    assert!(keep(&store, &[newer.clone(), of_model.clone()], NOW).await.unwrap().is_empty());
    assert_eq!(kept(&store).await, [newer.clone(), of_model.clone()]);

    // Another control plane writes what it knows, which is older in one respect and newer in another.
    let mut other = state(&key, "", Observed::Exhausted { until: NOW + 10_000, times: 0 }, NOW - 5, "older");
    other.merge(&state(&key, "", refused, NOW + 5, "unknown key"));
    let more = keep(&store, &[other], NOW + 5).await.unwrap();
    let mut all = newer;
    all.merge(&state(&key, "", refused, NOW + 5, "unknown key"));
    assert_eq!(more, std::slice::from_ref(&all), "and hears what it did not know");
    assert_eq!(kept(&store).await, [all.clone(), of_model]);
    assert_eq!((all.words.of(Outage::Exhausted), all.words.of(Outage::Refused)), ("no credits", "unknown key"));
    assert_eq!(load(&store, 100).await.unwrap().saved_at, NOW + 5);
    assert_eq!(load(&store, 1).await.unwrap().states.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_since_is_read_and_nothing_else() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let key = add_group(&store, "a").await;
    let refused = Observed::Refused { times: 0 };
    let (first, second) = (state(&key, "", refused, NOW, "first"), state(&key, "m", refused, NOW, "second"));
    keep(&store, std::slice::from_ref(&first), NOW).await.unwrap();
    let seen = load(&store, 100).await.unwrap().version;
    assert_eq!(since(&store, seen, 100).await.unwrap(), (seen, Vec::new()));
    keep(&store, std::slice::from_ref(&second), NOW).await.unwrap();
    let (newer, news) = since(&store, seen, 100).await.unwrap();
    assert!(newer > seen);
    assert_eq!(news, std::slice::from_ref(&second));
    let worked = state(&key, "", Observed::Worked, NOW + 1, "");
    recover(&store, &actor(), (&key.0, &key.1), std::slice::from_ref(&worked), NOW + 1).await.unwrap();
    let (newest, news) = since(&store, newer, 100).await.unwrap();
    let mut both = first;
    both.merge(&worked);
    assert_eq!(news, std::slice::from_ref(&both));
    // A number that this database has not reached is that of another one, or of one before a backup was restored.
    let (version, mut news) = since(&store, newest + 40, 100).await.unwrap();
    news.sort_by(|left, right| left.model.cmp(&right.model));
    assert_eq!((version, news.as_slice()), (newest, &[both, second][..]));
    assert_eq!(since(&store, 0, 1).await.unwrap().1.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_or_is_about_removed_keys_goes() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let (stays, goes) = (add_group(&store, "stays").await, add_group(&store, "goes").await);
    let refused = Observed::Refused { times: 0 };
    let unknown = (stays.0.clone(), "no such key".to_owned());
    let ended = state(&stays, "ended", Observed::Paused { until: NOW - 700_000 }, NOW - 800_000, "");
    let states = [
        state(&stays, "", refused, NOW, ""),
        state(&goes, "", refused, NOW, ""),
        state(&unknown, "", refused, NOW, ""),
        ended,
    ];
    keep(&store, &states, NOW).await.unwrap();
    assert_eq!(kept(&store).await.len(), 3, "what is about no key is not kept at all");
    assert!(groups::delete(&store, SCOPE, &goes.0, &actor()).await.unwrap());
    prune(&store, NOW).await.unwrap();
    assert_eq!(kept(&store).await, [states[0].clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_is_kept_and_stands_in_the_audit_log() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let key = add_group(&store, "a").await;
    keep(&store, &[state(&key, "m", Observed::Refused { times: 0 }, NOW, "")], NOW).await.unwrap();
    let news = ["", "m"].map(|model| state(&key, model, Observed::Worked, NOW + 1, ""));
    recover(&store, &actor(), (&key.0, &key.1), &news, NOW + 1).await.unwrap();
    let states = kept(&store).await;
    assert!(states.len() == 2 && states.iter().all(|state| state.marks.outage(NOW + 2).is_none()), "{states:?}");
    let page = Page { limit: 1, cursor: None };
    let entry = audit::list(&store, SCOPE, &page).await.unwrap().items.remove(0);
    assert_eq!((entry.action.as_str(), entry.resource.as_str()), ("recover", "upstream_key"));
    assert_eq!((entry.resource_id.as_ref(), entry.username.as_str()), (Some(&key.1), "tester"));
    assert_eq!(entry.detail, json!({ "groupId": key.0, "models": ["", "m"] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_is_forgotten_and_all_can_be_replaced() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let key = add_group(&store, "a").await;
    let refused = state(&key, "", Observed::Refused { times: 0 }, NOW, "");
    let worked = state(&key, "m", Observed::Worked, NOW, "");
    keep(&store, &[refused.clone(), worked.clone()], NOW).await.unwrap();
    execute(&store, "UPDATE key_states SET marks = 'broken' WHERE model = ''").await;
    assert_eq!(kept(&store).await, std::slice::from_ref(&worked));
    keep(&store, std::slice::from_ref(&refused), NOW).await.unwrap();
    assert_eq!(kept(&store).await, [refused.clone(), worked]);
    replace_all(&store, std::slice::from_ref(&refused), NOW - 9).await.unwrap();
    assert_eq!(kept(&store).await, [refused]);
    assert_eq!(load(&store, 9).await.unwrap().saved_at, NOW - 9);
}
