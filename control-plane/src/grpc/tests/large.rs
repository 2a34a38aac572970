use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shared::snapshot::Snapshot;

use super::support::{Plane, TestNode};

/// Prints how long a change takes to be in force on all nodes when there is much config. It measures and promises
/// nothing: run it with `--ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "the figure is for who runs it")]
async fn commit_to_last_ack_with_much_config() {
    const CHANGES: u32 = 30;
    let plane = Plane::start().await;
    for n in 0..10_000 {
        plane.add_proxy_key(&format!("key {n}")).await;
    }
    for n in 0..500 {
        plane.add_group(&format!("group {n}")).await;
    }
    plane.publisher.checked().await;
    let started = Instant::now();
    let mut nodes = Vec::new();
    for id in ["n1", "n2", "n3"] {
        let mut node = plane.node(id, &Snapshot::default()).await;
        node.apply().await;
        assert_eq!(node.config.proxy_keys.len(), 10_000);
        nodes.push(node);
    }
    println!("3 nodes loaded in {:?}", started.elapsed());
    let (mut arrivals, mut acks): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for change in 0..CHANGES {
        let version = nodes[0].config.version + 1;
        plane.add_group(&format!("change {change}")).await;
        let committed = Instant::now();
        let deltas = join_all(nodes.iter_mut().map(TestNode::delta)).await;
        arrivals.push(committed.elapsed());
        for (node, delta) in nodes.iter_mut().zip(&deltas) {
            node.config = node.config.apply(delta).unwrap();
            node.ack().await;
        }
        for id in ["n1", "n2", "n3"] {
            plane.view(id, |view| view.applied_version >= version).await;
        }
        acks.push(committed.elapsed());
    }
    for (what, mut times) in [("last arrival", arrivals), ("last ack", acks)] {
        times.sort();
        println!("commit to {what}: median {:?}, slowest {:?}", times[times.len() / 2], times[times.len() - 1]);
    }
}
