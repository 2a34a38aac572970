mod clock;

use axum::Router;
use axum::http::StatusCode;
use shared::health::Readiness;
use shared::serve::{ConnectionLimits, Serving, serve};
use shared::telemetry::Metrics;
use shared::time::steady_ms;

use super::super::apply::ControlMetrics;
use super::super::tests::server::{LONG, NodeStream, TOKEN, TestServer, link_to};
use super::*;
use crate::route::current::ConfigState;
use crate::route::health::Health;

fn group(id: &str) -> pb::Group {
    pb::Group {
        id: id.to_owned(),
        name: format!("group {id}"),
        provider_type: "openai".to_owned(),
        base_url: "https://provider.example/v1".to_owned(),
        models: vec!["m1".to_owned()],
        balance_policy: "round_robin".to_owned(),
        timeout_ms: 1000,
        enabled: true,
        ..pb::Group::default()
    }
}

fn proxy_key(id: u8) -> pb::ProxyKey {
    pb::ProxyKey {
        id: format!("k{id}"),
        name: format!("key {id}"),
        digest: vec![id; 32],
        enabled: true,
        group_policy: "failover".to_owned(),
        ..pb::ProxyKey::default()
    }
}

fn snapshot(version: u64) -> pb::Snapshot {
    pb::Snapshot {
        version,
        epoch: "epoch".to_owned(),
        min_schema: 1,
        groups: vec![group("g1"), group("g2")],
        proxy_keys: vec![proxy_key(1), proxy_key(2)],
        ..pb::Snapshot::default()
    }
}

fn delta(from_version: u64, version: u64) -> pb::Delta {
    pb::Delta {
        from_version,
        version,
        epoch: "epoch".to_owned(),
        min_schema: 1,
        groups: vec![group("g3")],
        removed_proxy_key_ids: vec!["k1".to_owned()],
        ..pb::Delta::default()
    }
}

/// A pause of a key of the group `g1`.
fn cooling(key: &str, until_ms: i64) -> KeyState {
    let (upstream_key_id, group_id, model) = (key.into(), "g1".into(), "".into());
    KeyState {
        upstream_key_id,
        group_id,
        model,
        health: Health::CoolingDown,
        until_ms,
        times: 0,
        status: 429,
        reason: "".into(),
        observed_at_ms: 0,
    }
}

/// A node that subscribes.
struct Bench {
    state: ConfigState,
    readiness: Readiness,
    metrics: Metrics,
    key_states: mpsc::Sender<KeyState>,
    tasks: Tasks,
}

/// A node that is not started.
fn subscriber(link: Link) -> Subscriber {
    let (_, learnt) = mpsc::channel(1);
    subscriber_of(link, learnt)
}

/// The same, which learns of keys from `learnt`.
fn subscriber_of(link: Link, learnt: mpsc::Receiver<KeyState>) -> Subscriber {
    let (state, readiness, tasks) = (ConfigState::default(), Readiness::new("0.0.0"), Tasks::new());
    let applier = Applier::new(state, &readiness, ControlMetrics::register(&Metrics::new()), tasks.clone());
    Subscriber::new(link, Arc::new(Node::new("node-2")), applier, learnt, UsageState::default, tasks)
}

impl Bench {
    fn start(link: Link) -> Self {
        let (state, readiness, metrics, tasks) =
            (ConfigState::default(), Readiness::new("0.0.0"), Metrics::new(), Tasks::new());
        let applier = Applier::new(state.clone(), &readiness, ControlMetrics::register(&metrics), tasks.clone());
        let (key_states, learnt) = mpsc::channel(100);
        let usage = || UsageState { pending: 3, dropped: 4 };
        let node = Arc::new(Node::new("node-1"));
        tasks.spawn("config stream", Subscriber::new(link, node, applier, learnt, usage, tasks.clone()).run());
        Self { state, readiness, metrics, key_states, tasks }
    }

    fn version(&self) -> u64 {
        self.state.table().map_or(0, |table| table.snapshot.version)
    }

