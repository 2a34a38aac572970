//! The file of a SQLite database under the running program: locked by another, gone, or on a full disk.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use harness::planes::{Planes, group};
use hyper::Method;
use serde_json::json;

use crate::support::{SmallDisk, readiness, split, standalone};

const FILE: &str = "orchestration_api.db";

async fn make_key(planes: &Planes, name: &str) -> harness::http::Answer {
    planes.admin.send(Method::POST, "/admin/proxy-keys", &json!({ "name": name })).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_is_503_within_a_second() {
    let planes = split(0).start().await.unwrap();
    let file = planes.control.data.join(FILE);
    let mut other = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    other.batch_execute("PRAGMA busy_timeout = 5000; BEGIN EXCLUSIVE").unwrap();
    let writes = futures_util::future::join_all((0..8).map(async |number: usize| {
        let began = Instant::now();
        let name = format!("key-{number}");
        let answer = match number % 2 {
            0 => make_key(&planes, &name).await,
            _ => planes
                .admin
                .send(Method::POST, "/admin/groups", &group(&name, "http://127.0.0.1:1/v1", &["sk-12345678"], &["m"]))
                .await
                .unwrap(),
        };
        (answer, began.elapsed())
    }))
    .await;
    for (answer, took) in writes {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["type"], "urn:orchestration-api:database-unavailable");
        assert_eq!(answer.header("retry-after"), "1");
        assert!(took < Duration::from_millis(1_500), "{took:?}");
    }
    assert_eq!(planes.admin.get("/admin/groups").await.unwrap()["items"], json!([]), "reads go on");
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(make_key(&planes, "free again").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_file_that_vanishes_is_an_error_and_not_a_201() {
    for setup in [split(0), standalone()] {
        let planes = setup.start().await.unwrap();
        assert_eq!(make_key(&planes, "before").await.status, 201);
        let (file, away) = (planes.control.data.join(FILE), planes.control.data.join("away.db"));
        std::fs::rename(&file, &away).unwrap();
        let answer = make_key(&planes, "lost").await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.json()["type"], "urn:orchestration-api:database-gone");
        assert!(answer.json()["detail"].as_str().unwrap().contains("was deleted or moved"), "{}", answer.text());
        let ready = readiness(&planes, 503).await;
        assert_eq!(ready["waitingFor"], json!(["the database in its place"]), "{ready}");
        assert!(ready["database"].as_str().unwrap().contains("was deleted or moved"), "{ready}");
        assert!(!file.exists(), "no empty database takes its place");

        std::fs::copy(&away, &file).unwrap();
        let answer = make_key(&planes, "into another file").await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().contains("replaced"), "{}", answer.text());

        std::fs::rename(&away, &file).unwrap();
        readiness(&planes, 200).await;
        assert_eq!(make_key(&planes, "after").await.status, 201);
        assert_eq!(planes.admin.get("/admin/proxy-keys").await.unwrap()["items"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_507_is_not_ready_and_heals_by_itself() {
    let Some(disk) = SmallDisk::mount() else {
        // No filesystem can be mounted here; the store's own test fills a database instead.
        return;
    };
    let url = format!("sqlite://{}", disk.path().join("small.db").display());
    let planes = split(0).set("Database:Url", url).start().await.unwrap();
    assert_eq!(make_key(&planes, "before").await.status, 201);
    let filler = disk.path().join("filler");
    let full = std::fs::write(&filler, vec![1; 4 * 1024 * 1024]);
    assert!(full.is_err(), "the disk is full now");

    let mut refused = None;
    for number in 0..200 {
        let answer = make_key(&planes, &format!("{number}-{}", "x".repeat(100))).await;
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    let answer = refused.unwrap();
    assert_eq!(answer.status, 507, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json()["type"], "urn:orchestration-api:disk-full");
    assert!(answer.json()["detail"].as_str().unwrap().contains("is full"), "{}", answer.text());
    let ready = readiness(&planes, 503).await;
    assert_eq!(ready["waitingFor"], json!(["room on the disk of the database"]), "{ready}");
    assert!(planes.admin.get("/admin/proxy-keys").await.is_ok(), "what is there can be read");
    for number in 0..20 {
        assert_eq!(make_key(&planes, &format!("more-{number}-{}", "x".repeat(100))).await.status, 507);
    }
    let warned = planes.control.process().unwrap().log().matches("the disk of the database is full: ").count();
    assert_eq!(warned, 1, "once in a while, not once a request");

    std::fs::remove_file(&filler).unwrap();
    readiness(&planes, 200).await;
    assert_eq!(make_key(&planes, "room again").await.status, 201);
}
