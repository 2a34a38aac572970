use super::{KeyFailure, Rest, WINDOW_MS};
use crate::route::health::Health;

fn failure(key: &str, status: u16, at: i64) -> KeyFailure {
    KeyFailure { key: key.into(), model: "".into(), kind: (Health::Invalid, status), at }
}

fn keys(alike: Option<Vec<KeyFailure>>) -> Option<Vec<String>> {
    alike.map(|alike| alike.iter().map(|failure| failure.key.to_string()).collect())
}

#[test]
fn keys_that_fail_alike_are_one_failure() {
    let rest = Rest::default();
    assert_eq!(rest.failed(failure("a", 401, 1), 9), None);
    assert_eq!(rest.failed(failure("a", 401, 2), 9), None, "one key is one key");
    assert_eq!(rest.failed(failure("b", 403, 3), 9), None, "this is another failure");
    assert_eq!(rest.failed(failure("c", 401, 4), 9), None);
    assert!(!rest.is_on(4));
    let all = ["a", "c", "d"].map(str::to_owned).to_vec();
    assert_eq!(keys(rest.failed(failure("d", 401, 5), 9)), Some(all));
    assert!(rest.is_on(5) && rest.is_on(5_004) && !rest.is_on(5_005));
    // What was under way says nothing new, and harms no key either.
    assert_eq!(keys(rest.failed(failure("e", 401, 6), 9)), Some(vec!["e".to_owned()]));
    assert!(!rest.is_on(5_005));
}

#[test]
fn a_rest_doubles_until_a_key_has_worked() {
    let rest = Rest::default();
    let mut now = 1;
    for key in ["a", "b", "c"] {
        rest.failed(failure(key, 401, now), 9);
    }
    for seconds in [5, 10, 20, 40, 60, 60] {
        assert!(rest.is_on(now + seconds * 1_000 - 1) && !rest.is_on(now + seconds * 1_000), "{seconds}");
        now += seconds * 1_000;
        assert!(rest.failed(failure("a", 401, now), 9).is_some());
    }
    rest.worked();
    assert!(!rest.is_on(now));
    assert_eq!(rest.failed(failure("a", 401, now), 9), None);
}

#[test]
fn half_of_few_keys_is_enough_and_failures_grow_old() {
    for (number, enough) in [(1, 3), (2, 3), (3, 3), (4, 2), (5, 2), (6, 3), (50, 3)] {
        let rest = Rest::default();
        let needed = (1..=4).find(|at| rest.failed(failure(&at.to_string(), 401, *at), number).is_some());
        assert_eq!(needed, Some(enough), "of {number}");
    }
    let rest = Rest::default();
    assert_eq!(rest.failed(failure("a", 401, 1), 4), None);
    assert_eq!(rest.failed(failure("b", 401, 1 + WINDOW_MS), 4), None);
}
