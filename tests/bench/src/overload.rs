//! A node that is asked for ten times what it can do: promise 13 in `docs/PROMISES.md`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use harness::flood::{Flood, Flooded};
use harness::planes::{Setup, chat};
use serde_json::json;

use crate::{Provider, milliseconds};

/// Measures a node that is asked for more than it can do.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Arguments {
    /// Requests that the node works on at once.
    #[arg(long, default_value_t = 200)]
    most: u32,
    /// How long the provider takes, in milliseconds.
    #[arg(long, default_value_t = 500)]
    answer_ms: u32,
    /// How many times the capacity is asked for.
    #[arg(long, default_value_t = 10)]
    times: u32,
    /// How long, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Floods a node, and prints what its clients noticed.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
pub(crate) async fn run(arguments: Arguments, programs: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let provider = Provider::start(programs, directory.path(), "provider").await?;
    let planes = Setup::split(programs, 1).set("Limits:MaxRequestsInFlight", arguments.most).start().await?;
    let base = format!("http://{}/v1", provider.address);
    let key = planes.serve(&base, &["gpt-4o"]).await?;
    let other = planes.admin.create_key(&json!({ "name": "another" })).await?;
    planes.knows(&other).await?;
    provider.script(&json!({ "head_delay_ms": arguments.answer_ms })).await?;
    let capacity = arguments.most * 1_000 / arguments.answer_ms;
    let flood = |key: &str, rate, seconds| Flood {
        address: planes.api().http,
        key: key.to_owned(),
        body: chat("gpt-4o", false),
        rate,
        seconds,
    };
    println!("\n{capacity} requests a second are what the node can do");
    println!(
        "{:<22} {:>8} {:>8} {:>10} {:>10} {:>12} {:>12}",
        "", "200", "503", "p50 ms", "p99 ms", "503 p50 ms", "503 p99 ms"
    );
    let show = |name: &str, flooded: &Flooded| {
        println!(
            "{name:<22} {:>8} {:>8} {:>10.1} {:>10.1} {:>12.2} {:>12.2}",
            flooded.count(200),
            flooded.count(503),
            milliseconds(flooded.within(200, 50)),
            milliseconds(flooded.within(200, 99)),
            milliseconds(flooded.within(503, 50)),
            milliseconds(flooded.within(503, 99)),
        );
        if let Some(failure) = flooded.failures.first() {
            println!("{} without an answer, such as: {failure}", flooded.failures.len());
        }
    };
    show("half of that", &flood(&key.value, capacity / 2, 5).send().await?);
    let (flooded, others) = tokio::join!(
        flood(&key.value, capacity * arguments.times, arguments.seconds).send(),
        flood(&other.value, (capacity / 20).max(1), arguments.seconds).send(),
    );
    let over = Instant::now();
    show(&format!("{} times", arguments.times), &flooded?);
    show("another key meanwhile", &others?);
    let mut normal = None;
    while normal.is_none() && over.elapsed() < Duration::from_secs(10) {
        let again = flood(&key.value, capacity / 2, 1).send().await?;
        normal = (again.count(503) == 0 && again.failures.is_empty()).then(|| over.elapsed());
    }
    println!("normal again after (at most) {normal:?}");
    println!("peak of the node's memory: {} MiB", planes.api().process()?.peak_resident_bytes()? / 1024 / 1024);
    Ok(())
}
