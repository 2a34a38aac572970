//! Tests of a control plane that has not the database that its nodes know: another one, an empty one, a restored
//! backup.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use harness::admin::Admin;
use harness::planes::{Planes, Program, chat, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Bed, SOON, chat_records, ledger, split, standalone};

/// The files of the database of `control`.
fn database(control: &Program) -> Vec<PathBuf> {
    let name = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".db"));
    let entries = fs::read_dir(&control.data).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| name(path)).collect()
}

/// Copies the database of `control`, which must not run, to `place`.
fn back_up(control: &Program, place: &Path) {
    fs::create_dir_all(place).unwrap();
    for file in database(control) {
        fs::copy(&file, place.join(file.file_name().unwrap())).unwrap();
    }
}

fn remove(control: &Program) {
    for file in &database(control) {
        fs::remove_file(file).unwrap();
    }
}

/// Puts the database at `place` in the place of that of `control`, which must not run.
fn restore(control: &Program, place: &Path) {
    remove(control);
    for entry in fs::read_dir(place).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, control.data.join(file.file_name().unwrap())).unwrap();
    }
}

/// Logs in with the password that the last start of a new database printed.
async fn log_in_anew(planes: &mut Planes) -> Result<()> {
    let log = planes.control.process()?.log();
    let password = log.lines().rev().find_map(|line| line.trim_start().strip_prefix("password: ").map(str::trim));
    planes.admin = Admin::login(planes.control.http, "admin", password.context("no password")?).await?;
    Ok(())
}

/// Gives the control plane a new, empty database.
async fn empty(bed: &mut Bed) {
    bed.planes.control.stop(SOON).await.unwrap();
    remove(&bed.planes.control);
    bed.planes.control.start().await.unwrap();
    log_in_anew(&mut bed.planes).await.unwrap();
}

/// The node of this position as the control plane shows it, as soon as `condition` holds.
async fn node_when(planes: &Planes, id: &str, condition: impl Fn(&Value) -> bool) -> Value {
    wait::until_async("the control plane shows it of the node", SOON, async || {
        let nodes = planes.admin.get("/admin/nodes").await.ok()?;
        nodes["items"].as_array()?.iter().find(|node| node["id"] == id && condition(node)).cloned()
    })
    .await
    .unwrap()
}

