use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, json};
use shared::crypto::SealingKey;
use shared::drain::Tasks;
use shared::ids::new_id;
use shared::pb;
use shared::pb::command::Command;
use shared::snapshot::{
    BalancePolicy, Group, GroupRouting, UnsupportedParameters, UpstreamKey, UpstreamKeyRouting, UpstreamStream,
};
use shared::time::now_ms;
use tokio::time::{sleep, timeout};

use super::ask::{AskError, NodeAsker};
use super::{CheckSchedule, HealthChecker, RunRefused, upkeep};
use crate::grpc::registry::NodeRegistry;
use crate::jobs::lease::JobLease;
use crate::snapshot::publish::Publisher;
use crate::store::groups::{self, StoredGroup};
use crate::store::health_checks::{
    CheckFilter, CheckKind, CheckedHealth, CheckedSubject, StoredCheck, results, subjects,
};
use crate::store::tests::database::TestDatabase;
use crate::store::{Actor, Page, Scope, Store};

/// Far longer than anything takes.
const LONG: Duration = Duration::from_secs(30);

const ALL: Scope = Scope::Everything;

/// A control plane with the groups `on`, which is checked, and `off`, and nodes that answer as they are told.
struct Bench {
    store: Store,
    publisher: Arc<Publisher>,
    nodes: Arc<NodeRegistry>,
    checker: HealthChecker,
    /// What nodes were asked, each as the node, the kind of the command, the key and the model.
    asked: Arc<Mutex<Vec<[String; 4]>>>,
    tasks: Tasks,
    _database: TestDatabase,
}

fn key(id: &str, enabled: bool) -> Arc<UpstreamKey> {
    Arc::new(UpstreamKey {
        id: id.into(),
        masked: format!("{id}****").into(),
        secret: format!("sk-secret-of-{id}").into(),
        enabled,
        routing: UpstreamKeyRouting::default(),
    })
}

fn group(name: &str, checked: bool) -> Group {
    Group {
        id: name.into(),
        name: name.into(),
        provider_type: "openai".into(),
        base_url: "https://api.example.com/v1".into(),
        upstream_keys: vec![
            key(&format!("{name}-1"), true),
            key(&format!("{name}-2"), true),
            key(&format!("{name}-3"), false),
        ],
        models: vec!["m".into(), "other-*".into()],
        model_aliases: BTreeMap::from([("fast".into(), "m-mini".into())]),
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
        health_check_enabled: checked,
        outbound_proxy: None,
        routing: GroupRouting::default(),
    }
}

impl Bench {
    async fn start(every: Option<Duration>) -> Self {
        let database = TestDatabase::new().await;
        let (tasks, sealing) = (Tasks::new(), SealingKey::derive("test", b"a secret of the tests", "tests").unwrap());
        let store = Store::open(&database.url, Arc::new(sealing), &tasks).await.unwrap();
        let actor = Actor { user_id: None, username: "tester".to_owned(), client_ip: String::new() };
        for group in [group("on", true), group("off", false)] {
            let stored = StoredGroup { group, proxy_enabled: false, created_at: 0, updated_at: 0 };
            groups::create(&store, &ALL, &stored, &actor).await.unwrap();
        }
        let publisher = Publisher::start(store.clone(), &tasks).await.unwrap();
        let nodes = NodeRegistry::new();
        let asker = Arc::new(NodeAsker::new(Arc::clone(&nodes)));
        let schedule = CheckSchedule { every, kept: LONG };
        let lease = JobLease::start(store.clone(), || true, &tasks);
        let checker = HealthChecker::start(store.clone(), Arc::clone(&publisher), asker, schedule, lease, &tasks);
        Self { store, publisher, nodes, checker, asked: Arc::default(), tasks, _database: database }
    }

    /// Connects a node that says of each command what `says` does: how it ended.
    fn node(&self, id: &str, says: impl Fn(&[String; 4]) -> &'static str + Send + 'static) {
        let hello = pb::Hello { node_id: id.to_owned(), ..pb::Hello::default() };
        let mut connected = self.nodes.connect(&hello, String::new()).ok().unwrap();
        let (asked, id, tasks) = (Arc::clone(&self.asked), id.to_owned(), self.tasks.clone());
        self.tasks.spawn("node", async move {
            loop {
                let command = tokio::select! {
                    Some(command) = connected.commands.recv() => command,
                    () = tasks.stopping() => return,
                };
                let (kind, key, model) = match command.command.unwrap() {
                    Command::ProbeUpstreamKey(asked) => ("probe", asked.upstream_key_id, asked.model),
                    Command::ListModels(asked) => ("list", asked.upstream_key_id, String::new()),
                    other => panic!("{other:?}"),
                };
                let what = [id.clone(), kind.to_owned(), key.clone(), model.clone()];
                let said = says(&what);
                asked.lock().unwrap().push(what);
                let (ok, status) = (said == "success", if said == "success" { 200 } else { 500 });
                let report = json!({
                    "ok": ok, "result": said, "status": status, "error": if ok { "" } else { "it failed" }, "latencyMs": 7,
                    "upstreamKeyId": key, "upstreamKeyMasked": "masked", "model": if model.is_empty() { "m" } else { &model },
                });
                let result_json = report.to_string();
                connected.node.answered(pb::CommandResult { id: command.id, ok, result_json, ..pb::CommandResult::default() });
            }
        });
    }

