//! A control plane without its HTTP side, and a node that consists of a stream alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use shared::crypto::{SealingKey, sha256};
use shared::drain::Tasks;
use shared::forwarded::TrustedProxies;
use shared::ids::{Id, new_id};
use shared::pb::config_service_client::ConfigServiceClient;
use shared::pb::control_message::Message as Down;
use shared::pb::node_message::Message as Up;
use shared::pb::usage_service_client::UsageServiceClient;
use shared::pb::{self, ControlMessage, NodeMessage, UsageAck, UsageBatch};
use shared::secret::Secret;
use shared::serve::{ConnectionLimits, serve};
use shared::snapshot::{
    BalancePolicy, Delta, Group, GroupPolicy, GroupRouting, ProxyKey, ProxyKeyRouting, Snapshot, UnsupportedParameters,
    UpstreamKey, UpstreamKeyRouting, UpstreamStream,
};
use shared::telemetry::Metrics;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use super::super::registry::NodeRegistry;
use super::super::view::NodeView;
use super::super::{MAX_MESSAGE, router, routes, serving};
use crate::ledger::Ledger;
use crate::snapshot::publish::Publisher;
use crate::store::groups::{self, StoredGroup};
use crate::store::proxy_keys::{self, StoredProxyKey};
use crate::store::tests::database::TestDatabase;
use crate::store::{Actor, Scope, Store};

pub(super) const TOKEN: &str = "a-node-token-of-the-tests-0123456789";
/// How long a test waits, which is longer than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Plane {
    pub(super) store: Store,
    pub(super) publisher: Arc<Publisher>,
    pub(super) registry: Arc<NodeRegistry>,
    pub(super) metrics: Metrics,
    pub(super) tasks: Tasks,
    _database: TestDatabase,
    address: SocketAddr,
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl Plane {
    pub(super) async fn start() -> Self {
        let database = TestDatabase::new().await;
        let tasks = Tasks::new();
        let key = SealingKey::derive("test", b"a secret of the tests", "tests").unwrap();
        let store = Store::open(&database.url, Arc::new(key), &tasks).await.unwrap();
        Self::over(store, database, tasks).await
    }

    async fn over(store: Store, database: TestDatabase, tasks: Tasks) -> Self {
        let metrics = Metrics::new();
        let publisher = Publisher::start(store.clone(), &tasks).await.unwrap();
        publisher.register(&metrics);
        let registry = NodeRegistry::new();
        registry.register(&metrics);
        let ledger = Ledger::start(store.clone(), publisher.in_force(), &metrics, &tasks);
        let (token, proxies) = (Secret::new(TOKEN), TrustedProxies::default());
        let routes = routes(Arc::clone(&publisher), Arc::clone(&registry), ledger, &token, proxies, &tasks);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serving(ConnectionLimits::default(), tasks.clone());
        tasks.spawn("test server", serve("grpc", listener, router(routes), serving));
        Self { store, publisher, registry, metrics, tasks, _database: database, address }
    }

    pub(super) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    /// Opens a config stream with `token` and says nothing yet.
    pub(super) async fn stream(&self, token: &str) -> Result<TestNode, Status> {
        let (up, messages) = mpsc::channel(16);
        let mut client = ConfigServiceClient::new(self.channel().await).max_decoding_message_size(MAX_MESSAGE);
        let down = client.stream(with_token(ReceiverStream::new(messages), token)).await?.into_inner();
        Ok(TestNode { up, down, config: Snapshot::default() })
    }

    /// A node that has said hello, with the config that it has.
    pub(super) async fn node(&self, id: &str, has: &Snapshot) -> TestNode {
        let mut node = self.stream(TOKEN).await.unwrap();
        node.config = has.clone();
        let hello = pb::Hello {
            node_id: id.to_owned(),
            version: "0.1.0".to_owned(),
            applied_version: has.version,
            epoch: has.epoch.to_string(),
            schema: shared::snapshot::SCHEMA,
            wants_welcome: false,
            known: None,
        };
        node.say(Up::Hello(hello)).await;
        node
    }

    pub(super) async fn report(&self) -> (mpsc::Sender<UsageBatch>, Streaming<UsageAck>) {
        let (batches, stream) = mpsc::channel(16);
        let mut client = UsageServiceClient::new(self.channel().await);
        let acks = client.report(with_token(ReceiverStream::new(stream), TOKEN)).await.unwrap().into_inner();
        (batches, acks)
    }

    pub(super) async fn add_group(&self, name: &str) -> Id {
        let group = group(name);
        let id = Arc::clone(&group.id);
        let stored = StoredGroup { group, proxy_enabled: false, created_at: 0, updated_at: 0 };
        groups::create(&self.store, &Scope::Everything, &stored, &actor()).await.unwrap();
        id
    }

    pub(super) async fn remove_group(&self, id: &str) {
        assert!(groups::delete(&self.store, &Scope::Everything, id, &actor()).await.unwrap());
    }

    pub(super) async fn add_proxy_key(&self, name: &str) {
        let stored = StoredProxyKey {
            key: proxy_key(name),
            masked: "sk-****".to_owned(),
            description: None,
            usage_count: 0,
            last_used_at: None,
            created_at: 0,
            updated_at: 0,
        };
        proxy_keys::create(&self.store, &Scope::Everything, &stored, &actor()).await.unwrap();
    }

    /// The view of node `id` as soon as `condition` holds for it.
    pub(super) async fn view(&self, id: &str, condition: impl Fn(&NodeView) -> bool) -> NodeView {
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(view) = self.registry.list().into_iter().find(|view| view.id == id && condition(view)) {
                    return view;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("not so in time: {:?}", self.registry.list()))
    }
}

