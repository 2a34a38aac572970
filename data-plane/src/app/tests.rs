use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use shared::pb;
use shared::pb::control_message::Message as FromControl;
use shared::pb::node_message::Message as ToControl;
use shared::secret::Secret;
use tonic::transport::Endpoint;
use tower::ServiceExt as _;

use super::*;
use crate::control::tests::server::{LONG, TOKEN, TestServer};

fn settings(directory: &std::path::Path) -> DataPlaneSettings {
    let mut settings =
        DataPlaneSettings { data_directory: directory.display().to_string(), ..DataPlaneSettings::default() };
    settings.node.token = Secret::new(TOKEN);
    settings
}

fn channel(server: &TestServer) -> Channel {
    Endpoint::from_shared(format!("http://{}", server.address)).unwrap().connect_lazy()
}

async fn ready(readiness: &Readiness) -> (StatusCode, Value) {
    let request = Request::get("/health/ready").body(Body::empty()).unwrap();
    let answer = readiness.router().oneshot(request).await.unwrap();
    let status = answer.status();
    (status, serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap())
}

/// What the probe says once the node is ready.
async fn until_ready(readiness: &Readiness) -> Value {
    loop {
        let (status, body) = ready(readiness).await;
        if status == StatusCode::OK {
            return body;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn snapshot() -> pb::Snapshot {
    pb::Snapshot { version: 5, epoch: "epoch".to_owned(), min_schema: 1, ..pb::Snapshot::default() }
}

#[tokio::test]
async fn p01_a_node_serves_from_its_disk_while_the_control_plane_is_away() {
    let root = tempfile::tempdir().unwrap();
    let mut server = TestServer::start();
    let (tasks, readiness) = (Tasks::new(), Readiness::new("0.0.0"));
    let node =
        DataPlane::start(settings(root.path()), channel(&server), &Metrics::new(), &readiness, &tasks).await.unwrap();
    let (status, body) = ready(&readiness).await;
    assert_eq!((status, &body["waitingFor"][0]), (StatusCode::SERVICE_UNAVAILABLE, &Value::from("first snapshot")));

    let (mut stream, hello) = server.accept().await;
    stream.send(FromControl::Snapshot(snapshot())).await;
    assert_eq!(stream.receive_answer().await, Some(ToControl::Ack(pb::Ack { version: 5 })));
    let body = until_ready(&readiness).await;
    assert_eq!(body["config"]["version"].as_u64(), Some(5));
    assert_eq!((&body["config"]["source"], &body["controlPlane"]), (&"control_plane".into(), &"connected".into()));

    let second = DataPlane::start(settings(root.path()), channel(&server), &Metrics::new(), &readiness, &tasks).await;
    assert!(second.unwrap_err().to_string().contains("another process"));
    node.drain(LONG).await;
    drop(node);
    server.vanish().await;

    let server = TestServer::start();
    let unreachable = channel(&server);
    server.vanish().await;
    let (tasks, readiness) = (Tasks::new(), Readiness::new("0.0.0"));
    let started = Instant::now();
    let node = DataPlane::start(settings(root.path()), unreachable, &Metrics::new(), &readiness, &tasks).await.unwrap();
    let body = until_ready(&readiness).await;
    assert_eq!(body["config"]["version"].as_u64(), Some(5));
    assert_eq!(
        (&body["config"]["source"], &body["controlPlane"]),
        (&"last_good_snapshot".into(), &"unreachable".into())
    );
    assert!(started.elapsed() < Duration::from_secs(5));
    node.drain(Duration::ZERO).await;
    drop(node);

    let mut server = TestServer::start();
    let (tasks, readiness) = (Tasks::new(), Readiness::new("0.0.0"));
    let node =
        DataPlane::start(settings(root.path()), channel(&server), &Metrics::new(), &readiness, &tasks).await.unwrap();
    let (_, again) = server.accept().await;
    assert_eq!(again.node_id, hello.node_id, "the id is made once");
    assert_eq!((again.applied_version, again.epoch.as_str()), (5, "epoch"));
    node.drain(LONG).await;
}

#[tokio::test]
async fn a_damaged_last_good_config_is_ignored() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("last-good-snapshot"), "rubbish").unwrap();
    let server = TestServer::start();
    let (tasks, readiness) = (Tasks::new(), Readiness::new("0.0.0"));
    let node =
        DataPlane::start(settings(root.path()), channel(&server), &Metrics::new(), &readiness, &tasks).await.unwrap();
    assert_eq!(ready(&readiness).await.0, StatusCode::SERVICE_UNAVAILABLE);
    node.drain(LONG).await;
}
