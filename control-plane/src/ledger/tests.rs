use shared::pb::UsageRecord;

use super::{MAX_NAME, presentable};

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
    assert_eq!(i64::try_from(record.output_tokens), Ok(i64::MAX));
}
