use std::fs;

use tempfile::TempDir;

use super::*;
use crate::usage::backlog::Waiting;

const ROOMY: SpoolLimits =
    SpoolLimits { max_bytes: 64 * 1024 * 1024, segment_bytes: 4 * 1024, max_memory_records: 100 };

fn records(range: std::ops::Range<usize>) -> Vec<UsageRecord> {
    range.map(|number| UsageRecord { id: format!("record-{number:06}"), ..UsageRecord::default() }).collect()
}

fn ids(records: &[UsageRecord]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

fn open(root: &TempDir, limits: SpoolLimits) -> (Arc<Spool>, UsageMetrics) {
    let metrics = UsageMetrics::default();
    (Spool::open(&root.path().join("usage"), limits, metrics.clone()).unwrap(), metrics)
}

/// Everything that has not been handed out.
fn take(spool: &Spool) -> (Vec<UsageRecord>, Vec<Batch>) {
    let (mut records, mut batches) = (Vec::new(), Vec::new());
    while let Some(batch) = spool.next_batch().unwrap() {
        records.extend(batch.records());
        batches.push(batch);
    }
    (records, batches)
}

fn segments(root: &TempDir) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root.path().join("usage"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .collect();
    files.sort();
    files
}

#[test]
fn records_come_back_in_order_over_many_segments() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    let all = records(0..2000);
    for some in all.chunks(7) {
        spool.append(Lane::Paid, some).unwrap();
    }
    assert!(segments(&root).len() > 5);
    assert_eq!(spool.pending(), 2000);
    let (read, batches) = take(&spool);
    assert_eq!(ids(&read), ids(&all));
    assert!(batches.iter().all(|batch| batch.frames <= BATCH_RECORDS));
    for batch in &batches {
        spool.acked(batch);
    }
    assert_eq!((spool.pending(), metrics.reported.get(), metrics.spool_records.get()), (0, 2000, 0));
    assert_eq!(segments(&root).len(), 1, "only the segment that is written to is left");
    assert_eq!(metrics.dropped_total(), 0);
}

#[test]
fn one_append_larger_than_a_segment_is_spread() {
    let root = tempfile::tempdir().unwrap();
    let (spool, _) = open(&root, ROOMY);
    let all = records(0..1000);
    spool.append(Lane::Paid, &all).unwrap();
    assert!(segments(&root).iter().all(|path| fs::metadata(path).unwrap().len() <= ROOMY.segment_bytes));
    assert_eq!(ids(&take(&spool).0), ids(&all));
}

#[test]
fn a_restart_hands_out_only_what_is_not_acked() {
    let root = tempfile::tempdir().unwrap();
    let all = records(0..1500);
    {
        let (spool, _) = open(&root, SpoolLimits { segment_bytes: 1024 * 1024, ..ROOMY });
        spool.append(Lane::Paid, &all).unwrap();
        let first = spool.next_batch().unwrap().unwrap();
        let _second = spool.next_batch().unwrap().unwrap();
        spool.acked(&first);
    }
    let (spool, _) = open(&root, ROOMY);
    assert_eq!(spool.pending(), 1000);
    spool.append(Lane::Paid, &records(1500..1600)).unwrap();
    let (read, batches) = take(&spool);
    assert_eq!(ids(&read), ids(&records(500..1600)));
    for batch in &batches {
        spool.acked(batch);
    }
    drop(spool);
    let (spool, _) = open(&root, ROOMY);
    assert_eq!(spool.pending(), 0);
    assert!(segments(&root).is_empty());
    spool.append(Lane::Paid, &records(0..3)).unwrap();
    assert_eq!(ids(&take(&spool).0), ids(&records(0..3)), "the old cursor does not hide new records");
}

#[test]
fn a_damaged_cursor_only_sends_again() {
    let root = tempfile::tempdir().unwrap();
    {
        let (spool, _) = open(&root, ROOMY);
        spool.append(Lane::Paid, &records(0..10)).unwrap();
        let (_, batches) = take(&spool);
        spool.acked(&batches[0]);
    }
    fs::write(root.path().join("usage/acked"), [7; 20]).unwrap();
    assert_eq!(open(&root, ROOMY).0.pending(), 10);
}

