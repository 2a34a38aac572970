//! Tests with providers of other formats than the client's: promise 6 in `docs/PROMISES.md`, silence is a failure, and
//! promise 22, no loops.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use harness::http::{Answer, Connection};
use harness::planes::{Planes, chat, chat_request, group};
use harness::wait;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use shared::drain::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{SOON, provider, standalone};

/// A group of this vendor.
fn vendor_group(name: &str, vendor: &str, base_url: &str, key: &str, more: &Value) -> Value {
    let mut group = group(name, base_url, &[key], &["claude-sonnet-4-5"]);
    group["providerType"] = json!(vendor);
    for (field, value) in more.as_object().into_iter().flatten() {
        group[field] = value.clone();
    }
    group
}

/// A request of a client of Anthropic's.
async fn messages(planes: &Planes, key: &str, stream: bool) -> Answer {
    let body = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 50, "stream": stream, "messages": [{ "role": "user", "content": "Hi" }]
    });
    let request = Request::post("/v1/messages").header("x-api-key", key).header("anthropic-version", "2023-06-01");
    let request = request.header("host", "x").body(Full::new(body.to_string().into())).unwrap();
    timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an answer").unwrap()
}

/// The ledger's records of requests to a chat API, once there are `count`.
async fn records(planes: &Planes, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    wait::until_async("the records are in the ledger", SOON, async || {
        found = planes.admin.logs().await.ok()?.into_iter().filter(|record| record["api"] != "models").collect();
        (found.len() >= count).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(found.len(), count, "{found:?}");
    found
}

/// Promise 6 in `docs/PROMISES.md`: if no first byte comes within the timeout, the fallback answers 0.5 s later at the
/// latest. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p06_the_fallback_answers_when_a_provider_is_silent() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let silent = json!({ "priority": 2, "timeout": 1, "retryCount": 1 });
    let origin = provider.origin();
    // The first provider speaks the client's format, and the second another one.
    let first = vendor_group("silent", "anthropic", &origin, "sk-upstream-silent", &silent);
    let second = vendor_group("fallback", "openai", &provider.base_url(), "sk-upstream-fallback", &json!({}));
    planes.admin.create_group(&first).await.unwrap();
    planes.admin.create_group(&second).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "p06" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let never = Script::saying("late").head_delay(Duration::from_hours(1));
    provider.always(Target::Key("sk-upstream-silent".to_owned()), never);
    for stream in [false, true] {
        let began = Instant::now();
        let answer = messages(&planes, &key.value, stream).await;
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains(if stream { "event: message_stop" } else { "end_turn" }), "{}", answer.text());
    }
}

/// Promise 6 in `docs/PROMISES.md`: silence within a stream ends it with an error event and not with a normal end. Full
/// scale.
#[tokio::test(flavor = "multi_thread")]
async fn p06_silence_within_a_stream_ends_it_with_an_error() {
    let provider = provider().await;
    let planes = standalone().set("Limits:StreamIdleTimeoutSeconds", 1).start().await.unwrap();
    let group = vendor_group("g", "openai", &provider.base_url(), "sk-upstream-key-0001", &json!({}));
    planes.admin.create_group(&group).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "p06" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let silent = Script { chunks: Some(3), cut: Some(Cut::SilentAfter(1)), ..Script::new() };
    provider.always(Target::All, silent);
    // One stream has the client's format and passes through, and the other is converted.
    let request = chat_request(&key.value, &chat("claude-sonnet-4-5", true)).unwrap();
    let passed = timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an end").unwrap();
    assert!(passed.text().contains("\"upstream_timeout\"") && !passed.text().contains("[DONE]"), "{}", passed.text());
    let converted = messages(&planes, &key.value, true).await;
    let text = converted.text();
    assert!(text.contains("event: error") && !text.contains("message_stop"), "{text}");
    let records = records(&planes, 2).await;
    assert!(records.iter().all(|record| record["outcome"] == "timeout"), "{records:?}");
}

/// Promise 22 in `docs/PROMISES.md`: an upstream that is the gateway itself is answered with 508 after at most 2 hops.
/// Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p22_a_gateway_that_calls_itself_says_508_after_two_hops() {
    for vendor in ["openai", "anthropic"] {
        let planes = standalone().start().await.unwrap();
        let key = planes.admin.create_key(&json!({ "name": "p22" })).await.unwrap();
        let origin = format!("http://{}", planes.api().http);
        let base_url = if vendor == "openai" { format!("{origin}/v1") } else { origin };
        let group = vendor_group("itself", vendor, &base_url, &key.value, &json!({}));
        planes.admin.create_group(&group).await.unwrap();
        // A node that knows a later key also knows the group.
        let later = planes.admin.create_key(&json!({ "name": "later" })).await.unwrap();
        planes.knows(&later).await.unwrap();
        for stream in [false, true] {
            let request = chat_request(&key.value, &chat("claude-sonnet-4-5", stream)).unwrap();
            let answer =
                timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an end").unwrap();
            assert_eq!(answer.status, 508, "{vendor}: {}", answer.text());
            assert_eq!(answer.json()["error"]["code"], "loop_detected", "{vendor}: {}", answer.text());
        }
        // For each of the two there are the client's request and two hops.
        records(&planes, 6).await;
    }
}

