use super::*;

#[test]
fn a_letter_may_be_cut_and_garbage_may_not_pass() {
    let text = "Grüße, 世界 🦀";
    for at in 0..=text.len() {
        let mut legibility = Legibility::default();
        assert!(legibility.goes_on(&text.as_bytes()[..at]) && legibility.goes_on(&text.as_bytes()[at..]), "{at}");
    }
    let mut legibility = Legibility::default();
    assert!(legibility.goes_on(b"a\xc3") && !legibility.goes_on(b"a"));
}

#[test]
fn events_before_the_garbled_one_pass() {
    let events = Bytes::from_static(b"data: a\n\ndata: \xff\n\ndata: b\n\n");
    let (whole, garbled) = legible(events);
    assert_eq!((&*whole, garbled), (&b"data: a\n\n"[..], true));
    assert_eq!(legible(Bytes::from_static(b"data: a\n\n")), (Bytes::from_static(b"data: a\n\n"), false));
}
