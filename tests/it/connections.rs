//! Tests of connections: how many there may be, how long one may say nothing or read nothing, and what each request on
//! one has to say.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fake_provider::queue::Target;
use fake_provider::script::Script;
use futures_util::future::join_all;
use harness::http::{Connection, bare};
use harness::planes::{Program, chat, chat_request};
use harness::wait;
use hyper::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Bed, SOON, chat_records, split, standalone};

/// Has `program` start with the limits of open files that `ulimit` is given.
fn limit_files(program: &mut Program, ulimit: &str) {
    let launch = &mut program.launch;
    let start = format!("ulimit {ulimit}; exec \"$0\" \"$@\"");
    let mut arguments = vec!["-c".to_owned(), start, launch.program.display().to_string()];
    arguments.append(&mut launch.arguments);
    launch.arguments = arguments;
    launch.program = "/bin/sh".into();
}

/// Opens `count` connections on which nothing is said.
async fn silent(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    join_all((0..count).map(async |_| TcpStream::connect(address).await.unwrap())).await
}

/// What comes on `stream` until it is closed.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is a close, too.
    let _ended = timeout(SOON, stream.read_to_end(&mut text)).await.expect("the connection is closed");
    String::from_utf8_lossy(&text).into_owned()
}

/// Sends `request` as it stands, and gives what comes until the connection is closed.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    until_closed(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_beyond_the_limit_of_open_files_stop_nothing() {
    for ulimit in ["-n 1024", "-Sn 256"] {
        let mut bed = Bed::start(split(1)).await.unwrap();
        for program in [&mut bed.planes.control, &mut bed.planes.nodes[0]] {
            program.stop(SOON).await.unwrap();
            limit_files(program, ulimit);
            program.start().await.unwrap();
        }
        bed.planes.knows(&bed.key).await.unwrap();
        let node = bed.planes.api();
        let grpc = bed.planes.control.grpc.unwrap();
        let held = [
            silent(node.http, 1100).await,
            silent(node.metrics, 100).await,
            silent(bed.planes.control.http, 1100).await,
            silent(grpc, 1100).await,
        ];
        let began = Instant::now();
        for _ in 0..3 {
            let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
            assert_eq!(answer.status, 200, "{ulimit}: {}", answer.text());
            assert_eq!(node.get("/health/ready").await.unwrap().status, 200, "{ulimit}");
            assert!(node.scrape().await.unwrap().sum("requests_in_flight").is_some(), "{ulimit}");
            assert_eq!(bed.planes.control.get("/health/live").await.unwrap().status, 200, "{ulimit}");
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{ulimit}: took {:?}", began.elapsed());
        // The node still hears of changes, and its records arrive.
        let key = bed.planes.admin.create_key(&serde_json::json!({ "name": "later" })).await.unwrap();
        bed.planes.knows(&key).await.unwrap();
        chat_records(&bed.planes, 3, SOON).await.unwrap();
        drop(held);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_connection_at_work_the_probes_still_answer() {
    let bed = Bed::start(standalone().set("Server:MaxConnections", 4)).await.unwrap();
    bed.provider.always(Target::All, Script::paced(1000, Duration::from_millis(100)));
    let node = bed.planes.api();
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = node.chat_stream(&bed.key.value, &chat("gpt-4o", true)).await.unwrap();
        stream.data().await.unwrap().unwrap();
        streams.push(stream);
    }
    assert_eq!(node.get("/health/live").await.unwrap().status, 200);
    let began = Instant::now();
    let refused = bed.chat(&chat("gpt-4o", false)).await.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "gateway_overloaded");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(node.scrape().await.unwrap().sum("connections_refused").unwrap() >= 1.0);
    assert!(streams[0].data().await.unwrap().is_some(), "the streams go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_has_a_shorter_deadline_than_an_idle_connection() {
    let setup = split(1).set("Server:FirstRequestTimeoutSeconds", 1).set("Server:HeaderTimeoutSeconds", 6);
    let bed = Bed::start(setup).await.unwrap();
    let (node, control) = (bed.planes.api(), &bed.planes.control);
    let mut kept = TcpStream::connect(node.http).await.unwrap();
    kept.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let began = Instant::now();
    // A client of HTTP/2 may greet and then say nothing.
    let greetings: [&[u8]; 3] =
        [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"];
    for address in [node.http, control.http, control.grpc.unwrap()] {
        for greeting in greetings {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(greeting).await.unwrap();
            until_closed(&mut stream).await;
        }
    }
    let mut buffer = [0; 4096];
    assert!(kept.read(&mut buffer).await.unwrap() > 0, "the answer");
    let closed = until_closed(&mut kept).await;
    assert_eq!(closed, "");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(5), "the idle connection was closed after {took:?}");
    // An HTTP/2 connection that is idle has a deadline as well: this one has sent a request, and then half of another.
    let half = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice(), HALF_HEADERS].concat();
    let mut stream = TcpStream::connect(node.http).await.unwrap();
    stream.write_all(&half).await.unwrap();
    until_closed(&mut stream).await;
}

