//! Tests of what nodes tell each other of upstream keys.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::admin::Key;
use harness::planes::{Planes, Program, chat, group};
use harness::wait;
use serde_json::{Value, json};

use crate::support::{SOON, provider, split, tell};

const FIRST: &str = "sk-upstream-first-0001";
const SECOND: &str = "sk-upstream-second-0002";

/// Nodes whose only group has two keys, of which the first is refused.
async fn refused(nodes: usize) -> (Planes, FakeProvider, Key) {
    let planes = split(nodes).start().await.unwrap();
    let (provider, key) = refuses(&planes).await;
    (planes, provider, key)
}

/// Makes the only group of `planes`, with two keys of which the first is refused.
async fn refuses(planes: &Planes) -> (FakeProvider, Key) {
    let provider = provider().await;
    let body = group("two", &provider.base_url(), &[FIRST, SECOND], &["gpt-4o", "gpt-4o-mini"]);
    planes.admin.create_group(&body).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "news" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.always(Target::Key(FIRST.to_owned()), Script::error(401));
    (provider, key)
}

/// Kills `node` and has it forget what it had written down of upstream keys, so that it has to hear all of it when it
/// starts again. Otherwise how much of that is news depends on how far its file had come.
async fn forgets(node: &mut Program) {
    node.kill().await.unwrap();
    match std::fs::remove_file(node.data.join("key-states")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
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
    forgets(&mut planes.nodes[1]).await;
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

/// A library in `directory` that sets the clock of the program that loads it.
pub(crate) fn clock(directory: &Path) -> PathBuf {
    let (source, library) = (directory.join("clock.c"), directory.join("clock.so"));
    std::fs::write(&source, include_str!("clock.c")).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// Has `program` see a clock that is `hours` ahead from its next start on.
pub(crate) fn set_clock(program: &mut Program, library: &Path, hours: i64) {
    let environment = &mut program.launch.environment;
    environment.retain(|(name, _)| !matches!(name.as_str(), "LD_PRELOAD" | "CLOCK_AHEAD"));
    environment.push(("LD_PRELOAD".to_owned(), library.display().to_string()));
    environment.push(("CLOCK_AHEAD".to_owned(), (hours * 3600).to_string()));
}

/// How many times `node` has heard from another one that `key`, by its id, is of this health.
fn said(node: &Program, key: &str, health: &str) -> usize {
    let log = node.process().unwrap().log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["upstream_key"] == key && line["health"] == health).count()
}

/// Waits until each of `nodes` has heard more often than `before` that `key` is of this `health`, and prints how long
/// that took since `since`.
async fn agree(what: &str, since: Instant, nodes: &[&Program], key: &str, health: &str, before: &[usize]) {
    wait::until(what, SOON, || {
        nodes.iter().zip(before).all(|(node, before)| said(node, key, health) > *before).then_some(())
    })
    .await
    .unwrap();
    tell(&format!("{what}: {:?}", since.elapsed()));
}

/// Three nodes whose clocks are right, an hour ahead and an hour behind agree about two keys, through a restart of a
/// node and of a control plane that comes back with another clock and hears old news and new ones in any order.
#[tokio::test(flavor = "multi_thread")]
async fn p38_three_nodes_with_clocks_an_hour_off_agree_and_old_news_puts_out_no_recovered_key() {
    let mut planes = split(0).start().await.unwrap();
    let library = clock(planes.directory());
    for hours in [0, 1, -1] {
        let mut node = planes.prepare_node().unwrap();
        set_clock(&mut node, &library, hours);
        node.start().await.unwrap();
        planes.nodes.push(node);
    }
    let (provider, key) = refuses(&planes).await;
    let ids = key_ids(&planes).await;
    let (first, second) = (ids[0].as_str(), ids[1].as_str());

    // The node whose clock is ahead sees the first key refused.
    assert_eq!(asks(&planes.nodes[1], &provider, &key, "gpt-4o").await, [FIRST, SECOND]);
    let seen = Instant::now();
    let others = [&planes.nodes[0], &planes.nodes[2]];
    agree("a refusal is known by both other nodes", seen, &others, first, "HEALTH_INVALID", &[0, 0]).await;
    for node in &planes.nodes {
        assert_eq!(asks(node, &provider, &key, "gpt-4o").await, [SECOND]);
    }

    // While nobody can tell anybody, the node whose clock is behind sees the second key refused, and the first recover.
    planes.control.kill().await.unwrap();
    provider.clear_scripts();
    provider.always(Target::Key(SECOND.to_owned()), Script::error(401));
    // Where all keys are refused, nobody else can answer, and so they are tried all the same.
    assert_eq!(asks(&planes.nodes[2], &provider, &key, "gpt-4o").await, [SECOND, FIRST]);
    assert_eq!(asks(&planes.nodes[2], &provider, &key, "gpt-4o").await, [FIRST]);

    // The control plane comes back with other clocks, and hears from each what it knows. A node starts again, too.
    for (hours, restarts) in [(1, 0), (-1, 1), (0, 2)] {
        set_clock(&mut planes.control, &library, hours);
        planes.control.start().await.unwrap();
        if hours == 1 {
            let (back, others) = (Instant::now(), [&planes.nodes[0], &planes.nodes[1]]);
            let what = "a recovery is known after a restart of the control plane";
            agree(what, back, &others, first, "HEALTH_VALID", &[0, 0]).await;
            agree("and so is a refusal", back, &others, second, "HEALTH_INVALID", &[0, 0]).await;
        }
        let node = &mut planes.nodes[restarts];
        let before = [said(node, first, "HEALTH_VALID"), said(node, second, "HEALTH_INVALID")];
        forgets(node).await;
        set_clock(node, &library, [1, -1, 1][restarts]);
        node.start().await.unwrap();
        let (started, node) = (Instant::now(), &planes.nodes[restarts]);
        let what = "a node that starts again knows of the recovery";
        agree(what, started, &[node], first, "HEALTH_VALID", &before[..1]).await;
        agree("and of the refusal", started, &[node], second, "HEALTH_INVALID", &before[1..]).await;
        for node in &planes.nodes {
            assert_eq!(asks(node, &provider, &key, "gpt-4o").await, [FIRST], "{hours}: {}", node.launch.name);
        }
        planes.control.kill().await.unwrap();
    }
}

/// The ids of the keys of the only group, in their order.
async fn key_ids(planes: &Planes) -> Vec<String> {
    let groups = planes.admin.get("/admin/groups").await.unwrap();
    let path = format!("/admin/groups/{}", groups["items"][0]["id"].as_str().unwrap());
    let group = planes.admin.get(&path).await.unwrap();
    let keys = group["upstreamKeys"].as_array().unwrap();
    keys.iter().map(|key| key["id"].as_str().unwrap_or_else(|| panic!("{group}")).to_owned()).collect()
}
