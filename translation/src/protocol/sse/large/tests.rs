use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::data;
use super::*;

/// What is left of `stream`, which comes in these portions: the outline of its first event and how long that is.
fn read(stream: &[u8], cuts: &[usize]) -> Option<(Bytes, usize)> {
    let mut large = LargeEvent::new(b"")?;
    let mut from = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let cut = cut.clamp(from, stream.len());
        match large.push(&stream[from..cut]) {
            Progress::Goes => from = cut,
            Progress::Ends(end) => return Some((Bytes::copy_from_slice(large.outline()), from + end)),
            Progress::TooLarge => return None,
        }
    }
    None
}

fn value(outline: &Bytes) -> Value {
    serde_json::from_slice(&data(outline).unwrap()).unwrap()
}

#[test]
fn long_texts_are_left_out_of_the_outline_wherever_the_event_is_cut() {
    let long = "\\\"é\\u00e9\\\\".repeat(200);
    let event = format!("event: x\r\ndata: {{\"a\":\"{long}\",\"b\":[\"\\\\\",\"\\\"\",{{\"{long}\":1}}]}}\r\n\r\n");
    let stream = format!("{event}data: next\r\n\r\n");
    let (whole, length) = read(stream.as_bytes(), &[]).unwrap();
    assert_eq!((value(&whole), length), (json!({ "a": "", "b": ["\\", "\"", { "": 1 }] }), event.len()));
    for cut in 0..stream.len() {
        let (outline, length) = read(stream.as_bytes(), &[cut]).unwrap();
        // A line feed behind the last carriage return may come too late: it is an event of its own then, and an empty
        // one.
        assert!(length == event.len() || (length == event.len() - 1 && cut == length), "cut at {cut}: {length}");
        assert_eq!(data(&outline), data(&whole), "cut at {cut}");
    }
}

#[test]
fn what_is_large_for_another_reason_than_texts_has_no_outline() {
    for beginning in ["x".repeat(1 << 20), format!("data: {}", "[".repeat(1 << 20)), "data: \"a\",".repeat(10_000)] {
        assert!(LargeEvent::new(beginning.as_bytes()).is_none());
    }
    assert!(LargeEvent::new(format!("data: \"{}", "x".repeat(1 << 20)).as_bytes()).is_some());
}

#[test]
fn an_endless_text_is_too_large_and_holds_nothing() {
    let mut large = LargeEvent::new(b"data: \"").unwrap();
    assert_eq!(large.push(b"data: \""), Progress::Goes);
    let portion = vec![b'x'; 1 << 20];
    let portions = (0..1000).take_while(|_| large.push(&portion) == Progress::Goes).count();
    assert_eq!(portions, 63, "64 MiB less the first bytes");
    assert!(large.outline.kept.capacity() < 4096);
}

proptest! {
    #[test]
    fn any_split_of_any_bytes_gives_the_same(
        stream in prop::collection::vec(prop::sample::select(b"\n\n\nda: x\"\"\\".to_vec()), 0..60),
        mut cuts in prop::collection::vec(0_usize..60, 0..8),
    ) {
        cuts.sort_unstable();
        prop_assert_eq!(read(&stream, &cuts), read(&stream, &[]));
    }
}
