//! Tests of starts: promise 25 in `docs/PROMISES.md`, safe migrations, and promise 31 for default secrets.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use futures_util::future::join_all;
use harness::planes::{Planes, Setup};
use harness::process::Process;

use crate::support::{SOON, programs, split, standalone};

const SECRETS: [(&str, &str); 3] = [
    ("Secrets:MasterKey", "8f1c0e5d7a3b49c2b6d4e8f0a1c3e5d7f9b1d3f5"),
    ("Secrets:NodeToken", "c4b2a0e8d6f4c2b0a8e6d4f2c0b8a6e4d2f0c8b6"),
    ("Auth:JwtSecret", "1d3f5b7d9e1c3a5f7b9d1e3c5a7f9b1d3e5c7a9f"),
];

pub(crate) fn with_secrets(setup: Setup) -> Setup {
    SECRETS.into_iter().fold(setup, |setup, (key, value)| setup.set(key, value))
}

/// Promise 25 in `docs/PROMISES.md`: three replicas of the control plane start at once on an old schema, and all three
/// are fine. Full scale, on SQLite.
#[tokio::test(flavor = "multi_thread")]
async fn p25_three_replicas_start_at_once_on_an_old_schema() {
    let root = tempfile::TempDir::new().unwrap();
    let url = format!("sqlite://{}", root.path().join("shared.db").display());
    let setup = with_secrets(split(0)).set("Database:Url", &url).set("Auth:Password", "a-password-of-the-operator-1");
    let mut replicas = Vec::new();
    // The oldest schema is an empty database. The harness's own start waits for a printed password, so the test starts
    // the programs itself.
    for _ in 0..3 {
        replicas.push(setup.clone().prepare_control(root.path(), &format!("replica-{}", replicas.len())).unwrap());
    }
    for replica in &mut replicas {
        replica.launch().unwrap();
    }
    let ready = join_all(replicas.iter_mut().map(|replica| replica.ready(Duration::from_secs(20)))).await;
    assert!(ready.iter().all(Result::is_ok), "{ready:?}");
    let mut users = Vec::new();
    for replica in &replicas {
        let admin = harness::admin::Admin::login(replica.http, "admin", "a-password-of-the-operator-1").await.unwrap();
        users.push(admin.get("/admin/groups").await.unwrap());
    }
    assert!(users.iter().all(|answer| answer["items"].is_array()));

    // A change that is made at one replica is seen at another.
    let one = harness::admin::Admin::login(replicas[0].http, "admin", "a-password-of-the-operator-1").await.unwrap();
    let two = harness::admin::Admin::login(replicas[1].http, "admin", "a-password-of-the-operator-1").await.unwrap();
    let group = harness::planes::group("shared", "http://127.0.0.1:9/v1", &["sk-1"], &["m"]);
    let id = one.create_group(&group).await.unwrap();
    assert_eq!(two.get(&format!("/admin/groups/{id}")).await.unwrap()["groupName"], "shared");
}

async fn refuses(planes: &mut Planes) -> String {
    planes.control.launch().unwrap();
    let process: &mut Process = planes.control.process_mut().unwrap();
    let status = process.wait(SOON).await.expect("it ends");
    assert!(!status.success(), "{status}");
    process.log()
}

/// Promise 25 in `docs/PROMISES.md`: the control plane refuses to start if a migration fails. Full scale, on SQLite.
#[tokio::test(flavor = "multi_thread")]
async fn p25_a_failing_migration_refuses_to_start() {
    let mut planes = standalone().start().await.unwrap();
    planes.control.stop(SOON).await.unwrap();
    let database = planes.control.data.join("orchestration_api.db");
    // The database forgets its migrations and keeps what they made, so the first one fails when it runs again.
    let mut connection = SqliteConnection::establish(&database.display().to_string()).unwrap();
    connection.batch_execute("DELETE FROM __diesel_schema_migrations").unwrap();
    drop(connection);
    let log = refuses(&mut planes).await;
    assert!(log.to_lowercase().contains("migration"), "the log does not say why:\n{log}");

    std::fs::write(&database, "no database at all, and long enough that nobody takes it for an empty file").unwrap();
    refuses(&mut planes).await;
}

/// Promise 31 in `docs/PROMISES.md`: the control plane refuses to start with a secret that is a known default or
/// shorter than 32 bytes. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p31_default_and_short_secrets_refuse_to_start() {
    let weak = [
        "secret",
        "changeme",
        "only-thirty-one-characters-long",
        "your-secret-key-here-change-in-production",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    let cases = SECRETS.iter().flat_map(|(key, _)| weak.iter().map(move |value| (*key, *value)));
    for (key, value) in cases {
        let root = tempfile::TempDir::new().unwrap();
        let setup = Setup::split(programs(), 0).set(key, value);
        let mut control = setup.prepare_control(root.path(), "control-plane").unwrap();
        control.launch().unwrap();
        let process = control.process_mut().unwrap();
        let status = process.wait(SOON).await.unwrap_or_else(|error| panic!("{key}={value} starts: {error:#}"));
        assert!(!status.success(), "{key}={value}");
        let log = process.log();
        assert!(log.contains(key), "{key}={value}: the message does not name the setting:\n{log}");
        // Nothing has been made under a secret that is refused.
        assert!(!control.data.join("secrets.json").exists(), "{key}={value}");
    }
}
