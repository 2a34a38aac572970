use shared::pb::UsageRecord;
use shared::pb::usage_record::UsageSource;
use shared::tokens::MOST_TOKENS;

use super::{MAX_NAME, MOST_MICROS, MOST_MS, presentable};

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
        cost_micros: i64::MIN,
        started_at_ms: i64::MAX,
        usage_source: UsageSource::Reported.into(),
        ..UsageRecord::default()
    };
    let record = presentable(record).unwrap();
    assert_eq!((record.cost_micros, record.started_at_ms, record.usage_source()), (0, MOST_MS, UsageSource::Reported));
    let rows = 100_000;
    for number in [record.total_us, record.request_bytes, MOST_TOKENS, MOST_MICROS.unsigned_abs()] {
        assert!(i64::try_from(number).unwrap().checked_mul(rows).is_some(), "{number}");
    }
}