async fn served(bed: &Bed) -> bool {
    bed.chat(&chat("gpt-4o", false)).await.is_ok_and(|answer| answer.status == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_neither_empties_a_node_nor_gets_its_usage() {
    let mut bed = Bed::start(split(1)).await.unwrap();
    bed.config_kept().await.unwrap();
    let known = bed.planes.admin.get("/admin/nodes").await.unwrap()["databaseId"].as_str().unwrap().to_owned();
    bed.planes.control.stop(SOON).await.unwrap();
    for _ in 0..3 {
        assert!(served(&bed).await);
    }
    remove(&bed.planes.control);
    bed.planes.control.start().await.unwrap();
    log_in_anew(&mut bed.planes).await.unwrap();

    let node = node_when(&bed.planes, "node-0", |node| node["foreignDatabase"].is_object()).await;
    assert_eq!(node["foreignDatabase"]["knownDatabaseId"], known.as_str(), "{node}");
    let nodes = bed.planes.admin.get("/admin/nodes").await.unwrap();
    assert_ne!(nodes["databaseId"], known.as_str());
    assert!(served(&bed).await);
    let ready = bed.planes.nodes[0].get("/health/ready").await.unwrap();
    assert_eq!((ready.status, &ready.json()["database"]["id"]), (200, &json!(known)));
    assert_eq!(ready.json()["database"]["refused"]["id"], nodes["databaseId"]);
    let log = bed.planes.nodes[0].process().unwrap().log();
    let said = log.lines().find(|line| line.contains("accept-database")).expect("the node says what to do");
    assert!(said.contains("ERROR"), "{said}");

    // The same over a restart of the node.
    bed.planes.nodes[0].stop(SOON).await.unwrap();
    bed.planes.nodes[0].start().await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["connected"] == true && node["foreignDatabase"].is_object()).await;
    assert!(served(&bed).await);
    assert_eq!(ledger(&bed.planes).await.unwrap(), Vec::<Value>::new());

    // A change of the foreign database does not come through either.
    bed.planes.admin.create_key(&json!({ "name": "new" })).await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["lastNack"]["version"].as_u64() > Some(1)).await;
    assert!(served(&bed).await);

    // Nothing happens to it before the operator says so.
    let accept = "/admin/nodes/node-0/accept-database";
    assert_eq!(
        bed.planes.admin.send(Method::POST, "/admin/nodes/other/accept-database", &Value::Null).await.unwrap().status,
        404
    );
    bed.planes.admin.ok(Method::POST, accept, &Value::Null).await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["foreignDatabase"].is_null() && node["appliedVersion"] == 2).await;
    assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 401, "the new database has no such key");
    wait::until_async("what waited is delivered", SOON, async || {
        (ledger(&bed.planes).await.ok()?.len() >= 6).then_some(())
    })
    .await
    .unwrap();
    let audit = bed.planes.admin.get("/admin/audit").await.unwrap();
    assert!(audit["items"].as_array().unwrap().iter().any(|entry| entry["action"] == "accept_database"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_database_is_followed_again_without_a_word() {
    let mut bed = Bed::start(split(1)).await.unwrap();
    bed.config_kept().await.unwrap();
    bed.planes.control.stop(SOON).await.unwrap();
    let place = bed.planes.directory().join("right");
    back_up(&bed.planes.control, &place);
    bed.planes.control.start().await.unwrap();
    empty(&mut bed).await;
    node_when(&bed.planes, "node-0", |node| node["foreignDatabase"].is_object()).await;
    assert!(served(&bed).await);

    bed.planes.control.stop(SOON).await.unwrap();
    restore(&bed.planes.control, &place);
    bed.planes.control.start().await.unwrap();
    bed.planes.login().await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["connected"] == true && node["foreignDatabase"].is_null()).await;
    assert_eq!(bed.planes.nodes[0].get("/health/ready").await.unwrap().json()["database"].get("refused"), None);
    chat_records(&bed.planes, 1, SOON).await.unwrap();
    let more = group("more", &bed.provider.base_url(), &["sk-upstream-key-0002"], &["other"]);
    bed.planes.admin.create_group(&more).await.unwrap();
    wait::until_async("the node follows", SOON, async || {
        (bed.chat(&chat("other", false)).await.ok()?.status == 200).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_refused_until_all_nodes_are_told() {
    let mut bed = Bed::start(split(2)).await.unwrap();
    bed.planes.control.stop(SOON).await.unwrap();
    let place = bed.planes.directory().join("backup");
    back_up(&bed.planes.control, &place);
    bed.planes.control.start().await.unwrap();
    let more = group("later", &bed.provider.base_url(), &["sk-upstream-key-0002"], &["later"]);
    bed.planes.admin.create_group(&more).await.unwrap();
    for id in ["node-0", "node-1"] {
        node_when(&bed.planes, id, |node| node["appliedVersion"] == 4).await;
    }

    bed.planes.control.stop(SOON).await.unwrap();
    restore(&bed.planes.control, &place);
    bed.planes.control.start().await.unwrap();
    bed.planes.login().await.unwrap();
    for id in ["node-0", "node-1"] {
        let node = node_when(&bed.planes, id, |node| node["foreignDatabase"].is_object()).await;
        assert_eq!(node["foreignDatabase"]["knownVersion"], 4, "{node}");
        assert!(node["lastNack"]["reason"].as_str().unwrap().contains("backup"), "{node}");
    }
    for node in &bed.planes.nodes {
        assert_eq!(node.chat(&bed.key.value, &chat("later", false)).await.unwrap().status, 200);
    }
    let told = bed.planes.admin.ok(Method::POST, "/admin/nodes/accept-database", &Value::Null).await.unwrap();
    assert_eq!(told["items"].as_array().map(Vec::len), Some(2), "{told}");
    for id in ["node-0", "node-1"] {
        node_when(&bed.planes, id, |node| node["foreignDatabase"].is_null() && node["appliedVersion"] == 3).await;
    }
    for node in &bed.planes.nodes {
        assert_eq!(node.chat(&bed.key.value, &chat("later", false)).await.unwrap().status, 404);
        assert_eq!(node.chat(&bed.key.value, &chat("gpt-4o", false)).await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_that_was_changed_past_a_nodes_version_is_refused_too() {
    let mut bed = Bed::start(split(1)).await.unwrap();
    bed.planes.control.stop(SOON).await.unwrap();
    let place = bed.planes.directory().join("backup");
    back_up(&bed.planes.control, &place);
    bed.planes.control.start().await.unwrap();
    let later = |name: &str| group(name, &bed.provider.base_url(), &["sk-upstream-key-0002"], &[name]);
    bed.planes.admin.create_group(&later("lost")).await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["appliedVersion"] == 4).await;
    bed.config_kept().await.unwrap();

    bed.planes.control.stop(SOON).await.unwrap();
    let waiting = 2;
    for _ in 0..waiting {
        assert!(served(&bed).await);
    }
    bed.planes.nodes[0].stop(SOON).await.unwrap();
    restore(&bed.planes.control, &place);
    bed.planes.control.start().await.unwrap();
    bed.planes.login().await.unwrap();
    // The version of the node, and past it.
    for (name, version) in [("new-1", 4), ("new-2", 5)] {
        bed.planes.admin.create_group(&later(name)).await.unwrap();
        bed.planes.nodes[0].start().await.unwrap();
        let refuses = |node: &Value| node["foreignDatabase"].is_object() && node["lastNack"]["version"] == version;
        let node = node_when(&bed.planes, "node-0", refuses).await;
        assert_eq!(node["foreignDatabase"]["knownVersion"], 4, "{node}");
        assert!(node["lastNack"]["reason"].as_str().unwrap().contains("backup"), "{node}");
        let ready = bed.planes.nodes[0].get("/health/ready").await.unwrap();
        assert_eq!((ready.status, &ready.json()["database"]["refused"]["configVersion"]), (200, &json!(version)));
        let log = bed.planes.nodes[0].process().unwrap().log();
        assert!(log.lines().any(|line| line.contains("ERROR") && line.contains("accept-database")), "{log}");
        assert_eq!(bed.chat(&chat("lost", false)).await.unwrap().status, 200, "the last good config serves");
        assert_eq!(ledger(&bed.planes).await.unwrap(), Vec::<Value>::new(), "what waits is not delivered");
        bed.planes.nodes[0].stop(SOON).await.unwrap();
        bed.planes.control.stop(SOON).await.unwrap();
        bed.planes.control.start().await.unwrap();
        bed.planes.login().await.unwrap();
    }

    bed.planes.nodes[0].start().await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["connected"] == true && node["foreignDatabase"].is_object()).await;
    bed.planes.admin.ok(Method::POST, "/admin/nodes/node-0/accept-database", &Value::Null).await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["foreignDatabase"].is_null() && node["appliedVersion"] == 5).await;
    assert_eq!(bed.chat(&chat("lost", false)).await.unwrap().status, 404);
    assert_eq!(bed.chat(&chat("new-1", false)).await.unwrap().status, 200);
    let ready = bed.planes.nodes[0].get("/health/ready").await.unwrap();
    assert_eq!(ready.json()["database"].get("refused"), None);
    chat_records(&bed.planes, waiting + 4, SOON).await.unwrap();

    // It follows the database that it was told, over a restart of both.
    bed.config_kept().await.unwrap();
    bed.planes.control.stop(SOON).await.unwrap();
    bed.planes.nodes[0].stop(SOON).await.unwrap();
    bed.planes.control.start().await.unwrap();
    bed.planes.login().await.unwrap();
    bed.planes.nodes[0].start().await.unwrap();
    bed.planes.admin.create_group(&later("new-3")).await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["foreignDatabase"].is_null() && node["appliedVersion"] == 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_can_be_started_for_another_database() {
    let mut bed = Bed::start(split(1)).await.unwrap();
    bed.config_kept().await.unwrap();
    empty(&mut bed).await;
    let node = node_when(&bed.planes, "node-0", |node| node["foreignDatabase"].is_object()).await;
    assert_eq!(node["connected"], true);
    let id = bed.planes.admin.get("/admin/nodes").await.unwrap()["databaseId"].as_str().unwrap().to_owned();
    bed.planes.nodes[0].stop(SOON).await.unwrap();
    bed.planes.nodes[0].launch.arguments.extend(["--accept-database".to_owned(), id]);
    bed.planes.nodes[0].start().await.unwrap();
    node_when(&bed.planes, "node-0", |node| node["foreignDatabase"].is_null() && node["appliedVersion"] == 1).await;
    wait::until_async("the node serves from the other database", SOON, async || {
        (bed.chat(&chat("gpt-4o", false)).await.ok()?.status == 401).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn standalone_says_what_to_do_about_a_new_database_beside_an_old_directory() {
    let mut bed = Bed::start(standalone()).await.unwrap();
    wait::until_async("the config is on the node's disk", SOON, async || {
        let scrape = bed.planes.control.scrape().await.ok()?;
        (scrape.sum("config_version")? <= scrape.sum("config_kept_version")?).then_some(())
    })
    .await
    .unwrap();
    empty(&mut bed).await;
    assert!(served(&bed).await, "the last good config stays in force");
    let log = bed.planes.control.process().unwrap().log();
    let said = log.lines().rev().find(|line| line.contains("accept-database")).expect("it says what to do");
    let id = bed.planes.admin.get("/admin/nodes").await.unwrap()["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/nodes/{id}/accept-database");
    assert!(said.contains(&path), "{said}");
    bed.planes.admin.ok(Method::POST, &path, &Value::Null).await.unwrap();
    wait::until_async("the new database is in force", SOON, async || {
        (bed.chat(&chat("gpt-4o", false)).await.ok()?.status == 401).then_some(())
    })
    .await
    .unwrap();
}