    fn metric(&self, name: &str) -> String {
        let text = self.metrics.encode().unwrap();
        let name = format!("orchestration_{name}");
        let line = text.lines().find(|line| line.split(' ').next() == Some(name.as_str())).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }
}

async fn expect_ack(stream: &mut NodeStream, version: u64) {
    assert_eq!(stream.receive_answer().await, Some(ToControl::Ack(pb::Ack { version })));
}

async fn expect_nack(stream: &mut NodeStream, version: u64) -> String {
    match stream.receive_answer().await {
        Some(ToControl::Nack(nack)) if nack.version == version => nack.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_snapshot_and_a_delta_are_applied_before_they_are_acked() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link(TOKEN));
    let (mut stream, hello) = server.accept().await;
    assert_eq!((hello.node_id.as_str(), hello.applied_version, hello.schema), ("node-1", 0, SCHEMA));
    assert!(!bench.readiness.is_ready());

    stream.send(FromControl::Snapshot(snapshot(7))).await;
    expect_ack(&mut stream, 7).await;
    assert_eq!(bench.version(), 7);
    assert!(bench.readiness.is_ready());

    stream.send(FromControl::Delta(delta(7, 9))).await;
    expect_ack(&mut stream, 9).await;
    let table = bench.state.table().unwrap();
    assert_eq!((table.snapshot.version, table.snapshot.groups.len(), table.snapshot.proxy_keys.len()), (9, 3, 1));
    assert_eq!((bench.metric("config_version"), bench.metric("config_applied_total")), ("9".into(), "2".into()));
    assert_eq!(bench.metric("control_plane_connected"), "1");
    assert!(bench.tasks.drain("node", LONG).await);
}

/// Twenty ways to be wrong.
fn corrupt() -> Vec<(FromControl, u64)> {
    type Spoil = fn(&mut pb::Snapshot);
    let spoils: [Spoil; 16] = [
        |config| config.epoch.clear(),
        |config| config.min_schema = SCHEMA + 1,
        |config| config.groups[0].id.clear(),
        |config| config.groups[0].name.clear(),
        |config| config.groups[1].name = config.groups[0].name.clone(),
        |config| config.groups[1].id = config.groups[0].id.clone(),
        |config| config.groups[1].base_url = "provider.example".to_owned(),
        |config| config.groups[1].base_url = "ftp://provider.example".to_owned(),
        |config| config.groups[1].balance_policy = "by_moon_phase".to_owned(),
        |config| config.groups[1].parameter_defaults_json = "[1]".to_owned(),
        |config| config.groups[1].timeout_ms = 0,
        |config| drop(config.groups[1].headers.insert("bad header".to_owned(), "x".to_owned())),
        |config| config.proxy_keys[0].digest.truncate(31),
        |config| config.proxy_keys[1].digest = config.proxy_keys[0].digest.clone(),
        |config| config.proxy_keys[1].id = config.proxy_keys[0].id.clone(),
        |config| config.proxy_keys[0].group_policy = "none".to_owned(),
    ];
    let mut wrong: Vec<_> = spoils
        .iter()
        .zip(100..)
        .map(|(spoil, version)| {
            let mut config = snapshot(version);
            spoil(&mut config);
            (FromControl::Snapshot(config), version)
        })
        .collect();
    wrong.push((FromControl::Snapshot(snapshot(0)), 0));
    let mut change = delta(7, 200);
    change.groups[0].name = "group g1".to_owned();
    wrong.push((FromControl::Delta(change), 200));
    wrong.push((FromControl::Delta(delta(7, 7)), 7));
    wrong.push((FromControl::Delta(pb::Delta { min_schema: SCHEMA + 1, ..delta(7, 201) }), 201));
    wrong
}