/// The beginning of a HEADERS frame of 100 bytes, without END_HEADERS.
const HALF_HEADERS: &[u8] = b"\0\0\x64\x01\x00\0\0\0\x01\x82\x84";

/// An answer in events that is larger than what the kernel holds for a connection.
fn long_stream() -> Script {
    let event = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"words \"}}]}\n\n";
    Script {
        body: Some(event.repeat(64)),
        content_type: Some("text/event-stream".to_owned()),
        body_bytes: Some(64 * 1024 * 1024),
        ..Script::new()
    }
}

/// Promise 39 in `docs/PROMISES.md`: a client that stops reading is cut at the write deadline, and its upstream with
/// it. Scale: the deadline is 1 s.
#[tokio::test(flavor = "multi_thread")]
async fn p39_a_client_that_does_not_read_is_cut_off_with_its_upstream() {
    let bed = Bed::start(standalone().set("Limits:WriteTimeoutSeconds", 1)).await.unwrap();
    let node = bed.planes.api();
    let mut cut = 0.0;
    for stream in [true, false] {
        bed.provider.journal().clear();
        let whole = || Script { content_type: None, body: Some("{\"id\":\"c\"} ".repeat(64)), ..long_stream() };
        let long = if stream { long_stream() } else { whole() };
        bed.provider.script(Target::All, long);
        let body = chat("gpt-4o", stream).to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
            bed.key.value,
            body.len()
        );
        let mut unread = TcpStream::connect(node.http).await.unwrap();
        unread.write_all(head.as_bytes()).await.unwrap();
        cut += 1.0;
        wait::until_async("the client is cut off", SOON, async || {
            let cuts = node.scrape().await.ok()?.sum("write_timeouts")?;
            (cuts >= cut).then_some(())
        })
        .await
        .unwrap();
        wait::until("the upstream is closed", SOON, || (bed.provider.journal().open() == 0).then_some(()))
            .await
            .unwrap();
        until_closed(&mut unread).await;
    }
    let records = chat_records(&bed.planes, 2, SOON).await.unwrap();
    assert!(records.iter().all(|record| record["outcome"] == "client_gone"), "{records:?}");
    assert!(node.scrape().await.unwrap().sum("write_timeouts").unwrap() >= 2.0);
}

