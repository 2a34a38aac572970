//! Closed-loop load: each connection sends its next request when the answer to the last one is there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use harness::process::{cpu_ticks, ticks_per_second};
use tokio::task::JoinSet;

use crate::client::Client;

/// What one run of load showed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// How many requests were answered.
    pub(crate) requests: u64,
    /// How long the run took.
    pub(crate) elapsed: Duration,
    /// Latencies, sorted.
    pub(crate) latencies: Vec<Duration>,
    /// Processor time of the measured processes, in microseconds.
    pub(crate) cpu_micros: f64,
}

impl Run {
    /// Adds another run of the same load.
    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.elapsed += other.elapsed;
        self.cpu_micros += other.cpu_micros;
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
    }

    pub(crate) fn per_second(&self) -> f64 {
        count(self.requests) / self.elapsed.as_secs_f64()
    }

    /// The processor time for a request, in microseconds.
    pub(crate) fn cpu_per_request(&self) -> f64 {
        self.cpu_micros / count(self.requests)
    }

    /// The latency below which `percent` of the requests stay.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        percentile(&self.latencies, percent)
    }
}

/// The value below which `percent` of `sorted` stay.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Sends `request` over `connections` connections for `time`, and measures the processes `pids` meanwhile.
pub(crate) async fn unary(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    time: Duration,
    pids: &[u32],
) -> Result<Run> {
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut client = Client::connect(address).await?;
        client.unary(request).await.with_context(|| format!("the first request to {address}"))?;
        clients.push(client);
    }
    let before = cpu_micros(pids)?;
    let started = Instant::now();
    let mut running = JoinSet::new();
    for mut client in clients {
        let request = request.to_vec();
        running.spawn(async move {
            let mut latencies = Vec::with_capacity(100_000);
            while started.elapsed() < time {
                let sent = Instant::now();
                client.unary(&request).await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut run = Run::default();
    while let Some(ended) = running.join_next().await {
        run.latencies.extend(ended??);
    }
    run.elapsed = started.elapsed();
    run.cpu_micros = cpu_micros(pids)? - before;
    run.requests = run.latencies.len() as u64;
    run.latencies.sort_unstable();
    Ok(run)
}

fn cpu_micros(pids: &[u32]) -> Result<f64> {
    let mut ticks = 0;
    for pid in pids {
        ticks += cpu_ticks(*pid)?;
    }
    Ok(count(ticks) * 1_000_000.0 / count(ticks_per_second()))
}

#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^52")]
pub(crate) fn count(number: u64) -> f64 {
    number as f64
}
