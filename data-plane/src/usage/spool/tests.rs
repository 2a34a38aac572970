use std::fs;

use tempfile::TempDir;

use super::*;

const ROOMY: SpoolLimits = SpoolLimits { max_bytes: 64 * 1024 * 1024, segment_bytes: 4 * 1024 };

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
        spool.append(some).unwrap();
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
    spool.append(&all).unwrap();
    assert!(segments(&root).iter().all(|path| fs::metadata(path).unwrap().len() <= ROOMY.segment_bytes));
    assert_eq!(ids(&take(&spool).0), ids(&all));
}

#[test]
fn a_restart_hands_out_only_what_is_not_acked() {
    let root = tempfile::tempdir().unwrap();
    let all = records(0..1500);
    {
        let (spool, _) = open(&root, SpoolLimits { segment_bytes: 1024 * 1024, ..ROOMY });
        spool.append(&all).unwrap();
        let first = spool.next_batch().unwrap().unwrap();
        let _second = spool.next_batch().unwrap().unwrap();
        spool.acked(&first);
    }
    let (spool, _) = open(&root, ROOMY);
    assert_eq!(spool.pending(), 1000);
    spool.append(&records(1500..1600)).unwrap();
    let (read, batches) = take(&spool);
    assert_eq!(ids(&read), ids(&records(500..1600)));
    for batch in &batches {
        spool.acked(batch);
    }
    drop(spool);
    let (spool, _) = open(&root, ROOMY);
    assert_eq!(spool.pending(), 0);
    assert!(segments(&root).is_empty());
    spool.append(&records(0..3)).unwrap();
    assert_eq!(ids(&take(&spool).0), ids(&records(0..3)), "the old cursor does not hide new records");
}

#[test]
fn a_damaged_cursor_only_sends_again() {
    let root = tempfile::tempdir().unwrap();
    {
        let (spool, _) = open(&root, ROOMY);
        spool.append(&records(0..10)).unwrap();
        let (_, batches) = take(&spool);
        spool.acked(&batches[0]);
    }
    fs::write(root.path().join("usage/acked"), [7; 20]).unwrap();
    assert_eq!(open(&root, ROOMY).0.pending(), 10);
}

#[test]
fn a_torn_tail_costs_the_torn_record_alone() {
    let root = tempfile::tempdir().unwrap();
    open(&root, ROOMY).0.append(&records(0..20)).unwrap();
    let [file] = segments(&root).try_into().unwrap();
    let length = fs::metadata(&file).unwrap().len();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length - 3).unwrap();
    let (spool, _) = open(&root, ROOMY);
    spool.append(&records(20..30)).unwrap();
    assert_eq!(segments(&root).len(), 2, "nothing is written behind the tear");
    let expected: Vec<_> = records(0..19).into_iter().chain(records(20..30)).collect();
    assert_eq!(ids(&take(&spool).0), ids(&expected));
}

#[test]
fn a_file_of_another_version_is_put_aside() {
    let root = tempfile::tempdir().unwrap();
    open(&root, ROOMY).0.append(&records(0..2)).unwrap();
    let [file] = segments(&root).try_into().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] = 9;
    fs::write(&file, bytes).unwrap();
    assert_eq!(open(&root, ROOMY).0.pending(), 0);
    assert!(file.with_extension("unreadable").exists());
}

#[test]
fn a_full_spool_drops_the_oldest_and_counts_exactly() {
    let root = tempfile::tempdir().unwrap();
    let limits = SpoolLimits { max_bytes: 16 * 1024, segment_bytes: 1024 * 1024 };
    let (spool, metrics) = open(&root, limits);
    let all = records(0..5000);
    for some in all.chunks(11) {
        spool.append(some).unwrap();
        let bytes: u64 = segments(&root).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(bytes <= limits.max_bytes, "{bytes}");
    }
    let dropped = metrics.dropped(DropReason::SpoolFull).get();
    assert!(dropped > 0);
    assert_eq!(spool.pending(), 5000 - dropped);
    let (read, _) = take(&spool);
    assert_eq!(ids(&read), ids(&all[usize::try_from(dropped).unwrap()..]), "the newest are kept");
}

#[test]
fn what_is_on_its_way_is_not_dropped() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, SpoolLimits { max_bytes: 16 * 1024, segment_bytes: 1024 * 1024 });
    spool.append(&records(0..100)).unwrap();
    let first = spool.next_batch().unwrap().unwrap();
    let on_its_way = first.records().len();
    assert!(on_its_way > 50);
    spool.append(&records(100..5000)).unwrap();
    let dropped = metrics.dropped_total();
    let (read, rest) = take(&spool);
    assert_eq!((on_its_way + read.len()) as u64 + dropped, 5000);
    let restarted = {
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("usage")).unwrap();
        for path in segments(&root) {
            fs::copy(&path, copy.path().join("usage").join(path.file_name().unwrap())).unwrap();
        }
        take(&open(&copy, ROOMY).0).0
    };
    assert_eq!(ids(&restarted)[..on_its_way], ids(&records(0..on_its_way)), "a node that dies still has it");
    assert_eq!(restarted.len() as u64, 5000 - dropped);
    assert_eq!(spool.pending(), 5000 - dropped);
    spool.acked(&first);
    for batch in &rest {
        spool.acked(batch);
    }
    assert_eq!((spool.pending(), metrics.reported.get()), (0, 5000 - dropped));
}

#[test]
fn damage_under_way_costs_the_rest_of_the_segment_and_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    let all = records(0..300);
    spool.append(&all).unwrap();
    let files = segments(&root);
    let mut bytes = fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&files[0], bytes).unwrap();
    let (read, _) = take(&spool);
    let lost = metrics.dropped(DropReason::Damaged).get();
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
    spool.append(&all).unwrap();
    assert_eq!(ids(&take(&spool).0), ["record-000000", "record-000002"]);
    assert_eq!(metrics.dropped(DropReason::TooLarge).get(), 1);
}

#[test]
fn a_disk_that_takes_nothing_says_how_far_it_got() {
    let root = tempfile::tempdir().unwrap();
    let (spool, metrics) = open(&root, ROOMY);
    spool.append(&records(0..1)).unwrap();
    // Where the third segment should be there is something else.
    let obstacle = root.path().join("usage/00000000000000000003.segment");
    fs::create_dir(&obstacle).unwrap();
    let all = records(1..1000);
    let failure = spool.append(&all).unwrap_err();
    assert!(failure.written > 0 && failure.written < all.len());
    assert_eq!(spool.pending(), 1 + failure.written as u64);
    assert_eq!(spool.append(&all[failure.written..]).unwrap_err().written, 0);
    fs::remove_dir(&obstacle).unwrap();
    spool.append(&all[failure.written..]).unwrap();
    assert_eq!(ids(&take(&spool).0), ids(&records(0..1000)));
    assert_eq!(metrics.dropped_total(), 0);
}
