//! Logs to stdout, and announcements that people see once and the log must not hold.

use std::io::{BufWriter, IsTerminal as _};

use clap::ValueEnum;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use serde::{Deserialize, Serialize};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer as _};

use super::Metrics;
use super::harmless::Harmless;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How many lines may wait for stdout. If they are not read fast enough, further lines are dropped and counted, because
/// a stuck reader of logs must not stop requests.
const QUEUED_LINES: usize = 8192;

/// Keeps logging running. When it is dropped, the lines that are queued are written.
#[derive(Debug)]
#[must_use = "logging ends when this is dropped"]
pub struct Logging {
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Logging {
    /// Shows the lines that were dropped as the metric `orchestration_log_lines_dropped_total`.
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
    let colours = std::io::stdout().is_terminal();
    let stdout = BufWriter::with_capacity(64 * 1024, std::io::stdout());
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(Harmless::new(stdout, format, colours));
    let logging = Logging { dropped: writer.error_counter(), _writer: guard };
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(writer);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    Ok(logging)
}

/// Shows people a text that the log must not hold, such as a new password. It goes to stdout, or to stderr if stdout
/// holds one JSON object a line.
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