#[tokio::test]
async fn p02_corrupt_config_is_refused_whole() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link(TOKEN));
    let (mut stream, _) = server.accept().await;
    stream.send(FromControl::Snapshot(snapshot(7))).await;
    expect_ack(&mut stream, 7).await;
    let before = bench.state.table().unwrap();

    let wrong = corrupt();
    assert_eq!(wrong.len(), 20);
    for (message, version) in wrong {
        stream.send(message).await;
        assert!(!expect_nack(&mut stream, version).await.is_empty());
        assert!(Arc::ptr_eq(&before, &bench.state.table().unwrap()), "the table in force is the same");
    }
    assert_eq!((bench.metric("config_rejected_total"), bench.metric("config_version")), ("20".into(), "7".into()));

    stream.send(FromControl::Delta(delta(7, 300))).await;
    expect_ack(&mut stream, 300).await;
    assert!(bench.tasks.drain("node", LONG).await);
}

#[tokio::test]
async fn a_delta_for_another_version_asks_for_a_whole_snapshot() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link(TOKEN));
    let (mut stream, _) = server.accept().await;
    stream.send(FromControl::Snapshot(snapshot(7))).await;
    expect_ack(&mut stream, 7).await;
    stream.send(FromControl::Delta(delta(8, 9))).await;
    assert_eq!(stream.receive_answer().await, None, "the node ends the stream");
    let (mut stream, hello) = server.accept().await;
    assert_eq!((hello.applied_version, hello.epoch.as_str()), (0, ""));
    assert_eq!(bench.version(), 7, "what was in force still is");

    stream.send(FromControl::Snapshot(snapshot(9))).await;
    expect_ack(&mut stream, 9).await;
    drop(stream);
    let (_stream, hello) = server.accept().await;
    assert_eq!((hello.applied_version, hello.epoch.as_str()), (9, "epoch"));
    assert!(bench.tasks.drain("node", LONG).await);
}

#[tokio::test]
async fn a_control_plane_that_goes_away_is_found_again() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link(TOKEN));
    let (mut stream, _) = server.accept().await;
    stream.send(FromControl::Snapshot(snapshot(7))).await;
    expect_ack(&mut stream, 7).await;

    let (address, ledger) = server.vanish().await;
    let noticed = async {
        while bench.metric("control_plane_connected") != "0" {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, noticed).await.unwrap();
    assert_eq!(bench.version(), 7);
    assert!(bench.readiness.is_ready());
    // Learnt while nobody listens: the newest of each key is told later.
    for until_ms in [1, 2] {
        let state = cooling("u1", until_ms);
        bench.key_states.send(state).await.unwrap();
    }

    let mut server = TestServer::start_at(address, ledger);
    let (mut stream, hello) = server.accept().await;
    assert_eq!((hello.applied_version, hello.epoch.as_str()), (7, "epoch"));
    let mut told = 0;
    while told < 2 {
        let Some(ToControl::KeyState(state)) = stream.receive_answer().await else { panic!("a key state") };
        assert!(state.until_ms > told);
        told = state.until_ms;
    }
    stream.send(FromControl::Delta(delta(7, 8))).await;
    expect_ack(&mut stream, 8).await;
    assert!(bench.tasks.drain("node", LONG).await);
}

#[tokio::test]
async fn commands_are_answered_and_load_is_reported() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link(TOKEN));
    let (mut stream, _) = server.accept().await;
    let Some(ToControl::Load(load)) = stream.receive().await else { panic!("a load report") };
    assert_eq!((load.usage_pending, load.usage_dropped_total), (3, 4));
    assert!(load.resident_memory_bytes > 0);

    stream.send(FromControl::Command(pb::Command { id: "c1".to_owned(), ..pb::Command::default() })).await;
    let Some(ToControl::CommandResult(result)) = stream.receive_answer().await else { panic!("a result") };
    assert_eq!((result.id.as_str(), result.ok, result.error.as_str()), ("c1", false, "not served by this version"));

    bench.key_states.send(cooling("u1", 1)).await.unwrap();
    let Some(ToControl::KeyState(state)) = stream.receive_answer().await else { panic!("a key state") };
    assert_eq!(state.group_id, "g1");
    assert!(bench.tasks.drain("node", LONG).await);
}

#[tokio::test]
async fn a_wrong_token_never_gets_config() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link("another-token-of-more-than-32-bytes"));
    let accepted = timeout(Duration::from_millis(300), server.accept()).await;
    assert!(accepted.is_err());
    assert!(!bench.readiness.is_ready());
    assert!(bench.tasks.drain("node", LONG).await);
}

