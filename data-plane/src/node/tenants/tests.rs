use proptest::prelude::*;

use super::*;

/// The digest of a key that has a place of its own.
fn key(number: u8) -> [u8; 32] {
    let mut digest = [0; 32];
    digest[0] = number;
    digest
}

/// Has the key of this number ask for so many seats, beside those that are taken.
fn ask(tenants: &Arc<Tenants>, seats: &mut Vec<Seat>, number: u8, times: usize) -> usize {
    let before = seats.len();
    for _ in 0..times {
        let in_flight = u32::try_from(seats.len()).unwrap() + 1;
        if !tenants.is_full(in_flight) {
            seats.extend(tenants.seat(&key(number), in_flight));
        }
    }
    seats.len() - before
}

#[test]
fn one_alone_may_have_all_seats() {
    let mut seats = Vec::new();
    assert_eq!(ask(&Tenants::new(100), &mut seats, 1, 1_000), 100);
}

#[test]
fn one_who_floods_leaves_room_for_those_who_do_not() {
    let (tenants, mut seats) = (Tenants::new(100), Vec::new());
    // Another one is there already, so that the share of each is a half.
    assert_eq!(ask(&tenants, &mut seats, 2, 1), 1);
    assert_eq!(ask(&tenants, &mut seats, 1, 1_000), 79);
    assert_eq!(ask(&tenants, &mut seats, 2, 20), 20);
    assert_eq!(ask(&tenants, &mut seats, 2, 1), 0, "there is no seat left");
}

#[test]
fn seats_that_are_left_are_free_again() {
    let (tenants, mut seats) = (Tenants::new(10), Vec::new());
    for round in 0..3 {
        assert_eq!(ask(&tenants, &mut seats, 1, 20), 10, "{round}");
        assert_eq!(tenants.busy.load(Ordering::Relaxed), 1);
        seats.clear();
        assert_eq!(tenants.busy.load(Ordering::Relaxed), 0);
    }
}

proptest! {
    /// However keys come and go, there are never more seats than allowed, what is counted is what is taken, and one who
    /// has less than the share is refused only where no seat is left.
    #[test]
    fn who_has_less_than_the_share_finds_a_seat(
        most in 1_u32..60,
        moves in prop::collection::vec((0_u8..6, any::<bool>()), 1..300),
    ) {
        let tenants = Tenants::new(most);
        let mut seats: Vec<(u8, Seat)> = Vec::new();
        for (number, comes) in moves {
            if !comes {
                if let Some(place) = seats.iter().position(|(of, _)| *of == number) {
                    seats.swap_remove(place);
                }
                continue;
            }
            let in_flight = u32::try_from(seats.len()).unwrap() + 1;
            let of_key = seats.iter().filter(|(of, _)| *of == number).count();
            let others = (0..6).filter(|other| *other != number && seats.iter().any(|(of, _)| of == other)).count();
            let share = (most as usize / (others + 1)).max(1);
            let seat = (!tenants.is_full(in_flight)).then(|| tenants.seat(&key(number), in_flight)).flatten();
            if in_flight <= most && of_key < share {
                prop_assert!(seat.is_some());
            }
            seats.extend(seat.map(|seat| (number, seat)));
            prop_assert!(seats.len() <= most as usize);
        }
        let busy = (0..6_u8).filter(|number| seats.iter().any(|(of, _)| of == number)).count();
        prop_assert_eq!(tenants.busy.load(Ordering::Relaxed) as usize, busy);
    }
}
