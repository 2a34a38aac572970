use proptest::prelude::*;

use super::*;

fn record(id: &str) -> UsageRecord {
    UsageRecord { id: id.to_owned(), ..UsageRecord::default() }
}

/// A segment with `ids`, and where each frame ends.
fn segment(ids: &[String]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = HEADER.to_vec();
    let ends = ids
        .iter()
        .map(|id| {
            assert!(push_frame(&record(id), &mut bytes));
            bytes.len()
        })
        .collect();
    (bytes, ends)
}

fn read(bytes: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut at = HEADER.len();
    while let Some(Frame::Whole { record, length }) = bytes.get(at..).and_then(first_frame) {
        ids.push(UsageRecord::decode(record).unwrap().id);
        at += length;
    }
    ids
}

#[test]
fn a_record_over_the_bound_is_left_out() {
    let mut bytes = Vec::new();
    assert!(!push_frame(&record(&"x".repeat(MAX_RECORD)), &mut bytes));
    assert!(bytes.is_empty());
}

#[test]
fn zeros_are_no_frame() {
    assert_eq!(first_frame(&[0; 64]), Some(Frame::Damaged));
    let mut bytes = segment(&["a".to_owned()]).0;
    let length = bytes.len() as u64;
    bytes.extend_from_slice(&[0; 4096]);
    assert_eq!(scan(&bytes, 0), Some(Scan { length, records: 1, records_before: 0, lost: 4096 }));
}

#[test]
fn another_format_is_refused() {
    assert_eq!(scan(b"OAUSAGE\0\x02\0\0\0", 0), None);
    assert_eq!(scan(b"OAUSA", 0), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read(ids in prop::collection::vec(".{0,40}", 0..20)) {
        let (bytes, ends) = segment(&ids);
        prop_assert_eq!(&read(&bytes), &ids);
        let place = ends.first().copied().unwrap_or_default() as u64;
        let expected = Scan {
            length: bytes.len() as u64,
            records: ids.len() as u64,
            records_before: u64::from(!ids.is_empty()),
            lost: 0,
        };
        prop_assert_eq!(scan(&bytes, place), Some(expected));
    }

    #[test]
    fn a_cut_keeps_everything_before_it(ids in prop::collection::vec(".{0,40}", 1..20), cut in any::<prop::sample::Index>()) {
        let (bytes, ends) = segment(&ids);
        let cut = HEADER.len() + cut.index(bytes.len() - HEADER.len());
        let whole = ends.iter().filter(|end| **end <= cut).count();
        prop_assert_eq!(read(&bytes[..cut]), &ids[..whole]);
        prop_assert_eq!(scan(&bytes[..cut], 0).map(|scan| scan.records), Some(whole as u64));
    }

    #[test]
    fn a_flipped_bit_keeps_everything_before_it(
        ids in prop::collection::vec(".{0,40}", 1..20),
        place in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let (mut bytes, ends) = segment(&ids);
        let place = HEADER.len() + place.index(bytes.len() - HEADER.len());
        bytes[place] ^= 1u8 << bit;
        let whole = ends.iter().filter(|end| **end <= place).count();
        prop_assert_eq!(read(&bytes), &ids[..whole]);
        let scan = scan(&bytes, 0).unwrap();
        prop_assert_eq!(scan.records, whole as u64);
        prop_assert!(scan.lost > 0);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = first_frame(&bytes);
        let mut file = HEADER.to_vec();
        file.extend_from_slice(&bytes);
        prop_assert!(scan(&file, 50).is_some());
    }
}
