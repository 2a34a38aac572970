use prometheus_client::collector::Collector;
use shared::telemetry::Metrics;

use super::*;
use crate::route::fixtures::group;

#[derive(Debug)]
struct Shown(SeriesStore);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        self.0.encode(&mut encoder)
    }
}

fn scrape(store: &SeriesStore) -> String {
    let metrics = Metrics::new();
    metrics.register(|registry| registry.register_collector(Box::new(Shown(store.clone()))));
    metrics.encode().unwrap()
}

fn groups(count: usize, models: &[&str]) -> Vec<Arc<Group>> {
    (0..count).map(|number| Arc::new(group(&format!("g{number}"), models))).collect()
}

#[test]
fn statuses_are_sorted() {
    assert!(STATUSES.is_sorted());
}

#[test]
fn requests_attempts_and_tokens_are_shown_by_group_and_configured_model() {
    let store = SeriesStore::default();
    let table = store.table(groups(1, &["m", "wild-*"]).iter());
    let usage = Usage { input: 9, cached: 4, output: 3, ..Usage::default() };
    for model in [Some("m"), Some("wild-1"), Some("wild-2"), None] {
        let series = table.of("g0", model).unwrap();
        series.attempt(AttemptResult::RateLimited);
        series.request(200, &usage);
        series.request(418, &Usage::default());
    }
    table.of("g0", Some("m")).unwrap().estimated([0, 5]);
    assert!(table.of("g9", Some("m")).is_none());
    let shown = scrape(&store);
    let labels = |model: &str| format!("group=\"g0\",provider=\"openai\",model=\"{model}\"");
    for line in [
        format!("group_requests_total{{{},status=\"200\"}} 1", labels("m")),
        format!("group_requests_total{{{},status=\"other\"}} 1", labels("m")),
        format!("group_requests_total{{{},status=\"200\"}} 2", labels("wild-*")),
        format!("group_attempts_total{{{},result=\"rate_limited\"}} 1", labels("")),
        format!("group_tokens_total{{{},kind=\"cached\",source=\"reported\"}} 8", labels("wild-*")),
        format!("group_tokens_total{{{},kind=\"output\",source=\"estimated\"}} 5", labels("m")),
    ] {
        assert!(shown.contains(&line), "{line} in {shown}");
    }
    assert!(!shown.contains("wild-1"), "{shown}");
}

#[test]
fn there_are_no_more_series_than_the_bound_and_they_stay_over_configs() {
    let store = SeriesStore::default();
    let models: Vec<String> = (0..MOST + 100).map(|number| format!("m{number}")).collect();
    let models: Vec<&str> = models.iter().map(String::as_str).collect();
    let many = groups(1, &models);
    let table = store.table(many.iter());
    for model in &models {
        table.of("g0", Some(model)).unwrap().request(200, &Usage::default());
    }
    assert_eq!(store.all().len(), MOST + 1);
    let shown = scrape(&store);
    assert!(shown.contains("model=\"other\",status=\"200\"} 100"), "{shown}");
    let again = store.table(many.iter());
    again.of("g0", Some("m0")).unwrap().request(200, &Usage::default());
    assert!(scrape(&store).contains("model=\"m0\",status=\"200\"} 2"));
    drop((table, again));
    // What is gone makes room.
    let few = store.table(groups(3, &["x"]).iter());
    assert_eq!(store.all().len(), 6);
    drop(few);
}

#[test]
fn times_are_shown_by_group_and_ending_and_no_more_groups_than_the_bound() {
    let store = SeriesStore::default();
    let table = store.table(groups(MOST_GROUPS + 2, &[]).iter());
    for (outcome, time) in [(Outcome::Success, 3_000_000), (Outcome::Refused, 1), (Outcome::ClientGone, 2_000)] {
        table.took("g0", outcome, time);
    }
    for number in 0..2 {
        table.took(&format!("g{}", MOST_GROUPS + number), Outcome::Timeout, 9);
    }
    table.took("no such group", Outcome::Success, 1);
    let shown = scrape(&store);
    let of = |group: &str, outcome: &str| format!("{{group=\"{group}\",outcome=\"{outcome}\"}}");
    for line in [
        format!("group_request_duration_seconds_count{} 1", of("g0", "success")),
        format!("group_request_duration_seconds_sum{} 3.0", of("g0", "success")),
        format!("group_request_duration_seconds_count{} 2", of("g0", "client")),
        format!("group_request_duration_seconds_count{} 2", of("other", "failure")),
    ] {
        assert!(shown.contains(&line), "{line} in {shown}");
    }
    assert!(
        shown.contains("group_request_duration_seconds_bucket{le=\"5.0\",group=\"g0\",outcome=\"success\"} 1"),
        "{shown}"
    );
    assert_eq!(store.times().len(), MOST_GROUPS + 1);
}
