use shared::ids::new_id;
use shared::pb::{UsageAck, UsageBatch, UsageRecord};
use shared::time::now_ms;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use super::support::{PATIENCE, Plane};
use crate::store::tests::database::execute;
use crate::store::{Scope, usage};

fn batch(sequence: u64, ids: &[String]) -> UsageBatch {
    let record = |id: &String| UsageRecord {
        id: id.clone(),
        request_id: format!("req-{id}"),
        node_id: "n1".to_owned(),
        proxy_key_id: "k1".to_owned(),
        api: "openai_chat".to_owned(),
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        status: 200,
        started_at_ms: now_ms(),
        ..UsageRecord::default()
    };
    UsageBatch { node_id: "n1".to_owned(), sequence, records: ids.iter().map(record).collect(), epoch: String::new() }
}

async fn ack(acks: &mut Streaming<UsageAck>) -> Result<Option<u64>, Status> {
    Ok(timeout(PATIENCE, acks.message()).await.expect("an answer in time")?.map(|ack| ack.sequence))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_acked_when_it_is_stored_and_counts_once() {
    let plane = Plane::start().await;
    let ids: Vec<String> = (0..1_200).map(|_| new_id()).collect();
    let (batches, mut acks) = plane.report().await;
    batches.send(batch(1, &ids)).await.unwrap();
    assert_eq!(ack(&mut acks).await.unwrap(), Some(1));
    assert_eq!(usage::totals(&plane.store, &Scope::Everything).await.unwrap().records, 1_200);

    // A node that did not see the ack sends the batch again, with what came after it.
    let (batches, mut acks) = plane.report().await;
    let mut again = ids[1_000..].to_vec();
    again.extend([new_id(), new_id()]);
    batches.send(batch(1, &again)).await.unwrap();
    batches.send(batch(2, &[])).await.unwrap();
    assert_eq!(ack(&mut acks).await.unwrap(), Some(1));
    assert_eq!(ack(&mut acks).await.unwrap(), Some(2));
    assert_eq!(usage::totals(&plane.store, &Scope::Everything).await.unwrap().records, 1_202);
    let metrics = plane.metrics.encode().unwrap();
    assert!(metrics.contains("ledger_records_total 1202"), "{metrics}");
    assert!(metrics.contains("ledger_duplicates_total 200"), "{metrics}");

    drop(batches);
    assert_eq!(ack(&mut acks).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_a_uuid_does_not_block_the_others() {
    let plane = Plane::start().await;
    let (batches, mut acks) = plane.report().await;
    batches.send(batch(1, &[new_id(), "not a uuid".to_owned(), String::new()])).await.unwrap();
    assert_eq!(ack(&mut acks).await.unwrap(), Some(1));
    assert_eq!(usage::totals(&plane.store, &Scope::Everything).await.unwrap().records, 1);
    assert!(plane.metrics.encode().unwrap().contains("ledger_invalid_total 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_database_takes_whole_is_made_to_fit() {
    let plane = Plane::start().await;
    let (batches, mut acks) = plane.report().await;
    let mut odd = batch(1, &[new_id()]);
    let record = &mut odd.records[0];
    record.user_agent = "nul \0 in it".repeat(10_000);
    record.error_message = "é".repeat(100_000);
    record.input_tokens = u64::MAX;
    record.total_us = u64::MAX;
    record.status = u32::MAX;
    record.started_at_ms = i64::MIN;
    batches.send(odd).await.unwrap();
    assert_eq!(ack(&mut acks).await.unwrap(), Some(1));
    assert_eq!(usage::totals(&plane.store, &Scope::Everything).await.unwrap().records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_database_ends_the_stream_without_an_ack() {
    let plane = Plane::start().await;
    execute(&plane.store, "DROP TABLE usage_records").await;
    let (batches, mut acks) = plane.report().await;
    batches.send(batch(1, &[new_id()])).await.unwrap();
    assert_eq!(ack(&mut acks).await.unwrap_err().code(), Code::Unavailable);
    assert!(plane.metrics.encode().unwrap().contains("ledger_records_total 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_another_database_is_not_taken() {
    let plane = Plane::start().await;
    let (batches, mut acks) = plane.report().await;
    let own = plane.publisher.snapshot().epoch.to_string();
    batches.send(UsageBatch { epoch: own, ..batch(1, &[new_id()]) }).await.unwrap();
    assert_eq!(ack(&mut acks).await.unwrap(), Some(1));
    batches.send(UsageBatch { epoch: "another".to_owned(), ..batch(2, &[new_id()]) }).await.unwrap();
    assert_eq!(ack(&mut acks).await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(usage::totals(&plane.store, &Scope::Everything).await.unwrap().records, 1);
}

/// Promise 40 in `docs/PROMISES.md`: nodes of an older version report requests that never authenticated.
#[tokio::test(flavor = "multi_thread")]
async fn p40_records_of_requests_without_a_key_are_acked_and_not_stored() {
    let plane = Plane::start().await;
    let (batches, mut acks) = plane.report().await;
    let mut mixed = batch(1, &[new_id(), new_id(), new_id()]);
    mixed.records[1].proxy_key_id.clear();
    batches.send(mixed).await.unwrap();
    assert_eq!(ack(&mut acks).await.unwrap(), Some(1));
    assert_eq!(usage::totals(&plane.store, &Scope::Everything).await.unwrap().records, 2);
    let metrics = plane.metrics.encode().unwrap();
    assert!(metrics.contains("ledger_unauthenticated_total 1"), "{metrics}");
}
