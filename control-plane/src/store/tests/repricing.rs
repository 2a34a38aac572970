//! Usage records are priced again in batches, once, and keep what they cost before.

use shared::ids::new_id;
use shared::pb::UsageRecord;
use shared::pb::usage_record::UsageSource;
use shared::prices::PriceText;
use shared::snapshot::Snapshot;

use super::database::TestDatabase;
use super::{SCOPE, actor, open};
use crate::ledger::price;
use crate::store::repricing::{self, RepriceOrder, RepriceRun};
use crate::store::usage::{self, LedgerTotals, StoredUsage, UsageFilter};
use crate::store::{Page, Store, audit};

/// Noon of 2026-11-30 by UTC, in epoch milliseconds.
const NOW: i64 = 1_796_040_000_000;

fn records(model: &str, count: usize) -> Vec<UsageRecord> {
    let record = |number: usize| UsageRecord {
        id: new_id(),
        provider_type: "openai".to_owned(),
        requested_model: "alias".to_owned(),
        upstream_model: model.to_owned(),
        group_id: "g".to_owned(),
        usage_source: UsageSource::Reported.into(),
        input_tokens: 1_000,
        // Several have the same time, so that a batch ends between them.
        started_at_ms: NOW + i64::try_from(number / 7).unwrap(),
        ..UsageRecord::default()
    };
    (0..count).map(record).collect()
}

fn config(rates: &str) -> Snapshot {
    let document = format!(
        r#"{{"asOf": "2026-11-30", "vendors": [{{"providerTypes": ["openai"], "lookedUp": "2026-11-30",
            "source": "https://x.test", "rows": [{rates}]}}]}}"#
    );
    Snapshot { prices: PriceText::document(&document).unwrap().into(), ..Snapshot::default() }
}

fn everything() -> RepriceOrder {
    RepriceOrder { from_ms: NOW, until_ms: NOW + 1_000_000, group_id: None, model: None }
}

/// The run when it is over, and how many batches it took.
async fn run(store: &Store, order: &RepriceOrder, config: &Snapshot) -> (RepriceRun, usize) {
    let mut run = repricing::order(store, SCOPE, order, &actor()).await.unwrap();
    let mut batches = 0;
    while run.finished_at.is_none() {
        let config = config.clone();
        run = repricing::batch(store, &run.id, move |row| price::of_stored(row, &config)).await.unwrap();
        batches += 1;
    }
    (run, batches)
}

async fn all(store: &Store) -> Vec<StoredUsage> {
    let page = Page { limit: 10_000, cursor: None };
    usage::list(store, SCOPE, &page, &UsageFilter::default()).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_applied_once_and_the_old_figure_is_kept() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let wrong = config(r#"{"models": ["m"], "rates": {"input": 1000000}}"#);
    let mut sent = records("m", 450);
    sent.extend(records("unknown", 3));
    for part in sent.chunks(200) {
        usage::insert(&store, part, |record| price::cost(record, &wrong)).await.unwrap();
    }
    let before = usage::totals(&store, SCOPE).await.unwrap();
    assert_eq!(before, LedgerTotals { records: 453, unpriced: 3, cost_micros: 450_000 });

    let right = config(
        r#"{"models": ["m"], "rates": {"input": 3000000}}, {"models": ["unknown"], "rates": {"input": 5000000}}"#,
    );
    let (first, batches) = run(&store, &everything(), &right).await;
    assert_eq!((first.records, first.changed, batches), (453, 453, 3), "in bounded batches");
    assert_eq!((first.cost_before, first.cost_after), (450_000, 1_365_000));
    assert_eq!((first.unpriced_before, first.unpriced_after), (3, 0));
    for row in all(&store).await {
        let expected = if row.upstream_model.as_deref() == Some("m") { (3_000, Some(1_000)) } else { (5_000, None) };
        assert_eq!((row.cost.cost_micros, row.previous_cost_micros), (Some(expected.0), expected.1));
        assert_eq!(row.cost.cost_input_micros, Some(expected.0), "the kinds are priced again too");
        assert!(row.repriced_at.is_some());
    }
    let totals = usage::totals(&store, SCOPE).await.unwrap();
    assert_eq!(totals, LedgerTotals { records: 453, unpriced: 0, cost_micros: 1_365_000 });

    let shown = all(&store).await;
    let (again, _) = run(&store, &everything(), &right).await;
    assert_eq!((again.records, again.changed, again.cost_before, again.cost_after), (453, 0, 1_365_000, 1_365_000));
    assert_eq!(all(&store).await, shown, "the figure before the correction stays");
    assert_eq!(usage::totals(&store, SCOPE).await.unwrap(), totals);

    let entries = audit::list(&store, SCOPE, &Page { limit: 10, cursor: None }).await.unwrap().items;
    assert_eq!(entries.iter().filter(|entry| (&*entry.action, &*entry.resource) == ("reprice", "usage")).count(), 2);
    let runs = repricing::list(&store, SCOPE).await.unwrap();
    assert_eq!(runs.iter().map(|run| &run.id).collect::<Vec<_>>(), [&again.id, &first.id], "the newest first");
    assert!(repricing::unfinished(&store).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_of_a_time_a_group_and_a_model_and_goes_on_where_it_was() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let sent = [records("m", 210), records("other", 5)].concat();
    usage::insert(&store, &sent, |_| None).await.unwrap();
    let right = config(r#"{"models": ["m", "other"], "rates": {"input": 1000000}}"#);
    let of_model = RepriceOrder { model: Some("other".to_owned()), ..everything() };
    assert_eq!(run(&store, &of_model, &right).await.0.changed, 5);
    let of_group = RepriceOrder { group_id: Some("nobody".to_owned()), ..everything() };
    assert_eq!(run(&store, &of_group, &right).await.0.records, 0);
    let of_time = RepriceOrder { until_ms: NOW + 1, model: Some("m".to_owned()), ..everything() };
    assert_eq!(run(&store, &of_time, &right).await.0.changed, 7);

    // A program that ends after the first batch leaves the rest to the next one.
    let begun = repricing::order(&store, SCOPE, &everything(), &actor()).await.unwrap();
    let config = right.clone();
    repricing::batch(&store, &begun.id, move |row| price::of_stored(row, &config)).await.unwrap();
    drop(store);
    let store = open(&database).await;
    let left = repricing::unfinished(&store).await.unwrap().remove(0);
    assert_eq!((&left.id, left.records), (&begun.id, 200));
    let done = repricing::batch(&store, &left.id, move |row| price::of_stored(row, &right)).await.unwrap();
    assert_eq!((done.records, done.changed, done.finished_at.is_some()), (215, 203, true));
    let after = repricing::batch(&store, &left.id, |_| None).await.unwrap();
    assert_eq!(after, done, "what is over is not done again");
}