/// The port of the admin API instead of the one for nodes.
#[tokio::test]
async fn a_port_that_serves_http_is_no_control_plane() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = link_to(listener.local_addr().unwrap(), TOKEN);
    let (asked, mut calls) = mpsc::channel(64);
    let page = move || {
        let asked = asked.clone();
        async move {
            let _full = asked.try_send(());
            (StatusCode::NOT_FOUND, "there is no such page")
        }
    };
    let tasks = Tasks::new();
    let router = Router::new().fallback(page);
    tasks.spawn("http", serve("http", listener, router, Serving::new(ConnectionLimits::default(), tasks.clone())));
    let bench = Bench::start(link.clone());
    let mut times = Vec::new();
    for _ in 0..5 {
        timeout(LONG, calls.recv()).await.unwrap().unwrap();
        times.push(bench.metric("control_plane_connected"));
    }
    assert_eq!(times, ["0"; 5], "a web server is never taken for the control plane");

    let mut subscriber = subscriber(link);
    let (mut backoff, mut failing) = (Backoff::default(), false);
    let Err(ended) = subscriber.session(&mut backoff, &mut failing).await;
    assert!(ended.to_string().contains("5001"), "{ended}");
    assert!(bench.tasks.drain("node", LONG).await);
}

#[tokio::test]
async fn a_node_that_is_told_nothing_is_connected_all_the_same() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link(TOKEN));
    let (_stream, _) = server.accept().await;
    let connected = async {
        while bench.metric("control_plane_connected") != "1" {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, connected).await.unwrap();
    assert!(bench.tasks.drain("node", LONG).await);
}

/// Welcomes the node as the control plane of `epoch`, whose clock is off by `skew_ms`.
async fn welcome(stream: &NodeStream, epoch: &str, version: u64, skew_ms: i64) {
    let now_ms = steady_ms() + skew_ms;
    stream
        .send(FromControl::Welcome(pb::Welcome { epoch: epoch.to_owned(), version, now_ms, ..pb::Welcome::default() }))
        .await;
    // Nothing is known of upstream keys.
    stream.send(FromControl::KeyState(pb::KeyState::default())).await;
}

#[tokio::test]
async fn another_database_is_refused_until_the_operator_accepts_it() {
    let mut server = TestServer::start();
    let bench = Bench::start(server.link(TOKEN));
    let (mut stream, hello) = server.accept().await;
    assert!(hello.wants_welcome);
    welcome(&stream, "epoch", 7, 0).await;
    stream.send(FromControl::Snapshot(snapshot(7))).await;
    expect_ack(&mut stream, 7).await;

    let empty = pb::Snapshot { version: 1, epoch: "other".to_owned(), min_schema: 1, ..pb::Snapshot::default() };
    let older = pb::Snapshot { groups: Vec::new(), ..snapshot(6) };
    for foreign in [empty.clone(), older.clone()] {
        let version = foreign.version;
        stream.send(FromControl::Snapshot(foreign)).await;
        let known = pb::ForeignDatabase { epoch: "epoch".to_owned(), version: 7 };
        assert_eq!(stream.receive_answer().await, Some(ToControl::ForeignDatabase(known)));
        assert!(!expect_nack(&mut stream, version).await.is_empty());
        assert_eq!((bench.version(), bench.state.table().unwrap().snapshot.groups.len()), (7, 2));
        assert!(bench.readiness.is_ready());
    }

    stream.send(FromControl::ReplaceDatabase(pb::ReplaceDatabase { epoch: "other".to_owned() })).await;
    stream.send(FromControl::Snapshot(empty)).await;
    expect_ack(&mut stream, 1).await;
    assert_eq!(bench.state.table().unwrap().snapshot.groups.len(), 0);
    // It belongs to the other one now.
    stream.send(FromControl::Snapshot(snapshot(9))).await;
    assert!(matches!(stream.receive_answer().await, Some(ToControl::ForeignDatabase(_))));
    assert!(bench.tasks.drain("node", LONG).await);
}
