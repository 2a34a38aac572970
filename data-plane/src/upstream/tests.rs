mod moved;
mod roots;
mod windows;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use shared::snapshot::{OutboundProxy, ProxyScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Exit, RequestBody, Upstream};
use crate::media::tests::fixtures::{Server, answer};
use crate::route::fixtures::group;

fn exit(scheme: ProxyScheme, port: u16, base_url: &str) -> Exit {
    let mut group = group("g", &["m"]);
    group.base_url = base_url.into();
    group.outbound_proxy = Some(OutboundProxy {
        scheme,
        host: "127.0.0.1".to_owned(),
        port,
        username: "user".to_owned(),
        password: "pass-word".into(),
        bypass_local: false,
        bypass_domains: Vec::new(),
    });
    Exit::of(&group)
}

fn get(url: &str) -> Request<RequestBody> {
    Request::get(url).body(RequestBody::Whole(Full::new(Bytes::new()))).unwrap()
}

#[tokio::test]
async fn a_base_url_in_plain_http_leads_through_a_proxy_to_its_own_port() {
    let upstream = Upstream::new().unwrap();
    for (url, place) in [
        ("http://api.example.com/v1/models", "api.example.com:80"),
        ("http://api.example.com:8080/v1/models", "api.example.com:8080"),
        ("http://[2001:db8::1]:8080/v1/models", "[2001:db8::1]:8080"),
        ("http://[2001:db8::1]/v1/models", "[2001:db8::1]:80"),
    ] {
        let proxy = Server::start(|_, _| answer("200 OK", "", b"here")).await;
        let exit = exit(ProxyScheme::Http, proxy.address.port(), url);
        let response = upstream.send(&exit, get(url)).await.unwrap();
        assert_eq!(response.status(), 200, "{url}");
        let asked = proxy.asked();
        assert!(asked[0].starts_with(&format!("CONNECT {place} HTTP/1.1\r\n")), "{url}: {asked:?}");
        assert!(asked[0].contains("roxy-Authorization: Basic dXNlcjpwYXNzLXdvcmQ="), "{asked:?}");
        assert!(
            asked[1].starts_with("GET /v1/models ") && !asked[1].to_lowercase().contains("proxy-auth"),
            "{asked:?}"
        );
    }
    // TLS fails behind the tunnel, which has led to the right place.
    for (url, place) in
        [("https://api.example.com/", "api.example.com:443"), ("https://api.example.com:8443/", "api.example.com:8443")]
    {
        let proxy = Server::start(|_, _| answer("200 OK", "", b"here")).await;
        let exit = exit(ProxyScheme::Http, proxy.address.port(), url);
        tokio::select! {
            sent = upstream.send(&exit, get(url)) => assert!(sent.is_err()),
            () = async { while proxy.asked().is_empty() { tokio::task::yield_now().await } } => {}
        }
        assert!(proxy.asked()[0].starts_with(&format!("CONNECT {place} ")), "{url}: {:?}", proxy.asked());
    }
}

/// What a SOCKS proxy is asked for: the address and the port (RFC 1928, section 4).
async fn socks_target(url: &str) -> (Vec<u8>, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exit = exit(ProxyScheme::Socks5, listener.local_addr().unwrap().port(), url);
    let proxy = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 2];
        connection.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; greeting[1].into()];
        connection.read_exact(&mut methods).await.unwrap();
        connection.write_all(&[5, 2]).await.unwrap();
        for _ in 0..2 {
            // The version stands before the name, and nothing before the password.
            let mut length = [0; 1];
            connection.read_exact(&mut length).await.unwrap();
            if length == [1] {
                connection.read_exact(&mut length).await.unwrap();
            }
            connection.read_exact(&mut vec![0; length[0].into()]).await.unwrap();
        }
        connection.write_all(&[1, 0]).await.unwrap();
        let mut head = [0; 4];
        connection.read_exact(&mut head).await.unwrap();
        let mut length = match head[3] {
            1 => 4,
            4 => 16,
            _ => 0,
        };
        if length == 0 {
            length = connection.read_u8().await.unwrap().into();
        }
        let mut address = vec![0; length];
        connection.read_exact(&mut address).await.unwrap();
        (address, connection.read_u16().await.unwrap())
    };
    let upstream = Upstream::new().unwrap();
    tokio::select! {
        target = proxy => target,
        sent = upstream.send(&exit, get(url)) => panic!("{sent:?}"),
    }
}

#[tokio::test]
async fn a_socks_proxy_is_asked_for_the_port_of_the_scheme_too() {
    for (url, port) in [
        ("http://api.example.com/", 80),
        ("http://api.example.com:8080/", 8080),
        ("https://api.example.com/", 443),
        ("https://api.example.com:8443/", 8443),
    ] {
        assert_eq!(socks_target(url).await, (b"api.example.com".to_vec(), port), "{url}");
    }
    let (address, port) = socks_target("http://[2001:db8::1]:8080/").await;
    assert_eq!((address.len(), port), (16, 8080));
}

/// A connection is made when TLS is, and the group says how long that may take.
#[tokio::test]
async fn a_group_has_a_time_of_its_own_for_connections() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let mut group = group("g", &["m"]);
    group.base_url = url.as_str().into();
    group.routing.connect_timeout = Some(Duration::from_millis(50));
    let exit = Exit::of(&group);
    let begun = Instant::now();
    let error = Upstream::new().unwrap().send(&exit, get(&url)).await.unwrap_err();
    assert!(error.is_connect() && begun.elapsed() < Duration::from_secs(5), "{error:?}");
    group.routing.connect_timeout = Some(Duration::from_secs(1));
    assert!(Exit::of(&group) != exit && exit.is_direct());
}
