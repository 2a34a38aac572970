//! Tests of the deadlines of a whole answer, from a provider whose head comes at once.

use std::net::SocketAddr;
use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::http::Connection;
use harness::planes::{chat, chat_request, group};
use serde_json::json;
use shared::drain::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::support::{Bed, SOON, chat_records, standalone};

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_begin_in_time_is_504() {
    let bed = Bed::start(standalone().set("Limits:RequestTimeoutSeconds", 1)).await.unwrap();
    for stream in [false, true] {
        let late = Script { first_chunk_delay_ms: 3_600_000, ..Script::new() };
        bed.provider.script(Target::All, late);
        let answer = timeout(SOON, bed.chat(&chat("gpt-4o", stream))).await.expect("an answer").unwrap();
        assert_eq!(answer.status, 504, "{}", answer.text());
        assert_eq!(answer.json()["error"]["code"], "upstream_timeout");
    }
    let records = bed.chat_records(2).await.unwrap();
    assert!(records.iter().all(|record| record["outcome"] == "timeout"), "{records:?}");
}

/// A provider that answers with a head, `sent` bytes of a longer body, and then `trickle` again and again, or nothing.
async fn provider(sent: usize, trickle: Option<&'static [u8]>, tasks: &Tasks) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stopping = tasks.clone();
    tasks.spawn("provider", async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n{\"a\":\"";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; sent]).await.unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while !stopping.is_stopping() {
            tick.tick().await;
            if let Some(trickle) = trickle
                && stream.write_all(trickle).await.is_err()
            {
                break;
            }
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_or_trickles_is_given_up() {
    let setup = || standalone().set("Limits:RequestTimeoutSeconds", 2).set("Limits:StreamIdleTimeoutSeconds", 1);
    // An answer that is held until it is complete can still get an error status. One that is passed on ends in a broken
    // connection.
    for (sent, trickle, status) in
        [(10, None, Some(504)), (10, Some(&b"x"[..]), Some(504)), (2 * 1024 * 1024, None, None)]
    {
        let tasks = Tasks::new();
        let base_url = format!("http://{}/v1", provider(sent, trickle, &tasks).await);
        let planes = setup().start().await.unwrap();
        planes.admin.create_group(&group("slow", &base_url, &["sk-upstream-key-0001"], &["gpt-4o"])).await.unwrap();
        let key = planes.admin.create_key(&json!({ "name": "slow" })).await.unwrap();
        planes.knows(&key).await.unwrap();
        let request = chat_request(&key.value, &chat("gpt-4o", false)).unwrap();
        let mut connection = Connection::to(planes.api().http);
        let answer = timeout(SOON, connection.fetch(request)).await.expect("an end");
        assert_eq!(answer.ok().map(|answer| answer.status), status, "{sent} bytes");
        let records = chat_records(&planes, 1, SOON).await.unwrap();
        assert_eq!((&records[0]["outcome"], &records[0]["errorCode"]), (&json!("timeout"), &json!("upstream_timeout")));
        tasks.stop();
    }
}
