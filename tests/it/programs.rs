//! Tests of the programs themselves: settings, probes, metrics, and the demo.

use harness::planes::{Program, chat};
use harness::process::Launch;
use harness::wait;
use tempfile::TempDir;

use crate::support::{Bed, SOON, split, standalone};

/// The standalone program below a directory of its own. It has not been started.
fn prepared() -> (TempDir, Program) {
    let root = TempDir::new().unwrap();
    let program = standalone().prepare_control(root.path(), "program").unwrap();
    (root, program)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_prints_a_curl_line_that_works_as_pasted() {
    let (root, mut program) = prepared();
    program.launch.arguments.push("--demo".to_owned());
    program.launch().unwrap();
    program.ready(SOON).await.unwrap();
    let command = wait::until("a curl line is printed", SOON, || pasted(&program.process().ok()?.log())).await.unwrap();
    let curl = Launch {
        name: "curl".to_owned(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), command.clone()],
        environment: Vec::new(),
        directory: root.path().to_owned(),
        log: root.path().join("curl.log"),
    };
    let mut curl = curl.start().unwrap();
    assert!(curl.wait(SOON).await.unwrap().success(), "{command}\n{}", curl.log());
    assert!(curl.log().contains("chat.completion"), "{command}\n{}", curl.log());
}

/// The command that begins with `curl`, with the lines that continue it.
fn pasted(log: &str) -> Option<String> {
    let mut lines = log.lines().skip_while(|line| !line.trim_start().starts_with("curl ")).peekable();
    lines.peek()?;
    let mut command = String::new();
    for line in lines {
        command.push_str(line.trim_start());
        command.push('\n');
        // A quoted body may also go over several lines.
        let open = command.matches('\'').count() % 2 == 1;
        if !open && !line.trim_end().ends_with('\\') {
            return Some(command);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_no_one_knows_is_an_error_that_names_the_nearest() {
    let (_root, mut program) = prepared();
    program.launch.environment.push(("OrchestrationApi__Limits__MaxBodyByte".to_owned(), "1".to_owned()));
    program.launch().unwrap();
    let process = program.process_mut().unwrap();
    assert!(!process.wait(SOON).await.unwrap().success());
    let log = process.log();
    assert!(log.contains("MaxBodyByte") && log.contains("MaxBodyBytes"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_come_from_the_file_then_variables_then_flags() {
    let (_root, mut program) = prepared();
    let file = r#"{ "OrchestrationApi": { "Auth": { "Username": "from-the-file", "Password": "password-of-the-file" },
                    "Server": { "Listen": "127.0.0.1:1" } }, "Serilog": { "anything": 1 } }"#;
    std::fs::write(program.launch.directory.join("appsettings.json"), file).unwrap();
    program.launch.environment.push(("OrchestrationApi__Auth__Username".to_owned(), "from-a-variable".to_owned()));
    // The harness gives `--listen`, which wins over the file.
    program.start().await.unwrap();
    let admin = harness::admin::Admin::login(program.http, "from-a-variable", "password-of-the-file").await;
    assert!(admin.is_ok(), "{:?}", admin.err());
    let log = program.process().unwrap().log();
    assert!(!log.contains("password-of-the-file"), "a password that was given is not printed");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_planes_answer_probes_and_show_metrics() {
    let bed = Bed::start(split(1)).await.unwrap();
    bed.chat(&chat("gpt-4o", false)).await.unwrap();
    for program in [&bed.planes.control, bed.planes.api()] {
        for path in ["/health", "/health/live", "/health/ready"] {
            assert_eq!(program.get(path).await.unwrap().status, 200, "{} {path}", program.launch.name);
        }
        let text = program.scrape().await.unwrap();
        assert!(text.text().ends_with("# EOF\n"), "OpenMetrics ends so");
        for sample in text.text().lines().filter(|line| !line.starts_with('#')) {
            assert!(sample.starts_with("orchestration_"), "{}: {sample}", program.launch.name);
        }
        assert_eq!(program.get("/metrics").await.unwrap().status, 404, "metrics have a port of their own");
        assert!(!text.text().contains("sk-upstream") && !text.text().contains(&bed.key.value));
    }
    // Each plane has its routes and no others.
    assert_eq!(bed.planes.control.get("/v1/models").await.unwrap().status, 404);
    assert_eq!(bed.planes.api().get("/admin/groups").await.unwrap().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_line_at_info() {
    let bed = Bed::start(split(1)).await.unwrap();
    let mut request = chat("gpt-4o", false);
    request["messages"][0]["content"] = "a secret of the client".into();
    let answer = bed.chat(&request).await.unwrap();
    bed.chat_records(1).await.unwrap();
    let id = answer.header("x-request-id").to_owned();
    let line = wait::until("the request is logged", SOON, || {
        let log = bed.planes.api().process().ok()?.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
        (lines.len() == 1).then(|| lines[0].to_owned())
    })
    .await
    .unwrap();
    assert!(line.contains("\"level\":\"INFO\""), "{line}");
    let log = bed.planes.api().process().unwrap().log();
    assert!(!log.contains("a secret of the client"), "a body is in the log");
}

/// OpenMetrics 1.0, "MetricFamily names MUST be unique".
#[tokio::test(flavor = "multi_thread")]
async fn no_metric_stands_twice() {
    let bed = Bed::start(standalone()).await.unwrap();
    let scrape = bed.planes.api().scrape().await.unwrap();
    let mut families: Vec<&str> = scrape.text().lines().filter(|line| line.starts_with("# TYPE ")).collect();
    assert!(families.len() > 20, "{families:?}");
    families.sort_unstable();
    for pair in families.windows(2) {
        assert_ne!(pair[0].split(' ').nth(2), pair[1].split(' ').nth(2));
    }
    assert!(scrape.text().ends_with("# EOF\n"));
}
