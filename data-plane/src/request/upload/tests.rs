use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http_body_util::BodyExt as _;

use super::{Destination, UploadRequest};
use crate::error::GatewayError;
use crate::limits::{RequestLimits, UploadSpace};
use crate::request::{Content, Outbound as _};
use crate::route::candidate::Candidate;
use crate::route::fixtures::{group, key, snapshot};
use crate::route::plan::Plan;
use crate::route::table::RouteTable;

const MODEL: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n";
const FILE: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";

fn candidate() -> Candidate {
    let mut group = group("g", &[]);
    group.model_aliases.insert("m".into(), "whisper-1".into());
    let table = RouteTable::compile(Arc::new(snapshot([group], [key("k", "sk")])), None);
    let principal = table.client(&shared::crypto::sha256(b"sk")).unwrap();
    Plan::serving(&table, principal, "m").unwrap().next().unwrap()
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "multipart/form-data; boundary=b".parse().unwrap());
    headers
}

fn destination(default_model: Option<&'static str>) -> Destination {
    Destination { path: "/audio/transcriptions", query: None, has_model: true, default_model }
}

async fn read(body: &str, limits: &RequestLimits) -> Result<UploadRequest, GatewayError> {
    read_as(body, limits, &headers(), None).await
}

async fn read_as(
    body: &str,
    limits: &RequestLimits,
    headers: &HeaderMap,
    default_model: Option<&'static str>,
) -> Result<UploadRequest, GatewayError> {
    let portions: Vec<_> = body
        .as_bytes()
        .chunks(60_000)
        .map(|portion| Ok::<_, std::io::Error>(Bytes::copy_from_slice(portion)))
        .collect();
    UploadRequest::read(destination(default_model), headers, Body::from_stream(stream::iter(portions)), limits).await
}

/// The body that goes to the provider, and whether it could be sent again.
async fn written(request: &UploadRequest) -> (Vec<u8>, bool) {
    let outgoing = request.write(&candidate()).unwrap();
    assert_eq!(outgoing.content, Content::Typed("multipart/form-data; boundary=b".parse().unwrap()));
    let body = match outgoing.passing {
        Some(passing) => passing.body.collect().await.unwrap().to_bytes(),
        None => outgoing.body,
    };
    (body.to_vec(), request.write(&candidate()).is_ok())
}

#[tokio::test]
async fn a_small_upload_can_be_sent_again() {
    let body = format!("{FILE}RIFF\r\n{MODEL}--b--\r\n");
    let request = read(&body, &RequestLimits::default()).await.unwrap();
    assert_eq!((request.model.as_str(), request.bytes()), ("m", body.len() as u64));
    let expected = body.replace("\r\n\r\nm\r\n", "\r\n\r\nwhisper-1\r\n");
    for _ in 0..2 {
        assert_eq!(written(&request).await, (expected.clone().into_bytes(), true));
    }
}

#[tokio::test]
async fn a_large_upload_passes_once_wherever_the_model_stands() {
    let file = format!("{FILE}{}\r\n", "x".repeat(5 << 20));
    for body in
        [format!("{MODEL}{file}--b--\r\n"), format!("{file}{MODEL}--b--\r\n"), format!("{file}{MODEL}{file}--b--\r\n")]
    {
        let request = read(&body, &RequestLimits::default()).await.unwrap();
        assert_eq!(request.model, "m");
        let before = request.bytes();
        assert!(before <= body.len() as u64);
        let (sent, again) = written(&request).await;
        assert!(sent == body.replace("\r\n\r\nm\r\n", "\r\n\r\nwhisper-1\r\n").into_bytes());
        assert!(!again);
        assert_eq!(request.bytes(), body.len() as u64);
    }
}

#[tokio::test]
async fn the_model_by_default_is_told_where_config_has_another() {
    let body = format!("{FILE}x\r\n--b--\r\n");
    let request = read_as(&body, &RequestLimits::default(), &headers(), Some("m")).await.unwrap();
    let (sent, _) = written(&request).await;
    let told = MODEL.replace("\r\nm\r\n", "\r\nwhisper-1\r\n");
    assert_eq!(String::from_utf8(sent).unwrap(), format!("{told}{body}"));
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_its_reason() {
    let limits = RequestLimits { max_upload_bytes: 2 << 20, ..RequestLimits::default() };
    let code = async |body: &str, headers: HeaderMap| read_as(body, &limits, &headers, None).await.unwrap_err().code();
    assert_eq!(code(&format!("{FILE}x\r\n--b--\r\n"), headers()).await, "invalid_request");
    assert_eq!(code(&format!("{MODEL}{FILE}x"), headers()).await, "invalid_request");
    assert_eq!(code(&format!("{MODEL}{MODEL}--b--"), headers()).await, "invalid_request");
    assert_eq!(code(&format!("{FILE}{}", "x".repeat(3 << 20)), headers()).await, "request_too_large");
    assert_eq!(code("{}", HeaderMap::new()).await, "invalid_request");
    let with = |name: &'static str, value: &str| {
        let mut headers = headers();
        headers.insert(name, value.parse().unwrap());
        headers
    };
    assert_eq!(code("", with("content-length", "3000000")).await, "request_too_large");
    assert_eq!(code("", with("content-encoding", "gzip")).await, "unsupported_encoding");
}

#[tokio::test]
async fn uploads_that_wait_have_a_directory_a_bound_and_a_deadline() {
    use std::os::unix::fs::PermissionsExt as _;

    let root = tempfile::tempdir().unwrap();
    let limits = RequestLimits {
        upload_directory: root.path().join("uploads"),
        upload_space: UploadSpace::new(5 << 20),
        upload_wait: std::time::Duration::from_millis(50),
        ..RequestLimits::default()
    };
    let file = |mib: usize| format!("{FILE}{}\r\n", "x".repeat(mib << 20));
    let first = read(&format!("{}{MODEL}--b--\r\n", file(4)), &limits).await.unwrap();
    let mode = std::fs::metadata(&limits.upload_directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let late = format!("{}{MODEL}--b--\r\n", file(4));
    let full = read(&late, &limits).await.unwrap_err();
    assert_eq!((full.status(), full.code()), (http::StatusCode::SERVICE_UNAVAILABLE, "uploads_full"));
    let early = format!("{MODEL}{}--b--\r\n", file(4));
    read(&early, &limits).await.expect("an upload that names its model first needs no room");
    let (sent, _) = written(&first).await;
    assert!(sent.len() > 4 << 20);
    read(&late, &limits).await.expect("there is room again");

    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from(file(2)))]);
    let body = Body::from_stream(futures_util::StreamExt::chain(begun, stream::pending()));
    let error = UploadRequest::read(destination(None), &headers(), body, &limits).await.unwrap_err();
    assert_eq!(error.code(), "request_timeout");
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let limits = RequestLimits { upload_directory: "/dev/full".into(), ..RequestLimits::default() };
    let late = format!("{FILE}{}\r\n{MODEL}--b--\r\n", "x".repeat(4 << 20));
    assert_eq!(read(&late, &limits).await.unwrap_err().code(), "internal_error", "a directory that is none");
    assert_eq!(GatewayError::DiskFull.status(), http::StatusCode::INSUFFICIENT_STORAGE);
}