/// A proxy in front of `gateway` that takes the header `stripped` out of every request.
async fn stripping(gateway: SocketAddr, stripped: &'static str, tasks: &Tasks) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let each = tasks.clone();
    tasks.spawn("proxy", async move {
        while let Ok((mut from, _)) = listener.accept().await {
            each.spawn("proxied", async move {
                let mut request = Vec::new();
                let (end, length) = loop {
                    if from.read_buf(&mut request).await.unwrap_or_default() == 0 {
                        return;
                    }
                    let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
                    let Some(end) = text.find("\r\n\r\n") else { continue };
                    let length =
                        text[..end].lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                    break (end, length.unwrap_or(0_usize));
                };
                while request.len() < end + 4 + length {
                    if from.read_buf(&mut request).await.unwrap_or_default() == 0 {
                        return;
                    }
                }
                let head = String::from_utf8_lossy(&request[..end]).into_owned();
                let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with(&format!("{stripped}:")));
                let head = kept.collect::<Vec<_>>().join("\r\n") + "\r\nconnection: close\r\n\r\n";
                let mut to = TcpStream::connect(gateway).await.unwrap();
                to.write_all(head.as_bytes()).await.unwrap();
                to.write_all(&request[end + 4..]).await.unwrap();
                let _closed = tokio::io::copy(&mut to, &mut from).await;
            });
        }
    });
    address
}

/// Promise 22 in `docs/PROMISES.md`, where a proxy on the way strips one of the two signs. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p22_a_loop_is_seen_by_either_sign() {
    for stripped in ["x-orchestration-hops", "user-agent"] {
        let tasks = Tasks::new();
        let planes = standalone().start().await.unwrap();
        let key = planes.admin.create_key(&json!({ "name": "p22" })).await.unwrap();
        let proxy = stripping(planes.api().http, stripped, &tasks).await;
        let group = vendor_group("itself", "openai", &format!("http://{proxy}/v1"), &key.value, &json!({}));
        planes.admin.create_group(&group).await.unwrap();
        let later = planes.admin.create_key(&json!({ "name": "later" })).await.unwrap();
        planes.knows(&later).await.unwrap();
        let request = chat_request(&key.value, &chat("claude-sonnet-4-5", false)).unwrap();
        let answer = timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an end").unwrap();
        assert_eq!(answer.status, 508, "without {stripped}: {}", answer.text());
        records(&planes, 3).await;
        tasks.stop();
    }
}

/// A provider that answers every request with `body` as `content_type`.
async fn saying(content_type: &'static str, body: Vec<u8>, tasks: &Tasks) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn("provider", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 16 * 1024];
            if stream.read(&mut request).await.unwrap_or_default() == 0 {
                continue;
            }
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            let _gone = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        }
    });
    address
}

/// Promise 20 in `docs/PROMISES.md`: text that is not UTF-8 ends an answer cleanly where its bytes pass, too.
#[tokio::test(flavor = "multi_thread")]
async fn p20_text_that_is_not_utf8_ends_cleanly_where_bytes_pass() {
    let chunk = |text: &[u8]| {
        let start = b"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
        [start, text, b"\"}}]}\n\n"].concat()
    };
    let stream = [chunk(b"good "), chunk(b"bad \xff\xfe"), chunk(b"lost"), b"data: [DONE]\n\n".to_vec()].concat();
    let whole = b"{\"id\":\"c\",\"choices\":[{\"message\":{\"content\":\"bad \xff\"}}]}".to_vec();
    for (content_type, body, streamed) in [("text/event-stream", stream, true), ("application/json", whole, false)] {
        let tasks = Tasks::new();
        let planes = standalone().start().await.unwrap();
        let base_url = format!("http://{}/v1", saying(content_type, body, &tasks).await);
        let group = vendor_group("garbled", "openai", &base_url, "sk-upstream-key-0001", &json!({}));
        planes.admin.create_group(&group).await.unwrap();
        let key = planes.admin.create_key(&json!({ "name": "p20" })).await.unwrap();
        planes.knows(&key).await.unwrap();
        let request = chat_request(&key.value, &chat("claude-sonnet-4-5", streamed)).unwrap();
        let answer = timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an end").unwrap();
        let text = String::from_utf8(answer.body.to_vec()).expect("what the client gets is UTF-8");
        assert!(text.contains("upstream_invalid_response"), "{text}");
        if streamed {
            assert!(text.contains("good ") && !text.contains("lost") && !text.contains("[DONE]"), "{text}");
        } else {
            assert_eq!(answer.status, 502, "{text}");
        }
        let records = records(&planes, 1).await;
        assert_eq!(records[0]["outcome"], "upstream_error", "{records:?}");
        tasks.stop();
    }
}
