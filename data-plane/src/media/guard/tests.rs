use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Uri;
use proptest::prelude::*;

use super::{Connector, Guard, connect};
use crate::media::fetch::{Purse, Way, fetch};
use crate::media::tests::fixtures::{Server, answer};
use crate::upstream::Upstream;

const STRICT: Guard = Guard { private_networks: false };
const PRIVATE: Guard = Guard { private_networks: true };

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn addresses_that_are_not_public_are_refused() {
    let refused = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "169.254.169.254",
        "168.63.129.16",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    for text in refused {
        assert!(!STRICT.allows(address(text)), "{text}");
    }
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.0.1",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "223.255.255.1",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ] {
        assert!(STRICT.allows(address(text)), "{text}");
    }
}

#[test]
fn private_networks_can_be_opened_and_a_clouds_secrets_can_not() {
    for text in [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "::1",
        "fd12::1",
        "::ffff:10.0.0.1",
        "8.8.8.8",
    ] {
        assert!(PRIVATE.allows(address(text)), "{text}");
    }
    for text in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::1",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "224.0.0.1",
        "0.0.0.0",
        "::",
        "ff02::1",
    ] {
        assert!(!PRIVATE.allows(address(text)), "{text}");
    }
}

/// URLs that lead to this machine, in disguise or not.
fn hostile(port: u16) -> Vec<String> {
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.127.127.127",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0177.0.0.0x1",
        "0",
        "0.0.0.0",
        "127.0.0.1.",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ip6-localhost",
        "ip6-loopback",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[::1%25lo]",
        "[fe80::1%25lo]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "user@127.0.0.1",
        "user:pass@127.0.0.1",
        "example.com@127.0.0.1",
        "example.com%40127.0.0.1",
        "example.com\\@127.0.0.1",
        "127.0.0.1\t",
        "127.0.0.1%00.example.com",
        "lоcalhost",
    ];
    let mut urls: Vec<_> = hosts.iter().map(|host| format!("http://{host}:{port}/a.png")).collect();
    urls.extend([
        format!("https://127.0.0.1:{port}/a.png"),
        format!("HTTP://127.0.0.1:{port}/a.png"),
        format!("http:127.0.0.1:{port}/a.png"),
        format!("http:///127.0.0.1:{port}/a.png"),
        format!("http://127.0.0.1:{port}#@example.com/a.png"),
        format!("http://127.0.0.1:{port}?@example.com/a.png"),
        format!("http://127.0.0.1:{port}\\@example.com/a.png"),
        format!("//127.0.0.1:{port}/a.png"),
        format!("127.0.0.1:{port}"),
        format!("ftp://127.0.0.1:{port}/a.png"),
        format!("gopher://127.0.0.1:{port}/_GET%20/"),
        format!("ws://127.0.0.1:{port}/a.png"),
        "file:///etc/passwd".to_owned(),
        "http://".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fd00:ec2::254]/latest/meta-data/".to_owned(),
    ]);
    urls
}

#[tokio::test]
async fn p30_no_form_of_a_url_reaches_the_canary() {
    let canary = Server::start(|_, _| answer("200 OK", "content-type: image/png\r\n", b"secret")).await;
    let upstream = Upstream::new().unwrap();
    let pool = upstream.over(Connector(STRICT));
    let urls = hostile(canary.address.port());
    assert!(urls.len() >= 40);
    for url in urls {
        let budget = AtomicUsize::new(1000);
        let fetched = fetch(&url, None, STRICT, Way::Direct(&pool), Purse { left: &budget, held: None }).await;
        assert!(fetched.is_err(), "{url}: {fetched:?}");
        // The connector does not rely on what was checked before it.
        if let Ok(uri) = url.parse::<Uri>() {
            assert!(connect(STRICT, &uri).await.is_err(), "{url}");
        }
        assert_eq!(canary.connections.load(Ordering::SeqCst), 0, "{url}");
    }
    // Where it is allowed, the canary is reached.
    let open = upstream.over(Connector(PRIVATE));
    let sung =
        fetch(&canary.url("/"), None, PRIVATE, Way::Direct(&open), Purse { left: &AtomicUsize::new(1000), held: None })
            .await;
    assert_eq!((sung.unwrap().mime.as_str(), canary.connections.load(Ordering::SeqCst)), ("image/png", 1));
}

#[test]
fn ports_of_other_services_are_refused() {
    let allows = |guard: Guard, url: &str| guard.allows_uri(&url.parse().unwrap(), false);
    for (url, allowed) in [
        ("http://example.com/", true),
        ("http://example.com:80/", true),
        ("https://example.com:443/", true),
        ("https://example.com:8443/", true),
        ("http://example.com:22/", false),
        ("http://example.com:25/", false),
        ("http://example.com:0/", false),
    ] {
        assert_eq!(allows(STRICT, url), allowed, "{url}");
    }
    assert!(allows(PRIVATE, "http://files.example.com:81/"));
}

#[test]
fn behind_a_proxy_local_names_are_refused_by_their_looks() {
    let allows = |guard: Guard, url: &str| guard.allows_uri(&url.parse().unwrap(), true);
    for url in [
        "http://localhost/",
        "http://app.localhost/",
        "http://printer/",
        "http://printer./",
        "http://a.local/",
        "http://metadata.google.internal/",
        "http://x.corp/",
        "http://nas.home.arpa/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
    ] {
        assert!(!allows(STRICT, url), "{url}");
    }
    for url in [
        "https://example.com/",
        "https://upload.wikimedia.org:8443/a",
        "http://8.8.8.8/",
        "https://my_bucket.s3.amazonaws.com/",
    ] {
        assert!(allows(STRICT, url), "{url}");
    }
    assert!(allows(PRIVATE, "http://printer/"));
    assert!(!allows(PRIVATE, "http://169.254.169.254/"));
}

proptest! {
    /// The check sees the address that would be connected to, in every spelling that `http` takes as a host.
    #[test]
    fn no_spelling_of_an_address_is_a_name(bits: u32, spelling in 0..5) {
        let [a, b, c, d] = bits.to_be_bytes();
        let host = match spelling {
            0 => format!("{a}.{b}.{c}.{d}"),
            1 => format!("{bits}"),
            2 => format!("{bits:#x}"),
            3 => format!("{a:#o}.{b}.{c}.{d:#X}").replace("0o", "0").replace("0X", "0x"),
            _ => format!("[::ffff:{a}.{b}.{c}.{d}]"),
        };
        let uri: Uri = format!("http://{host}/").parse().unwrap();
        let public = STRICT.allows(IpAddr::from([a, b, c, d]));
        prop_assert_eq!(STRICT.allows_uri(&uri, false), public && matches!(spelling, 0 | 4));
    }
}
