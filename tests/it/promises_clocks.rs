//! Tests of clocks that are wrong: promise 26 in `docs/PROMISES.md`.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use harness::admin::Key;
use harness::http::{Connection, bare, json as json_request};
use harness::planes::{Planes, Program, chat};
use hyper::Method;
use serde_json::json;

use crate::key_news::clock;
use crate::support::{MODELS, SOON, chat_records, provider, split};

/// An hour, in seconds.
const HOUR: i64 = 3_600;

/// A clock that may be set while the program runs that looks at it.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock in `directory` that is right.
    fn right(directory: &Path, name: &str) -> Self {
        let clock = Self { library: clock(directory), file: directory.join(name) };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds ahead of the right time, at once.
    fn set(&self, seconds: i64) {
        // The program has it mapped into its memory, so it is never cut short.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.file).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// Has `program` look at it from its next start on.
    fn give(&self, program: &mut Program) {
        let environment = &mut program.launch.environment;
        environment.push(("LD_PRELOAD".to_owned(), self.library.display().to_string()));
        environment.push(("CLOCK_FILE".to_owned(), self.file.display().to_string()));
    }
}

async fn status(node: &Program, key: &Key) -> u16 {
    node.chat(&key.value, &chat("gpt-4o", false)).await.unwrap().status
}

/// A proxy key that may send three requests a minute.
async fn limited(planes: &Planes, name: &str) -> Key {
    let key = planes.admin.create_key(&json!({ "name": name, "rpm": 3 })).await.unwrap();
    planes.knows(&key).await.unwrap();
    key
}

/// Promise 26 in `docs/PROMISES.md`: a clock that jumps by an hour, ahead or back, neither frees what a limit has taken
/// nor locks anyone out, and no usage is lost. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p26_a_clock_that_jumps_by_an_hour_frees_nobody_locks_nobody_and_loses_no_usage() {
    let mut planes = split(0).start().await.unwrap();
    let clock = Clock::right(planes.directory(), "clock");
    let mut node = planes.prepare_node().unwrap();
    clock.give(&mut node);
    node.start().await.unwrap();
    planes.nodes.push(node);
    let provider = provider().await;
    planes.serve(&provider.base_url(), MODELS).await.unwrap();

    let (mut answered, mut refused) = (0, 0);
    for (name, jump) in [("ahead", HOUR), ("back", -HOUR), ("and ahead again", HOUR)] {
        let taken = limited(&planes, &format!("taken, then {name}")).await;
        let node = planes.api();
        for _ in 0..3 {
            assert_eq!(status(node, &taken).await, 200, "{name}");
            answered += 1;
        }
        clock.set(jump);
        let answer = node.chat(&taken.value, &chat("gpt-4o", false)).await.unwrap();
        refused += 1;
        assert_eq!(answer.status, 429, "{name}: what is taken stays taken");
        let pause: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=70).contains(&pause), "{name}: {pause} s");
        let new = limited(&planes, &format!("new, after {name}")).await;
        assert_eq!(status(planes.api(), &new).await, 200, "{name}: who has taken nothing is not locked out");
        answered += 1;
    }
    let records = chat_records(&planes, answered + refused, SOON).await.unwrap();
    let served = records.iter().filter(|record| record["status"] == 200);
    assert_eq!(served.count(), answered, "{records:#?}");
}

/// Promise 26 in `docs/PROMISES.md`: a login ends at its time by the control plane's clock, and at most 60 s later; and
/// one from a clock that was an hour ahead opens nothing longer than it may. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p26_a_login_ends_when_it_should_whatever_the_clock_was_before() {
    let mut planes = split(0).set("Auth:SessionTimeout", HOUR).start().await.unwrap();
    let clock = Clock::right(planes.directory(), "clock");
    planes.control.kill().await.unwrap();
    clock.give(&mut planes.control);
    planes.control.start().await.unwrap();
    let http = planes.control.http;
    let credentials = json!({ "username": "admin", "password": planes.password });
    let log_in = async || {
        let request = json_request(Method::POST, "/auth/login", "", &credentials).unwrap();
        let answer = Connection::to(http).fetch(request).await.unwrap();
        answer.json()["token"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
    };
    let opens = async |token: &str| {
        let request = bare(Method::GET, "/admin/groups", token).unwrap();
        Connection::to(http).fetch(request).await.unwrap().status
    };
    for begun in [0, HOUR, -HOUR] {
        clock.set(begun);
        let token = log_in().await;
        assert_eq!(opens(&token).await, 200, "{begun}");
        clock.set(begun + HOUR - 30);
        assert_eq!(opens(&token).await, 200, "{begun}: it has 30 s left");
        clock.set(begun + HOUR + 61);
        assert_eq!(opens(&token).await, 401, "{begun}: it ended a minute ago");
    }
}
