//! Tests of a node that is asked for more than it can do: promise 13 in `docs/PROMISES.md`.

use std::time::{Duration, Instant};

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::flood::Flood;
use harness::planes::chat;
use harness::wait;
use serde_json::json;

use crate::support::{Bed, split};

/// How long the provider takes.
const ANSWER: Duration = Duration::from_millis(400);

/// How many requests the node works on at once, so that it can do 50 in a second.
const MOST: u32 = 20;

/// Promise 13 in `docs/PROMISES.md`: with ten times as many requests as the node can do, what it accepts takes at most
/// twice as long as always, what it refuses says when to come back, memory stays small, and all is well at once when
/// the flood is over. Who does not flood notices nothing of it. Scaled to 8 s at 500 requests a second; of the times of
/// refusals the middle one is held to the 50 ms, since a machine that runs all tests at once is late by itself.
#[tokio::test(flavor = "multi_thread")]
async fn p13_ten_times_the_capacity_is_refused_at_once_and_another_key_is_served_all_the_while() {
    let bed = Bed::start(split(1).set("Limits:MaxRequestsInFlight", MOST)).await.unwrap();
    let other = bed.planes.admin.create_key(&json!({ "name": "another" })).await.unwrap();
    bed.planes.knows(&other).await.unwrap();
    bed.provider.always(Target::All, Script::new().head_delay(ANSWER));
    let flood = |key: &str, rate, seconds| Flood {
        address: bed.planes.api().http,
        key: key.to_owned(),
        body: chat("gpt-4o", false),
        rate,
        seconds,
    };
    let normal = flood(&bed.key.value, 20, 2).send().await.unwrap();
    assert_eq!((normal.count(200), normal.failures.as_slice()), (40, &[][..]));

    let (flooded, others) = tokio::join!(flood(&bed.key.value, 500, 8).send(), flood(&other.value, 5, 8).send());
    let (flooded, others) = (flooded.unwrap(), others.unwrap());
    let over = Instant::now();
    assert_eq!(flooded.failures, [""; 0]);
    assert_eq!(flooded.count(200) + flooded.count(503), 4_000, "{:?}", flooded.took.keys());
    assert_eq!(flooded.without_retry_after, 0);
    assert!(flooded.count(200) >= 200, "{} of 400 that it could do were done", flooded.count(200));
    let (slowest, refused) = (flooded.within(200, 99), flooded.within(503, 50));
    assert!(slowest <= normal.within(200, 99) * 2, "{slowest:?}");
    assert!(refused <= Duration::from_millis(50), "{refused:?}");
    assert_eq!((others.count(200), others.failures.as_slice()), (40, &[][..]), "{:?}", others.took.keys());

    let within = Duration::from_secs(5);
    wait::until_async("all is normal", within, async || {
        let again = flood(&bed.key.value, 10, 1).send().await.ok()?;
        (again.count(200) == 10 && again.within(200, 99) <= normal.within(200, 99) * 2).then_some(())
    })
    .await
    .unwrap();
    assert!(over.elapsed() <= within);
    let peak = bed.planes.api().process().unwrap().peak_resident_bytes().unwrap();
    assert!(peak < 512 * 1024 * 1024, "{peak} bytes at the peak");
}
