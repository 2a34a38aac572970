use shared::pb::UsageRecord;
use shared::pb::usage_record::UsageSource;

use super::super::estimate::Unreported;
use super::super::estimate::heard::Heard;
use super::super::estimate::request::HeldRequest;
use super::super::spool::SpoolLimits;
use super::super::worth::Worth;
use super::super::{DropReason, UsageMetrics, UsageSink};
use super::*;
use crate::metrics::Estimate;

const LIMITS: SpoolLimits = SpoolLimits { max_bytes: 1024 * 1024, segment_bytes: 64 * 1024, max_memory_records: 100 };

fn record(number: usize) -> UsageRecord {
    UsageRecord { id: format!("record-{number:06}"), input_tokens: 1, ..UsageRecord::default() }
}

fn on_disk(spool: &Spool) -> Vec<UsageRecord> {
    let mut records = Vec::new();
    while let Some(batch) = spool.next_batch().unwrap() {
        records.extend(batch.records());
    }
    records
}

/// A writer at work.
fn write(spool: &Arc<Spool>, queue: UsageQueue) -> (Tasks, Readiness) {
    let (tasks, readiness) = (Tasks::new(), Readiness::new("0"));
    tasks.spawn("writer", Writer::new(Arc::clone(spool), readiness.clone(), tasks.clone()).run(queue));
    (tasks, readiness)
}

#[tokio::test]
async fn a_record_is_on_disk_soon_and_all_are_when_the_tasks_stop() {
    let root = tempfile::tempdir().unwrap();
    let metrics = UsageMetrics::default();
    let spool = Spool::open(root.path(), LIMITS, metrics.clone()).unwrap();
    let (sink, queue) = UsageSink::channel(10_000, &metrics);
    let (tasks, _) = write(&spool, queue);

    sink.submit(record(0), None);
    timeout(Duration::from_secs(5), spool.changed()).await.unwrap();
    assert_eq!(spool.pending(), 1);

    for number in 1..5000 {
        sink.submit(record(number), None);
    }
    assert!(tasks.drain("writer", Duration::from_secs(10)).await);
    assert!(spool.is_closed());
    assert_eq!(on_disk(&spool).len(), 5000);

    sink.submit(record(5000), None);
    assert_eq!(metrics.dropped(DropReason::QueueFull, Worth::Paid).get(), 1, "what comes after the end is counted");
    sink.end_in(&spool);
    sink.submit(record(5001), None);
    assert_eq!(metrics.dropped_total(), 1);
    assert_eq!(on_disk(&spool).len(), 1, "or written on the spot");
}

#[tokio::test]
async fn a_disk_that_never_recovers_costs_what_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let metrics = UsageMetrics::default();
    let directory = root.path().join("usage");
    let spool = Spool::open(&directory, LIMITS, metrics.clone()).unwrap();
    std::fs::write(&directory, "no directory").unwrap();
    let (sink, queue) = UsageSink::channel(100, &metrics);
    for number in 0..150 {
        sink.submit(record(number), None);
    }
    for number in 0..10 {
        sink.submit(UsageRecord { input_tokens: 0, ..record(200 + number) }, None);
    }
    assert_eq!(sink.waiting(), 110);
    let (tasks, readiness) = write(&spool, queue);
    let degraded = async {
        while !readiness.is_degraded() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), degraded).await.unwrap();
    assert!(readiness.is_ready());
    assert!(tasks.drain("writer", Duration::from_secs(30)).await);
    assert_eq!(metrics.dropped(DropReason::QueueFull, Worth::Paid).get(), 50);
    assert_eq!(metrics.dropped(DropReason::DiskError, Worth::Free).get(), 10, "what cost nothing goes first");
    assert_eq!((metrics.dropped(DropReason::DiskError, Worth::Paid).get(), spool.in_memory()), (0, 100));
    spool.abandon();
    assert_eq!(metrics.dropped(DropReason::DiskError, Worth::Paid).get(), 100);
}

/// Promise 23 in `docs/PROMISES.md`: records are on disk within 200 ms of being settled, whatever else is counted.
#[tokio::test(flavor = "multi_thread")]
async fn p23_a_record_waits_for_no_count() {
    let root = tempfile::tempdir().unwrap();
    let metrics = UsageMetrics::default();
    let spool = Spool::open(root.path(), LIMITS, metrics.clone()).unwrap();
    let (sink, queue) = UsageSink::channel(1000, &metrics);
    let (tasks, _) = write(&spool, queue);
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(20_000);
    let body = serde_json::json!({ "messages": [{ "role": "user", "content": text }] }).to_string();
    let asked = HeldRequest::new(&bytes::Bytes::from(body));
    for number in 0..3 {
        let uncounted =
            UsageRecord { input_tokens: 0, usage_source: UsageSource::Partial.into(), ..record(100 + number) };
        let (asked, estimate) = (Some(asked.clone()), Estimate::default());
        sink.submit(
            uncounted,
            Some(Unreported {
                asked,
                heard: Heard::Nothing,
                written: 0,
                estimate,
                limits: crate::limit::client::ClientPass::default(),
            }),
        );
    }
    sink.submit(record(0), None);
    let written = async {
        while spool.pending() < 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), written).await.unwrap();
    assert!(metrics.uncounted_records.get() > 0, "the record is on disk before the others are counted");
    assert_eq!(spool.pending() + u64::try_from(metrics.uncounted_records.get()).unwrap(), 4, "and so are they");
    let counted = async {
        while spool.pending() < 4 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_mins(2), counted).await.unwrap();
    let records = on_disk(&spool);
    let tokens = |record: &&UsageRecord| record.input_tokens > 150_000;
    assert_eq!((records.iter().filter(tokens).count(), metrics.uncounted_records.get()), (3, 0));
    tasks.drain("writer", Duration::from_secs(10)).await;
}
