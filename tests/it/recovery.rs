//! Tests of how upstream keys come back: by probes, by command, and over a restart of everything.

use std::time::Duration;

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::admin::Key;
use harness::planes::{Planes, chat, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{SOON, provider, split};

const FIRST: &str = "sk-upstream-first-0001";
const SECOND: &str = "sk-upstream-second-0002";

/// Planes with a group of two keys and a proxy key that all nodes know.
struct Bed {
    planes: Planes,
    provider: FakeProvider,
    key: Key,
    /// The path of the group.
    path: String,
}

impl Bed {
    /// `nodes` nodes, whose control plane makes the first probe after so many seconds.
    async fn start(nodes: usize, probes_after: f64) -> Self {
        let planes = split(nodes).set("Probes:After", probes_after).start().await.unwrap();
        let provider = provider().await;
        let mut body = group("two", &provider.base_url(), &[], &["gpt-4o"]);
        // The second key is for when nothing else is left.
        body["balancePolicy"] = json!("weighted");
        body.as_object_mut().unwrap().remove("apiKeys");
        body["upstreamKeys"] = json!([{ "key": FIRST }, { "key": SECOND, "weight": 0 }]);
        let path = format!("/admin/groups/{}", planes.admin.create_group(&body).await.unwrap());
        let key = planes.admin.create_key(&json!({ "name": "recovery" })).await.unwrap();
        planes.knows(&key).await.unwrap();
        Self { planes, provider, key, path }
    }

    /// The upstream keys that a request to the node of this number is sent with, and its status.
    async fn asks(&self, node: usize) -> (Vec<String>, u16) {
        let before = self.asked();
        let answer = self.planes.nodes[node].chat(&self.key.value, &chat("gpt-4o", false)).await.unwrap();
        let requests = self.provider.journal().requests();
        (requests[before..].iter().map(|request| request.key().to_owned()).collect(), answer.status)
    }

    fn asked(&self) -> usize {
        usize::try_from(self.provider.journal().total()).unwrap()
    }

    /// The first key of the group, as the control plane shows it.
    async fn shown(&self) -> Value {
        self.planes.admin.get(&self.path).await.unwrap()["upstreamKeys"][0].clone()
    }

    /// Waits until the control plane shows that the first key is in this state.
    async fn is(&self, state: &str) -> Value {
        self.is_within(state, SOON).await
    }

    async fn is_within(&self, state: &str, time: Duration) -> Value {
        wait::until_async(&format!("the first key is {state}"), time, async || {
            let shown = self.planes.admin.get(&self.path).await.ok()?["upstreamKeys"][0].clone();
            (shown["state"] == state).then_some(shown)
        })
        .await
        .unwrap()
    }

    /// Waits until every node begins its requests at the first key.
    async fn is_first_again(&self) {
        for node in 0..self.planes.nodes.len() {
            wait::until_async("the first key serves again", SOON, async || {
                (self.asks(node).await.0 == [FIRST]).then_some(())
            })
            .await
            .unwrap();
        }
    }
}

fn spent() -> Script {
    let error = json!({ "message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota" });
    Script { error: Some(error), ..Script::error(429) }
}

#[tokio::test(flavor = "multi_thread")]
async fn p38_an_exhausted_key_stays_out_and_a_recovered_one_in_over_a_restart_of_everything() {
    let mut bed = Bed::start(2, 0.0).await;
    bed.provider.always(Target::Key(FIRST.to_owned()), spent());
    assert_eq!(bed.asks(0).await, (vec![FIRST.to_owned(), SECOND.to_owned()], 200));
    let shown = bed.is("exhausted").await;
    assert!(shown["stateReason"].as_str().unwrap().starts_with("429: You exceeded"), "{shown}");
    bed.provider.clear_scripts();

    for recovered in [false, true] {
        for node in &mut bed.planes.nodes {
            node.kill().await.unwrap();
        }
        bed.planes.control.stop(SOON).await.unwrap();
        bed.planes.control.start().await.unwrap();
        for node in &mut bed.planes.nodes {
            node.start().await.unwrap();
        }
        bed.planes.login().await.unwrap();
        let first = if recovered { FIRST } else { SECOND };
        for node in 0..2 {
            assert_eq!(bed.asks(node).await, (vec![first.to_owned()], 200), "node {node}, recovered: {recovered}");
        }
        if !recovered {
            assert_eq!(bed.shown().await["stateUntil"], shown["stateUntil"], "until the time that it had before");
            let path = format!("{}/keys/{}/recover", bed.path, shown["id"].as_str().unwrap());
            let answer = bed.planes.admin.ok(Method::POST, &path, &json!({})).await.unwrap();
            assert_eq!((&answer["recovered"], &answer["upstreamKey"]["state"]), (&json!(true), &json!("ok")));
            bed.is_first_again().await;
        }
    }
}

/// What nodes keep on disk, as far as news before a crash: the control plane is away when they start again.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_alone_asks_no_key_that_is_out_by_its_providers_word() {
    let mut bed = Bed::start(1, 0.0).await;
    let kept = bed.planes.nodes[0].data.join("key-states");
    wait::until_async("the config is on the node's disk", SOON, async || {
        let scrape = bed.planes.nodes[0].scrape().await.ok()?;
        (scrape.sum("config_version")? <= scrape.sum("config_kept_version")?).then_some(())
    })
    .await
    .unwrap();
    bed.planes.control.kill().await.unwrap();
    for (script, out) in [(spent(), "exhausted"), (Script::error(429).header("retry-after", "100"), "paused")] {
        bed.provider.always(Target::Key(FIRST.to_owned()), script);
        assert_eq!(bed.asks(0).await, (vec![FIRST.to_owned(), SECOND.to_owned()], 200), "{out}");
        bed.provider.clear_scripts();
        wait::until("the node has it on its disk", SOON, || kept.exists().then_some(())).await.unwrap();
        for killed in [true, false] {
            let node = &mut bed.planes.nodes[0];
            if killed {
                node.kill().await.unwrap();
            } else {
                node.stop(SOON).await.unwrap();
            }
            node.start().await.unwrap();
            assert_eq!(bed.asks(0).await, (vec![SECOND.to_owned()], 200), "{out}, killed: {killed}");
        }
        // What is known of a key goes with the file.
        bed.planes.nodes[0].stop(SOON).await.unwrap();
        std::fs::remove_file(&kept).unwrap();
        bed.planes.nodes[0].start().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_that_works_again_comes_back_by_a_probe_and_no_client() {
    let bed = Bed::start(2, 2.0).await;
    bed.provider.always(Target::Key(FIRST.to_owned()), Script::error(401));
    assert_eq!(bed.asks(0).await, (vec![FIRST.to_owned(), SECOND.to_owned()], 200));
    let first = bed.is("invalid").await;
    let since = bed.asked();
    // One probe finds that nothing has changed, and the next that the provider takes the key again.
    wait::until("a probe was refused", SOON, || (bed.asked() > since).then_some(())).await.unwrap();
    wait::until_async("that is known", SOON, async || {
        (bed.shown().await["observedAt"].as_i64() > first["observedAt"].as_i64()).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(bed.shown().await["state"], "invalid");
    bed.provider.clear_scripts();
    // Probes of one group are 12 s apart.
    bed.is_within("ok", 3 * SOON).await;
    let requests = bed.provider.journal().requests();
    let probes: Vec<_> = requests[since..].iter().map(|request| request.key().to_owned()).collect();
    assert!(probes.len() >= 2 && probes.iter().all(|key| key == FIRST), "{probes:?}");
    bed.is_first_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_recovered_by_hand_at_once_or_once_a_probe_says_that_it_works() {
    let bed = Bed::start(2, 0.0).await;
    bed.provider.always(Target::Key(FIRST.to_owned()), spent());
    assert_eq!(bed.asks(0).await.0, [FIRST, SECOND]);
    let shown = bed.is("exhausted").await;
    let path = format!("{}/keys/{}/recover", bed.path, shown["id"].as_str().unwrap());
    let probe = json!({ "probe": true });
    let answer = bed.planes.admin.ok(Method::POST, &path, &probe).await.unwrap();
    assert_eq!((&answer["recovered"], &answer["probe"]["ok"]), (&json!(false), &json!(false)), "{answer}");
    assert_eq!((&answer["probe"]["status"], &answer["upstreamKey"]["state"]), (&json!(429), &json!("exhausted")));
    bed.provider.clear_scripts();
    let answer = bed.planes.admin.ok(Method::POST, &path, &probe).await.unwrap();
    assert_eq!((&answer["recovered"], &answer["upstreamKey"]["state"]), (&json!(true), &json!("ok")), "{answer}");
    bed.is_first_again().await;
    // By hand it counts as well as long as the provider has not said otherwise.
    bed.provider.always(Target::Key(FIRST.to_owned()), spent());
    assert_eq!(bed.asks(1).await.0, [FIRST, SECOND]);
    bed.is("exhausted").await;
    bed.provider.clear_scripts();
    bed.planes.admin.ok(Method::POST, &path, &json!({})).await.unwrap();
    bed.is_first_again().await;
}
