//! Tests of what nodes tell each other of upstream keys.

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::admin::Key;
use harness::planes::{Planes, Program, chat, group};
use harness::wait;
use serde_json::json;

use crate::support::{SOON, provider, split};

const FIRST: &str = "sk-upstream-first-0001";
const SECOND: &str = "sk-upstream-second-0002";

/// Nodes whose only group has two keys, of which the first is refused.
async fn refused(nodes: usize) -> (Planes, FakeProvider, Key) {
    let provider = provider().await;
    let planes = split(nodes).start().await.unwrap();
    let body = group("two", &provider.base_url(), &[FIRST, SECOND], &["gpt-4o", "gpt-4o-mini"]);
    planes.admin.create_group(&body).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "news" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.always(Target::Key(FIRST.to_owned()), Script::error(401));
    (planes, provider, key)
}

/// Waits until the log of `node` says that it has heard `count` pieces of news.
async fn heard(node: &Program, count: usize) {
    wait::until_async("the node has heard of it", SOON, async || {
        let log = node.process().ok()?.log();
        (log.matches("another node says that an upstream key changed").count() >= count).then_some(())
    })
    .await
    .unwrap();
}

async fn asks(node: &Program, provider: &FakeProvider, key: &Key, model: &str) -> Vec<String> {
    let before = usize::try_from(provider.journal().total()).unwrap();
    assert_eq!(node.chat(&key.value, &chat(model, false)).await.unwrap().status, 200);
    let requests = provider.journal().requests();
    requests[before..].iter().map(|request| request.key().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn p38_nodes_and_a_control_plane_that_start_later_know_of_a_refused_key() {
    let (mut planes, provider, key) = refused(2).await;
    assert_eq!(asks(&planes.nodes[0], &provider, &key, "gpt-4o").await, [FIRST, SECOND]);
    heard(&planes.nodes[1], 1).await;
    assert_eq!(asks(&planes.nodes[1], &provider, &key, "gpt-4o").await, [SECOND]);

    // A control plane that has forgotten all hears it from the nodes, and tells a node that comes later.
    planes.control.kill().await.unwrap();
    planes.nodes[1].kill().await.unwrap();
    planes.control.start().await.unwrap();
    planes.add_node().await.unwrap();
    heard(&planes.nodes[2], 1).await;
    assert_eq!(asks(&planes.nodes[2], &provider, &key, "gpt-4o").await, [SECOND]);
    planes.nodes[1].start().await.unwrap();
    heard(&planes.nodes[1], 2).await;
    assert_eq!(asks(&planes.nodes[1], &provider, &key, "gpt-4o").await, [SECOND]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_may_not_do_for_one_model_is_known_everywhere_and_leaves_the_others() {
    let (planes, provider, key) = refused(2).await;
    let forbidden = json!({ "message": "Project does not have access to model `gpt-4o`", "code": "model_not_found" });
    let forbidden = Script { error: Some(forbidden), ..Script::error(403) };
    provider.always(Target::Key(FIRST.to_owned()), forbidden);
    assert_eq!(asks(&planes.nodes[0], &provider, &key, "gpt-4o").await, [FIRST, SECOND]);
    heard(&planes.nodes[1], 1).await;
    provider.always(Target::Key(FIRST.to_owned()), Script::new());
    for node in &planes.nodes {
        assert_eq!(asks(node, &provider, &key, "gpt-4o").await, [SECOND]);
        assert_eq!(asks(node, &provider, &key, "gpt-4o-mini").await, [FIRST]);
    }
}
