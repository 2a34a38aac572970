//! Promise 2 in `docs/PROMISES.md`: bad config is refused whole. The tests play the control plane, or the node if they
//! ask the admin API.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use futures_util::Stream;
use harness::http::Connection;
use harness::planes::{chat, chat_request};
use harness::{ports, wait};
use shared::drain::Tasks;
use shared::pb;
use shared::pb::config_service_client::ConfigServiceClient;
use shared::pb::config_service_server::{ConfigService, ConfigServiceServer};
use shared::pb::control_message::Message as ToNode;
use shared::pb::node_message::Message as FromNode;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::support::{SOON, provider, split};

/// A change that makes a good snapshot bad.
type Spoil = fn(&mut pb::Snapshot);

/// What the played control plane has heard, and the stream on which it speaks.
#[derive(Clone, Debug, Default)]
struct Stage(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    hellos: Vec<pb::Hello>,
    acks: Vec<u64>,
    nacks: Vec<pb::Nack>,
    to_node: Option<mpsc::Sender<Result<pb::ControlMessage, Status>>>,
}

impl Stage {
    fn heard<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    async fn say(&self, message: ToNode) {
        let to_node = self.heard(|heard| heard.to_node.clone()).expect("a node is connected");
        to_node.send(Ok(pb::ControlMessage { message: Some(message) })).await.expect("the node listens");
    }
}

#[derive(Debug)]
struct Played {
    stage: Stage,
    tasks: Tasks,
}

