//! A deployment, standalone or split, each program in a process of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::admin::{Admin, Key};
use crate::http::{Answer, Connection, EventStream, bare, json as json_request};
use crate::metrics::Scrape;
use crate::process::{Launch, Process, raise_file_limit, until_alive};
use crate::{ports, wait};

/// How long a program may take from its start until it is ready.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// The programs to start, and their settings.
#[derive(Clone, Debug)]
pub struct Setup {
    programs: PathBuf,
    /// The number of data planes. `None` is the standalone program.
    nodes: Option<usize>,
    settings: Vec<(String, String)>,
    control_url: Option<String>,
}

impl Setup {
    /// Both planes in one process. `programs` is the directory with the executables.
    pub fn standalone(programs: &Path) -> Self {
        Self { programs: programs.to_owned(), nodes: None, settings: quick_drain(), control_url: None }
    }

    /// A control plane and `nodes` data planes.
    pub fn split(programs: &Path, nodes: usize) -> Self {
        Self { programs: programs.to_owned(), nodes: Some(nodes), settings: quick_drain(), control_url: None }
    }

    /// Sets `key` (`Section:Key`) for all programs that know it.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    /// Has the nodes reach the control plane at `url` instead of directly.
    #[must_use]
    pub fn control_url(mut self, url: &str) -> Self {
        self.control_url = Some(url.to_owned());
        self
    }

    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// When a program does not start, or the printed password does not log in.
    pub async fn start(self) -> Result<Planes> {
        let mut planes = self.start_control().await?;
        for _ in 0..planes.setup.nodes.unwrap_or_default() {
            planes.add_node().await?;
        }
        Ok(planes)
    }

    /// Starts the control plane alone (or the standalone program). [`Planes::add_node`] adds nodes.
    ///
    /// # Errors
    /// When it does not start, or the printed password does not log in.
    pub async fn start_control(self) -> Result<Planes> {
        raise_file_limit();
        let root = TempDir::new()?;
        let mut control = self.prepare_control(root.path(), "control")?;
        control.start().await?;
        let password =
            printed_password(&control.process()?.log()).context("no password is printed at the first start")?;
        let admin = Admin::login(control.http, "admin", &password).await?;
        Ok(Planes { setup: self, root, control, nodes: Vec::new(), admin, password })
    }

    /// A control plane (or the standalone program) below `root` that has not been started. It is for a start that is to
    /// fail, or for several programs that share a database.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn prepare_control(&self, root: &Path, name: &str) -> Result<Program> {
        let program = if self.nodes.is_some() { "control-plane" } else { "orchestration-api" };
        let mut program = self.program(root, program, name)?;
        if self.nodes.is_some() {
            let grpc = ports::free()?;
            program.grpc = Some(grpc);
            program.launch.arguments.extend(["--grpc-listen".to_owned(), grpc.to_string()]);
        }
        Ok(program)
    }

    /// A data plane of `control` below `root` that has not been started, with the number `index` in its name.
    ///
    /// # Errors
    /// When there is no free port, or standalone has its node inside.
    pub fn prepare_node(&self, root: &Path, control: &Program, index: usize) -> Result<Program> {
        let mut program = self.program(root, "data-plane", &format!("node-{index}"))?;
        let url = match (&self.control_url, control.grpc) {
            (Some(url), _) => url.clone(),
            (None, Some(grpc)) => format!("http://{grpc}"),
            (None, None) => bail!("standalone has its node inside"),
        };
        let token = control.data.join("node-token");
        program.launch.arguments.extend(["--control-url".to_owned(), url]);
        program.launch.arguments.extend(["--node-token-file".to_owned(), token.display().to_string()]);
        program.launch.arguments.extend(["--node-id".to_owned(), format!("node-{index}")]);
        Ok(program)
    }

    fn program(&self, root: &Path, program: &str, name: &str) -> Result<Program> {
        let (http, metrics) = (ports::free()?, ports::free()?);
        let directory = root.join(name);
        std::fs::create_dir_all(&directory)?;
        let data = directory.join("data");
        let arguments = [
            ("--listen", http.to_string()),
            ("--metrics-listen", metrics.to_string()),
            ("--data-dir", data.display().to_string()),
            ("--log-format", "json".to_owned()),
        ];
        let environment = self
            .settings
            .iter()
            .filter(|(key, _)| known(program, key))
            .map(|(key, value)| (format!("OrchestrationApi__{}", key.replace(':', "__")), value.clone()));
        Ok(Program {
            launch: Launch {
                name: name.to_owned(),
                program: self.programs.join(program),
                arguments: arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect(),
                environment: environment.collect(),
                log: directory.join("log"),
                directory,
            },
            http,
            metrics,
            grpc: None,
            data,
            process: None,
        })
    }
}