pub(super) fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

pub(super) struct TestNode {
    pub(super) up: mpsc::Sender<NodeMessage>,
    pub(super) down: Streaming<ControlMessage>,
    pub(super) config: Snapshot,
}

impl TestNode {
    pub(super) async fn say(&self, message: Up) {
        self.up.send(NodeMessage { message: Some(message) }).await.unwrap();
    }

    /// The next message. That all which was known before the stream is told is passed over.
    pub(super) async fn hear(&mut self) -> Result<Option<Down>, Status> {
        loop {
            let message = self.hear_all().await?;
            if !matches!(&message, Some(Down::KeyState(state)) if state.upstream_key_id.is_empty()) {
                return Ok(message);
            }
        }
    }

    /// The next message, whatever it is.
    pub(super) async fn hear_all(&mut self) -> Result<Option<Down>, Status> {
        let message = timeout(PATIENCE, self.down.message()).await.expect("a message in time")?;
        Ok(message.map(|message| message.message.unwrap()))
    }

    pub(super) async fn snapshot(&mut self) -> Snapshot {
        match self.hear().await.unwrap().unwrap() {
            Down::Snapshot(snapshot) => snapshot.try_into().unwrap(),
            other => panic!("not a snapshot: {other:?}"),
        }
    }

    pub(super) async fn delta(&mut self) -> Delta {
        match self.hear().await.unwrap().unwrap() {
            Down::Delta(delta) => delta.try_into().unwrap(),
            other => panic!("not a delta: {other:?}"),
        }
    }

    pub(super) async fn key_state(&mut self) -> pb::KeyState {
        match self.hear().await.unwrap().unwrap() {
            Down::KeyState(state) => state,
            other => panic!("not a key state: {other:?}"),
        }
    }

    pub(super) async fn ack(&self) {
        self.say(Up::Ack(pb::Ack { version: self.config.version })).await;
    }

    pub(super) async fn nack(&self, version: u64, reason: &str) {
        self.say(Up::Nack(pb::Nack { version, reason: reason.to_owned() })).await;
    }

    /// Applies and acks one piece of config.
    pub(super) async fn apply(&mut self) {
        self.config = match self.hear().await.unwrap().unwrap() {
            Down::Snapshot(snapshot) => snapshot.try_into().unwrap(),
            Down::Delta(delta) => self.config.apply(&delta.try_into().unwrap()).unwrap(),
            other => panic!("not config: {other:?}"),
        };
        self.ack().await;
    }

    /// Applies config until `version` is reached.
    pub(super) async fn reach(&mut self, version: u64) {
        while self.config.version < version {
            self.apply().await;
        }
    }
}

fn actor() -> Actor {
    Actor { user_id: None, username: "test".to_owned(), client_ip: "127.0.0.1".to_owned() }
}

pub(crate) fn group(name: &str) -> Group {
    let upstream_key = UpstreamKey {
        id: new_id().into(),
        masked: "sk-1****2345".into(),
        secret: Secret::new(format!("sk-secret-of-{name}")),
        enabled: true,
        routing: UpstreamKeyRouting::default(),
    };
    Group {
        id: new_id().into(),
        name: name.into(),
        provider_type: "openai".into(),
        base_url: "https://api.example.com/v1".into(),
        upstream_keys: vec![Arc::new(upstream_key)],
        models: vec!["gpt-4o".into(), "gpt-4o-mini".into()],
        model_aliases: BTreeMap::from([("fast".into(), "gpt-4o-mini".into())]),
        parameter_defaults: Map::new(),
        parameter_overrides: Map::new(),
        headers: BTreeMap::new(),
        balance_policy: BalancePolicy::RoundRobin,
        retry_count: 2,
        timeout: Duration::from_secs(30),
        rpm_limit: 0,
        test_model: None,
        priority: 0,
        enabled: true,
        upstream_stream: UpstreamStream::default(),
        unsupported_parameters: UnsupportedParameters::default(),
        model_facts: Map::new(),
        api_version: None,
        health_check_enabled: false,
        outbound_proxy: None,
        routing: GroupRouting::default(),
    }
}

fn proxy_key(name: &str) -> ProxyKey {
    ProxyKey {
        id: new_id().into(),
        name: name.into(),
        digest: sha256(name.as_bytes()),
        enabled: true,
        allowed_groups: Vec::new(),
        allowed_models: Vec::new(),
        group_policy: GroupPolicy::Failover,
        group_weights: BTreeMap::new(),
        rpm_limit: 0,
        tpm_limit: 0,
        concurrency_limit: 0,
        expires_at_ms: None,
        routing: ProxyKeyRouting::default(),
    }
}
