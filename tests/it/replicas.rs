//! Two control planes on one database, each with a node of its own. `tests/run databases` runs these tests on each
//! server, and `tests/run integration` on a SQLite file.

use std::time::{Duration, Instant};

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use futures_util::future::join_all;
use harness::admin::{Admin, Key};
use harness::databases::Server;
use harness::http::{Connection, bare};
use harness::planes::{Program, Setup, chat, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::key_news::{clock, set_clock};
use crate::promises_start::with_secrets;
use crate::support::{SOON, provider, split, tell};

const FIRST: &str = "sk-upstream-first-0001";
const SECOND: &str = "sk-upstream-second-0002";
const PASSWORD: &str = "a-password-of-the-operator-1";

/// How logs of nodes call a key that works.
const WORKS: &str = "HEALTH_VALID";

/// Within which all nodes know what one has seen, where the database is on a server. A SQLite file is looked into once
/// a second.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);
const KNOWN_BY_FILE_WITHIN: Duration = Duration::from_secs(2);

/// Within which another control plane takes over the work of one that was killed.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15);

/// Two control planes, each with a node, and a group of two keys of which the second is for when nothing else is left.
struct Fleet {
    // Programs end before the directory that they write to is removed.
    nodes: Vec<Program>,
    controls: Vec<Program>,
    admins: Vec<Admin>,
    provider: FakeProvider,
    key: Key,
    /// The path of the group.
    path: String,
    /// The id of its first key.
    first: String,
    _root: TempDir,
}

impl Fleet {
    /// On the database of this run. The control planes make the first probe of a key after so many seconds. On a server
    /// the clock of the second one is `hours` ahead; a SQLite file has no clock of its own.
    async fn start(probes_after: f64, hours: i64) -> Self {
        let root = TempDir::new().unwrap();
        let server = Server::of_this_run().ok().map(|server| server.create().unwrap());
        let url = server.clone().unwrap_or_else(|| format!("sqlite://{}", root.path().join("shared.db").display()));
        let setup = with_secrets(split(0)).set("Database:Url", &url).set("Auth:Password", PASSWORD);
        let setup: Setup = setup.set("Probes:After", probes_after);
        let (mut controls, mut nodes, mut admins) = (Vec::new(), Vec::new(), Vec::new());
        for name in ["control-a", "control-b"] {
            controls.push(setup.prepare_control(root.path(), name).unwrap());
        }
        if server.is_some() && hours != 0 {
            set_clock(&mut controls[1], &clock(root.path()), hours);
        }
        let started = join_all(controls.iter_mut().map(Program::start)).await;
        assert!(started.iter().all(Result::is_ok), "{started:?}");
        for (index, control) in controls.iter().enumerate() {
            let mut node = setup.prepare_node(root.path(), control, index).unwrap();
            node.start().await.unwrap();
            nodes.push(node);
            admins.push(Admin::login(control.http, "admin", PASSWORD).await.unwrap());
        }
        let provider = provider().await;
        let mut body = group("two", &provider.base_url(), &[], &["gpt-4o"]);
        body["balancePolicy"] = json!("weighted");
        body.as_object_mut().unwrap().remove("apiKeys");
        body["upstreamKeys"] = json!([{ "key": FIRST }, { "key": SECOND, "weight": 0 }]);
        let path = format!("/admin/groups/{}", admins[0].create_group(&body).await.unwrap());
        let key = admins[0].create_key(&json!({ "name": "replicas" })).await.unwrap();
        for node in &nodes {
            wait::until_async("the node knows the key", SOON, async || {
                let request = bare(Method::GET, "/v1/models", &key.value).ok()?;
                let answer = Connection::to(node.http).fetch(request).await.ok()?;
                (answer.status == 200).then_some(())
            })
            .await
            .unwrap();
        }
        let first = admins[0].get(&path).await.unwrap()["upstreamKeys"][0]["id"].as_str().unwrap().to_owned();
        Self { nodes, controls, admins, provider, key, path, first, _root: root }
    }

    /// The upstream keys that a request to the node of this number is sent with.
    async fn asks(&self, node: usize) -> Vec<String> {
        let before = usize::try_from(self.provider.journal().total()).unwrap();
        let answer = self.nodes[node].chat(&self.key.value, &chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let requests = self.provider.journal().requests();
        requests[before..].iter().map(|request| request.key().to_owned()).collect()
    }

    /// How often the node of this number has heard from others that the first key is of this `health`.
    fn heard(&self, node: usize, health: &str) -> usize {
        let log = self.nodes[node].process().unwrap().log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["upstream_key"] == *self.first && line["health"] == health).count()
    }

    /// Waits until the node has heard of this health more often than `before`, and checks how long that took.
    async fn hears(&self, (node, health): (usize, &str), before: usize, since: Instant, what: &str) {
        wait::until(what, SOON, || (self.heard(node, health) > before).then_some(())).await.unwrap();
        let took = since.elapsed();
        tell(&format!("{what}: {took:?}"));
        let within = if Server::of_this_run().is_ok() { KNOWN_WITHIN } else { KNOWN_BY_FILE_WITHIN };
        assert!(took < within, "{what}: {took:?}");
    }

    /// How many probes the node of this number has made.
    async fn probes(&self, node: usize) -> f64 {
        self.nodes[node].scrape().await.unwrap().sum("probes_total").unwrap_or_default()
    }

    /// How often the provider was asked with the first key.
    fn asked_with_first(&self) -> usize {
        self.provider.journal().requests().iter().filter(|request| request.key() == FIRST).count()
    }
}

/// Promise 38 in `docs/PROMISES.md`, over several control planes: what one node has seen of a key is known to the node
/// of another control plane within a second, and so is a recovery by hand. The clocks of the control planes are an hour
/// apart. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p38_nodes_of_two_control_planes_know_within_a_second_what_one_has_seen() {
    let fleet = Fleet::start(0.0, 1).await;
    let (refused, limited) = ((401, "HEALTH_INVALID"), (429, "HEALTH_COOLING_DOWN"));
    for (sees, (status, health)) in [(0, refused), (1, limited), (1, refused), (0, limited)] {
        let hears = 1 - sees;
        fleet.provider.always(Target::Key(FIRST.to_owned()), Script::error(status).header("retry-after", "30"));
        let before = fleet.heard(hears, health);
        assert_eq!(fleet.asks(sees).await, [FIRST, SECOND]);
        let what = format!("a {status} that node {sees} has seen is known");
        fleet.hears((hears, health), before, Instant::now(), &what).await;
        assert_eq!(fleet.asks(hears).await, [SECOND]);

        // By hand at the control plane of the node that has seen it, and of the other one.
        fleet.provider.clear_scripts();
        let before = [0, 1].map(|node| fleet.heard(node, WORKS));
        let recover = format!("{}/keys/{}/recover", fleet.path, fleet.first);
        let recovered = fleet.admins[sees].ok(Method::POST, &recover, &json!({})).await.unwrap();
        let since = Instant::now();
        assert_eq!(recovered["upstreamKey"]["state"], "ok", "{recovered}");
        fleet.hears((hears, WORKS), before[hears], since, "a recovery by hand is known").await;
        fleet.hears((sees, WORKS), before[sees], since, "and at the nodes of that control plane").await;
        // What is known of the key is told first, and then what is known of each model behind it.
        for node in [sees, hears] {
            let what = format!("node {node} uses the key again");
            wait::until_async(&what, SOON, async || (fleet.asks(node).await == [FIRST]).then_some(())).await.unwrap();
        }
        let shown = fleet.admins[hears].get(&fleet.path).await.unwrap();
        assert_eq!(shown["upstreamKeys"][0]["state"], "ok", "{shown}");
    }
}

