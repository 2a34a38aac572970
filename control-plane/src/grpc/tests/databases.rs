use shared::pb::control_message::Message as Down;
use shared::pb::node_message::Message as Up;
use shared::pb::welcome::Lineage;
use shared::pb::{self, key_state::Health};
use shared::snapshot::Snapshot;
use shared::time::steady_ms;

use super::support::{Plane, TOKEN, TestNode};
use crate::grpc::registry::CommandError;
use crate::store::tests::database::execute;

/// A node that wants to be told whose control plane this is, and has what `hello` says.
async fn welcomed(plane: &Plane, hello: pb::Hello) -> TestNode {
    let node = plane.stream(TOKEN).await.unwrap();
    node.say(Up::Hello(pb::Hello { version: "0.1.0".to_owned(), schema: 1, wants_welcome: true, ..hello })).await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_asks_is_told_whose_control_plane_this_is_and_what_time_it_is() {
    let plane = Plane::start().await;
    let mut node = welcomed(&plane, pb::Hello { node_id: "n1".to_owned(), ..pb::Hello::default() }).await;
    let Some(Down::Welcome(welcome)) = node.hear().await.unwrap() else { panic!("a welcome comes first") };
    let snapshot = plane.publisher.snapshot();
    assert_eq!((welcome.epoch.as_str(), welcome.version), (&*snapshot.epoch, snapshot.version));
    assert!((welcome.now_ms - steady_ms()).abs() < 10_000);
    assert_eq!(node.snapshot().await, *snapshot);
    assert_eq!(
        node.hear_all().await.unwrap(),
        Some(Down::KeyState(pb::KeyState::default())),
        "no key states are known"
    );
    // An older node would not know the message.
    assert_eq!(plane.node("n2", &Snapshot::default()).await.snapshot().await, *snapshot);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_knows_another_database_is_shown_and_takes_this_one_when_it_is_told() {
    let plane = Plane::start().await;
    plane.add_group("one").await;
    plane.publisher.checked().await;
    let hello = pb::Hello {
        node_id: "n1".to_owned(),
        applied_version: 40,
        epoch: "another".to_owned(),
        ..pb::Hello::default()
    };
    let mut node = welcomed(&plane, hello).await;
    assert!(matches!(node.hear().await.unwrap(), Some(Down::Welcome(_))));
    let offered = node.snapshot().await;
    assert_eq!(plane.registry.replace_database("n2"), Err(CommandError::NotConnected));
    assert!(plane.registry.replace_database_everywhere().is_empty(), "nobody refuses");
    node.say(Up::ForeignDatabase(pb::ForeignDatabase { epoch: "another".to_owned(), version: 40 })).await;
    node.nack(offered.version, "another database").await;
    let view = plane.view("n1", |view| view.foreign_database.is_some() && view.last_nack.is_some()).await;
    let foreign = view.foreign_database.unwrap();
    assert_eq!((foreign.known_database_id.as_str(), foreign.known_version), ("another", 40));

    assert_eq!(plane.registry.replace_database_everywhere().len(), 1);
    let Some(Down::ReplaceDatabase(replace)) = node.hear().await.unwrap() else { panic!("it is told so first") };
    assert_eq!(replace.epoch, *offered.epoch);
    node.apply().await;
    assert_eq!(node.config, offered);
    plane.view("n1", |view| view.foreign_database.is_none() && view.applied_version == offered.version).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_a_model_goes_to_nodes_as_a_message_of_its_own() {
    let plane = Plane::start().await;
    let mut first = plane.node("n1", &Snapshot::default()).await;
    let mut second = plane.node("n2", &Snapshot::default()).await;
    first.apply().await;
    second.apply().await;
    plane.view("n2", |view| view.applied_version > 0).await;
    let state = pb::KeyState {
        upstream_key_id: "k".to_owned(),
        group_id: "g".to_owned(),
        health: Health::Invalid.into(),
        observed_at_ms: steady_ms(),
        model: "m".to_owned(),
        ..pb::KeyState::default()
    };
    first.say(Up::ModelKeyState(state.clone())).await;
    let expected = pb::KeyState { node_id: "n1".to_owned(), ..state };
    assert_eq!(second.hear().await.unwrap(), Some(Down::ModelKeyState(expected)));
}

/// A hello of a node that has `config`, and knows its database by it.
fn hello_with(config: &Snapshot) -> pb::Hello {
    let (epoch, lineage) = (config.epoch.to_string(), config.lineage.to_string());
    pb::Hello {
        node_id: "n1".to_owned(),
        applied_version: config.version,
        epoch: epoch.clone(),
        known: Some(pb::KnownConfig { epoch, version: config.version, lineage }),
        ..pb::Hello::default()
    }
}

async fn lineage_told(node: &mut TestNode) -> Lineage {
    let Some(Down::Welcome(welcome)) = node.hear().await.unwrap() else { panic!("a welcome comes first") };
    welcome.lineage()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_told_whether_the_database_has_had_its_config() {
    let plane = Plane::start().await;
    plane.add_group("one").await;
    plane.publisher.checked().await;
    let first = plane.publisher.snapshot();
    plane.add_group("two").await;
    plane.publisher.checked().await;
    let newest = plane.publisher.snapshot();

    let mut node = welcomed(&plane, hello_with(&first)).await;
    assert_eq!(lineage_told(&mut node).await, Lineage::Shared);
    assert_eq!(node.delta().await.lineage, newest.lineage);
    let mut node = welcomed(&plane, pb::Hello { known: None, ..hello_with(&first) }).await;
    assert_eq!(lineage_told(&mut node).await, Lineage::Unspecified);
    node.delta().await;
    // Of versions of another history, all is sent, even where the number is the newest, so that the node says no.
    for had in [&first, &newest] {
        let elsewhere = Snapshot { lineage: "another".into(), ..had.as_ref().clone() };
        let mut node = welcomed(&plane, hello_with(&elsewhere)).await;
        assert_eq!(lineage_told(&mut node).await, Lineage::Other);
        assert_eq!(node.snapshot().await, *newest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_met_anew_when_a_backup_is_restored_under_the_control_plane() {
    let plane = Plane::start().await;
    plane.add_group("one").await;
    plane.publisher.checked().await;
    let had = plane.publisher.snapshot();
    let mut node = welcomed(&plane, hello_with(&had)).await;
    assert_eq!(lineage_told(&mut node).await, Lineage::Shared);
    execute(&plane.store, "UPDATE config_changes SET lineage = 'another'").await;
    plane.publisher.checked().await;
    assert!(node.hear().await.is_err());
    let mut node = welcomed(&plane, hello_with(&had)).await;
    assert_eq!(lineage_told(&mut node).await, Lineage::Other);
    assert_eq!(&*node.snapshot().await.lineage, "another");
}
