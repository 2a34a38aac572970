//! Signatures of AWS.

use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::hmac;
use http::HeaderMap;
use shared::crypto::{hex, sha256};
use shared::time::now_ms;
use translation::vendors::Auth;
use translation::vendors::key::Key;

use super::super::aws::Signer;
use super::{Credential, Fake, Seen, Way, post, say};

const BASE: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com";
const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn signer(text: &str) -> Signer {
    match Auth::AwsSigV4.key(text, BASE).unwrap() {
        Key::Aws(key) => Signer::new(&key),
        other => panic!("{other:?}"),
    }
}

/// The `Authorization` of a request signed at `seconds` since 1970.
fn authorization(key: &str, service: &str, url: &str, body: &str, typed: bool, seconds: u64) -> (String, HeaderMap) {
    let (mut request, body) = post(url, body);
    if !typed {
        request.headers_mut().clear();
    }
    // Says nothing to AWS, and may be changed by proxies.
    request.headers_mut().insert("user-agent", "x".parse().unwrap());
    request.headers_mut().insert("x-client-request-id", "x".parse().unwrap());
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    let headers: HeaderMap = signer(key).signed(&request, &body, service, time).unwrap().into_iter().collect();
    (headers["authorization"].to_str().unwrap().to_owned(), headers)
}

#[test]
fn a_vector_that_aws_publishes() {
    // "post-vanilla" of the AWS Signature Version 4 Test Suite.
    let key = format!("{ID}:{SECRET}@us-east-1");
    let url = "https://example.amazonaws.com/";
    let (signed, headers) = authorization(&key, "service", url, "", false, 1_440_938_160);
    assert_eq!(headers["x-amz-date"], "20150830T123600Z");
    assert_eq!(
        signed,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    );
}

#[test]
fn requests_to_bedrock_are_signed_as_aws_own_library_for_python_does() {
    let url = format!("{BASE}/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream");
    let body = r#"{"messages":[]}"#;
    // botocore 1.44.8, at 2026-11-23 10:00 UTC.
    let (signed, _) = authorization(&format!("{ID}:{SECRET}"), "bedrock", &url, body, true, 1_795_428_000);
    assert_eq!(
        signed,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=b37a4efed716fbee9ff4c2ba12ef989aa2f2f1377d7e2e579d23d6c09dff4676"
    );
    let temporary = format!("{ID}:{SECRET}:session/token==");
    let (signed, headers) = authorization(&temporary, "bedrock", &url, body, true, 1_795_428_000);
    assert_eq!(headers["x-amz-security-token"], "session/token==");
    assert_eq!(
        signed,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-central-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=99038da04ef5e6a9d4546817bd70c3716fcbb923af1f7bbc688d5ca2190827c5"
    );
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// The signature of what arrived, by the steps of AWS's documentation.
fn signature(seen: &Seen, region: &str) -> String {
    let date = seen.header("x-amz-date");
    // Each byte of the path that is not plain is encoded once more.
    let path = seen.uri.path().replace('%', "%25");
    let canonical = format!(
        "POST\n{path}\n\ncontent-type:application/json\nhost:{}\nx-amz-date:{date}\n\ncontent-type;host;x-amz-date\n{}",
        seen.header("host"),
        hex(&sha256(&seen.body)),
    );
    let scope = format!("{}/{region}/bedrock/aws4_request", &date[..8]);
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&sha256(canonical.as_bytes())));
    let key = mac(format!("AWS4{SECRET}").as_bytes(), &date[..8]);
    let key = [region, "bedrock", "aws4_request"].iter().fold(key, |key, part| mac(&key, part));
    hex(&mac(&key, &text))
}

#[tokio::test]
async fn what_arrives_is_signed() {
    let fake = Fake::new(|_, _| say(200, "{}")).await;
    let way = Way::new();
    let key = format!("{ID}:{SECRET}@us-west-2");
    let credential = Credential::of(Auth::AwsSigV4, &key, &fake.url, None).unwrap();
    for body in [r#"{"messages":[]}"#, "{}"] {
        let url = format!("{}/model/amazon.nova-pro-v1%3A0/converse", fake.url);
        let (mut request, body) = post(&url, body);
        request.headers_mut().insert("traceparent", "00-1-1-01".parse().unwrap());
        credential.put(&mut request, &body, way.errand(Duration::from_secs(5))).await.unwrap();
        let answer = way.upstream.send(&way.exit, request.map(crate::upstream::RequestBody::Whole)).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let seen = fake.seen();
    for seen in &seen {
        let signed = seen.header("authorization");
        let (head, sent) = signed.rsplit_once("Signature=").unwrap();
        assert_eq!(sent, signature(seen, "us-west-2"));
        assert!(head.contains("SignedHeaders=content-type;host;x-amz-date,"), "{head}");
        assert!(!seen.headers.contains_key("x-amz-security-token"));
    }
    // Each attempt has a signature of its own.
    assert_ne!(seen[0].header("authorization"), seen[1].header("authorization"));
    let today = shared::time::rfc3339(now_ms())[..10].replace('-', "");
    assert!(seen[0].header("x-amz-date").starts_with(&today) || seen[0].header("x-amz-date") > today.as_str());
}
