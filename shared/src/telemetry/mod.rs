//! The one place that sets up telemetry: logs to stdout, metrics in the OpenMetrics text form. An exporter of traces or
//! logs joins as one more layer in [`init`].

mod harmless;
mod logs;
mod metrics;
mod process;

pub use logs::{InitError, LogFormat, Logging, announce, init};
pub use metrics::{METRICS_PREFIX, Metrics};
pub use process::register_process;
