//! Costs are stored with their records, added up, and null where there is none.

use shared::ids::new_id;
use shared::pb::UsageRecord;
use shared::pb::usage_record::{Units, UsageSource};
use shared::prices::Cost;
use shared::snapshot::Snapshot;

use super::database::{TestDatabase, execute};
use super::{SCOPE, open};
use crate::ledger::price;
use crate::store::usage::{self, LedgerTotals, StoredCost, UsageFilter};
use crate::store::{Page, Store};

/// Noon of 2026-11-30 by UTC, in epoch milliseconds.
const NOW: i64 = 1_796_040_000_000;

fn record(model: &str, at_ms: i64) -> UsageRecord {
    UsageRecord {
        id: new_id(),
        provider_type: "openai".to_owned(),
        requested_model: model.to_owned(),
        upstream_model: model.to_owned(),
        group_id: "g".to_owned(),
        usage_source: UsageSource::Reported.into(),
        input_tokens: 1_000,
        cached_tokens: 400,
        output_tokens: 100,
        started_at_ms: at_ms,
        ..UsageRecord::default()
    }
}

fn built_in(record: &UsageRecord) -> Option<Cost> {
    price::cost(record, &Snapshot::default())
}

async fn newest(store: &Store) -> StoredCost {
    let page = Page { limit: 1, cursor: None };
    usage::list(store, SCOPE, &page, &UsageFilter::default()).await.unwrap().items.remove(0).cost
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_is_stored_by_kind_and_what_is_unpriced_has_none() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    usage::insert(&store, &[record("gpt-4o", NOW)], built_in).await.unwrap();
    let stored = newest(&store).await;
    assert_eq!(
        (stored.cost_micros, stored.cost_input_micros, stored.cost_cached_micros, stored.cost_output_micros),
        (Some(3_000), Some(1_500), Some(500), Some(1_000))
    );
    assert_eq!(stored.cost_reasoning_micros, Some(0));
    let tiered = UsageRecord {
        service_tier: "flex".to_owned(),
        input_image_tokens: 7,
        units: Some(Units { images: 2, seconds: 0, searches: 0, reranks: 0 }),
        ..record("unknown", NOW + 1)
    };
    usage::insert(&store, &[tiered], built_in).await.unwrap();
    let page = Page { limit: 1, cursor: None };
    let stored = usage::list(&store, SCOPE, &page, &UsageFilter::default()).await.unwrap().items.remove(0);
    assert_eq!(stored.cost, StoredCost::default(), "all of it is null");
    assert_eq!(
        (stored.service_tier.as_deref(), stored.input_image_tokens, stored.units.as_deref()),
        (Some("flex"), 7, Some(r#"{"images":2}"#))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_have_the_cost_by_kind_and_tell_how_many_records_are_unpriced() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let none = usage::sums(&store, SCOPE, &UsageFilter::default()).await.unwrap();
    assert_eq!((none.records, none.unpriced, none.cost.cost_micros), (0, 0, Some(0)));
    let records = [record("gpt-4o", NOW), record("gpt-4o", NOW + 1), record("unknown", NOW + 2)];
    usage::insert(&store, &records, built_in).await.unwrap();
    usage::insert(&store, &records, built_in).await.unwrap();
    let all = usage::sums(&store, SCOPE, &UsageFilter::default()).await.unwrap();
    assert_eq!((all.records, all.unpriced, all.input_tokens, all.output_tokens), (3, 1, 3_000, 300));
    let cost = all.cost;
    assert_eq!(
        (cost.cost_micros, cost.cost_input_micros, cost.cost_cached_micros, cost.cost_output_micros),
        (Some(6_000), Some(3_000), Some(1_000), Some(2_000))
    );
    let filter = UsageFilter { model: Some("gpt-4o".to_owned()), from_ms: Some(NOW + 1), ..UsageFilter::default() };
    let some = usage::sums(&store, SCOPE, &filter).await.unwrap();
    assert_eq!((some.records, some.unpriced, some.cost.cost_micros), (1, 0, Some(3_000)));
    let totals = usage::totals(&store, SCOPE).await.unwrap();
    assert_eq!(totals, LedgerTotals { records: 3, unpriced: 1, cost_micros: 6_000 }, "what comes again counts once");
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_of_a_ledger_of_before_are_counted_by_the_upgrade() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    usage::insert(&store, &[record("gpt-4o", NOW), record("unknown", NOW)], built_in).await.unwrap();
    execute(&store, "DELETE FROM ledger_totals WHERE name <> 'usage_records'").await;
    execute(&store, "DELETE FROM __diesel_schema_migrations WHERE version = '20261203000012'").await;
    drop(store);
    let store = open(&database).await;
    let totals = usage::totals(&store, SCOPE).await.unwrap();
    assert_eq!(totals, LedgerTotals { records: 2, unpriced: 1, cost_micros: 3_000 });
}
