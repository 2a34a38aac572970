use std::sync::Arc;

use shared::crypto::SealingKey;
use shared::drain::Tasks;
use shared::pb::UsageRecord;
use shared::pb::usage_record::{Units, UsageSource};
use shared::tokens::MOST_TOKENS;

use super::{MAX_NAME, MAX_WORD, MOST_MS, MOST_UNITS, presentable};
use crate::store::tests::database::TestDatabase;
use crate::store::usage::{self, UsageFilter};
use crate::store::{Page, Scope, Store};

#[test]
fn ids_are_uuids_in_one_spelling() {
    let with_id = |id: &str| presentable(UsageRecord { id: id.to_owned(), ..UsageRecord::default() });
    assert!(with_id("").is_none());
    assert!(with_id("1; DROP TABLE").is_none());
    let record = with_id("0193A7B2C4D57E8F9A0B1C2D3E4F5061").unwrap();
    assert_eq!(record.id, "0193a7b2-c4d5-7e8f-9a0b-1c2d3e4f5061");
}

#[test]
fn texts_and_numbers_fit() {
    let record = UsageRecord {
        id: "0193a7b2-c4d5-7e8f-9a0b-1c2d3e4f5061".to_owned(),
        requested_model: "é\0".repeat(1_000),
        output_tokens: u64::MAX,
        ..UsageRecord::default()
    };
    let record = presentable(record).unwrap();
    assert_eq!(record.requested_model, "é".repeat(MAX_NAME));
    assert_eq!((record.output_tokens, record.usage_source()), (MOST_TOKENS, UsageSource::Capped));
}

#[test]
fn numbers_that_cannot_be_are_capped_so_that_sums_fit() {
    let record = UsageRecord {
        id: "0193a7b2-c4d5-7e8f-9a0b-1c2d3e4f5061".to_owned(),
        total_us: u64::MAX,
        request_bytes: u64::MAX,
        units: Some(Units { images: u64::MAX, seconds: 1, searches: 0, reranks: 0 }),
        started_at_ms: i64::MAX,
        usage_source: UsageSource::Reported.into(),
        ..UsageRecord::default()
    };
    let record = presentable(record).unwrap();
    assert_eq!((record.started_at_ms, record.usage_source()), (MOST_MS, UsageSource::Reported));
    let units = record.units.unwrap();
    assert_eq!((units.images, units.seconds), (MOST_UNITS, 1));
    let rows = 100_000;
    for number in [record.total_us, record.request_bytes, MOST_TOKENS, MOST_UNITS] {
        assert!(i64::try_from(number).unwrap().checked_mul(rows).is_some(), "{number}");
    }
}

/// Databases that bound their columns refuse a text that is longer.
#[tokio::test(flavor = "multi_thread")]
async fn the_longest_texts_that_are_kept_fit_into_every_database() {
    let long = || "é".repeat(10_000);
    let record = UsageRecord {
        id: "0193a7b2-c4d5-7e8f-9a0b-1c2d3e4f5061".to_owned(),
        request_id: long(),
        node_id: long(),
        proxy_key_id: long(),
        proxy_key_name: long(),
        group_id: long(),
        group_name: long(),
        provider_type: long(),
        upstream_key_id: long(),
        upstream_key_masked: long(),
        api: long(),
        method: long(),
        path: long(),
        requested_model: long(),
        upstream_model: long(),
        error_code: long(),
        error_message: long(),
        client_ip: long(),
        user_agent: long(),
        affinity: long(),
        group_policy: long(),
        cache: long(),
        service_tier: long(),
        ..UsageRecord::default()
    };
    let record = presentable(record).unwrap();
    let database = TestDatabase::new().await;
    let sealing = SealingKey::derive("test", b"a secret of the tests", "tests").unwrap();
    let store = Store::open(&database.url, Arc::new(sealing), &Tasks::new()).await.unwrap();
    assert_eq!(usage::insert(&store, std::slice::from_ref(&record), |_| None).await.unwrap(), 1);
    let page = Page { limit: 1, cursor: None };
    let kept = usage::list(&store, &Scope::Everything, &page, &UsageFilter::default()).await.unwrap().items.remove(0);
    assert_eq!((kept.affinity, kept.group_policy), (Some("é".repeat(MAX_WORD)), Some("é".repeat(MAX_WORD))));
}
