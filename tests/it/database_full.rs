//! A database server whose disk is full. `tests/databases.py` starts the server with a database on a small disk, where
//! it may mount one; `tests/run databases` runs these tests on each server.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use harness::databases::Server;
use harness::http::Answer;
use harness::planes::chat;
use harness::wait;
use hyper::Method;
use serde_json::json;

use crate::support::{Bed, SOON, chat_records, readiness, split, tell};

/// Writes to `path` until its disk takes no more.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for piece in [1024 * 1024, 4096] {
        let piece = vec![1; piece];
        while file.write_all(&piece).is_ok() {}
    }
}

async fn make_key(bed: &Bed, name: &str) -> Answer {
    let body = json!({ "name": name, "description": "x".repeat(900) });
    bed.planes.admin.send(Method::POST, "/admin/proxy-keys", &body).await.unwrap()
}

/// Makes keys until one is refused, and returns the answer to that.
async fn until_refused(bed: &Bed, word: &str) -> Answer {
    for number in 0..2_000 {
        let answer = make_key(bed, &format!("{word}-{number}")).await;
        if answer.status != 201 {
            return answer;
        }
    }
    panic!("every key was made");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a server with a small disk: tests/run databases"]
async fn a_server_with_a_full_disk_is_507_loses_no_usage_and_heals_by_itself() {
    let Some(small) = Server::small_disk().unwrap() else {
        tell("skipped: no small disk can be mounted here");
        return;
    };
    let bed = Bed::start(split(1).set("Database:Url", small.url)).await.unwrap();
    let filler = small.directory.join("filler");
    // The second time, there is room in what the first one left.
    for word in ["first", "second"] {
        fill(&filler);
        let answer = until_refused(&bed, word).await;
        assert_eq!(answer.status, 507, "{}", answer.text());
        readiness(&bed.planes, 503).await;
        fs::remove_file(&filler).unwrap();
        readiness(&bed.planes, 200).await;
        assert_eq!(make_key(&bed, &format!("{word} healed")).await.status, 201);
    }
    fill(&filler);
    let answer = until_refused(&bed, "full").await;
    assert_eq!(answer.status, 507, "{}", answer.text());
    assert_eq!(answer.json()["type"], "urn:orchestration-api:disk-full");
    let ready = readiness(&bed.planes, 503).await;
    assert_eq!(ready["waitingFor"], json!(["room on the disk of the database"]), "{ready}");
    assert!(bed.planes.admin.get("/admin/proxy-keys").await.is_ok(), "what is there can be read");
    // Another row may find room in what there is. No answer is anything else.
    for number in 0..5 {
        let answer = make_key(&bed, &format!("more-{number}")).await;
        assert!(matches!(answer.status, 201 | 507), "{}", answer.text());
    }

    // Clients are served, and their usage waits on the node until there is room: not a record is lost.
    let mut chats = 0;
    let waits = async || {
        let waiting = bed.planes.nodes[0].scrape().await.ok()?.sum("usage_spool_records")?;
        (waiting > 0.0).then_some(())
    };
    while waits().await.is_none() && chats < 2_000 {
        for _ in 0..20 {
            assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
            chats += 1;
        }
    }
    wait::until_async("usage waits on the node", SOON, waits).await.unwrap();

    fs::remove_file(&filler).unwrap();
    readiness(&bed.planes, 200).await;
    assert_eq!(make_key(&bed, "room again").await.status, 201);
    chat_records(&bed.planes, chats, SOON).await.unwrap();
    let dropped = bed.planes.nodes[0].scrape().await.unwrap().sum("usage_records_dropped");
    assert_eq!(dropped, Some(0.0));
}
