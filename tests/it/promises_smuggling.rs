//! Tests of requests that two readers could understand differently: promise 19 in `docs/PROMISES.md`.

use std::net::SocketAddr;
use std::time::Duration;

use harness::planes::chat;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Bed, standalone};

/// Sends `bytes` and nothing more, and reads all that comes until the peer closes or has said nothing for a second.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The peer may close before it has all.
    let _closed = stream.write_all(bytes).await;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// `body` as one chunk of a chunked body, and the end of that.
fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// Requests that a reader may take for one, for two, or for another one: a name, the lines of the head that say how
/// long the body is, and what comes behind the head. `hidden` is another whole request.
fn cases(body: &str, hidden: &str) -> Vec<(&'static str, String, String)> {
    let (length, both) = (body.len(), body.len() + hidden.len());
    let chunks = chunked(body);
    let beyond = format!("{body}{hidden}");
    let ended = format!("0\r\n\r\n{hidden}");
    let case = |name, head: &str, rest: &str| (name, head.to_owned(), rest.to_owned());
    let sized = |name, lines: String, rest: &str| (name, lines, rest.to_owned());
    vec![
        // Content-Length and Transfer-Encoding together (RFC 9112, section 6.1).
        sized("length, then chunked", format!("content-length: {length}\r\ntransfer-encoding: chunked"), &chunks),
        sized("chunked, then length", format!("transfer-encoding: chunked\r\ncontent-length: {length}"), &chunks),
        sized("a length that hides a request", format!("content-length: {both}\r\ntransfer-encoding: chunked"), &ended),
        sized(
            "chunks that hide a request",
            format!("transfer-encoding: chunked\r\ncontent-length: {}", chunks.len()),
            &format!("{chunks}{hidden}"),
        ),
        case("a length of 0 beside chunks", "content-length: 0\r\ntransfer-encoding: chunked", &chunks),
        case("a broken length beside chunks", "content-length: x\r\ntransfer-encoding: chunked", &chunks),
        // Several lengths, and lengths that are none (RFC 9112, section 6.3; RFC 9110, section 8.6).
        sized("two lengths", format!("content-length: {length}\r\ncontent-length: {both}"), &beyond),
        sized("two lengths, the longer first", format!("content-length: {both}\r\ncontent-length: {length}"), &beyond),
        sized("the same length twice", format!("content-length: {length}\r\ncontent-length: {length}"), body),
        sized("a list of lengths", format!("content-length: {length}, {both}"), &beyond),
        sized("a list of the same length", format!("content-length: {length}, {length}"), body),
        sized("a length with a sign", format!("content-length: +{length}"), body),
        case("a length below nothing", "content-length: -1", body),
        sized("a length with a fraction", format!("content-length: {length}.0"), body),
        sized("a length in hexadecimal", format!("content-length: 0x{length:x}"), body),
        sized("a length in words", "content-length: many".to_owned(), body),
        case("no length behind the colon", "content-length:", body),
        case("a length beyond all numbers", "content-length: 99999999999999999999999", body),
        sized("a length with a space in it", format!("content-length: {} {}", length / 10, length % 10), body),
        sized("a length behind a tab", format!("content-length:\t{length}"), body),
        sized("a length with zeros before it", format!("content-length: 000{length}"), body),
        // Names of headers that some readers do not know again (RFC 9112, section 5.1).
        sized("a space before the colon of the length", format!("content-length : {length}"), body),
        case("a space before the colon of chunked", "transfer-encoding : chunked", &chunks),
        sized("a length by another name", format!("content_length: {both}\r\ncontent-length: {length}"), body),
        sized("a length with a control byte", format!("content-length\u{b}: {length}"), body),
        // Transfer codings that are no, or not only, chunks (RFC 9112, sections 6.1 and 7).
        case("another coding", "transfer-encoding: gzip", &chunks),
        case("chunked and then another coding", "transfer-encoding: chunked, identity", &chunks),
        case("another coding and then chunked", "transfer-encoding: identity, chunked", &chunks),
        case("chunked twice", "transfer-encoding: chunked\r\ntransfer-encoding: chunked", &chunks),
        case("chunked and a line of another", "transfer-encoding: chunked\r\ntransfer-encoding: cow", &chunks),
        case("chunked in other letters", "transfer-encoding: cHuNkEd", &chunks),
        case("chunked with something before it", "transfer-encoding: xchunked", &chunks),
        case("chunked in quotation marks", "transfer-encoding: \"chunked\"", &chunks),
        case("chunked behind a vertical tab", "transfer-encoding: \u{b}chunked", &chunks),
        // Lines that are folded (RFC 9112, section 5.2), and lines that end otherwise.
        case("chunked on a folded line", "transfer-encoding:\r\n chunked", &chunks),
        sized("a length on a folded line", format!("content-length:\r\n\t{length}"), body),
        sized("a header that is folded before the length", format!("x-a: b\r\n c\r\ncontent-length: {length}"), body),
        sized(
            "a line that ends with a return",
            format!("x-a: b\rcontent-length: {both}\r\ncontent-length: {length}"),
            body,
        ),
        sized("a line that ends with a line feed", format!("content-length: {length}\nx-a: b"), body),
        sized("a header without a name", format!(": b\r\ncontent-length: {length}"), body),
        sized("a null byte in a header", format!("x-a: b\0c\r\ncontent-length: {length}"), body),
        // Chunks whose sizes are read differently (RFC 9112, section 7.1).
        case("a size with a sign", "transfer-encoding: chunked", &format!("+{chunks}")),
        case("a size with 0x before it", "transfer-encoding: chunked", &format!("0x{chunks}")),
        case(
            "a size beyond all numbers",
            "transfer-encoding: chunked",
            &format!("fffffffffffffffff\r\n{body}\r\n0\r\n\r\n"),
        ),
        case(
            "a chunk that is longer than its size",
            "transfer-encoding: chunked",
            &format!("2\r\n{body}\r\n0\r\n\r\n"),
        ),
        case("a size that ends with a line feed", "transfer-encoding: chunked", &chunks.replacen("\r\n", "\n", 1)),
    ]
}