    /// Runs all checks of the group `on`.
    async fn run(&self, kinds: &[CheckKind]) {
        let group = Arc::clone(&self.publisher.snapshot().groups["on"]);
        let run = self.checker.prepare(vec![group], kinds.to_vec()).unwrap();
        self.checker.run(run.clone()).unwrap();
        let over = async {
            while self.checker.last_run().is_none_or(|last| last.id != run.id) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, over).await.unwrap();
    }

    fn taken(&self) -> Vec<String> {
        let taken: Vec<_> = std::mem::take(&mut *self.asked.lock().unwrap());
        taken.iter().map(|[_, kind, key, model]| format!("{kind} {key} {model}").trim().to_owned()).collect()
    }

    async fn subject(&self, kind: CheckKind, name: &str) -> Option<CheckedSubject> {
        let subjects = subjects(&self.store, &ALL, &["on".to_owned()]).await.unwrap();
        let is_wanted = |subject: &CheckedSubject| {
            subject.kind == kind.name() && format!("{}{}", subject.upstream_key_id, subject.model) == name
        };
        subjects.into_iter().rfind(is_wanted)
    }

    async fn results(&self, group: &str) -> Vec<StoredCheck> {
        let page = Page { limit: 200, cursor: None };
        results(&self.store, &ALL, group, &page, &CheckFilter::default()).await.unwrap().items
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_asks_the_provider_each_key_that_is_on_and_each_model_with_a_key_that_is_well() {
    let bench = Bench::start(None).await;
    bench.node("n", |[_, _, key, _]| if key == "on-1" { "key_refused" } else { "success" });
    bench.run(&CheckKind::ALL).await;
    let asked = ["list", "probe on-1", "probe on-2", "probe on-2 m", "probe on-2 m-mini"];
    assert_eq!(bench.taken(), asked);
    let refused = bench.subject(CheckKind::Key, "on-1").await.unwrap();
    assert_eq!((refused.health(), refused.last_error.as_deref()), (CheckedHealth::Warning, Some("it failed")));
    for (kind, name) in
        [(CheckKind::Provider, ""), (CheckKind::Key, "on-2"), (CheckKind::Model, "m"), (CheckKind::Model, "m-mini")]
    {
        assert_eq!(bench.subject(kind, name).await.unwrap().health(), CheckedHealth::Healthy, "{name}");
    }
    let last = bench.checker.last_run().unwrap();
    assert_eq!((last.checks, last.failures, last.problem), (5, 1, None));
    assert!(bench.results("on").await.iter().all(|check| check.run_id == last.id && check.latency_ms == 7));

    // The models alone are asked with a key of which it is known that it works.
    bench.run(&[CheckKind::Model]).await;
    assert_eq!(bench.taken(), ["probe on-2 m", "probe on-2 m-mini"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_asked_once() {
    let bench = Bench::start(None).await;
    bench.node("n", |_| "server_error");
    for _ in 0..3 {
        bench.run(&CheckKind::ALL).await;
    }
    assert_eq!(bench.taken(), ["list"; 3]);
    assert_eq!(bench.subject(CheckKind::Provider, "").await.unwrap().health(), CheckedHealth::Unhealthy);
    assert_eq!(bench.subject(CheckKind::Key, "on-1").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_take_turns_and_without_one_nothing_is_noted() {
    let bench = Bench::start(None).await;
    let group = Arc::clone(&bench.publisher.snapshot().groups["on"]);
    assert_eq!(bench.checker.prepare(vec![group], Vec::new()).err(), Some(RunRefused::NoNode));
    let command = Command::ListModels(pb::ListModels::default());
    let refused = bench.checker.asker().ask(command, Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(refused, AskError::NoNode("none is connected".to_owned()));
    bench.node("a", |_| "success");
    bench.node("b", |_| "success");
    bench.run(&[CheckKind::Key]).await;
    let mut nodes: Vec<_> = bench.asked.lock().unwrap().iter().map(|[node, ..]| node.clone()).collect();
    nodes.sort();
    assert_eq!(nodes, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_groups_whose_checks_are_on_are_checked_by_themselves_again_and_again() {
    let bench = Bench::start(Some(Duration::from_millis(20))).await;
    bench.node("n", |_| "success");
    let often = async {
        while bench.subject(CheckKind::Provider, "").await.is_none_or(|subject| subject.checks < 3) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, often).await.unwrap();
    assert!(bench.results("off").await.is_empty());
    assert!(bench.tasks.drain("health checks", LONG).await, "it ends in the middle of its work");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_or_gone_is_removed() {
    let bench = Bench::start(None).await;
    bench.node("n", |_| "success");
    bench.run(&CheckKind::ALL).await;
    let old = StoredCheck { at: 1, ..StoredCheck::new("run", "on", CheckKind::Provider) };
    let gone = StoredCheck { id: new_id(), ..StoredCheck::new("run", "gone", CheckKind::Provider) };
    for check in [&old, &gone] {
        crate::store::health_checks::record(&bench.store, check).await.unwrap();
    }
    upkeep::tidy(&bench.store, &bench.publisher.snapshot(), now_ms() - 60_000).await.unwrap();
    assert_eq!(bench.results("on").await.len(), 5);
    assert!(bench.results("gone").await.is_empty());
    assert_eq!(crate::store::health_checks::checked_groups(&bench.store).await.unwrap(), ["on"]);
}
