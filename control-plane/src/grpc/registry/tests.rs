use std::sync::Arc;

use shared::pb;

use super::{CommandError, Connected, Full, MAX_COMMANDS, MAX_NODES, NodeRegistry};

fn hello(id: &str) -> pb::Hello {
    pb::Hello { node_id: id.to_owned(), version: "1.2.3".to_owned(), applied_version: 7, ..pb::Hello::default() }
}

fn connect(registry: &Arc<NodeRegistry>, id: &str) -> Connected {
    registry.connect(&hello(id), "127.0.0.1:9".to_owned()).unwrap()
}

#[test]
fn a_node_is_listed_while_it_is_there_and_after() {
    let registry = NodeRegistry::new();
    let connected = connect(&registry, "n1");
    connected.node.sent(9);
    connected.node.acked(8);
    connected.node.loaded(pb::Load { in_flight: 3, ..pb::Load::default() });
    connected.node.nacked(pb::Nack { version: 9, reason: "groups[a].base_url: is empty".to_owned() });
    let view = registry.list().remove(0);
    assert!(view.connected);
    assert_eq!((view.applied_version, view.sent_version), (8, 9));
    assert_eq!(view.load.map(|load| load.in_flight), Some(3));
    let nack = view.last_nack.unwrap();
    assert_eq!((nack.version, nack.reason.as_str()), (9, "groups[a].base_url: is empty"));
    assert_eq!(registry.connected.get(), 1);

    connected.node.disconnected();
    connected.node.disconnected();
    let view = registry.list().remove(0);
    assert!(!view.connected && view.last_nack.is_some());
    assert_eq!(registry.connected.get(), 0);

    registry.nodes().get_mut("n1").unwrap().view.last_seen -= super::GONE_LISTED_MS + 1;
    assert!(registry.list().is_empty());
}

#[test]
fn the_replaced_stream_has_no_say() {
    let registry = NodeRegistry::new();
    let first = connect(&registry, "n1");
    let second = connect(&registry, "n1");
    assert!(first.replaced.is_cancelled() && !second.replaced.is_cancelled());
    first.node.acked(1);
    first.node.disconnected();
    let view = registry.list().remove(0);
    assert!(view.connected);
    assert_eq!(view.applied_version, 7);
    assert_eq!(registry.connected.get(), 1);
}

#[test]
fn the_oldest_that_has_gone_makes_room() {
    let registry = NodeRegistry::new();
    let nodes: Vec<_> = (0..MAX_NODES).map(|n| connect(&registry, &format!("n{n}"))).collect();
    assert_eq!(registry.connect(&hello("more"), String::new()).err(), Some(Full));
    nodes[5].node.disconnected();
    connect(&registry, "more");
    assert_eq!(registry.list().len(), MAX_NODES);
    assert!(registry.list().iter().all(|view| view.id != "n5"));
}

#[tokio::test]
async fn a_command_gets_its_answer() {
    let registry = NodeRegistry::new();
    let mut connected = connect(&registry, "n1");
    let asked = registry.command("n1", pb::Command::default());
    let answer = async {
        let command = connected.commands.recv().await.unwrap();
        assert_eq!(command.timeout_ms, 30_000);
        connected.node.answered(pb::CommandResult { id: "another".to_owned(), ..pb::CommandResult::default() });
        connected.node.answered(pb::CommandResult { id: command.id, ok: true, ..pb::CommandResult::default() });
    };
    let (result, ()) = tokio::join!(asked, answer);
    assert!(result.unwrap().ok);
}

#[tokio::test]
async fn a_command_without_an_answer_ends() {
    let registry = NodeRegistry::new();
    assert_eq!(registry.command("n1", pb::Command::default()).await, Err(CommandError::NotConnected));
    let connected = connect(&registry, "n1");
    let command = pb::Command { timeout_ms: 1, ..pb::Command::default() };
    assert_eq!(registry.command("n1", command).await, Err(CommandError::Timeout));
    assert!(registry.nodes()["n1"].link.as_ref().unwrap().pending.is_empty());

    let (result, ()) = tokio::join!(registry.command("n1", pb::Command::default()), async {
        connected.node.disconnected();
    });
    assert_eq!(result, Err(CommandError::Disconnected));
}

#[tokio::test]
async fn commands_are_bounded() {
    let registry = NodeRegistry::new();
    let connected = connect(&registry, "n1");
    let commands: Vec<_> = (0..=MAX_COMMANDS).map(|_| registry.command("n1", pb::Command::default())).collect();
    let (results, ()) = tokio::join!(futures_util::future::join_all(commands), async {
        connected.node.disconnected();
    });
    assert_eq!(results.iter().filter(|result| **result == Err(CommandError::Busy)).count(), 1);
}
