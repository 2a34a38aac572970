//! Uploads that name their model behind the file, and so wait on disk: on a full one, and where too many wait.

use std::fs;
use std::os::unix::fs::symlink;

use bytes::Bytes;
use harness::http::{Answer, Connection};
use harness::wait;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::Value;

use crate::support::{Bed, SOON, SmallDisk, split};

const MODEL: &str = "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt-4o\r\n";
const FILE: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
const MIB: usize = 1024 * 1024;

/// A form whose file is of so many megabytes, with its model before or behind it.
fn form(mib: usize, model_first: bool) -> String {
    let file = format!("{FILE}{}\r\n", "x".repeat(mib * MIB));
    let (first, last) = if model_first { (MODEL, file.as_str()) } else { (file.as_str(), MODEL) };
    format!("{first}{last}--B--\r\n")
}

async fn upload(bed: &Bed, body: String) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/audio/transcriptions")
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {}", bed.key.value))
        .header("content-type", "multipart/form-data; boundary=B")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    Connection::to(bed.planes.api().http).fetch(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_507_and_too_many_that_wait_are_503() {
    let Some(disk) = SmallDisk::mount() else {
        // No filesystem can be mounted here; the room's own tests hold the answers.
        return;
    };
    let bed = Bed::start(split(1).set("Limits:MaxWaitingUploadBytes", 8 * MIB)).await.unwrap();
    let waiting = bed.planes.nodes[0].data.join("uploads");
    assert!(!waiting.exists(), "no upload has waited yet");
    symlink(disk.path(), &waiting).unwrap();
    let full = upload(&bed, form(6, false)).await;
    assert_eq!((full.status, code(&full).as_str()), (507, "disk_full"), "{}", full.text());
    assert_eq!(bed.provider.journal().total(), 0);
    assert_eq!(upload(&bed, form(6, true)).await.status, 200, "one that names its model first needs no room");
    assert_eq!(upload(&bed, form(2, false)).await.status, 200, "a small one has room");

    // What the refused upload had written is gone, so the disk is as it was.
    let again = upload(&bed, form(6, false)).await;
    assert_eq!((again.status, code(&again).as_str()), (507, "disk_full"), "{}", again.text());

    fs::remove_file(&waiting).unwrap();
    assert_eq!(upload(&bed, form(6, false)).await.status, 200, "there is room again");
    let many = upload(&bed, form(10, false)).await;
    assert_eq!((many.status, code(&many).as_str()), (503, "uploads_full"), "{}", many.text());
    assert!(!many.header("retry-after").is_empty() && again.header("retry-after").is_empty());

    let statuses = wait::until_async("every upload has its record", SOON, async || {
        let mut records = bed.planes.admin.logs().await.ok()?;
        records.retain(|record| record["path"] == "/v1/audio/transcriptions");
        (records.len() >= 6).then_some(records)
    })
    .await
    .unwrap();
    let of = |status: u16| statuses.iter().filter(|record| record["status"] == status).count();
    assert_eq!((of(200), of(503), of(507)), (3, 1, 2), "{statuses:?}");
}

fn code(answer: &Answer) -> String {
    let document: Value = answer.json();
    document["error"]["code"].as_str().unwrap_or_default().to_owned()
}
