//! Results of checks and their summaries: how something does, what is listed, what is kept.

use shared::time::now_ms;

use super::database::TestDatabase;
use super::open;
use crate::store::health_checks::{
    CheckFilter, CheckKind, CheckedHealth, CheckedSubject, StoredCheck, checked_groups, claim, keep_subjects, record,
    remove_old, remove_surplus, results, subjects, totals,
};
use crate::store::{Page, Scope, Store};

const ALL: Scope = Scope::Everything;

fn check(kind: CheckKind, name: &str, ok: bool) -> StoredCheck {
    let named = Some(name.to_owned());
    let error = (!ok).then(|| "the provider failed".to_owned());
    let check = StoredCheck { ok, latency_ms: 100, error, ..StoredCheck::new("run", "g", kind) };
    match kind {
        CheckKind::Provider => check,
        CheckKind::Key => StoredCheck { upstream_key_id: named, model: Some("m".to_owned()), ..check },
        CheckKind::Model => StoredCheck { model: named, upstream_key_id: Some("k".to_owned()), ..check },
    }
}

async fn checked(store: &Store, kind: CheckKind, name: &str, outcomes: &[bool]) -> CheckedSubject {
    for ok in outcomes {
        record(store, &check(kind, name, *ok)).await.unwrap();
    }
    let subjects = subjects(store, &ALL, &["g".to_owned()]).await.unwrap();
    let is_wanted = |subject: &CheckedSubject| {
        subject.kind == kind.name() && [&*subject.upstream_key_id, &*subject.model].contains(&name)
    };
    subjects.into_iter().rfind(is_wanted).unwrap()
}

async fn ids(store: &Store, filter: CheckFilter) -> Vec<String> {
    let page = Page { limit: 200, cursor: None };
    results(store, &ALL, "g", &page, &filter).await.unwrap().items.into_iter().map(|check| check.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_failures_in_a_row_are_unhealthy_and_a_success_ends_that() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let one = checked(&store, CheckKind::Key, "k1", &[true]).await;
    assert_eq!(
        (one.health(), one.success_rate(), one.average_latency_ms()),
        (CheckedHealth::Healthy, Some(1.0), Some(100))
    );
    let two = checked(&store, CheckKind::Key, "k1", &[false]).await;
    assert_eq!((two.health(), two.success_rate()), (CheckedHealth::Warning, Some(0.5)));
    let four = checked(&store, CheckKind::Key, "k1", &[false, false]).await;
    assert_eq!((four.health(), four.failures_in_a_row), (CheckedHealth::Unhealthy, 3));
    assert!(four.last_error.is_some() && four.last_failure_at.is_some() && four.last_success_at == one.last_success_at);
    let again = checked(&store, CheckKind::Key, "k1", &[true]).await;
    assert_eq!((again.health(), again.failures_in_a_row, again.last_error), (CheckedHealth::Healthy, 0, None));

    assert_eq!(checked(&store, CheckKind::Model, "m2", &[false]).await.health(), CheckedHealth::Warning);
    let mut totals = totals(&store, &ALL).await.unwrap();
    totals.sort_by_key(|(kind, ..)| *kind);
    assert_eq!(totals, [(CheckKind::Key, CheckedHealth::Healthy, 1), (CheckKind::Model, CheckedHealth::Warning, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_listed_newest_first_by_kind_key_and_model() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let made =
        [check(CheckKind::Provider, "", true), check(CheckKind::Key, "k", true), check(CheckKind::Model, "m", false)];
    for check in &made {
        record(&store, check).await.unwrap();
    }
    let newest_first: Vec<_> = made.iter().rev().map(|check| check.id.clone()).collect();
    assert_eq!(ids(&store, CheckFilter::default()).await, newest_first);
    let of_kind = CheckFilter { kind: Some(CheckKind::Key), ..CheckFilter::default() };
    assert_eq!(ids(&store, of_kind).await, newest_first[1..2]);
    let of_key = CheckFilter { upstream_key_id: Some("k".to_owned()), ..CheckFilter::default() };
    assert_eq!(ids(&store, of_key).await, newest_first[..2]);
    let of_model =
        CheckFilter { model: Some("m".to_owned()), run_id: Some("run".to_owned()), ..CheckFilter::default() };
    assert_eq!(ids(&store, of_model).await, newest_first[..2]);
    let first = Page { limit: 2, cursor: None };
    let page = results(&store, &ALL, "g", &first, &CheckFilter::default()).await.unwrap();
    let rest = Page { limit: 2, cursor: page.next_cursor };
    let rest = results(&store, &ALL, "g", &rest, &CheckFilter::default()).await.unwrap();
    assert_eq!((rest.items, rest.next_cursor), (vec![made[0].clone()], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_surplus_results_go_in_small_pieces_and_the_newest_stay() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let mut made = Vec::new();
    for number in 0..6 {
        let at = now_ms() - 1_000 * (10 - number);
        made.push(StoredCheck { at, ..check(CheckKind::Provider, "", true) });
        record(&store, &made[made.len() - 1]).await.unwrap();
    }
    assert_eq!(remove_old(&store, made[3].at, 2).await.unwrap(), 2);
    assert_eq!(remove_old(&store, made[3].at, 2).await.unwrap(), 1);
    assert_eq!(remove_surplus(&store, "g", 1, 10).await.unwrap(), 2);
    assert_eq!(ids(&store, CheckFilter::default()).await, [made[5].id.clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_claimed_once_in_its_time() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let since = now_ms() - 60_000;
    let (first, second) = tokio::join!(claim(&store, "g", since), claim(&store, "g", since));
    assert!(first.unwrap() ^ second.unwrap());
    assert!(!claim(&store, "g", since).await.unwrap());
    // The time is over.
    assert!(claim(&store, "g", now_ms()).await.unwrap());
    let subjects = subjects(&store, &ALL, &["g".to_owned()]).await.unwrap();
    assert_eq!((subjects.len(), subjects[0].health()), (1, CheckedHealth::Unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn summaries_of_what_is_gone_go() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    for (kind, name) in
        [(CheckKind::Provider, ""), (CheckKind::Key, "k1"), (CheckKind::Key, "k2"), (CheckKind::Model, "m1")]
    {
        record(&store, &check(kind, name, true)).await.unwrap();
    }
    let there = Some((vec!["k2".to_owned()], vec!["m2".to_owned()]));
    assert_eq!(keep_subjects(&store, "g", there).await.unwrap(), 2);
    assert_eq!(checked_groups(&store).await.unwrap(), ["g"]);
    assert_eq!(keep_subjects(&store, "g", None).await.unwrap(), 2);
    assert!(checked_groups(&store).await.unwrap().is_empty());
}