/// One program of a deployment, running or not.
#[derive(Debug)]
pub struct Program {
    /// How the program is started. Tests may add flags before a restart.
    pub launch: Launch,
    /// Where it serves HTTP.
    pub http: SocketAddr,
    /// Where it serves metrics.
    pub metrics: SocketAddr,
    /// Where a control plane serves nodes.
    pub grpc: Option<SocketAddr>,
    /// Its data directory.
    pub data: PathBuf,
    process: Option<Process>,
}

impl Program {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead, or is not ready in time.
    pub async fn start(&mut self) -> Result<()> {
        self.launch()?;
        self.ready(START_DEADLINE).await
    }

    /// Starts it without waiting.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&mut self) -> Result<()> {
        self.process = Some(self.launch.start()?);
        Ok(())
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead, or is not ready within `deadline`.
    pub async fn ready(&mut self, deadline: Duration) -> Result<()> {
        let http = self.http;
        let process = self.process.as_mut().context("not started")?;
        until_alive("the program is ready", process, deadline, async || {
            let Ok(request) = bare(Method::GET, "/health/ready", "") else { return false };
            Connection::to(http).fetch(request).await.is_ok_and(|answer| answer.status == 200)
        })
        .await
    }

    /// Ends it at once, as `kill -9` does.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("not started")?;
        process.kill().await
    }

    /// Asks it to end, as an orchestrator does, and waits until it has.
    ///
    /// # Errors
    /// When it has not ended within `deadline`.
    pub async fn stop(&mut self, deadline: Duration) -> Result<()> {
        let mut process = self.process.take().context("not started")?;
        process.terminate()?;
        process.wait(deadline).await?;
        Ok(())
    }

    /// The running process.
    ///
    /// # Errors
    /// When it has not been started.
    pub fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("not started")
    }

    /// The running process, to be changed.
    ///
    /// # Errors
    /// When it has not been started.
    pub fn process_mut(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("not started")
    }

    /// Reads the metrics of the program.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn scrape(&self) -> Result<Scrape> {
        Scrape::of(self.metrics).await
    }

    /// `GET path` without a credential.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        Connection::to(self.http).fetch(bare(Method::GET, path, "")?).await
    }

    /// A chat completion, whole.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn chat(&self, key: &str, body: &Value) -> Result<Answer> {
        Connection::to(self.http).fetch(chat_request(key, body)?).await
    }

    /// A chat completion, event by event.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn chat_stream(&self, key: &str, body: &Value) -> Result<EventStream> {
        Connection::to(self.http).stream(chat_request(key, body)?).await
    }
}

/// A running deployment. When it is dropped, all programs end and their files are removed.
#[derive(Debug)]
pub struct Planes {
    // Fields are dropped in this order, so the programs end before the directory that they write to is removed.
    /// The control plane, or the standalone program.
    pub control: Program,
    /// Data planes; none in standalone.
    pub nodes: Vec<Program>,
    /// A logged-in admin.
    pub admin: Admin,
    /// The password that the first start printed.
    pub password: String,
    setup: Setup,
    root: TempDir,
}

