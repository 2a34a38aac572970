//! Metrics of the process itself: what was built, since when it runs, and what it holds of the machine. The names are
//! those that Prometheus' own client libraries have, behind the prefix.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;

use super::Metrics;
use crate::time::now_ms;

/// Shows `program` in this `version`, and what the process holds at the time of each scrape.
pub fn register_process(metrics: &Metrics, program: &'static str, version: &'static str) {
    let built = Info::new([("program", program), ("version", version)]);
    #[expect(clippy::cast_precision_loss, reason = "a time in milliseconds is exact for 285,000 years")]
    let process = Process { started: now_ms() as f64 / 1000.0 };
    metrics.register(|registry| {
        registry.register("build", "The program that is running", built);
        registry.register_collector(Box::new(process));
    });
}

#[derive(Debug)]
struct Process {
    /// Seconds since the epoch.
    started: f64,
}

impl Collector for Process {
    /// Leaves out what the system does not tell.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut show = |name, help, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        show(
            "process_start_time_seconds",
            "When the process started, since the epoch",
            &ConstGauge::new(self.started),
        )?;
        if let Some(bytes) = resident_bytes() {
            show("process_resident_memory_bytes", "Memory that the process holds", &ConstGauge::new(bytes))?;
        }
        if let Some(open) = fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as u64) {
            // The directory itself is open while it is read.
            show("process_open_fds", "Open file descriptors", &ConstGauge::new(open.saturating_sub(1)))?;
        }
        if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
            show("process_max_fds", "The most file descriptors that may be open", &ConstGauge::new(most))?;
        }
        if let Some(seconds) = cpu_seconds() {
            show("process_cpu_seconds", "Processor time, of users and of the system", &ConstCounter::new(seconds))?;
        }
        Ok(())
    }
}

/// The line `VmRSS` of `/proc/self/status`, which is in kibibytes (proc(5)).
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// The fields `utime` and `stime` of `/proc/self/stat`, which are in clock ticks (proc(5)). The name of the program,
/// which stands before them in brackets, may hold spaces.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    let ticks = behind_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().ok());
    let ticks = ticks.sum::<Option<u64>>()?;
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ticks")]
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests;
