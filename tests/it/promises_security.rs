//! Tests of who gets in and what gets out: promise 31 in `docs/PROMISES.md` for wrong logins, and promise 35, what an
//! upstream cannot leak through the gateway.

use std::net::SocketAddr;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::http::Answer;
use harness::planes::chat;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::{Bed, a_group_for_each, case_key, provider, standalone};

/// Logs in from the address `from`, and returns the whole answer as text.
async fn login_from(from: [u8; 4], to: SocketAddr, username: &str, password: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let body = json!({ "username": username, "password": password }).to_string();
    let request = format!(
        "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n\
         x-forwarded-for: 203.0.113.{}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len() % 200,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Promise 31 in `docs/PROMISES.md`: an account has 5 wrong logins a minute from one address. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p31_five_wrong_logins_a_minute_per_account_and_address() {
    let planes = standalone().start().await.unwrap();
    let (http, password) = (planes.control.http, planes.password.as_str());
    let here = [127, 0, 0, 1];
    for attempt in 1..=5 {
        // Each attempt claims to come from another address, which is not believed.
        let answer = login_from(here, http, "admin", &"x".repeat(attempt)).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "attempt {attempt}: {answer}");
    }
    for wrong_or_right in ["wrong", password] {
        let answer = login_from(here, http, "admin", wrong_or_right).await;
        assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
        let wait = answer.lines().find_map(|line| line.to_lowercase().strip_prefix("retry-after: ").map(str::to_owned));
        let wait: u64 = wait.expect("a Retry-After").trim().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    // Neither a client at another address nor a login that stands is locked out.
    let elsewhere = login_from([127, 0, 0, 2], http, "admin", password).await;
    assert!(elsewhere.starts_with("HTTP/1.1 200"), "{elsewhere}");
    assert!(planes.admin.get("/admin/groups").await.is_ok());
}

const UPSTREAM_KEY: &str = "sk-upstream-key-0001";

/// Everything of an answer that a client can see.
fn visible(answer: &Answer) -> String {
    format!("{:?}\n{}", answer.headers, answer.text())
}

/// Promise 35 in `docs/PROMISES.md`: response headers pass by an allow-list. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p35_response_headers_come_by_an_allow_list() {
    let bed = Bed::start(standalone()).await.unwrap();
    let hostile = [
        ("set-cookie", "session=of-the-vendor"),
        ("x-internal-host", "vendor-internal-7"),
        ("server", "vendor-server"),
        ("via", "1.1 vendor-proxy"),
        ("authorization", "Bearer sk-upstream-key-0001"),
        ("x-echoed-key", UPSTREAM_KEY),
        ("location", "https://vendor.internal/"),
        ("access-control-allow-origin", "https://vendor.example"),
        ("strict-transport-security", "max-age=1"),
        ("alt-svc", "h3=\":443\""),
        ("x-request-id", "req_of_the_vendor"),
    ];
    for (status, stream) in [(200, false), (200, true), (400, false), (503, false)] {
        let script =
            hostile.iter().fold(Script { status, ..Script::new() }, |script, (name, value)| script.header(name, value));
        bed.provider.always(Target::All, script);
        let answer = bed.chat(&chat("gpt-4o", stream)).await.unwrap();
        assert_eq!(answer.status, status);
        for (name, value) in hostile {
            assert_ne!(answer.header(name), value, "{status}: {name}");
        }
        assert!(!visible(&answer).contains(UPSTREAM_KEY));
        // Headers that clients read are passed on.
        assert_eq!(answer.header("openai-processing-ms"), "7", "{:?}", answer.headers);
    }
}

/// Promise 35 in `docs/PROMISES.md`: an upstream that repeats its key leaks nothing. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p35_an_upstream_that_repeats_its_key_leaks_nothing() {
    let statuses = [400, 401, 403, 404, 429, 500, 503];
    let cases: Vec<(u16, bool, bool)> = statuses
        .into_iter()
        .flat_map(|status| [(status, false, false), (status, true, false), (status, false, true), (status, true, true)])
        .collect();
    let models: Vec<String> = (0..cases.len()).map(|number| format!("case-{number}")).collect();
    let bed = a_group_for_each(standalone(), &models).await.unwrap();
    for (number, (status, stream, page)) in cases.iter().copied().enumerate() {
        let key = case_key(number);
        let message = format!("Incorrect API key provided: {key}. You can find it at the vendor.");
        let script = if page {
            Script::verbatim(status, "text/html", format!("<html><body>bad key {key}</body></html>"))
        } else {
            let error = json!({ "message": message, "type": "invalid_request_error", "param": key, "code": key });
            Script { error: Some(error), ..Script::error(status) }
        };
        bed.provider.always(Target::Model(models[number].clone()), script);
        let answer = bed.chat(&chat(&models[number], stream)).await.unwrap();
        assert!(answer.status >= 400);
        assert!(!visible(&answer).contains(&key), "{status}: {}", visible(&answer));
    }
    assert_eq!(bed.provider.journal().total(), cases.len() as u64);
    let records = bed.chat_records(cases.len()).await.unwrap();
    assert!(!json!(records).to_string().contains("sk-upstream-case-key"), "a key is in the ledger");
    let log = bed.planes.api().process().unwrap().log();
    assert!(!log.contains("sk-upstream-case-key") && !log.contains(&bed.key.value), "a key is in the log");
}

/// Promise 35 in `docs/PROMISES.md`: an upstream that redirects leaks nothing, because no redirect is followed. Full
/// scale.
#[tokio::test(flavor = "multi_thread")]
async fn p35_a_redirect_is_not_followed() {
    let canary = provider().await;
    let target = format!("{}/chat/completions", canary.base_url());
    for status in [301, 302, 303, 307, 308] {
        // A provider that fails too often is left alone.
        let bed = Bed::start(standalone()).await.unwrap();
        for stream in [false, true] {
            let script = Script::verbatim(status, "application/json", "{}").header("location", &target);
            bed.provider.always(Target::All, script);
            let answer = bed.chat(&chat("gpt-4o", stream)).await.unwrap();
            assert_eq!(answer.status, 502, "{status}: {}", answer.text());
            assert!(!visible(&answer).contains(&canary.addr.to_string()), "{}", visible(&answer));
            assert!(answer.json()["error"]["message"].is_string());
        }
    }
    assert_eq!(canary.journal().total(), 0, "the key went elsewhere");
}

/// Promise 35 in `docs/PROMISES.md`: a large answer is passed on in the pieces in which it comes, and an upstream key
/// that is cut by their borders does not leak. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p35_a_key_across_two_pieces_of_a_large_answer_does_not_leak() {
    const MEBIBYTE: usize = 1024 * 1024;
    let bed = Bed::start(standalone()).await.unwrap();
    let body = format!("{{\"a\":\"{}\"}}", format!("{} {UPSTREAM_KEY} ", "x".repeat(977)).repeat(1500));
    assert!(body.len() > MEBIBYTE);
    let script = Script { split_bytes: Some(1021), ..Script::verbatim(200, "application/json", body.clone()) };
    bed.provider.script(Target::All, script);
    let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), body.replace(UPSTREAM_KEY, "[redacted]"));
}
