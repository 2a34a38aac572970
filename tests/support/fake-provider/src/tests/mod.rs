//! Tests of each API over real sockets: its plain answer, its stream, its errors.

mod anthropic;
mod azure;
mod chat;
mod control;
mod gemini;
mod openai;
mod parsers;
mod replay;
mod responses;
mod uploads;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::FakeProvider;

async fn provider() -> FakeProvider {
    FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// An answer, as it came and without its transfer coding.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The names of the events, which may be empty, and their parsed data. Data that is no JSON is left out.
    fn events(&self) -> Vec<(String, Value)> {
        let text = self.text().replace("\r\n", "\n");
        let events = text.split("\n\n").filter_map(|event| {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let data = serde_json::from_str(field("data:")?).ok()?;
            Some((field("event:").unwrap_or_default().to_owned(), data))
        });
        events.collect()
    }

    fn names(&self) -> Vec<String> {
        self.events().into_iter().map(|(name, _)| name).collect()
    }

    #[track_caller]
    fn refuses(&self, status: u16, words: &str) {
        assert!(self.status == status && self.text().contains(words), "{} {}", self.status, self.text());
    }
}

/// Sends a request over a plain socket and reads to the end of the connection. `head` is the request line and more
/// headers.
async fn send(provider: &FakeProvider, head: &str, body: &[u8]) -> Got {
    let mut stream = TcpStream::connect(provider.addr).await.unwrap();
    let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
    let headers: Vec<String> = headers.trim().lines().map(|header| header.trim().to_owned() + "\r\n").collect();
    let headers = headers.concat();
    let request =
        format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let body = answer.split_off(end + 4);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if head.contains("transfer-encoding: chunked") { unchunked(&body) } else { body };
    Got { status, head, body }
}

/// A JSON request with the given headers.
async fn post(provider: &FakeProvider, head: &str, body: &Value) -> Got {
    send(provider, &format!("POST {head}"), body.to_string().as_bytes()).await
}

/// A JSON request to one of OpenAI's paths.
async fn openai(provider: &FakeProvider, path: &str, body: &Value) -> Got {
    post(provider, &format!("{path}\nauthorization: Bearer sk-test\ncontent-type: application/json"), body).await
}

async fn get(provider: &FakeProvider, path: &str) -> Got {
    send(provider, &format!("GET {path}\nauthorization: Bearer sk-test"), b"").await
}

/// The body without the chunked encoding. A body that was cut is given as far as it goes.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&body[..end]), 16).unwrap();
        let rest = &body[end + 2..];
        let size = size.min(rest.len());
        plain.extend_from_slice(&rest[..size]);
        body = rest.get(size + 2..).unwrap_or_default();
    }
    plain
}

fn weather() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] })
}

async fn wait<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let Some(value) = condition() {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the condition holds in time")
}
