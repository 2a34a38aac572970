//! Metrics of the admin API: requests by method, route and class of status, and how long they took.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use shared::telemetry::Metrics;

/// The label of requests whose path is that of no route. A path of a client's own choice is never a label.
const NO_ROUTE: &str = "none";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

/// The metrics. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct AdminMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

impl AdminMetrics {
    /// Makes the metrics, which `metrics` shows.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        // From 1 ms to 16 s.
        let times: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 8));
        let made = Self { requests: Family::default(), durations: Family::new_with_constructor(times) };
        metrics.register(|registry| {
            let help = "Requests to the admin API, by method, route and class of status";
            registry.register("admin_requests", help, made.requests.clone());
            let help = "From the arrival of a request to the admin API to the head of its answer";
            registry.register("admin_request_duration_seconds", help, made.durations.clone());
        });
        made
    }

    /// Counts a request to `route`, which is the template of a path, that was answered with `status` after `time`.
    pub(super) fn answered(&self, method: &Method, route: Option<&str>, status: StatusCode, time: Duration) {
        let (method, route) = (name_of(method), route.unwrap_or(NO_ROUTE));
        let labels = RequestLabels { method, route: route.to_owned(), status: class_of(status) };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { method, route: route.to_owned() };
        self.durations.get_or_create(&labels).observe(time.as_secs_f64());
    }
}

/// The name of the method, of which a client may invent any.
fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
