use bytes::Bytes;
use proptest::prelude::*;

use super::{EventSplitter, TooLarge, data, events};

fn split(stream: &[u8], cuts: &[usize]) -> (Vec<Bytes>, Bytes) {
    let mut splitter = EventSplitter::new(1 << 20);
    let mut found = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let cut = cut.clamp(from, stream.len());
        found.extend(events(splitter.push(Bytes::copy_from_slice(&stream[from..cut])).unwrap()));
        from = cut;
    }
    (found, splitter.take_rest())
}

const STREAM: &[u8] =
    b"data: {\"a\":1}\n\n: ping\n\nevent: x\r\ndata: one\r\ndata: two\r\n\r\ndata:[DONE]\n\ndata: cut";

#[test]
fn every_split_in_two_gives_the_same_events() {
    let (whole, rest) = split(STREAM, &[]);
    assert_eq!(whole.len(), 4);
    assert_eq!(rest, "data: cut");
    for cut in 0..STREAM.len() {
        assert_eq!(split(STREAM, &[cut]), (whole.clone(), rest.clone()), "at {cut}");
    }
}

#[test]
fn data_is_read_as_the_standard_says() {
    let read = |event: &'static str| data(&Bytes::from_static(event.as_bytes()));
    assert_eq!(read("data: {\"a\":1}\n\n").unwrap(), "{\"a\":1}");
    assert_eq!(read("data:x\r\n\r\n").unwrap(), "x");
    assert_eq!(read("data:  x\n\n").unwrap(), " x");
    assert_eq!(read("event: x\ndata: one\ndata: two\n\n").unwrap(), "one\ntwo");
    assert_eq!(read("data\n\n").unwrap(), "");
    assert_eq!(read(": ping\n\n"), None);
    assert_eq!(read("database: x\n\n"), None);
}

#[test]
fn an_endless_event_is_refused() {
    let nothing = || Err(TooLarge { before: Bytes::new(), rest: Bytes::from(vec![b'x'; 101]) });
    let mut splitter = EventSplitter::new(100);
    assert_eq!(splitter.push(Bytes::from(vec![b'x'; 90])), Ok(Bytes::new()));
    assert_eq!(splitter.push(Bytes::from(vec![b'x'; 11])), nothing());
    assert_eq!(EventSplitter::new(100).push(Bytes::from(vec![b'x'; 101])), nothing());
}

#[test]
fn events_before_one_that_is_too_large_are_given_however_the_stream_is_cut() {
    for ends in [false, true] {
        let end = if ends { "\n\ndata: behind\n\n" } else { "" };
        let stream = format!("data: a\n\ndata: b\n\ndata: {}{end}", "x".repeat(60));
        for cut in 0..=stream.len() {
            let mut splitter = EventSplitter::new(50);
            let mut given = Vec::new();
            let mut refused = false;
            for portion in [&stream[..cut], &stream[cut..]] {
                match splitter.push(Bytes::copy_from_slice(portion.as_bytes())) {
                    Ok(whole) => given.extend_from_slice(&whole),
                    Err(TooLarge { before, rest }) => {
                        given.extend_from_slice(&before);
                        assert!(rest.starts_with(b"data: xxx"), "cut at {cut}");
                        refused = true;
                        break;
                    }
                }
            }
            assert_eq!((given.as_slice(), refused), (&b"data: a\n\ndata: b\n\n"[..], true), "cut at {cut}");
        }
    }
}

#[test]
fn no_more_is_held_than_one_event_of_the_largest_size() {
    let event = format!("data: {}\n\n", "x".repeat(992));
    let mut splitter = EventSplitter::new(1_000);
    let mut given = 0;
    for byte in event.repeat(100).into_bytes() {
        given += splitter.push(Bytes::copy_from_slice(&[byte])).unwrap().len();
        assert!(splitter.held.len() <= 1_000);
    }
    assert_eq!(given, 100 * event.len());
}

proptest! {
    #[test]
    fn any_split_of_any_bytes_gives_the_same_events(
        stream in prop::collection::vec(prop::sample::select(b"\n\r\n\rda: x".to_vec()), 0..60),
        mut cuts in prop::collection::vec(0_usize..60, 0..8),
    ) {
        cuts.sort_unstable();
        let (whole, rest) = split(&stream, &[]);
        let (parts, parts_rest) = split(&stream, &cuts);
        prop_assert_eq!(&parts, &whole);
        prop_assert_eq!(&parts_rest, &rest);
        let mut together = whole.concat();
        together.extend_from_slice(&rest);
        prop_assert_eq!(together, stream);
    }
}
