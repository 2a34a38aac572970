//! Any split of the bytes gives the same events.

use proptest::prelude::*;

use super::clients::check_client;
use super::contract::checked;
use super::fixtures::{FIXTURES, FORMATS, events, events_cut, told};

/// Those that are short enough to be cut everywhere.
const SHORT: usize = 2_600;

#[test]
fn every_recording_keeps_the_contract_and_every_client_understands() {
    for fixture in &*FIXTURES {
        let events = events(fixture.format, fixture.stream.as_bytes());
        let said = checked(&events, &fixture.name);
        for client in FORMATS {
            for include_usage in [false, true] {
                check_client(client, &said, &events, &told(client, &events, include_usage), include_usage);
            }
        }
    }
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    let mut cut_up = 0;
    for fixture in FIXTURES.iter().filter(|fixture| fixture.stream.len() <= SHORT) {
        let stream = fixture.stream.as_bytes();
        let whole = events(fixture.format, stream);
        for cut in 0..=stream.len() {
            assert_eq!(events_cut(fixture.format, stream, &[cut]), whole, "{} cut at {cut}", fixture.name);
        }
        cut_up += 1;
    }
    assert!(cut_up >= 20, "{cut_up}");
}

#[test]
fn a_byte_at_a_time_changes_nothing() {
    for fixture in &*FIXTURES {
        let stream = fixture.stream.as_bytes();
        let cuts: Vec<usize> = (1..stream.len()).collect();
        let whole = events(fixture.format, stream);
        assert_eq!(events_cut(fixture.format, stream, &cuts), whole, "{}", fixture.name);
    }
}

proptest! {
    #[test]
    fn any_cuts_change_nothing(
        at in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let fixture = at.get(&FIXTURES);
        let stream = fixture.stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.sort_unstable();
        prop_assert_eq!(
            events_cut(fixture.format, stream, &cuts),
            events(fixture.format, stream),
            "{} cut at {:?}", &fixture.name, cuts
        );
    }
}
