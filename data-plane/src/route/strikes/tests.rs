use super::{MOST, Strikes, WINDOW_MS};

#[test]
fn three_in_a_minute_are_enough_and_a_success_wipes_them_out() {
    let strikes = Strikes::default();
    assert!(!strikes.add("", 1) && !strikes.add("", 2) && strikes.add("", 3));
    assert!(!strikes.add("", 4), "they are counted anew");
    assert!(!strikes.add("", 5));
    strikes.clear("m");
    assert!(!strikes.add("", 6) && !strikes.add("", 7));
    assert!(!strikes.add("", 6 + WINDOW_MS), "the first of them is too old");
}

#[test]
fn each_model_has_its_own_and_they_are_bounded() {
    let strikes = Strikes::default();
    assert!(!strikes.add("m", 1) && !strikes.add("n", 1) && !strikes.add("m", 2));
    strikes.clear("n");
    assert!(strikes.add("m", 3));
    for number in 0..=2 * MOST {
        assert!(!strikes.add(&number.to_string(), 4));
    }
    assert!(strikes.newest.lock().unwrap().len() <= MOST);
}
