//! Measures what a request through the gateway costs. Each program runs in a process of its own, all on this machine.
//! Figures of two machines cannot be compared, but their ratio to nginx can.
//!
//! - [`client`]: one cheap connection.
//! - [`load`]: unary load, latency and processor time.
//! - [`streams`]: the first byte of a stream, and open streams.
//! - [`nginx`]: the proxy that the gateway is compared with.
//! - [`faults`]: what clients notice while a provider fails.
//! - [`overload`]: what they notice while a node is asked for more than it can do.

mod client;
mod faults;
mod load;
mod nginx;
mod overload;
mod streams;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use harness::planes::{Planes, Setup};
use harness::process::{Launch, Process};
use harness::{ports, wait};
use serde_json::json;

use crate::load::Run;
use crate::nginx::Nginx;

/// Measures the release programs beside nginx.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the programs are.
    #[arg(long, default_value = "target/release", global = true)]
    programs: PathBuf,
    #[command(subcommand)]
    mode: Option<Mode>,
    /// Connections that send unary requests.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds of load in each of the rounds.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Rounds; the targets take turns.
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// Streams held open at once.
    #[arg(long, default_value_t = 1000)]
    streams: usize,
    /// Streams read one after the other for the first byte.
    #[arg(long, default_value_t = 1000)]
    first_bytes: usize,
}

/// What is measured in place of what a request costs.
#[derive(Debug, Subcommand)]
enum Mode {
    /// What clients notice while one of two providers fails.
    Faults(faults::Arguments),
    /// What clients notice while a node is asked for more than it can do.
    Overload(overload::Arguments),
}

/// Something that answers the same requests.
#[derive(Debug)]
struct Target {
    name: &'static str,
    address: SocketAddr,
    key: String,
    pids: Vec<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let programs = std::path::absolute(&arguments.programs)?;
    harness::raise_file_limit();
    match arguments.mode {
        Some(Mode::Faults(faults)) => return faults::run(faults, &programs).await,
        Some(Mode::Overload(overload)) => return overload::run(overload, &programs).await,
        None => {}
    }
    let directory = tempfile::tempdir()?;
    let provider = Provider::start(&programs, directory.path(), "provider").await?;
    let cores = std::thread::available_parallelism()?.get();
    let nginx = Nginx::start(directory.path(), provider.address, cores).await?;
    let split = Setup::split(&programs, 1).start().await?;
    let standalone = Setup::standalone(&programs).start().await?;
    let node = split.nodes.first().context("a node")?;

    // This is before the first request, and after the allocator has given back what only a start needs.
    let idle = [settled(node.process()?).await?, settled(standalone.control.process()?).await?];

    let base = format!("http://{}/v1", provider.address);
    let direct = "sk-bench".to_owned();
    let targets = [
        Target {
            name: "provider itself",
            address: provider.address,
            key: direct.clone(),
            pids: vec![provider.process.id()?],
        },
        Target { name: "nginx", address: nginx.address, key: direct, pids: nginx.pids.clone() },
        target("data plane", &split, &base).await?,
        target("standalone", &standalone, &base).await?,
    ];
    let runs = unary(&arguments, &targets).await?;
    let first = first_bytes(&arguments, &targets).await?;
    let open = open_streams(&arguments, &targets, [node.process()?, standalone.control.process()?]).await?;
    report(&arguments, &targets, &runs, &first, idle, open);
    Ok(())
}

/// A deployment with the models of the benchmark.
async fn target(name: &'static str, planes: &Planes, base: &str) -> Result<Target> {
    let key = planes.serve(base, &["bench"]).await?;
    let api = planes.api();
    Ok(Target { name, address: api.http, key: key.value, pids: vec![api.process()?.id()?] })
}

async fn unary(arguments: &Arguments, targets: &[Target]) -> Result<Vec<Run>> {
    let mut runs = vec![Run::default(); targets.len()];
    let time = Duration::from_secs(arguments.seconds);
    for round in 0..=arguments.rounds {
        for (run, target) in runs.iter_mut().zip(targets) {
            let request = client::request(&target.key, &body(&json!({}), 1000));
            let one = load::unary(target.address, &request, arguments.connections, time, &target.pids).await;
            let one = one.with_context(|| target.name)?;
            // The first round warms connections, caches and allocators.
            if round > 0 {
                run.add(one);
            }
        }
    }
    Ok(runs)
}

async fn first_bytes(arguments: &Arguments, targets: &[Target]) -> Result<Vec<[Duration; 2]>> {
    let targets: Vec<(SocketAddr, Vec<u8>)> = targets
        .iter()
        .map(|target| (target.address, client::request(&target.key, &body(&json!({ "stream": true }), 1000))))
        .collect();
    streams::first_events(&targets, arguments.first_bytes).await
}