/// One control plane probes, another one does so within 15 s of its death, and what its probe finds out is known to
/// the nodes of both.
#[tokio::test(flavor = "multi_thread")]
async fn one_control_plane_probes_and_another_takes_over_when_it_is_killed() {
    let mut fleet = Fleet::start(2.0, 0).await;
    fleet.provider.always(Target::Key(FIRST.to_owned()), Script::error(401));
    assert_eq!(fleet.asks(0).await, [FIRST, SECOND]);
    let by_clients = fleet.asked_with_first();
    // Probes of one group are 12 s apart.
    wait::until("two probes are made", 3 * SOON, || (fleet.asked_with_first() >= by_clients + 2).then_some(()))
        .await
        .unwrap();
    let mut made = [0.0; 2];
    wait::until_async("both are counted", SOON, async || {
        made = [fleet.probes(0).await, fleet.probes(1).await];
        (made[0] + made[1] >= 2.0).then_some(())
    })
    .await
    .unwrap();
    assert!(made.contains(&0.0), "one control plane makes all probes: {made:?}");
    assert_eq!(fleet.asked_with_first(), by_clients + 2);

    let (holder, other) = if made[0] > 0.0 { (0, 1) } else { (1, 0) };
    fleet.controls[holder].kill().await.unwrap();
    let killed = Instant::now();
    wait::until_async("the other control plane probes", 3 * SOON, async || {
        (fleet.probes(other).await > 0.0).then_some(())
    })
    .await
    .unwrap();
    let took = killed.elapsed();
    tell(&format!("another control plane probes {took:?} after the death of the first"));
    assert!(took < TAKEN_OVER_WITHIN, "{took:?}");

    // The first comes back, and has nothing to do. A success of the other's probe is known to its node.
    fleet.controls[holder].start().await.unwrap();
    let before = fleet.heard(holder, WORKS);
    fleet.provider.clear_scripts();
    wait::until("a probe brings the key back", 4 * SOON, || (fleet.heard(holder, WORKS) > before).then_some(()))
        .await
        .unwrap();
    wait::until_async("everywhere", SOON, async || {
        (fleet.asks(holder).await == [FIRST] && fleet.asks(other).await == [FIRST]).then_some(())
    })
    .await
    .unwrap();
    assert!(fleet.probes(holder).await <= made[holder], "it made no probe but those before its death");
}
