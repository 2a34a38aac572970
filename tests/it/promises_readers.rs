//! Tests of clients that read slowly: promise 14 in `docs/PROMISES.md`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use harness::planes::{Planes, chat, group};
use harness::wait;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Bed, split};

/// How many readers there are. The promise speaks of 1,000.
const READERS: u64 = 100;

/// The most memory that one of them may cost, in bytes.
const MOST: u64 = 256 * 1024;

/// The size of a provider's chunks, in bytes.
const CHUNK: usize = 256 * 1024;

/// What it says.
const WORDS: &str = "some words ";

/// A provider whose answers never end, and come as fast as they are taken.
#[derive(Debug)]
struct Torrent {
    address: SocketAddr,
    /// How many bytes all answers have had.
    sent: Arc<AtomicU64>,
    /// How many answers have begun.
    begun: Arc<AtomicU64>,
}

impl Torrent {
    /// A provider that says `start`, and then `event` again and again.
    #[expect(clippy::disallowed_methods, reason = "they end with the test, which they are a peer of")]
    fn start(start: &str, event: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // The connections that are taken have this, too. All of them must not use up what the kernel has for sockets.
        socket.set_send_buffer_size(64 * 1024).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let torrent = Self { address: listener.local_addr().unwrap(), sent: Arc::default(), begun: Arc::default() };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{start}\r\n",
            start.len()
        );
        let body = event.repeat(CHUNK / event.len());
        let chunk = Bytes::from(format!("{:x}\r\n{body}\r\n", body.len()));
        let (head, sent, begun) = (Bytes::from(head), Arc::clone(&torrent.sent), Arc::clone(&torrent.begun));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (head, chunk, sent, begun) = (head.clone(), chunk.clone(), Arc::clone(&sent), Arc::clone(&begun));
                tokio::spawn(async move {
                    begun.fetch_add(1, Ordering::Relaxed);
                    // It ends when the gateway leaves.
                    let _left = pour(stream, &head, &chunk, &sent).await;
                });
            }
        });
        torrent
    }

    fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until nothing more of the `answers` is taken.
    async fn dammed(&self, answers: u64) {
        let mut last = (0, 0);
        let still = || {
            let sent = self.sent.load(Ordering::Relaxed);
            last = if sent == last.0 { (sent, last.1 + 1) } else { (sent, 0) };
            (self.begun.load(Ordering::Relaxed) == answers && last.1 >= 200).then_some(())
        };
        wait::until("nothing more is taken", Duration::from_mins(1), still).await.unwrap();
    }
}

/// Reads a request from `stream`, and answers with `head` and one `chunk` after the other.
async fn pour(mut stream: TcpStream, head: &[u8], chunk: &[u8], sent: &AtomicU64) -> std::io::Result<Infallible> {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        stream.read_buf(&mut request).await?;
    }
    stream.write_all(head).await?;
    loop {
        let mut rest = chunk;
        while !rest.is_empty() {
            let written = stream.write(rest).await?;
            sent.fetch_add(written as u64, Ordering::Relaxed);
            rest = &rest[written..];
        }
    }
}

/// A stream of OpenAI's.
fn openai() -> Torrent {
    let event = |content: &str| {
        json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": { "content": content }, "finish_reason": null }],
        })
    };
    Torrent::start(&format!("data: {}\n\n", event("x")), &format!("data: {}\n\n", event(&WORDS.repeat(20))))
}

/// A stream of Anthropic's.
fn anthropic() -> Torrent {
    let event =
        |document: serde_json::Value| format!("event: {}\ndata: {document}\n\n", document["type"].as_str().unwrap());
    let delta = event(json!({
        "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": WORDS.repeat(20) },
    }));
    let start = [
        event(json!({ "type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null,
            "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
        }})),
        event(json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } })),
        delta.clone(),
    ];
    Torrent::start(&start.concat(), &delta)
}

/// Asks for a stream of `model`, reads the head of the answer and nothing further.
async fn slow_reader(node: SocketAddr, key: &str, model: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // What the kernel holds for the client is no matter of the gateway's.
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(node).await.unwrap();
    let body = chat(model, true).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut line = [0; 15];
    stream.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"HTTP/1.1 200 OK");
    stream
}

/// Adds a group of `provider_type` at `torrent` that serves `model`.
async fn serve(planes: &Planes, torrent: &Torrent, provider_type: &str, model: &str) {
    let mut body = group(model, &torrent.base_url(), &["sk-upstream-torrent"], &[model]);
    body["providerType"] = json!(provider_type);
    planes.admin.create_group(&body).await.unwrap();
}

/// Promise 14 in `docs/PROMISES.md`: clients that take nothing of an endless stream cost at most 256 KiB each. Scale:
/// 100 readers of a stream that passes, and 100 of one that is translated. A reader that takes what comes is served as
/// ever beside them, and health answers.
#[tokio::test(flavor = "multi_thread")]
async fn p14_slow_readers_cost_little() {
    let bed = Bed::start(split(1)).await.unwrap();
    let node = bed.planes.api();
    let (passed, translated) = (openai(), anthropic());
    serve(&bed.planes, &passed, "openai", "passed").await;
    serve(&bed.planes, &translated, "anthropic", "translated").await;
    let key = bed.planes.admin.create_key(&json!({ "name": "slow" })).await.unwrap();
    bed.planes.knows(&key).await.unwrap();
    for (torrent, model) in [(&passed, "passed"), (&translated, "translated")] {
        // What the first requests need once is no matter of the readers' number.
        let warm: Vec<_> = join_all((0..8).map(|_| slow_reader(node.http, &key.value, model))).await;
        torrent.dammed(8).await;
        let process = node.process().unwrap();
        let before = process.peak_resident_bytes().unwrap().max(process.resident_bytes().unwrap());
        let readers = join_all((0..READERS).map(|_| slow_reader(node.http, &key.value, model))).await;
        torrent.dammed(READERS + 8).await;
        let each = process.peak_resident_bytes().unwrap().saturating_sub(before) / READERS;
        assert!(each <= MOST, "{model}: {} KiB each", each / 1024);

        let fast = bed.chat(&chat("gpt-4o", false)).await.unwrap();
        assert_eq!(fast.status, 200, "{}", fast.text());
        let mut stream = node.chat_stream(&key.value, &chat("gpt-4o", true)).await.unwrap();
        assert_eq!(stream.rest().await.unwrap().last().unwrap(), "[DONE]");
        assert_eq!(node.get("/health/ready").await.unwrap().status, 200);
        drop((warm, readers));
    }
}
