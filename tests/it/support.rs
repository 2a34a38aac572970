//! The deployments that tests start from, and what they share.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use fake_provider::FakeProvider;
use harness::admin::Key;
use harness::http::{Answer, Connection};
use harness::planes::{Planes, Setup, group};
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The deadline for something that happens at once, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Models that the fake provider's group serves in [`Bed`]. The names that stand for a fault are among them.
pub(crate) const MODELS: &[&str] = &[
    "gpt-4o",
    "gpt-4o-mini",
    "fake-slow",
    "fake-silent",
    "fake-endless",
    "fake-cut",
    "fake-cut-head",
    "fake-stream-error",
    "fake-html",
    "fake-junk",
    "fake-error-400",
    "fake-error-429",
    "fake-error-500",
    "fake-error-503",
];

/// Where the programs are.
pub(crate) fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_orchestration-api")).parent().unwrap_or_else(|| Path::new("."))
}

/// Both planes in one process.
pub(crate) fn standalone() -> Setup {
    Setup::standalone(programs())
}

/// A control plane and `nodes` data planes.
pub(crate) fn split(nodes: usize) -> Setup {
    Setup::split(programs(), nodes)
}

/// A fake provider of its own.
pub(crate) async fn provider() -> FakeProvider {
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    FakeProvider::bind(any).await.expect("a free port")
}

/// A deployment with a provider behind it and a key to it.
#[derive(Debug)]
pub(crate) struct Bed {
    /// The deployment.
    pub(crate) planes: Planes,
    /// The provider of its only group.
    pub(crate) provider: FakeProvider,
    /// A proxy key that every node knows.
    pub(crate) key: Key,
}

impl Bed {
    /// Starts `setup` with a group that serves [`MODELS`] by one upstream key.
    pub(crate) async fn start(setup: Setup) -> Result<Self> {
        let provider = provider().await;
        let planes = setup.start().await?;
        let key = planes.serve(&provider.base_url(), MODELS).await?;
        // The look-ups that wait for the key leave records too, which `chat_records` leaves out.
        Ok(Self { planes, provider, key })
    }

    /// Asks for a whole chat completion.
    pub(crate) async fn chat(&self, body: &Value) -> Result<Answer> {
        self.planes.api().chat(&self.key.value, body).await
    }

    /// Sends `body` as it stands to the chat route.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Result<Answer> {
        let mut request = raw_post("/v1/chat/completions", &self.key.value, body)?;
        for (name, value) in headers {
            request.headers_mut().append(
                hyper::header::HeaderName::from_bytes(name.as_bytes())?,
                value.parse().context("header value")?,
            );
        }
        Connection::to(self.planes.api().http).fetch(request).await
    }

    /// Waits until each node has the config that it serves on its disk. A node that is killed serves that when it
    /// starts alone.
    pub(crate) async fn config_kept(&self) -> Result<()> {
        for node in &self.planes.nodes {
            harness::wait::until_async("the config is on the node's disk", SOON, async || {
                let scrape = node.scrape().await.ok()?;
                (scrape.sum("config_version")? <= scrape.sum("config_kept_version")?).then_some(())
            })
            .await?;
        }
        Ok(())
    }

    /// The ledger's records of chat requests, once there are `count`. Others, such as those of the model list, are left
    /// out.
    pub(crate) async fn chat_records(&self, count: usize) -> Result<Vec<Value>> {
        chat_records(&self.planes, count, SOON).await
    }
}

/// A deployment with a group for each of `models`, each with an upstream key of its own, [`case_key`]. So what one case
/// teaches the gateway about a key does not matter to the next.
pub(crate) async fn a_group_for_each(setup: Setup, models: &[String]) -> Result<Bed> {
    let provider = provider().await;
    let planes = setup.start().await?;
    for (number, model) in models.iter().enumerate() {
        let body = group(&format!("group-{number}"), &provider.base_url(), &[&case_key(number)], &[model]);
        planes.admin.create_group(&body).await?;
    }
    let key = planes.admin.create_key(&json!({ "name": "cases" })).await?;
    planes.knows(&key).await?;
    Ok(Bed { planes, provider, key })
}

/// The upstream key of case `number`.
pub(crate) fn case_key(number: usize) -> String {
    format!("sk-upstream-case-key-{number:04}")
}

/// A request with a body of JSON type as it stands.
pub(crate) fn raw_post(path: &str, key: &str, body: impl Into<Bytes>) -> Result<Request<Full<Bytes>>> {
    Ok(Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Full::new(body.into()))?)
}

/// Waits until the ledger has `count` records of chat requests, and returns them. More than that is an error.
pub(crate) async fn chat_records(planes: &Planes, count: usize, deadline: Duration) -> Result<Vec<Value>> {
    let mut seen = 0;
    let records = harness::wait::until_async("all usage records are in the ledger", deadline, async || {
        let records = ledger(planes).await.ok()?;
        seen = records.len();
        (seen >= count).then_some(records)
    })
    .await
    .with_context(|| format!("{seen} records of {count}"))?;
    anyhow::ensure!(records.len() == count, "{} records instead of {count}: {records:#?}", records.len());
    Ok(records)
}

/// The ledger's records of chat requests, newest first.
pub(crate) async fn ledger(planes: &Planes) -> Result<Vec<Value>> {
    let mut records = planes.admin.logs().await?;
    records.retain(|record| record["path"] == "/v1/chat/completions");
    Ok(records)
}

/// The parsed data of each event. `[DONE]` is left out.
pub(crate) fn chunks(events: &[String]) -> Vec<Value> {
    let json = events.iter().filter(|data| *data != "[DONE]");
    json.map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} in {data}"))).collect()
}

/// The content that a stream of chunks adds up to.
pub(crate) fn content(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

/// Waits until the readiness probe of the control plane answers with `status`, and returns what it says.
pub(crate) async fn readiness(planes: &Planes, status: u16) -> Value {
    harness::wait::until_async("the readiness probe changes its mind", SOON, async || {
        let answer = planes.control.get("/health/ready").await.ok()?;
        (answer.status == status).then(|| answer.json())
    })
    .await
    .unwrap()
}

/// A filesystem of 3 MB in memory, which ends with it.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    pub(crate) fn mount() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(directory.path());
        mount.output().ok()?.status.success().then_some(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ended = Command::new("umount").arg("--lazy").arg(self.path()).output();
    }
}

/// Prints what a test has measured, or why it was left out.
pub(crate) fn tell(text: &str) {
    let mut output = std::io::stderr().lock();
    // Nobody may be reading.
    let _unread = writeln!(output, "{text}");
}