#[test]
fn a_torn_tail_costs_the_torn_record_alone() {
    let root = tempfile::tempdir().unwrap();
    open(&root, ROOMY).0.append(Lane::Paid, &records(0..20)).unwrap();
    let [file] = segments(&root).try_into().unwrap();
    let length = fs::metadata(&file).unwrap().len();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length - 3).unwrap();
    let (spool, _) = open(&root, ROOMY);
    spool.append(Lane::Paid, &records(20..30)).unwrap();
    assert_eq!(segments(&root).len(), 2, "nothing is written behind the tear");
    let expected: Vec<_> = records(0..19).into_iter().chain(records(20..30)).collect();
    assert_eq!(ids(&take(&spool).0), ids(&expected));
}

#[test]
fn a_file_of_another_version_is_put_aside() {
    let root = tempfile::tempdir().unwrap();
    open(&root, ROOMY).0.append(Lane::Paid, &records(0..2)).unwrap();
    let [file] = segments(&root).try_into().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] = 9;
    fs::write(&file, bytes).unwrap();
    assert_eq!(open(&root, ROOMY).0.pending(), 0);
    assert!(file.with_extension("unreadable").exists());
}

/// Records of requests of the proxy key `key` that have cost something, or nothing.
fn of(key: &str, worth: Worth, range: std::ops::Range<usize>) -> Vec<UsageRecord> {
    let mut records = records(range);
    for record in &mut records {
        record.proxy_key_id = key.to_owned();
        record.input_tokens = if worth == Worth::Paid { 5 } else { 0 };
        record.id = format!("{key}-{}-{}", worth.name(), record.id);
    }
    records
}

const SMALL: SpoolLimits = SpoolLimits { max_bytes: 32 * 1024, segment_bytes: 1024 * 1024, max_memory_records: 100 };

fn on_disk(root: &TempDir) -> u64 {
    let entries = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let directory = root.path().join("usage");
    let files: Vec<_> = entries(&directory)
        .into_iter()
        .flat_map(|path| if path.is_dir() { entries(&path) } else { vec![path] })
        .collect();
    files.iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

#[test]
fn a_full_spool_counts_exactly_what_it_drops() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, SMALL);
    let all = of("a", Worth::Paid, 0..5000);
    for some in all.chunks(11) {
        spool.append(Lane::Paid, some).unwrap();
        assert!(on_disk(&root) <= SMALL.max_bytes + 64, "{}", on_disk(&root));
    }
    let dropped = metrics.dropped(DropReason::SpoolFull, Worth::Paid).get();
    assert!(dropped > 0);
    assert_eq!(spool.pending(), 5000 - dropped);
    let (read, batches) = take(&spool);
    assert_eq!(read.len() as u64, 5000 - dropped);
    assert!(on_disk(&root) > SMALL.max_bytes / 10 * 8, "one proxy key alone has most of it");
    for batch in &batches {
        spool.acked(batch);
    }
    spool.append(Lane::Paid, &all[..100]).unwrap();
    assert_eq!((spool.pending(), metrics.dropped_total()), (100, dropped), "there is room again");
}

#[test]
fn p40_what_cost_nothing_goes_first() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, SMALL);
    let paid = of("a", Worth::Paid, 0..300);
    spool.append(Lane::Paid, &paid[..150]).unwrap();
    let noise = of("a", Worth::Free, 0..5000);
    for some in noise.chunks(100) {
        spool.append(Lane::Free, some).unwrap();
        assert!(on_disk(&root) <= SMALL.max_bytes + 64);
    }
    spool.append(Lane::Paid, &paid[150..]).unwrap();
    assert_eq!(metrics.dropped(DropReason::SpoolFull, Worth::Paid).get(), 0);
    let dropped = metrics.dropped(DropReason::SpoolFull, Worth::Free).get();
    assert_eq!(spool.pending(), 5300 - dropped);
    let (read, _) = take(&spool);
    assert_eq!(ids(&read[..300]), ids(&paid), "what was paid for is all there, and is sent first");
    assert_eq!(read.len() as u64, 5300 - dropped);

    // Where there is no room for what was paid for, nothing that cost nothing stays.
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, SMALL);
    spool.append(Lane::Free, &noise[..50]).unwrap();
    spool.append(Lane::Paid, &of("a", Worth::Paid, 0..5000)).unwrap();
    assert!(metrics.dropped(DropReason::SpoolFull, Worth::Paid).get() > 0);
    assert_eq!(metrics.dropped(DropReason::SpoolFull, Worth::Free).get(), 50);
}

