//! The one place that sets up telemetry: logs to stdout, metrics in the OpenMetrics text form. An exporter of traces or
//! logs joins as one more layer in [`init`].

use std::io::{BufWriter, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clap::ValueEnum;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer as _};

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Lines that wait for stdout at most. When whoever reads stdout is slower than that, further lines are dropped and
/// counted: a stuck reader of logs must not stop requests.
const QUEUED_LINES: usize = 8192;

/// Logging, until it is dropped: then what is queued is written.
#[derive(Debug)]
#[must_use = "logging ends when this is dropped"]
pub struct Logging {
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Logging {
    /// Shows the lines that were dropped as the metric `log_lines_dropped_total`.
    pub fn register(&self, metrics: &Metrics) {
        let dropped = DroppedLines(self.dropped.clone());
        metrics.register(|registry| registry.register_collector(Box::new(dropped)));
    }
}

#[derive(Debug)]
struct DroppedLines(ErrorCounter);

impl Collector for DroppedLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let dropped = ConstCounter::new(self.0.dropped_lines() as u64);
        let encoder = encoder.encode_descriptor(
            "log_lines_dropped",
            "Log lines dropped because stdout was not read fast enough",
            None,
            dropped.metric_type(),
        )?;
        dropped.encode(encoder)
    }
}

/// Starts logging to stdout, written by a thread of its own. `filter` is a level or a list such as
/// `info,data_plane=debug`.
///
/// # Errors
/// When the filter cannot be read, or logging has been started before.
pub fn init(format: LogFormat, filter: &str) -> Result<Logging, InitError> {
    let filter = EnvFilter::try_new(filter)?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(BufWriter::with_capacity(64 * 1024, std::io::stdout()));
    let logging = Logging { dropped: writer.error_counter(), _writer: guard };
    let lines = tracing_subscriber::fmt::layer().with_ansi(std::io::stdout().is_terminal()).with_writer(writer);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    Ok(logging)
}

/// Shows people what they are to see once and the log must not hold, such as a password that was made: on stdout, or on
/// stderr where stdout holds one JSON object a line.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "goes to the terminal and never to the log")]
pub fn announce(format: LogFormat, text: &str) {
    match format {
        LogFormat::Text => println!("{text}"),
        LogFormat::Json => eprintln!("{text}"),
    }
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The log filter cannot be read.
    #[error("Log:Filter (--log-filter) cannot be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another part of the program has set up logging.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// All metrics of a process. Clones share them. Metrics themselves are atomics that their owner keeps; the lock is
/// taken to register and to scrape, never by a request.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// No metrics yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `register` add its metrics.
    pub fn register(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics in the OpenMetrics text form 1.0.0.
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }

    /// `GET /metrics`, to be served on a port of its own.
    pub fn router(&self) -> Router {
        Router::new().route("/metrics", get(scrape)).with_state(self.clone())
    }
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
