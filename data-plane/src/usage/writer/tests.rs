use super::super::UsageSink;
use super::super::spool::SpoolLimits;
use super::*;

const LIMITS: SpoolLimits = SpoolLimits { max_bytes: 1024 * 1024, segment_bytes: 64 * 1024 };

fn record(number: usize) -> UsageRecord {
    UsageRecord { id: format!("record-{number:06}"), ..UsageRecord::default() }
}

fn on_disk(spool: &Spool) -> usize {
    let mut count = 0;
    while let Some(batch) = spool.next_batch().unwrap() {
        count += batch.records().len();
    }
    count
}

#[tokio::test]
async fn a_record_is_on_disk_soon_and_all_are_when_the_tasks_stop() {
    let root = tempfile::tempdir().unwrap();
    let metrics = UsageMetrics::default();
    let spool = Spool::open(root.path(), LIMITS, metrics.clone()).unwrap();
    let (sink, records) = UsageSink::channel(10_000, metrics.dropped(DropReason::QueueFull));
    let tasks = Tasks::new();
    tasks.spawn("writer", write(Arc::clone(&spool), records, metrics.clone(), tasks.clone()));

    sink.submit(record(0), None);
    tokio::time::timeout(Duration::from_secs(5), spool.changed()).await.unwrap();
    assert_eq!(spool.pending(), 1);

    for number in 1..5000 {
        sink.submit(record(number), None);
    }
    assert!(tasks.drain("writer", Duration::from_secs(10)).await);
    assert!(spool.is_closed());
    assert_eq!(on_disk(&spool), 5000);

    sink.submit(record(5000), None);
    assert_eq!(metrics.dropped(DropReason::QueueFull).get(), 1, "what comes after the end is counted");
}

#[tokio::test]
async fn a_disk_that_never_recovers_costs_what_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let metrics = UsageMetrics::default();
    let directory = root.path().join("usage");
    let spool = Spool::open(&directory, LIMITS, metrics.clone()).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let (sink, records) = UsageSink::channel(100, metrics.dropped(DropReason::QueueFull));
    for number in 0..150 {
        sink.submit(record(number), None);
    }
    assert_eq!(sink.waiting(), 100);
    let tasks = Tasks::new();
    tasks.spawn("writer", write(spool, records, metrics.clone(), tasks.clone()));
    assert!(tasks.drain("writer", Duration::from_secs(30)).await);
    assert_eq!(metrics.dropped(DropReason::QueueFull).get(), 50);
    assert_eq!(metrics.dropped(DropReason::DiskError).get(), 100);
}