#[test]
fn p40_no_proxy_key_pushes_out_the_records_of_another() {
    for worth in Worth::ALL {
        let root = tempfile::tempdir().unwrap();
        let (spool, metrics) = open(&root, SMALL);
        let lane = Lane::of(worth);
        let quiet = of("quiet", worth, 0..40);
        spool.append(lane, &quiet[..20]).unwrap();
        for some in of("loud", worth, 0..5000).chunks(50) {
            spool.append(lane, some).unwrap();
        }
        spool.append(lane, &quiet[20..]).unwrap();
        let (read, _) = take(&spool);
        let kept: Vec<_> = read.iter().filter(|record| record.proxy_key_id == "quiet").cloned().collect();
        assert_eq!(ids(&kept), ids(&quiet), "{worth:?}");
        assert_eq!(read.len() as u64 + metrics.dropped_total(), 5040);
    }
}

#[test]
fn what_is_on_its_way_is_not_dropped() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, SMALL);
    spool.append(Lane::Free, &of("a", Worth::Free, 0..100)).unwrap();
    let first = spool.next_batch().unwrap().unwrap();
    let on_its_way = first.records().len() as u64;
    assert!(on_its_way > 50);
    spool.append(Lane::Paid, &of("a", Worth::Paid, 0..5000)).unwrap();
    spool.append(Lane::Free, &of("a", Worth::Free, 100..5000)).unwrap();
    let (read, rest) = take(&spool);
    assert_eq!(on_its_way + read.len() as u64 + metrics.dropped_total(), 10_000);
    spool.acked(&first);
    for batch in &rest {
        spool.acked(batch);
    }
    assert_eq!((spool.pending(), metrics.reported.get()), (0, 10_000 - metrics.dropped_total()));
}

#[test]
fn a_record_that_waits_for_its_count_is_on_disk_and_is_not_sent_before() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    let rough = of("a", Worth::Paid, 0..3);
    let places: Vec<_> = rough.iter().map(|record| spool.hold(record).unwrap()).collect();
    assert_eq!((spool.pending(), metrics.uncounted_records.get()), (0, 3));
    assert!(spool.next_batch().unwrap().is_none());
    let counted = UsageRecord { input_tokens: 77, ..rough[0].clone() };
    spool.push(Waiting { record: counted, uncounted: Some(places[0]) });
    assert!(spool.flush().error.is_none());
    assert_eq!((spool.pending(), metrics.uncounted_records.get()), (1, 2));
    let (read, _) = take(&spool);
    assert_eq!((read[0].input_tokens, read.len()), (77, 1));
    drop(spool);

    // After a crash, what was not counted is sent with rough counts.
    let (spool, _) = open(&root, ROOMY);
    let (read, batches) = take(&spool);
    let rough_ids: Vec<_> = ids(&rough).into_iter().collect();
    assert_eq!(ids(&read), rough_ids, "the first is there as it was counted, the others are not");
    assert_eq!(read.iter().map(|record| record.input_tokens).collect::<Vec<_>>(), [77, 5, 5]);
    for batch in &batches {
        spool.acked(batch);
    }
    assert_eq!(spool.pending(), 0);
    drop(spool);
    assert_eq!(open(&root, ROOMY).0.pending(), 0);
}

#[test]
fn what_is_not_counted_at_the_end_is_sent_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    let rough = of("a", Worth::Paid, 0..2);
    for record in &rough {
        assert!(spool.hold(record).is_some());
    }
    spool.close();
    assert_eq!((spool.pending(), metrics.uncounted_records.get()), (2, 0));
    assert_eq!(ids(&take(&spool).0), ids(&rough));
}

