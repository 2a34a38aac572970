//! What clients notice while one of two providers fails: 500 requests a second for 40 seconds, in which it is in turn
//! killed, slow, answering with errors, and with garbage.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use harness::http::{Connection, bare, json as json_request};
use harness::planes::{Planes, Setup, group};
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::client::{self, Client};
use crate::load::{count, percentile};
use crate::{Provider, body, milliseconds};

/// Measures what clients notice while a provider fails.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Arguments {
    /// Requests in all.
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// Requests a second.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// Data planes.
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// How long a group waits for the first byte, in seconds.
    #[arg(long, default_value_t = 2)]
    timeout: u32,
    /// Upstream keys of each of both groups.
    #[arg(long, default_value_t = 2)]
    keys: usize,
}

/// How the first provider fails.
#[derive(Clone, Debug)]
struct Fault {
    name: &'static str,
    /// The script of all its answers. None: it is killed.
    script: Option<Value>,
}

fn faults() -> [Fault; 6] {
    let error = |status: u16| Some(json!({ "status": status }));
    let garbage = json!({ "body": "<<<%%% no answer at all", "content_type": "application/json" });
    [
        Fault { name: "killed", script: None },
        Fault { name: "slow (30 s)", script: Some(json!({ "head_delay_ms": 30_000 })) },
        Fault { name: "429", script: error(429) },
        Fault { name: "402", script: error(402) },
        Fault { name: "500", script: error(500) },
        Fault { name: "garbage", script: Some(garbage) },
    ]
}

/// What became of the requests of one fault.
#[derive(Debug, Default)]
struct Outcome {
    latencies: Vec<Duration>,
    attempts: u64,
    failures: Vec<String>,
}

/// Runs all faults, and prints what clients noticed.
pub(crate) async fn run(arguments: Arguments, programs: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut failing = Provider::start(programs, directory.path(), "failing").await?;
    let well = Provider::start(programs, directory.path(), "well").await?;
    let planes = Setup::split(programs, arguments.nodes).start().await?;
    for (number, _) in faults().iter().enumerate() {
        // Each fault has groups and keys of its own, so that none is out because of the one before.
        for (name, provider) in [("failing", &failing), ("well", &well)] {
            let base = format!("http://{}/v1", provider.address);
            let keys: Vec<String> = (0..arguments.keys).map(|key| format!("sk-{name}-{number}-{key:04}")).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut body = group(&format!("{name}-{number}"), &base, &keys, &[&model(number)]);
            body["timeout"] = json!(arguments.timeout);
            if let Some(body) = body.as_object_mut() {
                // As an operator has them who sets nothing.
                body.remove("affinity");
                body.remove("balancePolicy");
            }
            planes.admin.create_group(&body).await?;
        }
    }
    let key = planes.admin.create_key(&json!({ "name": "bench" })).await?;
    planes.knows(&key).await?;
    let nodes: Vec<SocketAddr> = planes.nodes.iter().map(|node| node.http).collect();
    let pool = Arc::new(Pool::new(&nodes));
    let mut outcomes = Vec::new();
    let each = arguments.requests / faults().len();
    for (number, fault) in faults().into_iter().enumerate() {
        let load = load(Arc::clone(&pool), key.value.clone(), model(number), each, arguments.rate);
        let trouble =
            trouble(&mut failing, &fault, Duration::from_secs_f64(count(each as u64) / f64::from(arguments.rate)));
        let (outcome, troubled) = tokio::join!(load, trouble);
        troubled.context(fault.name)?;
        outcomes.push((fault.name, outcome?));
    }
    report(&arguments, &outcomes);
    drop(planes);
    failovers(&arguments, programs, &well).await
}

fn model(number: usize) -> String {
    format!("model-{number}")
}

/// Has `provider` fail from a quarter of the `time` on, until a quarter before its end.
async fn trouble(provider: &mut Provider, fault: &Fault, time: Duration) -> Result<()> {
    let begun = tokio::time::Instant::now();
    sleep_until(begun + time / 4).await;
    match &fault.script {
        None => provider.process.kill().await?,
        Some(script) => provider.script(script).await?,
    }
    sleep_until(begun + time * 3 / 4).await;
    match &fault.script {
        None => provider.restart().await,
        Some(_) => provider.clear().await,
    }
}