/// Resident memory of both deployments while `arguments.streams` streams are open.
async fn open_streams(arguments: &Arguments, targets: &[Target], processes: [&Process; 2]) -> Result<[u64; 2]> {
    let mut resident = [0; 2];
    let endless = json!({ "stream": true, "fake": { "endless": true, "chunk_delay_ms": 1000 } });
    for ((target, process), resident) in targets[2..].iter().zip(processes).zip(&mut resident) {
        let request = client::request(&target.key, &body(&endless, 1000));
        let open = streams::open(target.address, &request, arguments.streams).await.with_context(|| target.name)?;
        *resident = process.resident_bytes()?;
        drop(open);
    }
    Ok(resident)
}

/// A chat completion request of about `bytes` bytes, with the fields of `extra`.
fn body(extra: &serde_json::Value, bytes: usize) -> String {
    let mut body = json!({ "model": "bench", "messages": [{ "role": "user", "content": "" }] });
    if let (Some(body), Some(extra)) = (body.as_object_mut(), extra.as_object()) {
        body.extend(extra.clone());
    }
    let missing = bytes.saturating_sub(body.to_string().len());
    body["messages"][0]["content"] = "word ".repeat(missing / 5).into();
    body.to_string()
}

/// Resident memory once it has not changed for two seconds.
async fn settled(process: &Process) -> Result<u64> {
    let (mut last, mut since) = (0, Instant::now());
    wait::until("memory has settled", Duration::from_mins(1), || {
        let now = process.resident_bytes().ok()?;
        if std::mem::replace(&mut last, now) != now {
            since = Instant::now();
        }
        (since.elapsed() > Duration::from_secs(2)).then_some(now)
    })
    .await
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn report(
    arguments: &Arguments,
    targets: &[Target],
    runs: &[Run],
    first: &[[Duration; 2]],
    idle: [u64; 2],
    open: [u64; 2],
) {
    println!("\n1 KB unary requests, {} connections, each target alone in turns", arguments.connections);
    println!("{:<16} {:>10} {:>10} {:>10} {:>12} {:>9}", "", "requests/s", "p50 ms", "p99 ms", "CPU us/req", "x nginx");
    let nginx = runs.get(1).map_or(1.0, Run::cpu_per_request);
    for (target, run) in targets.iter().zip(runs) {
        println!(
            "{:<16} {:>10.0} {:>10.3} {:>10.3} {:>12.1} {:>9.2}",
            target.name,
            run.per_second(),
            milliseconds(run.percentile(50)),
            milliseconds(run.percentile(99)),
            run.cpu_per_request(),
            run.cpu_per_request() / nginx
        );
    }
    println!("\nfirst byte of a stream, one after the other, {} each", arguments.first_bytes);
    println!("{:<16} {:>10} {:>10} {:>12}", "", "p50 ms", "p99 ms", "added p50 ms");
    let direct = first.first().map_or(Duration::ZERO, |times| times[0]);
    for (target, times) in targets.iter().zip(first) {
        let added = milliseconds(times[0]) - milliseconds(direct);
        println!(
            "{:<16} {:>10.3} {:>10.3} {:>12.3}",
            target.name,
            milliseconds(times[0]),
            milliseconds(times[1]),
            added
        );
    }
    println!("\nresident memory, MiB");
    println!("{:<16} {:>10} {:>24}", "", "idle", format!("with {} open streams", arguments.streams));
    for ((target, idle), open) in targets[2..].iter().zip(idle).zip(open) {
        println!("{:<16} {:>10.1} {:>24.1}", target.name, mebibytes(idle), mebibytes(open));
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn mebibytes(bytes: u64) -> f64 {
    load::count(bytes) / 1_048_576.0
}

/// The fake provider in a process of its own.
#[derive(Debug)]
struct Provider {
    address: SocketAddr,
    launch: Launch,
    process: Process,
}

impl Provider {
    async fn start(programs: &std::path::Path, directory: &std::path::Path, name: &str) -> Result<Self> {
        let address = ports::free()?;
        let launch = Launch {
            name: name.to_owned(),
            program: programs.join("fake-provider"),
            arguments: ["--listen", &address.to_string(), "--journal", "0"].map(str::to_owned).to_vec(),
            environment: Vec::new(),
            directory: directory.to_owned(),
            log: directory.join(format!("{name}.log")),
        };
        let process = launch.start()?;
        let provider = Self { address, launch, process };
        provider.listens().await?;
        Ok(provider)
    }

    /// Starts it again where it listened before.
    async fn restart(&mut self) -> Result<()> {
        self.process = self.launch.start()?;
        self.listens().await
    }

    async fn listens(&self) -> Result<()> {
        wait::until_async("the provider listens", Duration::from_secs(10), async || {
            client::Client::connect(self.address).await.ok().map(drop)
        })
        .await
    }
}
