//! Tests of settings at a start: what looks like one and is not read is named, and what cannot be meant is refused.

use harness::planes::{Program, Setup};
use harness::wait;
use tempfile::TempDir;

use crate::support::{SOON, split, standalone};

fn prepared(setup: Setup) -> (TempDir, Program) {
    let root = TempDir::new().unwrap();
    let program = setup.prepare_control(root.path(), "program").unwrap();
    (root, program)
}

fn variable(program: &mut Program, name: &str, value: &str) {
    program.launch.environment.push((name.to_owned(), value.to_owned()));
}

/// What the program says until it serves.
async fn started(program: &mut Program) -> String {
    program.start().await.unwrap();
    let process = program.process().unwrap();
    let said = wait::until("the program says that it serves", SOON, || {
        Some(process.log()).filter(|log| log.contains("\"serving\""))
    });
    said.await.unwrap()
}

/// What the program says when it refuses to start.
async fn refusal(program: &mut Program) -> String {
    program.launch().unwrap();
    let process = program.process_mut().unwrap();
    let status = process.wait(SOON).await.unwrap_or_else(|error| panic!("it starts: {error:#}"));
    assert!(!status.success(), "{status}");
    process.log()
}

fn warnings(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("\"WARN\"")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_look_like_ours_and_are_not_are_named_once_at_the_start() {
    let (root, mut program) = prepared(standalone());
    let file = root.path().join("settings.json");
    std::fs::write(&file, r#"{"Limits":{"MaxBodyBytes":1024},"OrchestrationApi":{"Media":{"Fetch":false}}}"#).unwrap();
    program.launch.arguments.extend(["--config".to_owned(), file.display().to_string()]);
    let names = [
        "ORCHESTRATIONAPI__LIMITS__MAXUPLOADBYTES",
        "OrchestrationApi_Limits_MaxBodyBytes",
        "ORCHESTRATION_API__Limits__MaxBodyBytes",
        "Limits__MaxBodyBytes",
    ];
    for name in names {
        variable(&mut program, name, "2048");
    }
    variable(&mut program, "ORCHESTRATION_API_PORT", "tcp://10.0.0.1:5000");
    let log = started(&mut program).await;
    let warned = warnings(&log);
    for name in names.iter().chain(&["Limits ("]) {
        assert_eq!(warned.iter().filter(|line| line.contains(&format!("\"{name}"))).count(), 1, "{name}: {warned:#?}");
    }
    assert_eq!(warned.len(), 5, "{warned:#?}");
}

/// The settings file of the .NET program, with a password and a secret that are nobody's default.
const ORIGINAL: &str = r#"{
  "AllowedHosts": "*",
  "OrchestrationApi": {
    "Version": "1.0.7",
    "Server": { "Host": "127.0.0.1", "Port": 5000 },
    "Auth": { "Username": "admin", "Password": "PASSWORD", "SessionTimeout": 86400, "JwtSecret": "SECRET" },
    "Database": {
      "Type": "sqlite", "ConnectionString": "Data Source=Data/orchestration_api.db",
      "MySqlConnectionString": "Server=localhost;Database=orchestration_api;Uid=root;Pwd=password;", "TablePrefix": "orch_"
    },
    "Global": { "ConnectionTimeout": 30, "ResponseTimeout": 300, "MaxProviderRetries": 5 },
    "Gemini": { "StreamingTimeout": 300, "DataTimeoutSeconds": 30, "MaxDataIntervalSeconds": 30 },
    "RequestLogging": {
      "Enabled": true, "EnableDetailedContent": true, "MaxContentLength": 10000, "ExcludeHealthChecks": true, "RetentionDays": 30,
      "Queue": {
        "Enabled": true, "MaxCapacity": 10000, "BatchSize": 100, "ProcessingIntervalMs": 1000, "MaxRetries": 3,
        "RetryDelayMs": 5000, "FullStrategy": "DropOldest", "GracefulShutdownTimeoutMs": 30000
      }
    },
    "KeyHealthCheck": { "IntervalMinutes": 5, "Enabled": true },
    "LogCleanup": { "Enabled": true, "IntervalHours": 24, "CleanupOnStartup": false },
    "HealthCheck": {
      "Enabled": false, "IntervalMinutes": 180, "CheckOnStartup": false, "EnableCleanup": false, "RetentionDays": 30
    }
  },
  "Serilog": { "MinimumLevel": { "Default": "Information" }, "WriteTo": [{ "Name": "Console" }] }
}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_originals_settings_file_works_and_says_what_is_not_used() {
    let (_root, mut program) = prepared(standalone());
    let own = ORIGINAL
        .replace("PASSWORD", "a-password-of-the-operator-1")
        .replace("SECRET", "kX9v-2mQ7_pLw4Zt8Rb1Nc6Yh3Ju5Ds0Ae");
    std::fs::write(program.launch.directory.join("appsettings.json"), own).unwrap();
    let log = started(&mut program).await;
    let warned = warnings(&log);
    for (section, instead) in [
        ("Version", "/health"),
        ("Database:TablePrefix", "without a prefix"),
        ("Global:ConnectionTimeout, Global:ResponseTimeout", "Limits:RequestTimeoutSeconds"),
        ("Global:MaxProviderRetries", "retryCount"),
        ("Gemini:StreamingTimeout", "Limits:StreamIdleTimeoutSeconds"),
        ("RequestLogging:Enabled", "GET /admin/logs"),
        ("RequestLogging:Queue:Enabled", "Usage:QueueCapacity"),
        ("KeyHealthCheck:IntervalMinutes", "Probes:After"),
        ("LogCleanup:Enabled", "usage records"),
        ("HealthCheck:CheckOnStartup", "HealthCheck:IntervalMinutes"),
        ("HealthCheck:EnableCleanup", "HealthCheck:RetentionDays"),
        ("Serilog", "Log:Filter"),
        ("AllowedHosts", "every host name"),
    ] {
        let told =
            warned.iter().filter(|line| line.contains(&format!("\"{section}")) && line.contains(instead)).count();
        assert_eq!(told, 1, "{section}: {warned:#?}");
    }
    harness::admin::Admin::login(program.http, "admin", "a-password-of-the-operator-1").await.unwrap();
    assert!(program.launch.directory.join("Data/orchestration_api.db").exists());
}

/// Promise 31 in `docs/PROMISES.md`: what stands in the original's file and README is no secret.
#[tokio::test(flavor = "multi_thread")]
async fn p31_the_originals_placeholders_are_refused() {
    for (key, value) in [
        ("Auth:Password", "admin123"),
        ("Auth:Password", "your-secure-password"),
        ("Auth:JwtSecret", "OrchestrationApi-SecretKey-2025-ChangeMeInProduction"),
        ("Auth:JwtSecret", "your-jwt-secret-change-in-production"),
        ("Secrets:MasterKey", "correct horse battery staple correct horse"),
        ("Secrets:NodeToken", "0123456789abcdef0123456789abcdef"),
    ] {
        let (_root, mut program) = prepared(standalone().set(key, value));
        let told = refusal(&mut program).await;
        assert!(told.contains(key) && !told.contains(value), "{key}: {told}");
        assert!(!program.data.exists(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_values_are_refused_with_the_key_and_what_is_allowed() {
    let cases = [
        ("Server:HeaderTimeoutSeconds", "0", "from 0.001"),
        ("Server:MaxConnections", "0", "from 1 to"),
        ("Server:DrainDeadlineSeconds", "0.01", "Server:DrainDelaySeconds"),
        ("Server:Port", "0", "from 1 to 65535"),
        ("Server:TrustedProxies", "10.0.0.0/8,nginx", "10.0.0.0/8"),
        ("Metrics:Listen", "127.0.0.1:0", "from 1 to 65535"),
        ("Limits:MaxBodyBytes", "0", "at least"),
        ("Limits:RequestTimeoutSeconds", "0", "from 0.001"),
        ("Limits:StreamIdleTimeoutSeconds", "-5", "from 0.001"),
        ("Usage:SpoolMaxBytes", "1", "Usage:SegmentBytes"),
        ("Usage:QueueCapacity", "0", "from 1 to"),
        ("Auth:SessionTimeout", "0", "from 1 second"),
        ("Auth:Username", " ", "is empty"),
        ("Log:Filter", "infoo", "it must be a level"),
        ("Log:Format", "xml", "`text` or `json`"),
        ("Database:Url", "oracle://db", "sqlite://"),
    ];
    for (key, value, allowed) in cases {
        let (_root, mut program) = prepared(standalone().set(key, value));
        // What a flag says goes over a variable.
        let flag = match key {
            "Metrics:Listen" => Some("--metrics-listen"),
            "Log:Format" => Some("--log-format"),
            _ => None,
        };
        if let Some(place) = program.launch.arguments.iter().position(|argument| Some(argument.as_str()) == flag) {
            program.launch.arguments.drain(place..place + 2);
        }
        let told = refusal(&mut program).await;
        assert!(told.contains(key) && told.contains(allowed), "{key}={value}: {told}");
        assert!(!program.data.exists(), "{key}={value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_program_refuses_what_is_its_own() {
    let (_root, mut control) = prepared(split(0).set("Auth:SessionTimeout", "0"));
    assert!(refusal(&mut control).await.contains("Auth:SessionTimeout"));
    let planes = split(0).start().await.unwrap();
    for (key, value) in [("Limits__BodyTimeoutSeconds", "0"), ("Usage__SegmentBytes", "0"), ("Log__Filter", "loud")] {
        let mut node = planes.prepare_node().unwrap();
        variable(&mut node, &format!("OrchestrationApi__{key}"), value);
        assert!(refusal(&mut node).await.contains(&key.replace("__", ":")), "{key}");
    }
}