/// Sends so many requests for `model`, at the `rate` a second, whether or not the ones before have been answered.
async fn load(pool: Arc<Pool>, key: String, model: String, requests: usize, rate: u32) -> Result<Outcome> {
    let mut tick = interval(Duration::from_secs(1) / rate);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = JoinSet::new();
    for number in 0..requests {
        tick.tick().await;
        // Each is a conversation of its own.
        let body = body(&json!({ "model": model, "user": format!("user-{number}") }), 1000);
        let (pool, request) = (Arc::clone(&pool), client::request(&key, &body));
        running.spawn(async move {
            let (node, client) = pool.take(number).await?;
            let sent = Instant::now();
            let mut client = match client {
                Some(client) => client,
                None => Client::connect(pool.nodes[node]).await?,
            };
            client.unary(&request).await?;
            let took = sent.elapsed();
            let attempts = client.attempts();
            pool.give(node, client).await;
            anyhow::Ok((took, attempts))
        });
    }
    let mut outcome = Outcome::default();
    while let Some(ended) = running.join_next().await {
        match ended? {
            Ok((took, attempts)) => {
                outcome.latencies.push(took);
                outcome.attempts += attempts;
            }
            Err(error) => outcome.failures.push(format!("{error:#}")),
        }
    }
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

/// Connections that are open and idle, for each node.
#[derive(Debug)]
struct Pool {
    nodes: Vec<SocketAddr>,
    idle: Vec<Mutex<Vec<Client>>>,
}

impl Pool {
    fn new(nodes: &[SocketAddr]) -> Self {
        Self { nodes: nodes.to_vec(), idle: nodes.iter().map(|_| Mutex::default()).collect() }
    }

    /// A connection for the request of this number to its node; none where one has to be made.
    async fn take(&self, number: usize) -> Result<(usize, Option<Client>)> {
        let node = number % self.nodes.len();
        let idle = self.idle.get(node).context("a node")?;
        Ok((node, idle.lock().await.pop()))
    }

    async fn give(&self, node: usize, client: Client) {
        if let Some(idle) = self.idle.get(node) {
            idle.lock().await.push(client);
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn report(arguments: &Arguments, outcomes: &[(&str, Outcome)]) {
    println!(
        "\n{} requests at {} a second over {} nodes, while one of two providers fails for half of the time",
        arguments.requests, arguments.rate, arguments.nodes
    );
    println!(
        "{:<14} {:>9} {:>9} {:>9} {:>9} {:>10} {:>10}",
        "", "requests", "success", "p50 ms", "p99 ms", "slowest ms", "attempts"
    );
    for (name, Outcome { latencies, attempts, failures }) in outcomes {
        let served = latencies.len() as u64;
        let all = served + failures.len() as u64;
        println!(
            "{name:<14} {all:>9} {:>8.3}% {:>9.2} {:>9.2} {:>10.1} {:>10.3}",
            100.0 * count(served) / count(all),
            milliseconds(percentile(latencies, 50)),
            milliseconds(percentile(latencies, 99)),
            milliseconds(latencies.last().copied().unwrap_or_default()),
            count(*attempts) / count(served.max(1)),
        );
    }
    for (name, Outcome { failures, .. }) in outcomes {
        if let Some(first) = failures.first() {
            println!("{name}: {} have failed, such as: {first}", failures.len());
        }
    }
}

/// How much later an answer comes where the first provider is dead, with the breaker off and on.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
async fn failovers(arguments: &Arguments, programs: &Path, well: &Provider) -> Result<()> {
    println!("\na provider that is dead, and the next one that answers: p50 ms of requests one after the other");
    // The retry budget allows thirty in ten seconds.
    for (name, failures, warm, samples) in [("breaker off", 0, 0, 25), ("breaker open", 5, 5, 500)] {
        let planes = Setup::split(programs, 1).set("Node:BreakerFailures", failures).start().await?;
        let dead = format!("http://{}/v1", harness::ports::free()?);
        let alive = format!("http://{}/v1", well.address);
        let key = two_groups(&planes, arguments, &dead, &alive).await?;
        let address = planes.api().http;
        let mut client = Client::connect(address).await?;
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..warm + samples {
            for (times, model) in times.iter_mut().zip(["alone", "both"]) {
                let request = client::request(&key, &body(&json!({ "model": model }), 1000));
                let sent = Instant::now();
                client.unary(&request).await?;
                if round >= warm.max(1) {
                    times.push(sent.elapsed());
                }
            }
        }
        let [alone, both] = times.map(|mut times| {
            times.sort_unstable();
            milliseconds(percentile(&times, 50))
        });
        println!("{name:<14} without it {alone:.3}, with it {both:.3}, added {:.3}", both - alone);
    }
    Ok(())
}

/// A group that serves `alone` and `both`, and behind a dead one that is asked first for `both`. Gives a proxy key.
async fn two_groups(planes: &Planes, arguments: &Arguments, dead: &str, alive: &str) -> Result<String> {
    for (name, base, models, priority) in
        [("dead", dead, &["both"][..], 10), ("alive", alive, &["both", "alone"][..], 0)]
    {
        let mut body = group(name, base, &[&format!("sk-{name}-0001")], models);
        (body["priority"], body["timeout"]) = (json!(priority), json!(arguments.timeout));
        planes.admin.create_group(&body).await?;
    }
    let key = planes.admin.create_key(&json!({ "name": "bench" })).await?;
    planes.knows(&key).await?;
    Ok(key.value)
}

impl Provider {
    /// Has all answers be as `script` says.
    pub(crate) async fn script(&self, script: &Value) -> Result<()> {
        let body = json!({ "for": "all", "always": script });
        self.control(Method::POST, &body).await
    }

    /// Has all answers be plain ones.
    async fn clear(&self) -> Result<()> {
        self.control(Method::DELETE, &Value::Null).await
    }

    async fn control(&self, method: Method, body: &Value) -> Result<()> {
        let request =
            if body.is_null() { bare(method, "/_script", "")? } else { json_request(method, "/_script", "", body)? };
        let answer = Connection::to(self.address).fetch(request).await?;
        if answer.status != 200 {
            bail!("the provider refuses its script: {}", answer.text());
        }
        Ok(())
    }
}
