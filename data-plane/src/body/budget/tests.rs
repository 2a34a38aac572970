use super::*;

#[test]
fn p39_the_sum_is_bounded_and_what_is_dropped_is_given_back() {
    let budget = BodyBudget::new(100);
    let (one, other) = (budget.hold(), budget.hold());
    one.grow(60).unwrap();
    assert!(matches!(other.grow(41), Err(GatewayError::Busy(_))));
    other.grow(40).unwrap();
    assert!(budget.has_room(1).is_err() && budget.has_room(0).is_ok());
    one.keep(10);
    assert_eq!((one.bytes(), budget.held()), (10, 50));
    one.keep(20);
    assert_eq!((one.bytes(), budget.held()), (10, 50), "what is not held is not kept");
    one.set(30).unwrap();
    one.set(5).unwrap();
    assert_eq!(budget.held(), 45);
    assert!(one.another().grow(56).is_err());
    assert!(one.grow(u64::MAX).is_err());
    drop((one, other));
    assert_eq!(budget.held(), 0);
    assert_eq!(budget.refused.get(), 4);
}