/// Promise 19 in `docs/PROMISES.md`: each of some forty raw requests with conflicting lengths, transfer encodings and
/// folded headers is answered with an error or leads to exactly one upstream request, and a request that hides in the
/// body of another one is not carried out beside it. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p19_what_two_readers_could_read_differently_is_one_request_or_none() {
    let bed = Bed::start(standalone()).await.unwrap();
    let address = bed.planes.api().http;
    let body = chat("gpt-4o", false).to_string();
    let head = |lines: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: \
             application/json\r\n{lines}\r\n\r\n",
            bed.key.value
        )
    };
    let other = chat("gpt-4o-mini", false).to_string();
    let hidden = format!("{}{other}", head(&format!("content-length: {}", other.len())));
    let cases = cases(&body, &hidden);
    assert!(cases.len() >= 40);
    let mut served = 0;
    for (name, lines, rest) in cases {
        let before = bed.provider.journal().total();
        let answer = exchange(address, format!("{}{rest}", head(&lines)).as_bytes()).await;
        let upstream = bed.provider.journal().total() - before;
        let status = answer.get(9..12).unwrap_or("none");
        // A connection that is closed without a word is a refusal, too.
        let refused = upstream == 0 && matches!(status, "400" | "408" | "413" | "431" | "501" | "none");
        assert!(refused || upstream == 1, "{name}: {upstream} requests upstream, and {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{name}: {answer}");
        served += upstream;
    }
    assert!(served >= 3, "what is no conflict is served: {served}");
    assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
}

/// Promise 19 in `docs/PROMISES.md`: what a client says in headers of the gateway's own, or of proxies before it, is
/// not believed, and does not go upstream.
#[tokio::test(flavor = "multi_thread")]
async fn p19_headers_of_the_gateways_own_are_never_believed() {
    let bed = Bed::start(standalone()).await.unwrap();
    let headers = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("x-forwarded-host", "admin.example"),
        ("x-forwarded-proto", "https"),
        ("x-original-url", "/admin/groups"),
        ("x-rewrite-url", "/admin/groups"),
        ("x-http-method-override", "DELETE"),
        ("x-orchestration-node", "another"),
        ("x-orchestration-model", "gpt-4o-mini"),
        ("x-orchestration-attempts", "0"),
        ("x-orchestration-cache", "hit"),
        ("x-orchestration-cost", "0"),
        ("x-upstream-key", "sk-of-the-client"),
        ("x-upstream-request-id", "of-the-client"),
        ("x-user-id", "admin"),
        ("x-role", "admin"),
        ("x-internal", "true"),
    ];
    let answer = bed.post(&headers, chat("gpt-4o", false).to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = bed.provider.journal().last().unwrap();
    for (name, value) in headers {
        assert_eq!(received.header(name), "", "{name}");
        assert_ne!(answer.header(name), value, "{name}");
    }
    assert_eq!(received.key(), "sk-upstream-key-0001");
    let record = &bed.chat_records(1).await.unwrap()[0];
    assert_eq!((&record["clientIp"], &record["requestedModel"]), (&"127.0.0.1".into(), &"gpt-4o".into()), "{record}");
}