impl Planes {
    /// Starts another node and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn add_node(&mut self) -> Result<()> {
        let mut node = self.prepare_node()?;
        node.start().await?;
        self.nodes.push(node);
        Ok(())
    }

    /// Another node, which has not been started.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn prepare_node(&self) -> Result<Program> {
        self.setup.prepare_node(self.root.path(), &self.control, self.nodes.len())
    }

    /// Where clients connect: the first node, or the standalone program.
    pub fn api(&self) -> &Program {
        self.nodes.first().unwrap_or(&self.control)
    }

    /// The program to which clients connect, as in [`Self::api`], to be changed.
    pub fn api_mut(&mut self) -> &mut Program {
        self.nodes.first_mut().unwrap_or(&mut self.control)
    }

    /// A directory for the files of the test.
    pub fn directory(&self) -> &Path {
        self.root.path()
    }

    /// Logs in again, which is needed after a change of the data directory.
    ///
    /// # Errors
    /// When the login is refused.
    pub async fn login(&mut self) -> Result<()> {
        self.admin = Admin::login(self.control.http, "admin", &self.password).await?;
        Ok(())
    }

    /// Makes a group that reaches `base_url` with one key and serves `models`, and a proxy key that every node knows.
    ///
    /// # Errors
    /// When one is refused, or a node does not learn of it.
    pub async fn serve(&self, base_url: &str, models: &[&str]) -> Result<Key> {
        self.admin.create_group(&group("fake", base_url, &["sk-upstream-key-0001"], models)).await?;
        let key = self.admin.create_key(&json!({ "name": "test" })).await?;
        self.knows(&key).await?;
        Ok(key)
    }

    /// Waits until every node knows `key`.
    ///
    /// # Errors
    /// When one does not in time.
    pub async fn knows(&self, key: &Key) -> Result<()> {
        let programs = if self.nodes.is_empty() { std::slice::from_ref(&self.control) } else { &self.nodes };
        for program in programs {
            wait::until_async("the node knows the key", Duration::from_secs(10), async || {
                let request = bare(Method::GET, "/v1/models", &key.value).ok()?;
                let answer = Connection::to(program.http).fetch(request).await.ok()?;
                (answer.status == 200).then_some(())
            })
            .await
            .with_context(|| program.launch.name.clone())?;
        }
        Ok(())
    }
}

/// The body of a group of an OpenAI-format provider.
pub fn group(name: &str, base_url: &str, keys: &[&str], models: &[&str]) -> Value {
    json!({
        "groupName": name,
        "providerType": "openai",
        "baseUrl": base_url,
        "apiKeys": keys,
        "models": models,
        "enabled": true,
        // What each key is asked is known: they are asked in their order, as long as nothing is under way.
        "balancePolicy": "least_used",
        "affinity": false,
    })
}

/// The body of a chat completion.
pub fn chat(model: &str, stream: bool) -> Value {
    json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// A chat completion as a request.
///
/// # Errors
/// When the key cannot stand in a header.
pub fn chat_request(key: &str, body: &Value) -> Result<Request<Full<Bytes>>> {
    json_request(Method::POST, "/v1/chat/completions", key, body)
}

/// The password in the log of a first start, which prints it once, in a line of its own.
fn printed_password(log: &str) -> Option<String> {
    log.lines().find_map(|line| line.trim_start().strip_prefix("password: ")).map(|password| password.trim().to_owned())
}

/// Whether `program` knows the setting. It would not start with a setting that it does not know.
fn known(program: &str, key: &str) -> bool {
    let section = key.split(':').next().unwrap_or_default();
    match program {
        "control-plane" => !matches!(section, "Cache" | "Limits" | "Usage" | "Node"),
        "data-plane" => !matches!(section, "Auth" | "Secrets" | "Database" | "Grpc" | "HealthCheck" | "Probes"),
        _ => true,
    }
}

/// A short drain delay. Only load balancers need the pause after a SIGTERM, and there are none here.
fn quick_drain() -> Vec<(String, String)> {
    vec![("Server:DrainDelaySeconds".to_owned(), "0.1".to_owned())]
}

/// A text of about `bytes` bytes, made of words, for large requests.
pub fn words(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut number = 0_u64;
    while text.len() < bytes {
        // Writing to a String cannot fail.
        let _written = write!(text, "word{number} ");
        number += 1;
    }
    text
}
