use prometheus_client::metrics::counter::Counter;

use super::{Estimate, EstimatedTokens};

#[test]
fn the_last_word_of_an_estimate_is_counted_once() {
    let counters = EstimatedTokens::default();
    let mut estimate = Estimate::new(counters.clone(), None);
    estimate.note(100, 7);
    estimate.note(90, 8);
    assert_eq!(counters.each_ref().map(Counter::get), [0, 0]);
    drop(estimate);
    assert_eq!(counters.each_ref().map(Counter::get), [90, 8]);
}
