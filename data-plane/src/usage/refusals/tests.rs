use super::*;

#[test]
fn lines_are_bounded_and_what_is_left_out_is_counted() {
    let log = RefusalLog::default();
    let written = (0..1000).filter(|_| log.takes(false)).count();
    assert_eq!(written, 10);
    assert!(log.takes(true), "a flood without keys hides no refusal of those who have one");
    assert_eq!((log.unauthenticated.next(), log.authenticated.next()), (990, 0));
    assert!(log.takes(false), "the next period has lines of its own");
    assert_eq!(log.unauthenticated.next(), 0);
}
