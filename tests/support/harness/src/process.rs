//! One process under test.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tokio::process::{Child, Command};

use crate::wait;

/// How many lines of the log are shown when a test fails.
const SHOWN_LINES: usize = 40;

/// How to start a program. It can be started again and again, and each start appends to the log.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The name that messages show.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// The arguments of the program.
    pub arguments: Vec<String>,
    /// The environment of the program, beside `PATH`.
    pub environment: Vec<(String, String)>,
    /// Where it runs.
    pub directory: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
}

impl Launch {
    /// Starts the program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self) -> Result<Process> {
        if !self.program.exists() {
            bail!("{} is missing: run `cargo build --workspace --bins` first", self.program.display());
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", path)
            .envs(self.environment.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(clone(&log)?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))?;
        Ok(Process { name: self.name.clone(), log: self.log.clone(), child })
    }
}

/// A running process, which is killed when it is dropped. If a test is failing at that moment, the end of the log is
/// shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// The id of the process.
    ///
    /// # Errors
    /// When it has ended.
    pub fn id(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| anyhow!("{} has ended", self.name))
    }

    /// How the process has ended, or nothing while it runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends the process at once, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// When it is not gone in time.
    pub async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.wait(Duration::from_secs(10)).await?;
        Ok(())
    }

    /// Asks the process to end.
    ///
    /// # Errors
    /// When it has ended before.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    /// When it has not within `deadline`.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let ended = tokio::time::timeout(deadline, self.child.wait()).await;
        Ok(ended.with_context(|| format!("{} has not ended within {deadline:?}", self.name))??)
    }

    /// What the process has written so far.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// The resident memory, in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        status_bytes(self.id()?, "VmRSS:")
    }

    /// The most resident memory that the process ever had, in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn peak_resident_bytes(&self) -> Result<u64> {
        status_bytes(self.id()?, "VmHWM:")
    }

    /// How many files and sockets it has open.
    ///
    /// # Errors
    /// When it has ended.
    pub fn open_files(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.id()?))?.count())
    }

    /// The processor time used so far, user and system, in clock ticks (usually 10 ms).
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_ticks(&self) -> Result<u64> {
        cpu_ticks(self.id()?)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.id()?)?;
        let id = Pid::from_raw(id).ok_or_else(|| anyhow!("no process id"))?;
        Ok(kill_process(id, signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_log(&self.name, &self.log);
        }
    }
}

/// The processor time used by process `id` so far, user and system, in clock ticks.
///
/// # Errors
/// When it has ended.
pub fn cpu_ticks(id: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field is the program's name in brackets and may hold anything.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace()).context("/proc/<pid>/stat")?;
    let times: Vec<u64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(times.iter().sum())
}

/// The number of clock ticks in a second.
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// Waits until `process` satisfies `condition`, and fails at once if the process ends.
///
/// # Errors
/// When it ends, or the condition does not hold within `deadline`; `what` names it.
pub async fn until_alive(
    what: &str,
    process: &mut Process,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> Result<()> {
    let ended = wait::until_async(what, deadline, async || {
        if let Some(status) = process.exited() {
            return Some(Some(status));
        }
        condition().await.then_some(None)
    })
    .await;
    match ended {
        Ok(None) => Ok(()),
        Ok(Some(status)) => bail!("{} ended with {status}:\n{}", process.name, tail(&process.log())),
        Err(error) => bail!("{error}\n{}", tail(&process.log())),
    }
}

fn status_bytes(id: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

fn clone(file: &File) -> Result<File> {
    Ok(file.try_clone()?)
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

#[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
fn show_log(name: &str, log: &Path) {
    eprintln!("--- end of the log of {name}\n{}\n---", tail(&read(log)));
}

/// Lets this process, and those that it starts, open as many files as the system grants. A test of 1,000 connections
/// needs two files for each.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // If the limit stays low, the test that needs more files fails and says so.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
