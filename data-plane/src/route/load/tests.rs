use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_peak_counts_at_once_and_fades() {
    let load = Load::default();
    assert_eq!(load.first_byte_us(), None);
    load.measured(ms(100), 1_000);
    load.measured(ms(900), 1_000);
    assert_eq!(load.first_byte_us(), Some(900_000));
    load.measured(ms(100), 1_000);
    assert_eq!(load.first_byte_us(), Some(900_000), "no time has passed");
    load.measured(ms(100), 11_000);
    let faded = load.first_byte_us().unwrap();
    assert!((390_000..400_000).contains(&faded), "{faded}");
    load.measured(ms(100), 200_000);
    assert!(load.first_byte_us().unwrap() <= 100_001);
}

#[test]
fn what_is_in_flight_makes_the_next_one_dearer() {
    let load = Load::default();
    load.measured(ms(10), 0);
    assert_eq!(load.cost(), 10_000);
    load.begin();
    load.begin();
    assert_eq!((load.cost(), load.in_flight(), load.used()), (30_000, 2, 2));
    load.end();
    assert_eq!((load.cost(), load.in_flight(), load.used()), (20_000, 1, 2));
}
