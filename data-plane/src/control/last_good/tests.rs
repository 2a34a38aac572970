use std::os::unix::fs::PermissionsExt as _;

use shared::snapshot::{ErrorRule, Group, ProxyKey, UpstreamKey, UpstreamKeyRouting};

use super::*;

const TOKEN: &str = "a-node-token-of-more-than-32-bytes";
const UPSTREAM: &str = "sk-upstream-secret-0001";

fn snapshot(version: u64) -> Snapshot {
    let key = UpstreamKey {
        id: "u1".into(),
        masked: "sk-u****0001".into(),
        secret: UPSTREAM.into(),
        enabled: true,
        routing: UpstreamKeyRouting::default(),
    };
    let group = Group {
        id: "g1".into(),
        name: "group".into(),
        provider_type: "openai".into(),
        base_url: "https://provider.example/v1".into(),
        upstream_keys: vec![Arc::new(key)],
        models: vec!["m1".into()],
        ..pb_group()
    };
    let key = ProxyKey { id: "k1".into(), name: "key".into(), digest: [1; 32], enabled: true, ..pb_key() };
    Snapshot {
        version,
        epoch: "epoch".into(),
        lineage: "lineage".into(),
        groups: [(Arc::clone(&group.id), Arc::new(group))].into(),
        proxy_keys: [(Arc::clone(&key.id), Arc::new(key))].into(),
        error_rules: [ErrorRule { words: vec!["busy".to_owned()], ..ErrorRule::default() }].into(),
        prices: Arc::default(),
    }
}

fn pb_group() -> Group {
    let message =
        pb::Group { balance_policy: "round_robin".into(), timeout_ms: 1000, enabled: true, ..Default::default() };
    Group::try_from(message).unwrap()
}

fn pb_key() -> ProxyKey {
    let message = pb::ProxyKey { group_policy: "failover".into(), digest: vec![0; 32], ..Default::default() };
    ProxyKey::try_from(message).unwrap()
}

fn file(directory: &Path, token: &str) -> LastGood {
    LastGood::new(directory, &Secret::new(token)).unwrap()
}

#[test]
fn what_is_saved_is_loaded_and_cannot_be_read_by_others() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("node");
    assert!(file(&directory, TOKEN).load().unwrap().is_none());
    file(&directory, TOKEN).save(&snapshot(7)).unwrap();
    assert_eq!(file(&directory, TOKEN).load().unwrap(), Some(snapshot(7)));
    file(&directory, TOKEN).save(&snapshot(8)).unwrap();
    assert_eq!(file(&directory, TOKEN).load().unwrap(), Some(snapshot(8)));

    let path = directory.join(FILE);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(UPSTREAM.len()).any(|part| part == UPSTREAM.as_bytes()));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2, "the config and the name of its database, no more");
}

#[test]
fn the_database_is_known_under_another_token_too() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(file(root.path(), TOKEN).database(), None);
    file(root.path(), TOKEN).save(&snapshot(7)).unwrap();
    let other = file(root.path(), "another-token-of-more-than-32-bytes");
    assert_eq!(other.database(), Some(Database { epoch: "epoch".into(), version: 7, lineage: "lineage".into() }));
    // As an older build noted it.
    fs::write(root.path().join(DATABASE), "epoch\n7\n").unwrap();
    assert_eq!(other.database(), Some(Database { epoch: "epoch".into(), version: 7, ..Database::default() }));
    fs::write(root.path().join(DATABASE), "epoch").unwrap();
    assert_eq!(other.database(), None);
}

#[test]
fn another_token_and_damage_are_refused() {
    let root = tempfile::tempdir().unwrap();
    file(root.path(), TOKEN).save(&snapshot(7)).unwrap();
    let other = file(root.path(), "another-token-of-more-than-32-bytes");
    assert!(matches!(other.load(), Err(LastGoodError::Crypto(CryptoError::Open))));
    let path = root.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    for length in [0, 5, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(file(root.path(), TOKEN).load().is_err());
    }
    let mut flipped = whole;
    flipped[20] ^= 1;
    fs::write(&path, flipped).unwrap();
    assert!(file(root.path(), TOKEN).load().is_err());
}

#[tokio::test]
async fn the_newest_config_is_kept_even_at_the_end() {
    let root = tempfile::tempdir().unwrap();
    let (sender, receiver) = watch::channel(None);
    let tasks = Tasks::new();
    let keep = keep(Arc::new(file(root.path(), TOKEN)), receiver, None, keeping(), tasks.clone());
    tasks.spawn("keep", keep);
    for version in 1..=5 {
        sender.send_replace(Some(Arc::new(snapshot(version))));
    }
    let kept = async {
        while file(root.path(), TOKEN).load().ok().flatten().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), kept).await.unwrap();
    assert_eq!(file(root.path(), TOKEN).load().unwrap().unwrap().version, 5);
    sender.send_replace(Some(Arc::new(snapshot(6))));
    assert!(tasks.drain("keep", Duration::from_secs(10)).await);
    assert_eq!(file(root.path(), TOKEN).load().unwrap().unwrap().version, 6);
}

fn keeping() -> Keeping {
    Keeping { kept: Gauge::default(), readiness: Readiness::new("0") }
}

async fn until(mut is: impl FnMut() -> bool) {
    let reached = async {
        while !is() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached).await.unwrap();
}

#[tokio::test]
async fn what_the_disk_did_not_take_is_written_again_without_a_change() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("node");
    fs::write(&directory, "no directory").unwrap();
    let (sender, receiver) = watch::channel(None);
    let tasks = Tasks::new();
    let keeping = keeping();
    let (kept, readiness) = (keeping.kept.clone(), keeping.readiness.clone());
    tasks.spawn("keep", keep(Arc::new(file(&directory, TOKEN)), receiver, None, keeping, tasks.clone()));
    sender.send_replace(Some(Arc::new(snapshot(3))));
    until(|| readiness.is_degraded()).await;
    assert!(readiness.is_ready());
    fs::remove_file(&directory).unwrap();
    until(|| !readiness.is_degraded()).await;
    assert_eq!((kept.get(), file(&directory, TOKEN).load().unwrap()), (3, Some(snapshot(3))));
    assert!(tasks.drain("keep", Duration::from_secs(10)).await);
}

#[tokio::test]
async fn what_is_on_disk_already_is_not_written_again() {
    let root = tempfile::tempdir().unwrap();
    file(root.path(), TOKEN).save(&snapshot(3)).unwrap();
    let bytes = || fs::read(root.path().join(FILE)).unwrap();
    let before = bytes();
    let (sender, receiver) = watch::channel(None);
    let tasks = Tasks::new();
    let restored = Some(Arc::new(snapshot(3)));
    tasks.spawn("keep", keep(Arc::new(file(root.path(), TOKEN)), receiver, restored, keeping(), tasks.clone()));
    sender.send_replace(Some(Arc::new(snapshot(3))));
    assert!(tasks.drain("keep", Duration::from_secs(10)).await);
    assert_eq!(bytes(), before, "each writing seals it anew");
}
