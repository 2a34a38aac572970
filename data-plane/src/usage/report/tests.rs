use std::collections::BTreeSet;
use std::path::Path;

use shared::pb::UsageRecord;

use super::*;
use crate::control::tests::server::{LONG, TOKEN, TestServer};
use crate::usage::UsageMetrics;
use crate::usage::spool::{Lane, SpoolLimits};

const LIMITS: SpoolLimits =
    SpoolLimits { max_bytes: 64 * 1024 * 1024, segment_bytes: 16 * 1024, max_memory_records: 1000 };

fn records(range: std::ops::Range<usize>) -> Vec<UsageRecord> {
    range.map(|number| UsageRecord { id: format!("record-{number:06}"), ..UsageRecord::default() }).collect()
}

fn spool(directory: &Path) -> (Arc<Spool>, UsageMetrics) {
    let metrics = UsageMetrics::default();
    (Spool::open(directory, LIMITS, metrics.clone()).unwrap(), metrics)
}

/// A reporter at work.
fn report(spool: &Arc<Spool>, link: Link, ack: Duration) -> Tasks {
    let tasks = Tasks::new();
    let deadlines = Deadlines { ack, ..Deadlines::default() };
    let reporter = Reporter::new(Arc::clone(spool), link, "node-1".into(), deadlines, tasks.clone());
    tasks.spawn("report", reporter.run());
    tasks
}

/// Waits until the control plane has acked everything.
async fn until_acked(metrics: &UsageMetrics, count: u64) {
    let acked = async {
        while metrics.reported.get() < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, acked).await.unwrap();
}

#[tokio::test]
async fn what_is_written_is_reported_once_and_freed() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = spool(root.path());
    let server = TestServer::start();
    spool.append(Lane::Paid, &records(0..1000)).unwrap();
    let tasks = report(&spool, server.link(TOKEN), LONG);
    until_acked(&metrics, 1000).await;
    spool.append(Lane::Paid, &records(1000..1001)).unwrap();
    until_acked(&metrics, 1001).await;

    let expected: Vec<String> = records(0..1001).into_iter().map(|record| record.id).collect();
    assert_eq!(server.ledger.lock().unwrap().ids, expected, "in order, and nothing twice");
    assert_eq!((spool.pending(), metrics.dropped_total(), server.ledger.lock().unwrap().streams), (0, 0, 1));
    spool.close();
    assert!(tasks.drain("report", LONG).await);
}

#[tokio::test]
async fn cut_streams_and_lost_acks_lose_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = spool(root.path());
    let server = TestServer::start();
    {
        let mut ledger = server.ledger.lock().unwrap();
        (ledger.cut_after, ledger.lose_ack) = (5, 7);
    }
    let all = records(0..8000);
    let tasks = report(&spool, server.link(TOKEN), LONG);
    for some in all.chunks(500) {
        spool.append(Lane::Paid, some).unwrap();
    }
    until_acked(&metrics, 8000).await;

    {
        let ledger = server.ledger.lock().unwrap();
        let stored: BTreeSet<&str> = ledger.ids.iter().map(String::as_str).collect();
        assert_eq!(stored.len(), all.len());
        assert!(ledger.ids.len() > all.len(), "a batch whose ack was lost came again");
        assert!(ledger.streams > 2);
    }
    assert_eq!((metrics.reported.get(), metrics.dropped_total(), spool.pending()), (8000, 0, 0));
    spool.close();
    assert!(tasks.drain("report", LONG).await);
}

#[tokio::test]
async fn a_control_plane_that_comes_back_gets_everything() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = spool(root.path());
    let server = TestServer::start();
    let tasks = report(&spool, server.link(TOKEN), LONG);
    spool.append(Lane::Paid, &records(0..100)).unwrap();
    until_acked(&metrics, 100).await;
    let (address, ledger) = server.vanish().await;
    spool.append(Lane::Paid, &records(100..3000)).unwrap();
    assert_eq!(spool.pending(), 2900);
    let server = TestServer::start_at(address, ledger);
    until_acked(&metrics, 3000).await;
    let stored: BTreeSet<String> = server.ledger.lock().unwrap().ids.iter().cloned().collect();
    assert_eq!(stored.len(), 3000);
    spool.close();
    assert!(tasks.drain("report", LONG).await);
}

#[tokio::test]
async fn silence_is_a_failure() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = spool(root.path());
    let server = TestServer::start();
    server.ledger.lock().unwrap().silent = true;
    spool.append(Lane::Paid, &records(0..10)).unwrap();
    let tasks = report(&spool, server.link(TOKEN), Duration::from_millis(50));
    let again = async {
        while server.ledger.lock().unwrap().streams < 3 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, again).await.unwrap();
    assert_eq!(metrics.reported.get(), 0);
    server.ledger.lock().unwrap().silent = false;
    until_acked(&metrics, 10).await;
    spool.close();
    assert!(tasks.drain("report", LONG).await);
}

#[tokio::test]
async fn a_refused_token_keeps_records_on_disk() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = spool(root.path());
    let server = TestServer::start();
    spool.append(Lane::Paid, &records(0..10)).unwrap();
    let tasks = report(&spool, server.link("another-token-of-more-than-32-bytes"), LONG);
    spool.close();
    assert!(tasks.drain("report", LONG).await, "a node that ends does not try for ever");
    assert_eq!((spool.pending(), metrics.reported.get(), server.ledger.lock().unwrap().streams), (10, 0, 0));
}

#[tokio::test]
async fn a_restarted_node_reports_what_was_not_acked() {
    let root = tempfile::tempdir().unwrap();
    let server = TestServer::start();
    {
        let (spool, metrics) = spool(root.path());
        spool.append(Lane::Paid, &records(0..700)).unwrap();
        let tasks = report(&spool, server.link(TOKEN), LONG);
        until_acked(&metrics, 700).await;
        spool.close();
        assert!(tasks.drain("report", LONG).await);
        spool.append(Lane::Paid, &records(700..900)).unwrap();
    }
    let (spool, metrics) = spool(root.path());
    let tasks = report(&spool, server.link(TOKEN), LONG);
    until_acked(&metrics, 200).await;
    assert_eq!(server.ledger.lock().unwrap().ids.len(), 900, "nothing that was acked came again");
    spool.close();
    assert!(tasks.drain("report", LONG).await);
}
