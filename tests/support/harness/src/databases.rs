//! A database server that `tests/databases.py` has started for this run of the tests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use shared::ids::new_id;

/// The server that the environment names.
#[derive(Clone, Debug)]
pub struct Server {
    url: String,
    pid: i32,
}

/// A database whose files are on a small disk.
#[derive(Clone, Debug)]
pub struct SmallDisk {
    /// The URL of the database, which is empty.
    pub url: String,
    /// A directory on the disk.
    pub directory: PathBuf,
}

impl Server {
    /// A database of this run's server on a small disk. None where no such disk could be mounted.
    ///
    /// # Errors
    /// When the server refuses, or the tests are not run by `tests/databases.py`.
    pub fn small_disk() -> Result<Option<SmallDisk>> {
        let server = Self::of_this_run()?;
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (Some(directory), Some(name)) = (named("TEST_DATABASE_SMALL_DISK"), named("TEST_DATABASE_SMALL_NAME"))
        else {
            return Ok(None);
        };
        let (place, _) = server.url.rsplit_once('/').context("no database in the URL")?;
        Ok(Some(SmallDisk { url: format!("{place}/{name}"), directory: directory.into() }))
    }

    /// The server of this run.
    ///
    /// # Errors
    /// When the tests are not run by `tests/databases.py`.
    pub fn of_this_run() -> Result<Self> {
        let named = |name: &str| std::env::var(name).with_context(|| format!("{name}: run by tests/databases.py"));
        Ok(Self { url: named("TEST_DATABASE_URL")?, pid: named("TEST_DATABASE_PID")?.parse()? })
    }

    /// Makes an empty database and returns its URL.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create(&self) -> Result<String> {
        let name = format!("test_{}", new_id().replace('-', ""));
        self.execute(&self.url, &format!("CREATE DATABASE {name}"))?;
        let (place, _) = self.url.rsplit_once('/').context("no database in the URL")?;
        Ok(format!("{place}/{name}"))
    }

    /// Runs a statement on the database at `url`.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn execute(&self, url: &str, sql: &str) -> Result<()> {
        let mut client = if let Some(rest) = url.strip_prefix("mysql://") {
            let (user, place) = rest.split_once('@').context("no user in the URL")?;
            let (name, password) = user.split_once(':').context("no password in the URL")?;
            let (address, database) = place.split_once('/').context("no database in the URL")?;
            let (host, port) = address.split_once(':').context("no port in the URL")?;
            let mut client = Command::new("mariadb");
            client.args(["--no-defaults", "--protocol=tcp", "-h", host, "-P", port, "-u", name]);
            client.args([&format!("-p{password}"), "-e", sql, database]);
            client
        } else {
            let mut client = Command::new("psql");
            client.args(["--no-psqlrc", "--set", "ON_ERROR_STOP=1", "-c", sql, url]);
            client
        };
        let done = client.output()?;
        if !done.status.success() {
            bail!("{sql}: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    /// Stops every process of the server where it is. Connections stay open, and nothing is answered.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn stop(&self) -> Result<()> {
        // The first process makes the others, so it stops first.
        self.signal(Signal::STOP)
    }

    /// Lets the server go on.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_raw(self.pid).context("not a process")?, signal)?;
        for child in children(self.pid)? {
            // A process that has ended in the meantime needs no signal.
            let _gone = Pid::from_raw(child).map(|pid| kill_process(pid, signal));
        }
        Ok(())
    }
}

/// The processes that `parent` has started.
fn children(parent: i32) -> Result<Vec<i32>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name of the program, which may hold anything, stands in the last pair of brackets before the state.
        let parent_of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if parent_of == Some(parent) {
            children.push(pid);
        }
    }
    Ok(children)
}
