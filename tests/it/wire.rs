//! Tests of how requests and answers travel: checks X4 and X5 of `docs/CONFORMANCE.md` section 10.

use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use futures_util::StreamExt as _;
use harness::planes::chat;
use reqwest::{Client, Version};

use crate::support::{Bed, standalone};

fn clients() -> [(Version, Client); 2] {
    let second = Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    [(Version::HTTP_11, Client::builder().http1_only().no_proxy().build().unwrap()), (Version::HTTP_2, second)]
}

fn install_tls() {
    // The process needs this once, and later tests find it there.
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[tokio::test(flavor = "multi_thread")]
async fn x4_both_versions_of_http_and_every_encoding_that_a_client_accepts() {
    install_tls();
    let bed = Bed::start(standalone()).await.unwrap();
    let url = format!("http://{}/v1/chat/completions", bed.planes.api().http);
    for (version, client) in clients() {
        for stream in [false, true] {
            let request = client.post(&url).bearer_auth(&bed.key.value).header("accept-encoding", "gzip, br, zstd");
            let answer = request.json(&chat("gpt-4o", stream)).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
            assert!(!answer.headers().contains_key("content-encoding"), "{:?}", answer.headers());
            let text = answer.text().await.unwrap();
            assert!(text.contains("\"choices\""), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x5_a_connection_serves_on_after_a_stream_was_left() {
    install_tls();
    let bed = Bed::start(standalone()).await.unwrap();
    let url = format!("http://{}/v1/chat/completions", bed.planes.api().http);
    for (_, client) in clients() {
        for _ in 0..3 {
            bed.provider.script(Target::All, Script::endless(Duration::from_millis(5)));
            let request = client.post(&url).bearer_auth(&bed.key.value).json(&chat("gpt-4o", true));
            let mut left = request.send().await.unwrap().bytes_stream();
            assert!(left.next().await.unwrap().is_ok());
            drop(left);
            let request = client.post(&url).bearer_auth(&bed.key.value).json(&chat("gpt-4o", false));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(answer.text().await.unwrap().contains("\"choices\""));
        }
    }
}
