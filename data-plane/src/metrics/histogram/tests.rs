use shared::telemetry::Metrics;

use super::Histogram;

#[test]
fn times_fall_into_cumulative_buckets() {
    let metrics = Metrics::new();
    let histogram = Histogram::default();
    metrics.register(|registry| registry.register("t", "Times", histogram.clone()));
    for time in [500, 1_000, 1_001, 700_000_000] {
        histogram.observe_us(time);
    }
    let text = metrics.encode().unwrap();
    for line in
        ["t_bucket{le=\"0.001\"} 2", "t_bucket{le=\"0.0025\"} 3", "t_bucket{le=\"600.0\"} 3", "t_bucket{le=\"+Inf\"} 4"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.contains("t_count 4"), "{text}");
    assert!(text.contains("t_sum 700.002501"), "{text}");
}
