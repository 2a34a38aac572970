use super::*;

#[test]
fn waits_grow_to_the_bound_and_vary() {
    let mut backoff = Backoff::default();
    assert!(backoff.wait() <= 2 * SHORTEST);
    let waits: Vec<Duration> = (0..100).map(|_| backoff.wait()).collect();
    assert!(waits.iter().all(|wait| (SHORTEST..=LONGEST).contains(wait)));
    assert!(waits.iter().any(|wait| *wait > LONGEST / 2));
    assert!(waits.iter().any(|wait| *wait < LONGEST / 2));
    backoff.reset();
    assert!(backoff.wait() <= 2 * SHORTEST);
}
