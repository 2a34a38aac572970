//! Tests that no usage is lost: promises 23 and 24 in `docs/PROMISES.md`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use harness::http::Connection;
use harness::planes::{chat, chat_request};
use harness::wait;
use shared::drain::Tasks;

use crate::support::{Bed, SOON, ledger, split};

/// An answer that a client has received completely.
struct Answered {
    request_id: String,
    sent: Instant,
    seen: Instant,
}

type Seen = Arc<Mutex<Vec<Answered>>>;

async fn client(address: std::net::SocketAddr, key: String, seen: Seen, tasks: Tasks) {
    let mut connection = Connection::to(address);
    while !tasks.is_stopping() {
        let request = chat_request(&key, &chat("gpt-4o", false)).unwrap();
        let sent = Instant::now();
        match connection.fetch(request).await {
            Ok(answer) if answer.status == 200 => {
                let request_id = answer.header("x-request-id").to_owned();
                seen.lock().unwrap().push(Answered { request_id, sent, seen: Instant::now() });
            }
            // The node is dead.
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Promise 23 in `docs/PROMISES.md`: when nodes are killed, no record that was settled 200 ms before is lost, and none
/// is counted twice. Scale: 4 kills instead of 20, and some 1,500 requests instead of 100,000.
#[tokio::test(flavor = "multi_thread")]
async fn p23_usage_survives_kill_9_and_is_counted_once() {
    const KILLS: usize = 4;
    let mut bed = Bed::start(split(1)).await.unwrap();
    let seen = Seen::default();
    let tasks = Tasks::new();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let client = client(bed.planes.api().http, bed.key.value.clone(), Arc::clone(&seen), tasks.clone());
            tasks.spawn("client", client)
        })
        .collect();
    let mut settled = HashSet::new();
    // An answer belongs to the run of the node in which its request was sent. A record that one run settled too late to
    // be kept is not expected of the next.
    let mut started = Instant::now();
    for kill in 1..=KILLS {
        let old = |answer: &Answered, by: Instant| {
            answer.sent >= started && by.saturating_duration_since(answer.seen) > Duration::from_millis(200)
        };
        let enough = wait::until("requests are answered that have to be kept", SOON, || {
            let now = Instant::now();
            (seen.lock().unwrap().iter().filter(|answer| old(answer, now)).count() >= 200).then_some(())
        });
        enough.await.unwrap();
        if kill == 2 {
            // The control plane dies with the node, so batches that were sent and not acked are sent again.
            bed.planes.control.kill().await.unwrap();
        }
        let killed = Instant::now();
        bed.planes.nodes[0].kill().await.unwrap();
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        let kept = seen.into_iter().filter(|answer| old(answer, killed));
        settled.extend(kept.map(|answer| answer.request_id));
        if kill == 2 {
            bed.planes.control.start().await.unwrap();
        }
        started = Instant::now();
        bed.planes.nodes[0].start().await.unwrap();
    }
    tasks.stop();
    for client in clients {
        client.await.unwrap();
    }
    // A node that ends in good order loses no record.
    let last_run = std::mem::take(&mut *seen.lock().unwrap()).into_iter().filter(|answer| answer.sent >= started);
    settled.extend(last_run.map(|answer| answer.request_id));
    bed.planes.nodes[0].stop(SOON).await.unwrap();
    bed.planes.nodes[0].start().await.unwrap();
    let mut lost = HashSet::new();
    let found = wait::until_async("what was settled is in the ledger", SOON, async || {
        let records = ledger(&bed.planes).await.ok()?;
        let ids: HashSet<&str> = records.iter().filter_map(|record| record["requestId"].as_str()).collect();
        lost = settled.iter().filter(|id| !ids.contains(id.as_str())).cloned().collect();
        lost.is_empty().then_some(())
    })
    .await;
    assert!(found.is_ok(), "{} of {} are lost", lost.len(), settled.len());

    let records = ledger(&bed.planes).await.unwrap();
    let ids: HashSet<&str> = records.iter().map(|record| record["requestId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), records.len(), "a request is counted twice");
    let all = bed.planes.admin.logs().await.unwrap();
    let of_key = all.iter().filter(|record| record["proxyKeyId"] == bed.key.id.as_str()).count();
    let key = bed.planes.admin.get(&format!("/admin/proxy-keys/{}", bed.key.id)).await.unwrap();
    assert_eq!(key["usageCount"], of_key, "the key's counter differs from the ledger");
}

/// Promise 24 in `docs/PROMISES.md`: while the control plane is away memory stays bounded, and a metric says exactly
/// how many records were dropped. Scale: 1,500 requests as fast as they go instead of 10 min at 500 a second, and a
/// spool that is smaller in proportion.
#[tokio::test(flavor = "multi_thread")]
async fn p24_the_usage_queue_is_bounded_and_what_it_drops_is_counted() {
    const REQUESTS: usize = 1500;
    const MEMORY: u64 = 64 << 20;
    let setup = split(1).set("Usage:SpoolMaxBytes", 128 * 1024).set("Usage:SegmentBytes", 16 * 1024);
    let mut bed = Bed::start(setup).await.unwrap();
    // All earlier records are reported first, so that the counts below are of this test alone.
    bed.chat(&chat("gpt-4o", false)).await.unwrap();
    bed.chat_records(1).await.unwrap();
    bed.planes.control.kill().await.unwrap();

    let before = bed.planes.api().process().unwrap().resident_bytes().unwrap();
    let sending = (0..4).map(async |_| {
        let mut connection = Connection::to(bed.planes.api().http);
        for _ in 0..REQUESTS / 4 {
            let request = chat_request(&bed.key.value, &chat("gpt-4o", false)).unwrap();
            assert_eq!(connection.fetch(request).await.unwrap().status, 200);
        }
    });
    futures_util::future::join_all(sending).await;
    let grown = bed.planes.api().process().unwrap().peak_resident_bytes().unwrap().saturating_sub(before);
    assert!(grown <= MEMORY, "memory grew by {} KiB", grown / 1024);
    let spool: u64 = sizes(&bed.planes.api().data);
    assert!(spool <= 512 * 1024, "{spool} bytes are on disk");

    bed.planes.control.start().await.unwrap();
    let mut last = (0, 0);
    let counted = wait::until_async("stored and dropped are what was sent", SOON, async || {
        let stored = ledger(&bed.planes).await.ok()?.len() - 1;
        let scrape = bed.planes.api().scrape().await.ok()?;
        let dropped = scrape.sum("dropped").unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of at most 1,500")]
        let dropped = dropped as usize;
        last = (stored, dropped);
        (stored + dropped == REQUESTS).then_some((stored, dropped))
    })
    .await;
    assert!(counted.is_ok(), "stored {}, dropped {}, of {REQUESTS}", last.0, last.1);
    let (stored, dropped) = counted.unwrap();
    assert!(stored > 0 && dropped > 0, "stored {stored}, dropped {dropped}");
    let log = bed.planes.api().process().unwrap().log();
    assert!(
        log.lines().any(|line| line.contains("drop") && line.contains("\"level\":\"ERROR\"")),
        "nothing says so loudly"
    );
}

fn sizes(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { sizes(&entry.path()) } else { metadata.len() }
        })
        .sum()
}
