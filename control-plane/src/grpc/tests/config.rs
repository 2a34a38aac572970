use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use shared::pb::control_message::Message as Down;
use shared::pb::key_state::Health;
use shared::pb::node_message::Message as Up;
use shared::pb::{self};
use shared::snapshot::Snapshot;
use shared::time::now_ms;
use tokio::time::timeout;
use tonic::Code;

use super::support::{PATIENCE, Plane, TOKEN, TestNode};

async fn settled(plane: &Plane, id: &str) -> TestNode {
    let mut node = plane.node(id, &Snapshot::default()).await;
    node.apply().await;
    let version = node.config.version;
    plane.view(id, |view| view.applied_version == version).await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_gets_the_whole_config() {
    let plane = Plane::start().await;
    let id = plane.add_group("openai").await;
    plane.add_proxy_key("app").await;
    plane.publisher.checked().await;
    let mut node = plane.node("n1", &Snapshot::default()).await;
    let snapshot = node.snapshot().await;
    assert_eq!(snapshot, *plane.publisher.snapshot());
    assert_eq!(&*snapshot.groups[&id].name, "openai");
    assert_eq!(snapshot.groups[&id].upstream_keys[0].secret.expose(), "sk-secret-of-openai");
    assert_eq!(snapshot.proxy_keys.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_gets_what_changed() {
    let plane = Plane::start().await;
    let (kept, removed) = (plane.add_group("kept").await, plane.add_group("removed").await);
    plane.publisher.checked().await;
    let had = settled(&plane, "n1").await.config;

    let added = plane.add_group("added").await;
    plane.remove_group(&removed).await;
    plane.publisher.checked().await;
    let mut node = plane.node("n1", &had).await;
    let delta = node.delta().await;
    assert_eq!(delta.groups.iter().map(|group| Arc::clone(&group.id)).collect::<Vec<_>>(), [added]);
    assert_eq!(delta.removed_groups, [removed]);
    let config = had.apply(&delta).unwrap();
    assert_eq!(config, *plane.publisher.snapshot());
    assert!(config.groups.contains_key(&kept));

    // A node that has everything hears of the next change only.
    let mut current = plane.node("n2", &config).await;
    plane.view("n2", |view| view.connected).await;
    plane.add_group("later").await;
    assert_eq!(current.delta().await.from_version, config.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn config_of_another_history_is_replaced() {
    let plane = Plane::start().await;
    plane.add_group("openai").await;
    plane.publisher.checked().await;
    let newest = plane.publisher.snapshot();
    let elsewhere = Snapshot { epoch: "another".into(), ..newest.as_ref().clone() };
    assert_eq!(plane.node("n1", &elsewhere).await.snapshot().await, *newest);
    // A node that is ahead of a database which was restored from a backup gets what the database has.
    let ahead = Snapshot { version: newest.version + 100, ..newest.as_ref().clone() };
    assert_eq!(plane.node("n1", &ahead).await.snapshot().await, *newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nobody_comes_in() {
    let plane = Plane::start().await;
    for token in ["", "wrong", &TOKEN[1..], &format!("{TOKEN}x")] {
        let refused = plane.stream(token).await.err().map(|status| status.code());
        assert_eq!(refused, Some(Code::Unauthenticated));
    }
    assert!(plane.registry.list().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_a_proper_hello() {
    let plane = Plane::start().await;
    let mut node = plane.stream(TOKEN).await.unwrap();
    node.ack().await;
    assert_eq!(node.hear().await.unwrap_err().code(), Code::InvalidArgument);
    for id in ["", "a\nb", "é", &"n".repeat(129)] {
        let mut node = plane.node(id, &Snapshot::default()).await;
        assert_eq!(node.hear().await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert!(plane.registry.list().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_reaches_the_node_and_its_ack_is_seen() {
    let plane = Plane::start().await;
    let mut node = settled(&plane, "n1").await;
    let before = node.config.version;
    let id = plane.add_group("openai").await;
    node.apply().await;
    assert!(node.config.version > before && node.config.groups.contains_key(&id));
    let view = plane.view("n1", |view| view.applied_version == node.config.version).await;
    assert_eq!(view.sent_version, node.config.version);
    assert!(view.connected && view.address.starts_with("127.0.0.1:") && view.last_nack.is_none());

    node.say(Up::Load(pb::Load { in_flight: 7, usage_pending: 2, ..pb::Load::default() })).await;
    let view = plane.view("n1", |view| view.load.is_some()).await;
    assert_eq!(view.load.map(|load| (load.in_flight, load.usage_pending)), Some((7, 2)));
    let metrics = plane.metrics.encode().unwrap();
    assert!(metrics.contains("nodes_connected 1"), "{metrics}");
    assert!(metrics.contains(&format!("config_published_version {}", node.config.version)), "{metrics}");

    drop(node);
    plane.view("n1", |view| !view.connected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_config_shows_why_and_the_next_one_comes_whole() {
    let plane = Plane::start().await;
    let mut node = settled(&plane, "n1").await;
    let good = node.config.version;
    plane.add_group("bad").await;
    let refused = node.delta().await.version;
    node.nack(refused, "groups[x].base_url: is not a URL").await;
    let view = plane.view("n1", |view| view.last_nack.is_some()).await;
    let nack = view.last_nack.unwrap();
    assert_eq!((nack.version, nack.reason.as_str()), (refused, "groups[x].base_url: is not a URL"));
    assert_eq!(view.applied_version, good);

    // The refused version is not sent again, and the next one is sent as a whole.
    plane.add_group("good").await;
    let next = node.snapshot().await;
    assert!(next.version > refused);
    assert_eq!(next.groups.len(), 2);
    node.config = next;
    node.ack().await;
    let from = node.config.version;
    plane.view("n1", |view| view.applied_version == from).await;
    plane.add_group("another").await;
    assert_eq!(node.delta().await.from_version, from);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_version_holds_the_next_ones_together() {
    let plane = Plane::start().await;
    let mut node = settled(&plane, "n1").await;
    plane.add_group("first").await;
    let first = node.delta().await;
    for name in ["second", "third", "fourth"] {
        plane.add_group(name).await;
    }
    plane.publisher.checked().await;
    node.config = node.config.apply(&first).unwrap();
    node.ack().await;
    let rest = node.delta().await;
    assert_eq!((rest.from_version, rest.groups.len()), (first.version, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn key_states_reach_the_other_nodes() {
    let plane = Plane::start().await;
    let (first, mut second) = (settled(&plane, "n1").await, settled(&plane, "n2").await);
    let state = pb::KeyState {
        upstream_key_id: "k1".to_owned(),
        group_id: "g1".to_owned(),
        health: Health::CoolingDown.into(),
        until_ms: now_ms() + 60_000,
        status: 429,
        reason: "rate_limited".to_owned(),
        observed_at_ms: now_ms(),
        node_id: "forged".to_owned(),
        model: String::new(),
        pause: 0,
        times: 0,
    };
    first.say(Up::KeyState(state.clone())).await;
    let expected = pb::KeyState { node_id: "n1".to_owned(), ..state };
    assert_eq!(second.key_state().await, expected);

    // A node that connects later hears of the state after its config. The node that observed it does not hear of it.
    let mut third = plane.node("n3", &Snapshot::default()).await;
    third.apply().await;
    assert_eq!(third.key_state().await, expected);
    let mut first = first;
    second.say(Up::KeyState(pb::KeyState { upstream_key_id: "k2".to_owned(), ..expected })).await;
    assert_eq!(first.key_state().await.upstream_key_id, "k2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stream_replaces_the_first() {
    let plane = Plane::start().await;
    let mut first = settled(&plane, "n1").await;
    let mut second = plane.node("n1", &first.config).await;
    assert_eq!(first.hear().await.unwrap_err().code(), Code::Aborted);
    plane.add_group("openai").await;
    second.apply().await;
    let view = plane.view("n1", |view| view.applied_version == second.config.version).await;
    assert!(view.connected);
    assert_eq!(plane.registry.list().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_goes_to_the_node_and_back() {
    let plane = Plane::start().await;
    let mut node = settled(&plane, "n1").await;
    let list =
        pb::command::Command::ListModels(pb::ListModels { group_id: "g1".to_owned(), ..pb::ListModels::default() });
    let asked = plane.registry.command("n1", pb::Command { command: Some(list.clone()), ..pb::Command::default() });
    let answered = async {
        let Some(Down::Command(command)) = node.hear().await.unwrap() else { panic!("not a command") };
        assert_eq!(command.command, Some(list.clone()));
        let result = pb::CommandResult { id: command.id, ok: true, status: 200, ..pb::CommandResult::default() };
        node.say(Up::CommandResult(result)).await;
    };
    let (result, ()) = tokio::join!(asked, answered);
    assert_eq!(result.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_concurrent_commits_all_arrive() {
    let plane = Plane::start().await;
    let mut node = settled(&plane, "n1").await;
    let base = node.config.version;
    let names: Vec<String> = (0..50).map(|n| format!("group {n}")).collect();
    let committing = join_all(names.iter().map(|name| plane.add_group(name)));
    let (ids, ()) = tokio::join!(committing, node.reach(base + 50));
    assert_eq!(node.config.version, base + 50);
    let expected: BTreeSet<_> = ids.into_iter().collect();
    assert_eq!(node.config.groups.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(node.config, *plane.publisher.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_all_streams() {
    let plane = Plane::start().await;
    let mut node = settled(&plane, "n1").await;
    let mut silent = plane.stream(TOKEN).await.unwrap();
    let (_batches, mut acks) = plane.report().await;
    assert!(plane.tasks.drain("test", PATIENCE).await);
    assert_eq!(node.hear().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(silent.hear().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(timeout(PATIENCE, acks.message()).await.unwrap().unwrap_err().code(), Code::Unavailable);
}
