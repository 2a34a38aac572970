//! Tests of logins under attack, of passwords that are changed, and of the address that a client is known by.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use harness::admin::Admin;
use harness::planes::{Planes, chat};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};
use shared::drain::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::MissedTickBehavior;

use crate::support::{Bed, SOON, split, standalone, tell};

/// Posts `body` to `path` from the address `from`, with further `headers`, and returns the status and the whole answer.
async fn post_from(from: [u8; 4], to: SocketAddr, path: &str, headers: &str, body: &Value) -> (u16, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

async fn login_from(from: [u8; 4], to: SocketAddr, headers: &str, username: &str, password: &str) -> (u16, String) {
    post_from(from, to, "/auth/login", headers, &json!({ "username": username, "password": password })).await
}

fn retry_after(answer: &str) -> u64 {
    let header = answer.lines().find_map(|line| line.to_lowercase().strip_prefix("retry-after: ").map(str::to_owned));
    header.expect("a Retry-After").trim().parse().unwrap()
}

/// A login that may be told that the server is busy is tried again.
async fn decided(from: [u8; 4], to: SocketAddr, headers: &str, username: &str, password: &str) -> (u16, String) {
    wait::until_async("the login is decided", SOON, async || {
        Some(login_from(from, to, headers, username, password).await).filter(|(status, _)| *status != 503)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_try_many_accounts() {
    let planes = standalone().start().await.unwrap();
    let http = planes.control.http;
    let mut tried = 0;
    for number in 0..40 {
        let (status, answer) = decided([127, 0, 0, 9], http, "", &format!("user-{number}"), "wrong").await;
        match status {
            401 => tried += 1,
            429 => assert!((1..=60).contains(&retry_after(&answer)), "{answer}"),
            _ => panic!("{answer}"),
        }
    }
    // A slow machine gives some time in which further ones are let through.
    assert!((20..=35).contains(&tried), "{tried}");
    let elsewhere = decided([127, 0, 0, 10], http, "", "admin", &planes.password).await;
    assert_eq!(elsewhere.0, 200, "another address: {}", elsewhere.1);
}

/// Promise 31 in `docs/PROMISES.md`, for an attack that comes from many addresses.
#[tokio::test(flavor = "multi_thread")]
async fn p31_many_addresses_cannot_try_one_account_nor_shut_out_its_owner() {
    let planes = standalone().start().await.unwrap();
    let http = planes.control.http;
    let mut refused = 0;
    for number in 20..80 {
        let (status, answer) = decided([127, 0, 1, number], http, "", "admin", "wrong").await;
        match status {
            401 => {}
            429 => {
                refused += 1;
                assert!((1..=60).contains(&retry_after(&answer)), "{answer}");
            }
            _ => panic!("{answer}"),
        }
    }
    assert!(refused >= 20, "{refused}");
    // The owner has logged in from this address before, which is how the test got its password checked.
    let (status, answer) = decided([127, 0, 0, 1], http, "", "admin", &planes.password).await;
    assert_eq!(status, 200, "{answer}");
    // Elsewhere a login that stands is good for another one.
    let bearer = format!("authorization: Bearer {}\r\n", planes.admin.token());
    let (status, answer) = decided([127, 0, 1, 200], http, &bearer, "admin", &planes.password).await;
    assert_eq!(status, 200, "{answer}");
    // And somebody who is known nowhere is let through after the time that they are told.
    let let_in = wait::until_async("a login is let through", Duration::from_mins(1), async || {
        let (status, _) = login_from([127, 0, 1, 201], http, "", "admin", &planes.password).await;
        (status == 200).then_some(())
    });
    let_in.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_known_after_a_restart_too() {
    let mut planes = standalone().start().await.unwrap();
    planes.control.stop(SOON).await.unwrap();
    planes.control.start().await.unwrap();
    let http = planes.control.http;
    for number in 20..60 {
        decided([127, 0, 1, number], http, "", "admin", "wrong").await;
    }
    let (status, answer) = decided([127, 0, 1, 222], http, "", "admin", &planes.password).await;
    assert_eq!(status, 429, "{answer}");
    let (status, answer) = decided([127, 0, 0, 1], http, "", "admin", &planes.password).await;
    assert_eq!(status, 200, "{answer}");
}

/// The address that the audit log has of the latest login.
async fn audited(planes: &Planes) -> Value {
    planes.admin.get("/admin/audit?limit=1").await.unwrap()["items"][0]["clientIp"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_proxies_decide_the_address_for_log_throttle_audit_and_ledger() {
    let bed = Bed::start(standalone().set("Server:TrustedProxies", "127.0.7.0/24, 10.0.0.0/8")).await.unwrap();
    let (http, password) = (bed.planes.control.http, bed.planes.password.as_str());
    let (proxy, stranger) = ([127, 0, 7, 1], [127, 0, 8, 1]);
    for (from, header, seen) in [
        (proxy, "x-forwarded-for: 198.51.100.9, 203.0.113.7, 10.1.1.1\r\n", "203.0.113.7"),
        (proxy, "forwarded: for=\"[2001:db8::7]:4711\";proto=https\r\n", "2001:db8::7"),
        (proxy, "", "127.0.7.1"),
        (stranger, "x-forwarded-for: 203.0.113.7\r\n", "127.0.8.1"),
    ] {
        let (status, answer) = decided(from, http, header, "admin", password).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(audited(&bed.planes).await, seen, "{header}");
        let log = bed.planes.control.process().unwrap().log();
        assert!(log.contains(&format!("\"client_ip\":\"{seen}\"")), "{header}");
    }
    // Clients of one proxy are told apart, and a client cannot get around its own limit.
    for attempt in 0..5 {
        let header = format!("x-forwarded-for: 198.51.100.{attempt}, 203.0.113.8\r\n");
        assert_eq!(decided(proxy, http, &header, "admin", "wrong").await.0, 401);
    }
    assert_eq!(decided(proxy, http, "x-forwarded-for: 198.51.100.9, 203.0.113.8\r\n", "admin", password).await.0, 429);
    assert_eq!(decided(proxy, http, "x-forwarded-for: 203.0.113.9\r\n", "admin", password).await.0, 200);
    let headers = format!("authorization: Bearer {}\r\nx-forwarded-for: 203.0.113.77\r\n", bed.key.value);
    let (status, answer) = post_from(proxy, http, "/v1/chat/completions", &headers, &chat("gpt-4o", false)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(bed.chat_records(1).await.unwrap()[0]["clientIp"], "203.0.113.77");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_of_its_own_believes_its_trusted_proxies_too() {
    let bed = Bed::start(split(1).set("Server:TrustedProxies", "127.0.7.1")).await.unwrap();
    for (from, seen) in [([127, 0, 7, 1], "203.0.113.77"), ([127, 0, 7, 2], "127.0.7.2")] {
        let headers = format!("authorization: Bearer {}\r\nx-forwarded-for: 203.0.113.77\r\n", bed.key.value);
        let http = bed.planes.api().http;
        let (status, answer) = post_from(from, http, "/v1/chat/completions", &headers, &chat("gpt-4o", false)).await;
        assert_eq!(status, 200, "{answer}");
        let recorded = wait::until_async("the record is there", SOON, async || {
            let records = crate::support::ledger(&bed.planes).await.ok()?;
            records.iter().any(|record| record["clientIp"] == seen).then_some(())
        });
        recorded.await.unwrap_or_else(|_| panic!("{seen}"));
    }
}

/// The delays of `count` chat requests, one every 10 ms, sorted. Each is measured from when it was due: what waits
/// behind a slow request is late, too.
async fn delays(bed: &Bed, count: usize) -> Vec<Duration> {
    let mut delays = Vec::with_capacity(count);
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..count {
        let due = ticks.tick().await;
        let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        delays.push(due.elapsed());
    }
    delays.sort_unstable();
    delays
}

/// Sixteen attackers at sixteen addresses try passwords, far more than are checked. It is not a benchmark, and other
/// tests run beside it: it asserts that chat goes on and that the attackers get little done. The figure is measured by
/// the ignored test below it.
#[tokio::test(flavor = "multi_thread")]
async fn sixteen_attackers_at_the_login_get_little_done_and_chat_goes_on() {
    let bed = Bed::start(standalone()).await.unwrap();
    let (answers, _) = under_attack(&bed, 50).await;
    let checked = answers.iter().filter(|status| **status == 401).count();
    assert!(checked <= 500, "{checked} passwords were tried");
    assert!(answers.iter().all(|status| matches!(status, 401 | 429 | 503)), "{answers:?}");
    let (status, answer) = decided([127, 0, 0, 1], bed.planes.control.http, "", "admin", &bed.planes.password).await;
    assert_eq!(status, 200, "{answer}");
}

/// The statuses that sixteen attackers got while `count` chat requests were made, and the delays of these. The
/// attackers have a thread of their own, so that the requests that are measured do not wait for them in this process.
/// Each tries a password every 10 ms, or as soon as it is answered: more would measure how the attackers use up the
/// machine.
async fn under_attack(bed: &Bed, count: usize) -> (Vec<u16>, Vec<Duration>) {
    let http = bed.planes.control.http;
    // The attack goes on while this is held, and so ends with a test that fails, too.
    let going_on = Arc::new(());
    let held = Arc::downgrade(&going_on);
    let attack = Tasks::new().spawn_blocking(move || {
        let attackers = (1..=16).map(|number| {
            let held = &held;
            async move {
                let mut answers = Vec::new();
                let mut ticks = tokio::time::interval(Duration::from_millis(10));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while held.strong_count() > 0 {
                    ticks.tick().await;
                    let username = format!("user-{}", answers.len() % 50);
                    answers.push(login_from([127, 0, 2, number], http, "", &username, "wrong").await.0);
                }
                answers
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(join_all(attackers)).concat()
    });
    let delays = delays(bed, count).await;
    drop(going_on);
    (attack.await.unwrap(), delays)
}

/// How many requests each figure is of.
const MEASURED: usize = 2_000;

/// Prints the 99th percentile of the delay of chat without and with sixteen attackers at the login, and how much of the
/// processors this test has used itself. It is for a release build, and a machine that does nothing else:
/// `cargo test --release --test it -- --ignored sixteen_attackers_move`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a figure, for a release build on a machine that does nothing else"]
async fn sixteen_attackers_move_the_p99_of_chat_by_less_than_ten_milliseconds() {
    let debug = cfg!(debug_assertions);
    assert!(!debug, "a debug build gives no figure: add --release");
    let bed = Bed::start(standalone()).await.unwrap();
    let p50 = |delays: &[Duration]| delays[delays.len() / 2];
    let p99 = |delays: &[Duration]| delays[delays.len() * 99 / 100];
    delays(&bed, 200).await;
    let calm = delays(&bed, MEASURED).await;
    let used = || {
        let program = bed.planes.control.process().unwrap().cpu_ticks().unwrap();
        [harness::process::cpu_ticks(std::process::id()).unwrap(), program]
    };
    let (before, started) = (used(), Instant::now());
    let (answers, attacked) = under_attack(&bed, MEASURED).await;
    let (after, took) = (used(), started.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let share = |at: usize| (after[at] - before[at]) as f64 / harness::process::ticks_per_second() as f64 / took;
    let moved = p99(&attacked).saturating_sub(p99(&calm));
    let count = |wanted: u16| answers.iter().filter(|status| **status == wanted).count();
    let told = format!(
        "p99 {:?} without and {:?} with attackers, p50 {:?} and {:?}; {} checked, {} refused, {} told to wait; \
         processors used: {:.2} by the test, {:.2} by the program",
        p99(&calm),
        p99(&attacked),
        p50(&calm),
        p50(&attacked),
        count(401),
        count(429),
        count(503),
        share(0),
        share(1)
    );
    tell(&told);
    assert!(count(401) >= 16, "the attackers were hardly heard: {told}");
    assert!(moved < Duration::from_millis(10), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_over_the_api_and_ends_the_other_logins() {
    let planes = standalone().start().await.unwrap();
    let other = Admin::login(planes.control.http, "admin", &planes.password).await.unwrap();
    let body = json!({ "currentPassword": planes.password, "newPassword": "a password that people chose" });
    let changed = planes.admin.send(Method::POST, "/auth/change-password", &body).await.unwrap();
    assert_eq!(changed.status, 204, "{}", changed.text());
    assert!(planes.admin.get("/admin/status").await.is_ok());
    assert_eq!(other.send(Method::GET, "/admin/status", &Value::Null).await.unwrap().status, 401);
    assert!(Admin::login(planes.control.http, "admin", "a password that people chose").await.is_ok());
    assert!(Admin::login(planes.control.http, "admin", &planes.password).await.is_err());
}