#[tonic::async_trait]
impl ConfigService for Played {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<pb::ControlMessage, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<pb::NodeMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let (to_node, messages) = mpsc::channel(16);
        self.stage.heard(|heard| heard.to_node = Some(to_node));
        let stage = self.stage.clone();
        let mut from_node = request.into_inner();
        self.tasks.spawn("from node", async move {
            while let Ok(Some(message)) = from_node.message().await {
                stage.heard(|heard| match message.message {
                    Some(FromNode::Hello(hello)) => heard.hellos.push(hello),
                    Some(FromNode::Ack(ack)) => heard.acks.push(ack.version),
                    Some(FromNode::Nack(nack)) => heard.nacks.push(nack),
                    _ => {}
                });
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

fn play(address: SocketAddr, stage: &Stage, tasks: &Tasks) {
    let played = ConfigServiceServer::new(Played { stage: stage.clone(), tasks: tasks.clone() });
    let stopping = tasks.clone();
    tasks.spawn("played control plane", async move {
        let stopped = async move { stopping.stopping().await };
        Server::builder().add_service(played).serve_with_shutdown(address, stopped).await.expect("it serves");
    });
}

fn good(version: u64, base_url: &str, digest: Vec<u8>) -> pb::Snapshot {
    pb::Snapshot {
        version,
        epoch: "epoch-1".into(),
        lineage: String::new(),
        min_schema: 1,
        groups: vec![pb::Group {
            id: "group-1".into(),
            name: "one".into(),
            provider_type: "openai".into(),
            base_url: base_url.into(),
            upstream_keys: vec![pb::UpstreamKey {
                id: "upstream-1".into(),
                masked: "sk-u****0001".into(),
                secret: "sk-upstream-key-0001".into(),
                enabled: true,
                routing: None,
            }],
            models: vec!["gpt-4o".into()],
            parameter_defaults_json: "{}".into(),
            parameter_overrides_json: "{}".into(),
            balance_policy: "round_robin".into(),
            retry_count: 3,
            timeout_ms: 60_000,
            enabled: true,
            ..pb::Group::default()
        }],
        proxy_keys: vec![pb::ProxyKey {
            id: "key-1".into(),
            name: "key".into(),
            digest,
            enabled: true,
            group_policy: "failover".into(),
            ..pb::ProxyKey::default()
        }],
        ..pb::Snapshot::default()
    }
}

const SPOILED: [(&str, Spoil); 23] = [
    ("a schema that it does not know", |s| s.min_schema = 99),
    ("no epoch", |s| s.epoch.clear()),
    ("no group id", |s| s.groups[0].id.clear()),
    ("no group name", |s| s.groups[0].name = "  ".into()),
    ("no provider", |s| s.groups[0].provider_type.clear()),
    ("a URL that is none", |s| s.groups[0].base_url = "not a url".into()),
    ("a URL of another scheme", |s| s.groups[0].base_url = "ftp://127.0.0.1/".into()),
    ("an unknown balance policy", |s| s.groups[0].balance_policy = "best".into()),
    ("defaults that are no JSON", |s| s.groups[0].parameter_defaults_json = "{".into()),
    ("overrides that are no object", |s| s.groups[0].parameter_overrides_json = "[1]".into()),
    ("an unknown way to stream", |s| s.groups[0].upstream_stream = "sometimes".into()),
    ("an unknown way with parameters", |s| s.groups[0].unsupported_parameters = "guess".into()),
    ("facts of models that are no objects", |s| s.groups[0].model_facts_json = r#"{"m":1}"#.into()),
    ("a header that is none", |s| {
        s.groups[0].headers.insert("bad header".into(), "x".into());
    }),
    ("a header value with a line break", |s| {
        s.groups[0].headers.insert("x-a".into(), "a\r\nb: c".into());
    }),
    ("no timeout", |s| s.groups[0].timeout_ms = 0),
    ("an empty upstream key", |s| s.groups[0].upstream_keys[0].secret.clear()),
    ("an upstream key with a line break", |s| s.groups[0].upstream_keys[0].secret = "sk\n".into()),
    ("an upstream key twice", |s| {
        let key = s.groups[0].upstream_keys[0].clone();
        s.groups[0].upstream_keys.push(key);
    }),
    ("two groups of one name", |s| {
        let group = pb::Group { id: "group-2".into(), upstream_keys: Vec::new(), ..s.groups[0].clone() };
        s.groups.push(group);
    }),
    ("a digest that is too short", |s| s.proxy_keys[0].digest.truncate(31)),
    ("two proxy keys of one digest", |s| {
        let key = pb::ProxyKey { id: "key-2".into(), ..s.proxy_keys[0].clone() };
        s.proxy_keys.push(key);
    }),
    ("an unknown group policy", |s| s.proxy_keys[0].group_policy = "best".into()),
];

/// Promise 2 in `docs/PROMISES.md`: corrupt or inconsistent snapshots lead to no failed request, and the version in
/// force does not change. Full scale, with 23 spoilt snapshots.
#[tokio::test(flavor = "multi_thread")]
async fn p02_bad_config_is_refused_whole() {
    let provider = provider().await;
    let stage = Stage::default();
    let tasks = Tasks::new();
    let address = ports::free().unwrap();
    play(address, &stage, &tasks);
    let mut planes = split(0).control_url(&format!("http://{address}")).start().await.unwrap();
    // The real control plane makes this key only for its value. The played control plane knows nothing but its digest.
    let key = planes.admin.create_key(&serde_json::json!({ "name": "p02" })).await.unwrap();
    let digest = shared::crypto::sha256(key.value.as_bytes()).to_vec();

    let mut node = planes.prepare_node().unwrap();
    node.launch().unwrap();
    wait::until("the node says hello", SOON, || stage.heard(|heard| heard.hellos.first().cloned())).await.unwrap();
    stage.say(ToNode::Snapshot(good(1, &provider.base_url(), digest.clone()))).await;
    node.ready(SOON).await.unwrap();
    wait::until("the good one is acked", SOON, || stage.heard(|heard| heard.acks.contains(&1)).then_some(()))
        .await
        .unwrap();
    planes.nodes.push(node);

    let api = planes.api().http;
    let (traffic_tasks, value) = (Tasks::new(), key.value.clone());
    let stopping = traffic_tasks.clone();
    let traffic = traffic_tasks.spawn("traffic", async move {
        let (mut connection, mut sent, mut failed) = (Connection::to(api), 0_u64, 0_u64);
        while !stopping.is_stopping() {
            let request = chat_request(&value, &chat("gpt-4o", false)).unwrap();
            let served = connection.fetch(request).await.is_ok_and(|answer| answer.status == 200);
            sent += 1;
            failed += u64::from(!served);
        }
        (sent, failed)
    });
    for (version, (what, spoil)) in (2_u64..).zip(SPOILED) {
        let mut snapshot = good(version, &provider.base_url(), digest.clone());
        // This model would be visible if a part of the config were applied.
        snapshot.groups[0].models.push("applied-in-part".into());
        spoil(&mut snapshot);
        stage.say(ToNode::Snapshot(snapshot)).await;
        let nack = wait::until(what, Duration::from_secs(2), || {
            stage.heard(|heard| heard.nacks.iter().find(|nack| nack.version == version).cloned())
        })
        .await
        .unwrap();
        assert!(!nack.reason.is_empty(), "{what}");
        assert!(!nack.reason.contains("sk-upstream-key-0001"), "{what}: {}", nack.reason);
    }
    traffic_tasks.stop();
    let (sent, failed) = traffic.await.unwrap();
    assert_eq!(failed, 0, "of {sent}");
    let in_part = planes.api().chat(&key.value, &chat("applied-in-part", false)).await.unwrap();
    assert_eq!(in_part.status, 404);
    assert_eq!(stage.heard(|heard| heard.acks.iter().copied().max()), Some(1), "the version is unchanged");

    // A good snapshot after all that is applied.
    let mut better = good(30, &provider.base_url(), digest);
    better.groups[0].models.push("applied-whole".into());
    stage.say(ToNode::Snapshot(better)).await;
    wait::until("the good one is acked", SOON, || stage.heard(|heard| heard.acks.contains(&30)).then_some(()))
        .await
        .unwrap();
    assert_eq!(planes.api().chat(&key.value, &chat("applied-whole", false)).await.unwrap().status, 200);
}

/// Promise 2 in `docs/PROMISES.md`: the reason for which a node refuses config is in the admin API within 2 s. Full
/// scale.
#[tokio::test(flavor = "multi_thread")]
async fn p02_the_reason_is_in_the_admin_api_within_two_seconds() {
    let planes = split(0).start().await.unwrap();
    let token = std::fs::read_to_string(planes.control.data.join("node-token")).unwrap();
    let channel = Channel::from_shared(format!("http://{}", planes.control.grpc.unwrap())).unwrap();
    let channel = channel.connect().await.unwrap();
    let (to_control, messages) = mpsc::channel(16);
    let mut request = Request::new(ReceiverStream::new(messages));
    request.metadata_mut().insert("authorization", format!("Bearer {}", token.trim()).parse().unwrap());
    let hello = pb::Hello { node_id: "played-node".into(), version: "0.1.0".into(), schema: 1, ..pb::Hello::default() };
    to_control.send(pb::NodeMessage { message: Some(FromNode::Hello(hello)) }).await.unwrap();
    let mut from_control = ConfigServiceClient::new(channel).stream(request).await.unwrap().into_inner();
    let first = tokio::time::timeout(SOON, from_control.message()).await.unwrap().unwrap().unwrap();
    let Some(ToNode::Snapshot(snapshot)) = first.message else { panic!("no snapshot but {first:?}") };
    assert!(snapshot.min_schema <= 1 && !snapshot.epoch.is_empty(), "{snapshot:?}");
    let nack = pb::Nack { version: snapshot.version, reason: "groups[x].base_url: is nonsense".into() };
    to_control.send(pb::NodeMessage { message: Some(FromNode::Nack(nack)) }).await.unwrap();
    let view = wait::until_async("the admin API tells of the refusal", Duration::from_secs(2), async || {
        let nodes = planes.admin.get("/admin/nodes").await.ok()?;
        let node = nodes["items"].as_array()?.iter().find(|node| node["id"] == "played-node")?.clone();
        node["lastNack"].is_object().then_some(node)
    })
    .await
    .unwrap();
    assert_eq!(view["lastNack"]["reason"], "groups[x].base_url: is nonsense");
    assert_eq!(view["lastNack"]["version"], snapshot.version);
    assert_eq!(view["appliedVersion"], 0);
}
