use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shared::crypto::SealingKey;
use shared::drain::Tasks;
use tokio::time::{sleep, timeout};

use super::{JobLease, LASTS};
use crate::store::Store;
use crate::store::tests::database::{TestDatabase, execute};

/// Far longer than anything takes.
const LONG: Duration = Duration::from_secs(30);

/// A control plane that may want the lease.
struct Replica {
    lease: Arc<JobLease>,
    wants: Arc<AtomicBool>,
    tasks: Tasks,
}

impl Replica {
    fn start(store: &Store) -> Self {
        let (wants, tasks) = (Arc::new(AtomicBool::new(true)), Tasks::new());
        let wanted = Arc::clone(&wants);
        let lease = JobLease::start(store.clone(), move || wanted.load(Ordering::Relaxed), &tasks);
        Self { lease, wants, tasks }
    }

    async fn holds(&self) {
        let held = async {
            while !self.lease.is_held() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, held).await.unwrap();
    }
}

async fn open(database: &TestDatabase) -> Store {
    let sealing = SealingKey::derive("test", b"a secret of the tests", "tests").unwrap();
    Store::open(&database.url, Arc::new(sealing), &Tasks::new()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_has_it_and_gives_it_back_when_it_has_no_use_for_it_or_ends() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let first = Replica::start(&store);
    first.holds().await;
    let second = Replica::start(&store);

    // Nothing to do, or no node to do it with.
    first.wants.store(false, Ordering::Relaxed);
    let since = Instant::now();
    second.holds().await;
    assert!(!first.lease.is_held());
    first.wants.store(true, Ordering::Relaxed);

    assert!(second.tasks.drain("lease", LONG).await);
    first.holds().await;
    assert!(!second.lease.is_held());
    assert!(since.elapsed() < LASTS, "it was given back, and did not have to end by itself: {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_killed_loses_it_and_one_that_another_has_meanwhile_does_not_act() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let first = Replica::start(&store);
    first.holds().await;
    // Another one took it, as if this one had been stopped for so long.
    execute(&store, "UPDATE job_leases SET holder = 'another'").await;
    let lost = async {
        while first.lease.is_held() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, lost).await.unwrap();
    // That one is killed.
    let killed = Instant::now();
    first.holds().await;
    assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
}
