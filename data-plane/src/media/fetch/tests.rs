use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use shared::snapshot::{OutboundProxy, ProxyScheme};

use super::{FetchError, Fetched, Purse, Way, fetch, redirected};
use crate::media::guard::{Connector, Guard};
use crate::media::tests::fixtures::{Server, answer};
use crate::route::fixtures::group;
use crate::upstream::{Exit, Upstream};

const OPEN: Guard = Guard { private_networks: true };
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

fn site(path: &str, address: SocketAddr) -> (Vec<u8>, bool) {
    let to = |location: &str| answer("302 Found", &format!("location: {location}\r\n"), b"");
    match path {
        "/a.png" | "/redirected/b.png" | "/caf%C3%A9%20%E2%98%95.png" => {
            answer("200 OK", "content-type: image/png; charset=binary\r\n", PNG)
        }
        "/picture.jpg" | "/nameless" => answer("200 OK", "content-type: application/octet-stream\r\n", PNG),
        "/zip" => answer("200 OK", "content-type: application/zip\r\n", b"PK"),
        "/packed" => answer("200 OK", "content-type: image/png\r\ncontent-encoding: gzip\r\n", b"x"),
        "/gone" => answer("404 Not Found", "content-type: text/html\r\n", b"no"),
        "/large" => answer("200 OK", "content-type: image/png\r\n", &[0; 5000]),
        "/chunks" => {
            let chunk = [b"400\r\n".as_slice(), &[0; 1024], b"\r\n"].concat();
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n";
            ([head.as_slice(), &chunk.repeat(5), b"0\r\n\r\n"].concat(), false)
        }
        "/cut" => (b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 9\r\n\r\nabc".to_vec(), false),
        "/1" => to("/2"),
        "/2" => to(&format!("http://{address}/3#part")),
        "/3" => to("redirected/b.png"),
        "/4" => to("/1"),
        "/round" => to("/round"),
        "/metadata" => to("http://169.254.169.254/latest/meta-data/"),
        "/mapped" => to("http://[::ffff:169.254.169.254]/latest/meta-data/"),
        "/scheme" => to("file:///etc/passwd"),
        "/user" => to(&format!("http://user@{address}/a.png")),
        "/nowhere" => answer("302 Found", "", b""),
        other => panic!("{other}"),
    }
}

async fn get(path: &str, given: Option<&str>, budget: usize) -> Result<Fetched, FetchError> {
    let server = Server::start(site).await;
    let upstream = Upstream::new().unwrap();
    let pool = upstream.over(Connector(OPEN));
    fetch(&server.url(path), given, OPEN, Way::Direct(&pool), Purse { left: &AtomicUsize::new(budget), held: None })
        .await
}

#[tokio::test]
async fn what_comes_is_base64_with_its_type() {
    let fetched = get("/a.png", None, 1000).await.unwrap();
    assert_eq!(fetched, Fetched { mime: "image/png".to_owned(), base64: STANDARD.encode(PNG) });
    assert_eq!(get("/café ☕.png", None, 1000).await.unwrap(), fetched);
    assert_eq!(get("/picture.jpg", None, 1000).await.unwrap().mime, "image/jpeg");
    assert_eq!(get("/nameless", Some("image/webp"), 1000).await.unwrap().mime, "image/webp");
}

#[tokio::test]
async fn what_is_no_medium_is_refused() {
    assert_eq!(get("/zip", None, 1000).await, Err(FetchError::Type("application/zip".to_owned())));
    assert_eq!(get("/nameless", None, 1000).await, Err(FetchError::Type(String::new())));
    assert_eq!(get("/gone", None, 1000).await, Err(FetchError::Status(404)));
    assert_eq!(get("/packed", None, 1000).await, Err(FetchError::Status(200)));
    assert_eq!(get("/cut", None, 1000).await, Err(FetchError::Broken));
}

#[tokio::test]
async fn no_more_comes_than_the_budget_has() {
    assert_eq!(get("/large", None, 4999).await, Err(FetchError::TooLarge));
    assert_eq!(get("/chunks", None, 5119).await, Err(FetchError::TooLarge));
    assert!(get("/large", None, 5000).await.is_ok());
    assert!(get("/chunks", None, 5120).await.is_ok());
}

#[tokio::test]
async fn p30_redirects_are_few_and_each_is_checked() {
    assert_eq!(get("/1", None, 1000).await.unwrap().base64, STANDARD.encode(PNG));
    assert_eq!(get("/4", None, 1000).await, Err(FetchError::Redirects));
    assert_eq!(get("/round", None, 1000).await, Err(FetchError::Redirects));
    assert_eq!(get("/nowhere", None, 1000).await, Err(FetchError::Status(302)));
    for path in ["/metadata", "/mapped", "/scheme", "/user"] {
        assert_eq!(get(path, None, 1000).await, Err(FetchError::Url), "{path}");
    }
}

#[test]
fn redirects_lead_as_rfc_3986_says() {
    let from = "https://a.example/b/c/d?q".parse().unwrap();
    for (location, to) in [
        ("https://x.example/y", "https://x.example/y"),
        ("//x.example/y?z", "https://x.example/y?z"),
        ("/y", "https://a.example/y"),
        ("y", "https://a.example/b/c/y"),
        ("?y", "https://a.example/b/c/d?y"),
        ("y:z/", "y:z/"),
        ("./y:z", "https://a.example/b/c/./y:z"),
    ] {
        let led = redirected(&from, location).map(|uri| uri.to_string());
        assert_eq!(led.as_deref(), Some(to).filter(|to| to.starts_with("https")), "{location}");
    }
}

#[tokio::test]
async fn a_groups_proxy_is_the_way_and_resolves_the_name() {
    let server = Server::start(site).await;
    let mut group = group("g", &[]);
    group.base_url = "https://api.example.com".into();
    group.outbound_proxy = Some(OutboundProxy {
        scheme: ProxyScheme::Http,
        host: "127.0.0.1".into(),
        port: server.address.port(),
        username: String::new(),
        password: String::new().into(),
        bypass_local: true,
        bypass_domains: Vec::new(),
    });
    let (upstream, exit) = (Upstream::new().unwrap(), Exit::of(&group));
    let strict = Guard::default();
    let get = async |url: &str| {
        fetch(url, None, strict, Way::Proxy(&upstream, &exit), Purse { left: &AtomicUsize::new(1000), held: None })
            .await
    };
    assert!(get("http://media.example.com/a.png").await.is_ok());
    assert!(server.asked()[0].starts_with("CONNECT media.example.com:80 "), "{:?}", server.asked());
    let before = server.connections.load(Ordering::SeqCst);
    for url in [
        "http://127.0.0.1/a.png",
        "http://localhost/a.png",
        "http://0x7f.1/a.png",
        "http://db.internal/a.png",
        "http://[fd00::1]/a.png",
    ] {
        assert_eq!(get(url).await, Err(FetchError::Url), "{url}");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), before, "the proxy is not even asked");
}