/// Promise 39 in `docs/PROMISES.md`, where other streams of the same HTTP/2 connection go on. Scale: the deadline is
/// 1 s.
#[tokio::test(flavor = "multi_thread")]
async fn p39_a_stream_whose_window_stays_shut_is_cut_off_alone() {
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let bed = Bed::start(standalone().set("Limits:WriteTimeoutSeconds", 1)).await.unwrap();
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(16 * 1024)
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("http://{}/v1/chat/completions", bed.planes.api().http);
    let ask = |stream: bool| client.post(&url).bearer_auth(&bed.key.value).json(&chat("gpt-4o", stream)).send();
    bed.provider.script(Target::All, long_stream());
    let mut unread = ask(true).await.unwrap();
    assert_eq!(unread.status().as_u16(), 200);
    let cut = wait::until_async("the upstream is closed", SOON, async || {
        let other = ask(false).await.unwrap();
        assert_eq!(other.status().as_u16(), 200);
        other.text().await.unwrap();
        let cuts = bed.planes.api().scrape().await.ok()?.sum("write_timeouts")?;
        (cuts >= 1.0 && bed.provider.journal().open() == 0).then_some(())
    });
    cut.await.unwrap();
    let ended = async { while let Ok(Some(_)) = unread.chunk().await {} };
    timeout(SOON, ended).await.expect("the stream ends");
    assert_eq!(ask(false).await.unwrap().status().as_u16(), 200, "the connection lives on");
}

/// Promise 39 in `docs/PROMISES.md`, at a drain: the record of a client that reads slowly is kept.
#[tokio::test(flavor = "multi_thread")]
async fn p39_the_record_of_a_slow_reader_is_kept_at_a_drain() {
    for setup in [standalone(), split(1)] {
        let mut bed = Bed::start(setup.set("Server:DrainDeadlineSeconds", 1)).await.unwrap();
        bed.provider.script(Target::All, long_stream());
        let body = chat("gpt-4o", true).to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
            bed.key.value,
            body.len()
        );
        let mut unread = TcpStream::connect(bed.planes.api().http).await.unwrap();
        unread.write_all(head.as_bytes()).await.unwrap();
        wait::until("the provider is asked", SOON, || (bed.provider.journal().total() == 1).then_some(()))
            .await
            .unwrap();
        bed.planes.api_mut().stop(SOON).await.unwrap();
        // What could not be reported any more waits on the disk.
        bed.planes.api_mut().start().await.unwrap();
        if bed.planes.nodes.is_empty() {
            bed.planes.login().await.unwrap();
        }
        let records = chat_records(&bed.planes, 1, SOON).await.unwrap();
        assert_eq!(records[0]["streamed"], true, "{records:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    let bed = Bed::start(split(1)).await.unwrap();
    let key = &bed.key.value;
    let body = chat("gpt-4o", false).to_string();
    let post = |path: &str, hosts: &str| {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\n{hosts}authorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let node = bed.planes.api().http;
    for hosts in ["", "host: a\r\nhost: a\r\n", "host: a, b\r\n"] {
        let answer = raw(node, &post("/v1/chat/completions", hosts)).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_request_error"), "{hosts}: {answer}");
        let answer = raw(node, &post("/v1/messages", hosts)).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(r#""type":"error""#), "{hosts}: {answer}");
        let answer = raw(bed.planes.control.http, &format!("GET /admin/groups HTTP/1.1\r\n{hosts}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("problem+json"), "{hosts}: {answer}");
    }
    assert_eq!(bed.provider.journal().total(), 0);
    let answer = raw(node, &post("/v1/chat/completions", "host: a\r\nconnection: close\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_in_the_drain_delay_end_their_connection() {
    let mut bed = Bed::start(standalone().set("Server:DrainDelaySeconds", 5)).await.unwrap();
    let mut connection = Connection::to(bed.planes.api().http);
    let ask = || chat_request(&bed.key.value, &chat("gpt-4o", false)).unwrap();
    assert_eq!(connection.fetch(ask()).await.unwrap().header("connection"), "");
    bed.planes.api().process().unwrap().terminate().unwrap();
    wait::until_async("the node is not ready", SOON, async || {
        let probe = bare(Method::GET, "/health/ready", "").ok()?;
        let answer = Connection::to(bed.planes.api().http).fetch(probe).await.ok()?;
        (answer.status == 503).then_some(())
    })
    .await
    .unwrap();
    let answer = connection.fetch(ask()).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    bed.planes.api_mut().process_mut().unwrap().kill().await.unwrap();
}
