//! Tests of how config reaches the nodes, and of what happens when it cannot.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::http::Connection;
use harness::planes::{Planes, chat, chat_request, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};
use shared::drain::Tasks;

use crate::support::{Bed, MODELS, SOON, provider, split, standalone};

async fn nodes(planes: &Planes) -> Option<Vec<Value>> {
    planes.admin.get("/admin/nodes").await.ok()?["items"].as_array().cloned()
}

/// The version that all `count` connected nodes have applied, or nothing while they disagree.
async fn agreed(planes: &Planes, count: usize) -> Option<u64> {
    let nodes = nodes(planes).await?;
    let versions: Vec<u64> = nodes
        .iter()
        .filter(|node| node["connected"] == true)
        .filter_map(|node| node["appliedVersion"].as_u64())
        .collect();
    (versions.len() == count && versions.iter().all(|version| *version == versions[0])).then(|| versions[0])
}

/// Waits until all `count` nodes have applied something newer than `version`.
async fn applied_after(planes: &Planes, count: usize, version: u64) -> u64 {
    wait::until_async("all nodes have applied the change", SOON, async || {
        agreed(planes, count).await.filter(|agreed| *agreed > version)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_three_nodes_and_is_acked() {
    let provider = provider().await;
    let planes = split(3).start().await.unwrap();
    let key = planes.serve(&provider.base_url(), &["gpt-4o"]).await.unwrap();
    let before = applied_after(&planes, 3, 0).await;
    let more = group("more", &provider.base_url(), &["sk-upstream-key-0002"], &["other"]);
    let path = format!("/admin/groups/{}", planes.admin.create_group(&more).await.unwrap());
    let with_group = applied_after(&planes, 3, before).await;
    for node in &planes.nodes {
        assert_eq!(node.chat(&key.value, &chat("other", false)).await.unwrap().status, 200);
    }
    planes.admin.ok(Method::PATCH, &path, &json!({ "enabled": false })).await.unwrap();
    applied_after(&planes, 3, with_group).await;
    for node in &planes.nodes {
        assert_eq!(node.chat(&key.value, &chat("other", false)).await.unwrap().status, 404);
        assert_eq!(node.chat(&key.value, &chat("gpt-4o", false)).await.unwrap().status, 200);
    }
}

/// Scale: 500 proxy keys and 50 groups instead of 10,000 and 500. The time includes the look at `/admin/nodes`.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_acked_by_three_nodes_within_100_ms_at_the_median() {
    let planes = split(3).start().await.unwrap();
    for number in 0..50 {
        let name = format!("group-{number}");
        planes.admin.create_group(&group(&name, "http://127.0.0.1:9/v1", &["sk-1"], &["m"])).await.unwrap();
    }
    let mut last = String::new();
    for number in 0..500 {
        last = planes.admin.create_key(&json!({ "name": format!("key-{number}") })).await.unwrap().id;
    }
    let path = format!("/admin/proxy-keys/{last}");
    let mut took = Vec::new();
    let mut version = applied_after(&planes, 3, 549).await;
    for number in 0..21 {
        planes.admin.ok(Method::PATCH, &path, &json!({ "description": format!("change {number}") })).await.unwrap();
        let changed = Instant::now();
        version = applied_after(&planes, 3, version).await;
        took.push(changed.elapsed());
    }
    took.sort();
    assert!(took[10] < Duration::from_millis(100), "median {:?}, all {took:?}", took[10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_control_plane_does_not_disturb_traffic() {
    let mut bed = Bed::start(split(1)).await.unwrap();
    let (stop, sent, failed) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tasks = Tasks::new();
    let traffic = {
        let (address, key) = (bed.planes.api().http, bed.key.value.clone());
        let (stop, sent, failed) = (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&failed));
        tasks.spawn("traffic", async move {
            let mut connection = Connection::to(address);
            while !stop.load(Ordering::Relaxed) {
                let request = chat_request(&key, &chat("gpt-4o", false)).unwrap();
                let served = connection.fetch(request).await.is_ok_and(|answer| answer.status == 200);
                failed.fetch_add(u64::from(!served), Ordering::Relaxed);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    for graceful in [true, false] {
        if graceful {
            bed.planes.control.stop(SOON).await.unwrap();
        } else {
            bed.planes.control.kill().await.unwrap();
        }
        let so_far = sent.load(Ordering::Relaxed);
        wait::until("requests go on without it", SOON, || (sent.load(Ordering::Relaxed) > so_far + 20).then_some(()))
            .await
            .unwrap();
        bed.planes.control.start().await.unwrap();
    }
    let more = group("later", &bed.provider.base_url(), &["sk-upstream-key-0002"], &["later"]);
    bed.planes.admin.create_group(&more).await.unwrap();
    wait::until_async("a later change reaches the node", SOON, async || {
        (bed.chat(&chat("later", false)).await.ok()?.status == 200).then_some(())
    })
    .await
    .unwrap();
    stop.store(true, Ordering::Relaxed);
    traffic.await.unwrap();
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {}", sent.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_from_its_last_good_config_and_says_so() {
    let mut bed = Bed::start(split(1)).await.unwrap();
    bed.config_kept().await.unwrap();
    bed.planes.control.kill().await.unwrap();
    bed.planes.nodes[0].kill().await.unwrap();
    bed.planes.nodes[0].start().await.unwrap();
    assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
    let plain = |text: &str| -> String { text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect() };
    let ready = bed.planes.nodes[0].get("/health/ready").await.unwrap();
    assert_eq!(ready.status, 200);
    assert!(plain(&ready.text()).contains("lastgood"), "{}", ready.text());
    assert!(plain(&bed.planes.nodes[0].process().unwrap().log()).contains("lastgood"));
    assert_eq!(bed.planes.nodes[0].get("/health/live").await.unwrap().status, 200);

    bed.planes.control.start().await.unwrap();
    let change = group("new", &bed.provider.base_url(), &["sk-upstream-key-0002"], &["new-model"]);
    bed.planes.admin.create_group(&change).await.unwrap();
    wait::until_async("the node follows the control plane again", SOON, async || {
        let ready = bed.planes.nodes[0].get("/health/ready").await.ok()?;
        (ready.status == 200 && !plain(&ready.text()).contains("lastgood")).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_any_config_is_not_ready() {
    let mut planes = split(0).start().await.unwrap();
    planes.control.kill().await.unwrap();
    let mut node = planes.prepare_node().unwrap();
    node.launch().unwrap();
    let ready =
        wait::until_async("the node answers", SOON, async || node.get("/health/ready").await.ok()).await.unwrap();
    assert_eq!(ready.status, 503, "{}", ready.text());
    assert!(ready.json()["waitingFor"].as_array().is_some_and(|names| !names.is_empty()), "{}", ready.text());
    assert_eq!(node.get("/health/live").await.unwrap().status, 200);
    let answer = node.chat("sk-any", &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 503, "a key cannot be judged yet: {}", answer.text());
    planes.control.start().await.unwrap();
    node.ready(SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_wrong_token_gets_nothing() {
    let planes = split(0).start().await.unwrap();
    let mut node = planes.prepare_node().unwrap();
    let wrong = planes.directory().join("wrong-token");
    fs::write(&wrong, "a-token-that-the-control-plane-did-not-make").unwrap();
    node.launch.arguments.extend(["--node-token-file".to_owned(), wrong.display().to_string()]);
    let flag = node.launch.arguments.iter().position(|argument| argument == "--node-token-file").unwrap();
    node.launch.arguments.drain(flag..flag + 2);
    node.launch().unwrap();
    wait::until_async("the node says that it is refused", SOON, async || {
        node.process().ok()?.log().contains("refuses the node token").then_some(())
    })
    .await
    .unwrap();
    assert_eq!(node.get("/health/ready").await.unwrap().status, 503);
    assert_eq!(nodes(&planes).await.unwrap(), Vec::<Value>::new());
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_0600_and_never_in_the_clear() {
    let provider = provider().await;
    let planes = split(1).start().await.unwrap();
    let key = planes.serve(&provider.base_url(), MODELS).await.unwrap();
    let group = planes.admin.get("/admin/groups").await.unwrap()["items"][0].clone();
    let own = json!({ "upstreamKeys": [{
        "id": group["upstreamKeys"][0]["id"], "headers": { "x-own-token": "own-header-secret-0001" },
        "proxyConfig": { "host": "proxy.test", "username": "u", "password": "own-proxy-password-0001" }
    }] });
    let path = format!("/admin/groups/{}", group["id"].as_str().unwrap());
    let shown = planes.admin.ok(Method::PATCH, &path, &own).await.unwrap();
    assert_eq!(shown["upstreamKeys"][0]["headers"]["x-own-token"], "own-****0001");
    assert_eq!(planes.admin.get(&path).await.unwrap()["upstreamKeys"], shown["upstreamKeys"]);
    let through = async || {
        planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
        let last = provider.journal().last()?;
        (last.header("x-own-token") == "own-header-secret-0001").then_some(())
    };
    wait::until_async("the node knows the header of the key", SOON, through).await.unwrap();
    for name in ["secrets.json", "node-token"] {
        assert_eq!(mode(&planes.control.data.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&planes.control.data), 0o700);
    let node = planes.api();
    wait::until("the last good config is on disk", SOON, || (!files(&node.data).is_empty()).then_some(()))
        .await
        .unwrap();
    for path in files(&node.data) {
        let open = fs::metadata(&path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
        assert!(!open, "{} is open to others", path.display());
    }
    let token = fs::read_to_string(planes.control.data.join("node-token")).unwrap();
    assert!(token.trim().len() >= 32);
    for path in files(&planes.control.data).into_iter().chain(files(&node.data)) {
        // A file that is written anew has another name until it is complete.
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            read => read.unwrap(),
        };
        let secrets = ["sk-upstream-key-0001", "own-header-secret-0001", "own-proxy-password-0001"];
        for secret in secrets.into_iter().chain([key.value.as_str(), planes.password.as_str()]) {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret stands in the clear in {}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_printed_at_the_first_start_only() {
    for setup in [standalone(), split(0)] {
        let mut planes = setup.start().await.unwrap();
        planes.control.stop(SOON).await.unwrap();
        planes.control.start().await.unwrap();
        planes.login().await.unwrap();
        let log = planes.control.process().unwrap().log();
        assert_eq!(log.lines().filter(|line| line.trim_start().starts_with("password: ")).count(), 1);
        assert_eq!(log.matches(&planes.password).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_master_key_refuses_to_start() {
    let mut bed = Bed::start(standalone()).await.unwrap();
    bed.planes.control.stop(SOON).await.unwrap();
    fs::remove_file(bed.planes.control.data.join("secrets.json")).unwrap();
    bed.planes.control.launch().unwrap();
    let status = bed.planes.control.process_mut().unwrap().wait(SOON).await.unwrap();
    assert!(!status.success());
    let log = bed.planes.control.process().unwrap().log().to_lowercase();
    assert!(log.contains("master key"), "the log does not say why");
}
