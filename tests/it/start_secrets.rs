//! Tests of secrets at a start: those that a database needs and that are not there, a node token that is wrong, and
//! passwords that are reset.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use harness::admin::Admin;
use harness::planes::Program;
use harness::wait;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::support::{SOON, programs, split, standalone};

/// Every file below `directory`, with what is in it.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(self::files(&entry.path()));
        } else {
            files.insert(entry.path().display().to_string(), std::fs::read(entry.path()).unwrap());
        }
    }
    files
}

async fn refusal(program: &mut Program) -> String {
    program.launch().unwrap();
    let process = program.process_mut().unwrap();
    let status = process.wait(SOON).await.expect("it refuses to start");
    assert!(!status.success(), "{status}");
    process.log()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_secrets_are_missing_or_foreign_stops_the_start_and_nothing_is_written() {
    let mut planes = standalone().start().await.unwrap();
    let other = standalone().start().await.unwrap();
    planes.control.stop(SOON).await.unwrap();
    let secrets = planes.control.data.join("secrets.json");
    let own = std::fs::read(&secrets).unwrap();

    std::fs::remove_file(&secrets).unwrap();
    let before = files(&planes.control.data);
    let told = refusal(&mut planes.control).await;
    assert!(told.contains("secrets.json is missing") && told.contains("backup"), "{told}");
    assert!(told.contains("orchestration_api.db") && told.contains("--data-dir"), "{told}");
    assert_eq!(files(&planes.control.data), before);

    std::fs::copy(other.control.data.join("secrets.json"), &secrets).unwrap();
    let before = files(&planes.control.data);
    let told = refusal(&mut planes.control).await;
    assert!(told.contains("is not the file of the database"), "{told}");
    assert_eq!(files(&planes.control.data), before);

    // The key alone, brought as a setting, is enough.
    std::fs::remove_file(&secrets).unwrap();
    let kept: Value = serde_json::from_slice(&own).unwrap();
    let key = ("OrchestrationApi__Secrets__MasterKey".to_owned(), kept["masterKey"].as_str().unwrap().to_owned());
    planes.control.launch.environment.push(key);
    planes.control.start().await.unwrap();
    planes.login().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_token_is_refused_is_told_of_on_both_sides() {
    let planes = split(0).start().await.unwrap();
    let mut node = planes.prepare_node().unwrap();
    let place = node.launch.arguments.iter().position(|argument| argument == "--node-token-file").unwrap();
    node.launch
        .arguments
        .splice(place..place + 2, ["--node-token".to_owned(), "a-token-of-somewhere-else-0123456789".to_owned()]);
    let filter = ("OrchestrationApi__Log__Filter".to_owned(), "info,data_plane::control=debug".to_owned());
    node.launch.environment.push(filter);
    node.launch().unwrap();
    let ready = wait::until_async("the node says that it is refused", SOON, async || {
        let ready = node.get("/health/ready").await.ok()?;
        (ready.json()["controlPlane"] == "refused").then_some(ready)
    });
    let ready = ready.await.unwrap();
    assert_eq!(ready.status, 503);
    let reason = ready.json()["controlPlaneRefusal"].as_str().unwrap().to_owned();
    assert!(reason.contains("refuses the node token") && reason.contains("Node:Token"), "{reason}");
    // Further tries are told of at debug level alone.
    let log = wait::until("the node has tried several times", SOON, || {
        let log = node.process().unwrap().log();
        (log.lines().filter(|line| line.contains("\"DEBUG\"") && line.contains("node token")).count() >= 2)
            .then_some(log)
    });
    let log = log.await.unwrap();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("\"ERROR\"")).collect();
    assert!(errors.len() == 1 && errors[0].contains("refuses the node token"), "{log}");

    // The control plane names the address once, however often the node tries.
    let log = planes.control.process().unwrap().log();
    let warned: Vec<&str> =
        log.lines().filter(|line| line.contains("\"WARN\"") && line.contains("a node was refused")).collect();
    assert!(warned.len() == 1 && warned[0].contains("127.0.0.1") && warned[0].contains("node token is wrong"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_between_the_planes_is_warned_of_beyond_this_machine() {
    let mut planes = split(1).start().await.unwrap();
    let quiet = |program: &Program| !program.process().unwrap().log().contains("plain text");
    assert!(quiet(&planes.control) && quiet(&planes.nodes[0]));

    planes.control.stop(SOON).await.unwrap();
    let grpc = planes.control.grpc.unwrap();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], grpc.port())).to_string();
    let place = planes.control.launch.arguments.iter().position(|argument| argument == "--grpc-listen").unwrap();
    planes.control.launch.arguments[place + 1] = everywhere;
    planes.control.start().await.unwrap();
    let log = planes.control.process().unwrap().log();
    assert_eq!(
        log.lines().filter(|line| line.contains("plain text") && line.contains("Grpc:Listen")).count(),
        1,
        "{log}"
    );

    let mut node = planes.prepare_node().unwrap();
    let place = node.launch.arguments.iter().position(|argument| argument == "--control-url").unwrap();
    // An address of documentation, which nobody has.
    node.launch.arguments[place + 1] = "http://192.0.2.1:5001".to_owned();
    node.launch().unwrap();
    let warned = wait::until("the node warns", SOON, || {
        let log = node.process().unwrap().log();
        log.lines().find(|line| line.contains("plain text")).map(str::to_owned)
    });
    assert!(warned.await.unwrap().contains("Node:ControlPlaneUrl"));
}

/// Runs `reset-password` of `program` beside `data`, with `input` on its standard input.
async fn reset(program: &str, data: &Path, arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = tokio::process::Command::new(programs().join(program))
        .arg("reset-password")
        .arg("--data-dir")
        .arg(data)
        .args(arguments)
        .env_clear()
        .current_dir(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that refuses does not read.
    let _read = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn printed(told: &str) -> String {
    told.lines().find_map(|line| line.trim().strip_prefix("password: ")).unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_password_is_reset_whether_the_program_runs_or_not() {
    for (setup, program) in [(standalone(), "orchestration-api"), (split(0), "control-plane")] {
        let mut planes = setup.start().await.unwrap();
        let data = planes.control.data.clone();
        // While it runs.
        let (done, told) = reset(program, &data, &[], "").await;
        assert!(done && told.contains("username: admin"), "{told}");
        let first = printed(&told);
        assert!(first.len() >= 20, "{first}");
        assert!(planes.admin.get("/admin/status").await.is_err(), "all logins have ended");
        assert!(Admin::login(planes.control.http, "admin", &planes.password).await.is_err());
        planes.admin = Admin::login(planes.control.http, "admin", &first).await.unwrap();
        let audit = planes.admin.get("/admin/audit").await.unwrap().to_string();
        assert!(audit.contains("reset_password") && !audit.contains(&first), "{audit}");
        // While it is stopped, with a password of the operator's.
        planes.control.stop(SOON).await.unwrap();
        let (done, told) = reset(program, &data, &["--password-stdin"], "a password from stdin\n").await;
        assert!(done && !told.contains("a password from stdin"), "{told}");
        let file = planes.directory().join("password");
        std::fs::write(&file, "a password from a file").unwrap();
        let file = file.display().to_string();
        let (done, told) = reset(program, &data, &["--password-file", &file, "--username", "admin"], "").await;
        assert!(done && !told.contains("a password from a file"), "{told}");
        planes.control.start().await.unwrap();
        Admin::login(planes.control.http, "admin", "a password from a file").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_cannot_be_done_says_why_and_changes_nothing() {
    let mut planes = standalone().start().await.unwrap();
    let data = planes.control.data.clone();
    let empty = tempfile::tempdir().unwrap();
    for (data, arguments, input, wanted) in [
        (data.as_path(), &["--username", "nobody"][..], "", "there is no user \"nobody\"; admins are: admin"),
        (&data, &["--password-stdin"], "admin123\n", "well-known"),
        (&data, &["--password-stdin"], "short\n", "8 characters"),
        (&data, &["--password-stdin"], "", "empty"),
        (&data, &["--password-stdin"], "two\nlines", "single line"),
        (&data, &["--password-file", "/does/not/exist"], "", "/does/not/exist"),
        (empty.path(), &[], "", "orchestration_api.db"),
    ] {
        let (done, told) = reset("orchestration-api", data, arguments, input).await;
        assert!(!done && told.contains(wanted), "{arguments:?}: {told}");
    }
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    planes.login().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_names_another_password_than_the_stored_one_says_that_it_does_not_count() {
    let mut planes = standalone().start().await.unwrap();
    planes.control.stop(SOON).await.unwrap();
    let name = "OrchestrationApi__Auth__Password".to_owned();
    planes.control.launch.environment.push((name.clone(), "another password of the operator".to_owned()));
    planes.control.start().await.unwrap();
    let log = planes.control.process().unwrap().log();
    let warned =
        |log: &str| log.lines().filter(|line| line.contains("\"WARN\"") && line.contains("Auth:Password")).count();
    assert!(warned(&log) == 1 && log.contains("reset-password") && !log.contains("another password of"), "{log}");
    planes.login().await.unwrap();
    // With the stored one there is nothing to say.
    planes.control.stop(SOON).await.unwrap();
    planes.control.launch.environment.pop();
    planes.control.launch.environment.push((name, planes.password.clone()));
    std::fs::remove_file(&planes.control.launch.log).unwrap();
    planes.control.start().await.unwrap();
    assert_eq!(warned(&planes.control.process().unwrap().log()), 0);
}
