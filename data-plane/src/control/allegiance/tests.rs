use std::sync::Arc;

use shared::health::Readiness;
use shared::pb::welcome::Lineage;

use super::{Allegiance, Database};

fn database(epoch: &str, version: u64) -> Database {
    Database { epoch: epoch.into(), version, lineage: format!("of {version}").into() }
}

fn node() -> Allegiance {
    Allegiance::new(Readiness::new("0.0.0"))
}

/// A node that belongs to the database `a`, with version 7 of its config.
fn of_a() -> Allegiance {
    let mut node = node();
    node.know(database("a", 7));
    node
}

#[test]
fn the_first_database_is_taken_and_another_one_is_not() {
    let mut node = node();
    assert_eq!(*node.delivery().borrow(), None, "nobody has answered yet");
    node.met(&database("a", 3), Lineage::Unspecified);
    node.follow(database("a", 3));
    assert_eq!(node.delivery().borrow().as_deref(), Some("a"));
    assert!(node.check(&database("a", 3)).is_ok() && node.check(&database("a", 9)).is_ok());
    let foreign = node.check(&database("b", 900)).unwrap_err();
    assert_eq!((foreign.known, foreign.offered), (database("a", 3), database("b", 900)));
    assert_eq!(*node.delivery().borrow(), None, "its usage stays here");
}

#[test]
fn a_backup_is_known_by_its_older_version_and_does_not_become_right_by_changes() {
    let mut node = of_a();
    let foreign = node.check(&database("a", 6)).unwrap_err();
    assert!(foreign.to_string().contains("backup"), "{foreign}");
    assert!(node.check(&database("a", 8)).is_err());
    node.accept("a");
    assert!(node.check(&database("a", 8)).is_ok());
}

#[test]
fn what_the_operator_accepts_is_taken_once() {
    let mut node = of_a();
    node.accept("b");
    assert!(node.check(&database("b", 1)).is_ok() && node.check(&database("c", 1)).is_err());
    node.follow(database("b", 1));
    assert!(node.check(&database("a", 9)).is_err(), "the old one is foreign now");
    assert_eq!(node.delivery().borrow().as_deref(), None);
    node.met(&database("b", 1), Lineage::Unspecified);
    assert_eq!(node.delivery().borrow().as_deref(), Some("b"));
}

#[test]
fn usage_waits_until_the_right_control_plane_is_back() {
    let mut node = of_a();
    node.met(&database("b", 1), Lineage::Unspecified);
    assert!(node.is_refusing());
    node.disconnected();
    node.met(&database("a", 7), Lineage::Unspecified);
    assert!(!node.is_refusing());
    assert_eq!(node.delivery().borrow().as_deref(), Some("a"));
    node.disconnected();
    assert_eq!(*node.delivery().borrow(), None);
    // A control plane that is older than this does not say whose it is.
    node.met_unnamed();
    assert_eq!(node.delivery().borrow().as_deref(), Some("a"));
}

#[test]
fn the_newer_of_two_notes_of_one_database_counts() {
    let mut node = of_a();
    node.know(database("a", 5));
    assert!(node.check(&database("a", 6)).is_err());
    node.of_node(&Arc::from("n-1"));
    let foreign = node.check(&database("b", 1)).unwrap_err();
    let advice = node.advice(&foreign);
    assert!(advice.contains("/admin/nodes/n-1/accept-database") && advice.contains("--accept-database b"), "{advice}");
}

#[test]
fn a_backup_that_was_changed_past_the_nodes_version_is_known_by_its_history() {
    let mut node = of_a();
    let known = node.known().unwrap();
    assert_eq!((known.epoch.as_str(), known.version, known.lineage.as_str()), ("a", 7, "of 7"));
    for version in [7, 9] {
        node.met(&database("a", version), Lineage::Other);
        assert!(node.is_refusing() && node.check(&database("a", version)).is_err());
        assert_eq!(*node.delivery().borrow(), None);
    }
    let foreign = node.check(&database("a", 12)).unwrap_err();
    assert_eq!(foreign.known, database("a", 7));
    assert!(foreign.to_string().contains("never had the version 7"), "{foreign}");

    // The right one is put back.
    node.disconnected();
    node.met(&database("a", 8), Lineage::Shared);
    assert!(!node.is_refusing() && node.check(&database("a", 8)).is_ok());
    assert_eq!(node.delivery().borrow().as_deref(), Some("a"));
}

#[test]
fn a_changed_backup_is_taken_when_the_operator_says_so() {
    let mut node = of_a();
    node.met(&database("a", 9), Lineage::Other);
    node.accept("a");
    assert!(node.check(&database("a", 9)).is_ok());
    node.follow(database("a", 9));
    assert!(!node.is_refusing());
    assert_eq!(node.known().unwrap().lineage, "of 9");
}