#[test]
fn what_the_disk_does_not_take_waits_in_memory_and_may_be_sent_from_there() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    let obstacle = root.path().join("usage");
    fs::write(&obstacle, "no directory").unwrap();
    let all = of("a", Worth::Paid, 0..5);
    let push = |record: &UsageRecord| spool.push(Waiting { record: record.clone(), uncounted: None });
    all.iter().for_each(push);
    assert!(spool.flush().error.is_some());
    assert!(spool.hold(&all[0]).is_none(), "nothing waits for its count that is not on disk");
    assert_eq!((spool.in_memory(), metrics.memory_records.get(), spool.has_unsent()), (5, 5, true));
    let batch = spool.next_batch().unwrap().unwrap();
    assert!(batch.is_in_memory() && spool.in_memory() == 0);
    spool.give_back(&batch);
    assert_eq!(spool.in_memory(), 5);
    fs::remove_file(&obstacle).unwrap();
    assert!(spool.flush().error.is_none());
    assert_eq!((spool.in_memory(), spool.pending(), metrics.memory_records.get()), (0, 5, 0));
    assert_eq!(ids(&take(&spool).0), ids(&all));
    assert_eq!(metrics.dropped_total(), 0);
}

#[test]
fn a_start_writes_nothing() {
    let root = tempfile::tempdir().unwrap();
    open(&root, ROOMY);
    assert!(!root.path().join("usage").exists(), "nothing is made before there is a record");
    open(&root, ROOMY).0.append(Lane::Paid, &records(0..9)).unwrap();
    let state = || -> Vec<_> {
        let entries = fs::read_dir(root.path().join("usage")).unwrap();
        let mut state: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::metadata(&path).unwrap().modified().unwrap(), fs::read(&path).unwrap()))
            .collect();
        state.sort();
        state
    };
    let before = state();
    assert_eq!(open(&root, ROOMY).0.pending(), 9);
    assert_eq!(state(), before);
}

#[test]
fn damage_under_way_costs_the_rest_of_the_segment_and_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    let all = records(0..300);
    spool.append(Lane::Paid, &all).unwrap();
    let files = segments(&root);
    let mut bytes = fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[0], bytes).unwrap();
    let (read, _) = take(&spool);
    let lost = metrics.dropped(DropReason::Damaged, Worth::Paid).get();
    assert!(lost > 0);
    assert_eq!(read.len() as u64 + lost, 300);
    assert_eq!(spool.pending(), 300 - lost);
    assert_eq!(read.last().unwrap().id, all.last().unwrap().id, "later segments are read");
}

#[test]
fn a_record_too_large_is_counted_and_the_others_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    let mut all = records(0..3);
    all[1].error_message = "x".repeat(2 * 1024 * 1024);
    spool.append(Lane::Paid, &all).unwrap();
    assert_eq!(ids(&take(&spool).0), ["record-000000", "record-000002"]);
    assert_eq!(metrics.dropped(DropReason::TooLarge, Worth::Paid).get(), 1);
}

#[test]
fn a_disk_that_takes_nothing_says_how_far_it_got() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    spool.append(Lane::Paid, &records(0..1)).unwrap();
    // Where the third segment should be there is something else.
    let obstacle = root.path().join("usage/00000000000000000003.segment");
    fs::create_dir(&obstacle).unwrap();
    let all = records(1..1000);
    let failure = spool.append(Lane::Paid, &all).unwrap_err();
    assert!(failure.written > 0 && failure.written < all.len());
    assert_eq!(spool.pending(), 1 + failure.written as u64);
    assert_eq!(spool.append(Lane::Paid, &all[failure.written..]).unwrap_err().written, 0);
    fs::remove_dir(&obstacle).unwrap();
    spool.append(Lane::Paid, &all[failure.written..]).unwrap();
    assert_eq!(ids(&take(&spool).0), ids(&records(0..1000)));
    assert_eq!(metrics.dropped_total(), 0);
}
