//! Servers whose certificate a private authority has signed.

use std::error::Error as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Exit, Upstream, get};
use crate::route::fixtures::group;

const ROOT: &str = include_str!("../../../../tests/fixtures/tls/root.pem");
const SERVER: &[u8] = include_bytes!("../../../../tests/fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../../tests/fixtures/tls/server-key.pem");

/// A server for 127.0.0.1 whose certificate is signed by `ROOT`. It answers each connection once.
#[expect(clippy::disallowed_methods, reason = "it blocks, and ends with the process of the tests")]
fn server() -> SocketAddr {
    let certificates = CertificateDer::pem_slice_iter(SERVER).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(certificates, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(tls, connection.unwrap());
            // Who does not trust it does not get so far.
            if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhere").unwrap();
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    address
}

#[tokio::test]
async fn a_group_trusts_its_own_roots_and_other_groups_do_not() {
    let url = format!("https://{}/", server());
    let upstream = Upstream::new().unwrap();
    let exit = |roots: &str| {
        let mut group = group("g", &["m"]);
        group.base_url = url.as_str().into();
        group.routing.tls_roots = roots.into();
        Exit::of(&group)
    };
    for _ in 0..2 {
        assert_eq!(upstream.send(&exit(ROOT), get(&url)).await.unwrap().status(), 200);
        let error = upstream.send(&exit(""), get(&url)).await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        let mut why = String::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        assert!(why.contains("invalid peer certificate: UnknownIssuer"), "{why}");
    }
    assert!(exit(ROOT) != exit("") && exit(ROOT) == exit(ROOT) && exit(ROOT).is_direct());
}
