//! Tests of what people are told at a start, and of what a start leaves behind.

use std::net::TcpListener;

use harness::planes::{Program, Setup, chat};
use harness::wait;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Bed, SOON, programs, split, standalone};

fn prepared(setup: Setup) -> (TempDir, Program) {
    let root = TempDir::new().unwrap();
    let program = setup.prepare_control(root.path(), "program").unwrap();
    (root, program)
}

/// What the program says when it refuses to start.
async fn refusal(program: &mut Program) -> String {
    program.launch().unwrap();
    let process = program.process_mut().unwrap();
    let status = process.wait(SOON).await.unwrap();
    assert!(!status.success(), "{status}");
    process.log()
}

/// Starts the program. Returns what it has said until it serves, which is the last line of a start.
async fn started(program: &mut Program) -> String {
    program.start().await.unwrap();
    let process = program.process().unwrap();
    let said = wait::until("the program says that it serves", SOON, || {
        Some(process.log()).filter(|log| log.contains("serving"))
    });
    said.await.unwrap()
}

/// Replaces the value of a flag.
fn set(program: &mut Program, flag: &str, value: &str) {
    let arguments = &mut program.launch.arguments;
    let position = arguments.iter().position(|argument| argument == flag).unwrap();
    arguments[position + 1] = String::from(value);
}

/// The only item of a list that has this name.
fn named(list: &Value, field: &str, name: &str) -> Value {
    let mut found = list["items"].as_array().unwrap().iter().filter(|item| item[field] == name);
    let item = found.next().cloned().unwrap();
    assert!(found.next().is_none(), "{list}");
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_key_reaches_the_demo_alone_and_both_are_off_without_the_demo() {
    let mut bed = Bed::start(standalone()).await.unwrap();
    let program = &mut bed.planes.control;
    for demo in [true, false, true] {
        program.stop(SOON).await.unwrap();
        program.launch.arguments.retain(|argument| argument != "--demo");
        if demo {
            program.launch.arguments.push("--demo".to_owned());
        }
        std::fs::remove_file(&program.launch.log).unwrap();
        let log = started(program).await;
        let groups = bed.planes.admin.get("/admin/groups").await.unwrap();
        let keys = bed.planes.admin.get("/admin/proxy-keys").await.unwrap();
        let (group, key) = (named(&groups, "groupName", "demo"), named(&keys, "name", "demo"));
        assert_eq!((&group["enabled"], &key["enabled"]), (&json!(demo), &json!(demo)));
        assert_eq!(key["allowedGroups"], json!([group["id"]]));
        assert_eq!(named(&groups, "groupName", "fake")["enabled"], true);
        assert_eq!(log.matches("of an earlier --demo are disabled").count(), usize::from(!demo), "{log}");
    }
    // A model of the other group does not exist for the demo's key.
    let log = bed.planes.control.process().unwrap().log();
    let key = log.split("Bearer ").nth(1).unwrap().split('\'').next().unwrap();
    assert_eq!(bed.planes.control.chat(key, &chat("gpt-4o", false)).await.unwrap().status, 404);
    let answered = wait::until_async("the demo answers", SOON, async || {
        bed.planes.control.chat(key, &chat("demo-model", false)).await.ok().filter(|answer| answer.status == 200)
    });
    answered.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_told_once_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setup in [standalone(), split(0)] {
        let (_root, mut program) = prepared(setup);
        set(&mut program, "--listen", &address);
        let told = refusal(&mut program).await;
        assert_eq!(told.matches("is in use").count(), 1, "{told}");
        assert!(told.contains(&address) && told.contains("another copy may be running") && told.contains("--listen"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_makes_no_sense_is_named_with_what_does() {
    let cases = [
        ("--listen", "5000", "Server:Listen", "ADDRESS:PORT"),
        ("--log-format", "jsn", "Log:Format", "`text` or `json`"),
        ("--data-dir", "/dev/null", "/dev/null", "--data-dir"),
    ];
    for (flag, value, named, wanted) in cases {
        let (_root, mut program) = prepared(standalone());
        set(&mut program, flag, value);
        let told = refusal(&mut program).await;
        assert!(told.contains(named) && told.contains(wanted), "{flag} {value}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_is_named_without_its_password() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://me:hunter2@{closed}/orch");
    let (_root, mut program) = prepared(standalone().set("Database:Url", url));
    let told = refusal(&mut program).await;
    assert!(told.contains(&closed.to_string()) && !told.contains("hunter2"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_the_address_that_is_served() {
    let (_root, mut program) = prepared(standalone());
    let all = format!("0.0.0.0:{}", program.http.port());
    set(&mut program, "--listen", &all);
    let log = started(&mut program).await;
    assert!(log.contains(&format!("\"http\":\"{all}\"")), "{log}");
    assert!(log.contains(&format!("http://{}/ (served on all addresses", program.http)), "{log}");
}

/// JSON lines and words for people go to different streams.
#[tokio::test(flavor = "multi_thread")]
async fn stdout_holds_json_lines_alone() {
    let (root, mut program) = prepared(standalone());
    let stdout = root.path().join("stdout");
    let arguments: Vec<_> = std::mem::take(&mut program.launch.arguments);
    let command = format!(
        "exec {} --demo {} >{}",
        programs().join("orchestration-api").display(),
        arguments.join(" "),
        stdout.display()
    );
    program.launch.program = "/bin/sh".into();
    program.launch.arguments = vec!["-c".to_owned(), command];
    program.start().await.unwrap();
    let lines = wait::until("the program serves", SOON, || {
        let text = std::fs::read_to_string(&stdout).ok()?;
        text.contains("\"serving\"").then_some(text)
    });
    let lines = lines.await.unwrap();
    for line in lines.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    let shown = program.process().unwrap().log();
    assert!(shown.contains("password: ") && shown.contains("curl "), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_plane_that_is_printed_starts_as_pasted() {
    let (_root, mut program) = prepared(split(0));
    let log = started(&mut program).await;
    let command = log.lines().find(|line| line.contains("--control-url")).unwrap().trim();
    let listen = harness::ports::free().unwrap();
    let mut node = program.launch.clone();
    node.name = "node".to_owned();
    node.program = "/bin/sh".into();
    node.arguments = vec!["-c".to_owned(), format!("exec {command} --listen {listen} --metrics-listen=")];
    node.log = node.directory.join("node.log");
    let node = node.start().unwrap();
    wait::until("the node is connected", SOON, || node.log().contains("connected to the control plane").then_some(()))
        .await
        .unwrap_or_else(|_| panic!("{command}\n{}", node.log()));
}
