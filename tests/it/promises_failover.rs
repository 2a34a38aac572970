//! Tests of failover with three nodes: promises 4, 5, 6, 8 and 9 in `docs/PROMISES.md`.

use std::time::{Duration, Instant};

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use futures_util::future::join_all;
use harness::admin::Key;
use harness::http::{Answer, Connection};
use harness::planes::{Planes, Program, Setup, chat, chat_request, group};
use harness::wait;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Value, json};
use shared::time::now_ms;

use crate::support::{SOON, case_key, provider, split};

/// Three nodes with a group for each of these providers, each with so many keys, and with these fields. The first
/// provider is asked first.
async fn three_nodes(setup: Setup, groups: &[(&FakeProvider, usize)], fields: &Value) -> (Planes, Key) {
    let planes = setup.start().await.unwrap();
    for (position, (provider, keys)) in groups.iter().enumerate() {
        let keys: Vec<String> = (0..*keys).map(|key| format!("sk-upstream-{position}-{key:04}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut body = group(&format!("group-{position}"), &provider.base_url(), &keys, &["gpt-4o"]);
        body["priority"] = json!(-i64::try_from(position).unwrap());
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        planes.admin.create_group(&body).await.unwrap();
    }
    let key = planes.admin.create_key(&json!({ "name": "failover" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    (planes, key)
}

async fn ask(node: &Program, key: &Key) -> Answer {
    node.chat(&key.value, &chat("gpt-4o", false)).await.unwrap()
}

/// How many requests each of the steps allows that a breaker has gone through since it `opened`: one for each pause of
/// 1, 2, 4 and then 8 seconds.
fn probes(opened: Instant) -> u64 {
    let seconds = opened.elapsed().as_secs();
    [1, 3, 7, 15, 23, 31].iter().filter(|step| seconds >= **step).count() as u64
}

/// Promise 4 in `docs/PROMISES.md`: a provider that is dead is out at each node after five failures at most, each step
/// of the pause sends one probe, while all is out the answer is 503 within 50 ms, and it is back within 10 s of its
/// recovery. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p04_a_dead_provider_is_out_after_five_failures_on_each_of_three_nodes_and_back_within_ten_seconds() {
    let dead = provider().await;
    let (planes, key) = three_nodes(split(3), &[(&dead, 1)], &json!({ "queueTimeoutMs": 0 })).await;
    dead.always(Target::All, Script::new().cut(Cut::BeforeHead));
    let began = Instant::now();
    let mut quick = 0;
    for node in &planes.nodes {
        let before = dead.journal().total();
        let opened = Instant::now();
        for _ in 0..60 {
            let (sent, asked) = (dead.journal().total(), Instant::now());
            let answer = ask(node, &key).await;
            let took = asked.elapsed();
            if dead.journal().total() == sent {
                assert_eq!(answer.status, 503, "{}", answer.text());
                assert!(took < Duration::from_millis(50), "{took:?}");
                quick += 1;
            }
        }
        let failed = dead.journal().total() - before;
        assert!(failed <= 5 + probes(opened), "{failed} requests of one node to a provider that is dead");
    }
    assert!(quick > 150, "{quick}");
    let failed = dead.journal().total();
    assert!(failed <= 3 * (5 + probes(began)), "{failed}");

    dead.clear_scripts();
    let recovered = Instant::now();
    for node in &planes.nodes {
        wait::until_async("the provider is back", SOON, async || (ask(node, &key).await.status == 200).then_some(()))
            .await
            .unwrap();
        assert!(recovered.elapsed() < Duration::from_secs(10), "{:?}", recovered.elapsed());
    }
}

/// Promise 5 in `docs/PROMISES.md`: a provider half of whose answers are 503 is tripped within 20 requests, whichever
/// half comes first, and a 429 in answer to a probe keeps it shut. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p05_a_brownout_trips_within_twenty_requests_on_each_of_three_nodes_and_a_429_to_a_probe_keeps_it_shut() {
    let (brown, well) = (provider().await, provider().await);
    let (planes, key) = three_nodes(split(3), &[(&brown, 4), (&well, 1)], &json!({ "retryCount": 1 })).await;
    for (number, node) in planes.nodes.iter().enumerate() {
        brown.clear_scripts();
        for request in 0..60 {
            let failing = (request + number) % 2 == 0;
            brown.script(Target::All, if failing { Script::error(503) } else { Script::new() });
        }
        let before = brown.journal().total();
        let mut asked = 0;
        while asked < 60 {
            let (sent, tried) = (well.journal().total(), brown.journal().total());
            assert_eq!(ask(node, &key).await.status, 200, "the other provider answers");
            asked += 1;
            if brown.journal().total() == tried && well.journal().total() > sent {
                break;
            }
        }
        let tried = brown.journal().total() - before;
        assert!(tried <= 20, "{tried} requests of a node until it is tripped");

        // The first probe gets a 429, which says nothing of the other keys. It stays shut all the same.
        brown.clear_scripts();
        brown.always(Target::All, Script::error(429).header("retry-after", "1"));
        let before = brown.journal().total();
        wait::until_async("the probe is sent", SOON, async || {
            assert_eq!(ask(node, &key).await.status, 200);
            (brown.journal().total() > before).then_some(())
        })
        .await
        .unwrap();
        let (probed, at) = (Instant::now(), brown.journal().total());
        while probed.elapsed() < Duration::from_millis(900) {
            assert_eq!(ask(node, &key).await.status, 200);
        }
        assert_eq!(brown.journal().total(), at, "nothing is sent behind the probe");
    }
}

/// Promise 6 in `docs/PROMISES.md`: if no first byte comes within the timeout, the fallback answers 0.5 s later at the
/// latest, on each of three nodes. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p06_the_fallback_answers_half_a_second_after_the_timeout_on_each_of_three_nodes() {
    let (silent, well) = (provider().await, provider().await);
    let (planes, key) = three_nodes(split(3), &[(&silent, 1), (&well, 1)], &json!({ "timeout": 1 })).await;
    silent.always(Target::All, Script::new().head_delay(Duration::from_hours(1)));
    for node in &planes.nodes {
        for stream in [false, true] {
            let began = Instant::now();
            let answer = node.chat(&key.value, &chat("gpt-4o", stream)).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            let took = began.elapsed();
            assert!(took >= Duration::from_secs(1) && took < Duration::from_millis(1_500), "{took:?}");
        }
    }
}

/// Promise 8 in `docs/PROMISES.md`: while all answers are 503, the load of the providers is at most 1.2 times that of
/// the clients and 10 requests a second, and the answers say `x-should-retry: false` once the retries are spent.
/// Breakers are off, which would spare the providers more. Scaled to 12 s at 150 requests a second.
#[tokio::test(flavor = "multi_thread")]
async fn p08_three_nodes_together_keep_retries_within_a_fifth_of_the_load() {
    let (first, second) = (provider().await, provider().await);
    let setup = split(3).set("Node:BreakerFailures", 0);
    let (planes, key) = three_nodes(setup, &[(&first, 3), (&second, 3)], &json!({})).await;
    for provider in [&first, &second] {
        provider.always(Target::All, Script::error(503));
    }
    let began = Instant::now();
    let clients = planes.nodes.iter().flat_map(|node| [node.http; 10]).map(async |address| {
        let mut connection = Connection::to(address);
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        let (mut sent, mut told) = (0_u64, 0_u64);
        while began.elapsed() < Duration::from_secs(12) {
            tick.tick().await;
            let answer = connection.fetch(chat_request(&key.value, &chat("gpt-4o", false)).unwrap()).await.unwrap();
            assert_eq!(answer.status, 503, "{}", answer.text());
            sent += 1;
            told += u64::from(answer.header("x-should-retry") == "false");
        }
        (sent, told)
    });
    let counts = join_all(clients).await;
    let (sent, told) = counts.iter().fold((0, 0), |(sent, told), one| (sent + one.0, told + one.1));
    let seconds = began.elapsed().as_secs() + 1;
    let upstream = first.journal().total() + second.journal().total();
    assert!(
        upstream * 5 <= sent * 6 + 50 * seconds,
        "{upstream} requests upstream for {sent} of clients in {seconds} s"
    );
    assert!(
        upstream > sent && told > sent / 4,
        "{upstream} upstream for {sent}, of which {told} may not be sent again"
    );
}

/// A form of a pause: headers, the body if it is not the usual one, and the seconds that it stands for; none where it
/// states no pause, and the guess of 5 s counts.
type Form = (&'static str, Vec<(&'static str, String)>, Option<&'static str>, Option<i64>);

fn forms() -> Vec<Form> {
    let date = |seconds: i64| {
        let at = Timestamp::from_millisecond(now_ms() + seconds * 1_000).unwrap();
        rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap()
    };
    let reset = Timestamp::from_millisecond(now_ms() + 50_000).unwrap().to_string();
    let retry = |value: &str| vec![("retry-after", value.to_owned())];
    vec![
        ("seconds", retry("40"), None, Some(40)),
        ("milliseconds", vec![("retry-after-ms", "45000".to_owned())], None, Some(45)),
        ("a date", vec![("retry-after", date(60))], None, Some(60)),
        ("a date that is past", vec![("retry-after", date(-60))], None, None),
        ("below nothing", retry("-1"), None, None),
        ("for ever", retry("1e9"), None, Some(120)),
        ("garbage", retry("soon"), None, None),
        ("anthropic's reset", vec![("anthropic-ratelimit-tokens-reset", reset)], None, Some(50)),
        (
            "openai's window",
            vec![
                ("x-ratelimit-remaining-requests", "0".to_owned()),
                ("x-ratelimit-reset-requests", "1m10s".to_owned()),
            ],
            None,
            Some(70),
        ),
        ("words", vec![], Some("Rate limit reached. Please try again in 80s."), Some(80)),
    ]
}

/// Promise 9 in `docs/PROMISES.md`: each form of a pause has the key rest for the right time, 120 s at most, on each of
/// three nodes, whichever of them has got it; and a spent quota is an hour where nobody says more. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p09_each_form_of_a_pause_rests_the_key_as_long_on_each_of_three_nodes() {
    let provider = provider().await;
    let planes = split(3).start().await.unwrap();
    let forms = forms();
    for (number, (name, ..)) in forms.iter().enumerate() {
        let body = group(name, &provider.base_url(), &[&case_key(number)], &[&format!("model-{number}")]);
        planes.admin.create_group(&body).await.unwrap();
    }
    let key = planes.admin.create_key(&json!({ "name": "pauses" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let nodes = planes.admin.get("/admin/nodes").await.unwrap();
    for (number, (name, headers, words, pause)) in forms.iter().enumerate() {
        let mut script = headers.iter().fold(Script::error(429), |script, (name, value)| script.header(name, value));
        let words = words.unwrap_or("Too many requests.");
        script.error = Some(json!({ "message": words, "type": "tokens" }));
        provider.always(Target::Key(case_key(number)), script);
        let node = &planes.nodes[number % 3];
        let answer = node.chat(&key.value, &chat(&format!("model-{number}"), false)).await.unwrap();
        assert_eq!(answer.status, 429, "{name}: {}", answer.text());
        let until = now_ms() + pause.unwrap_or(5) * 1_000;
        for node in nodes["items"].as_array().unwrap() {
            let node = node["id"].as_str().unwrap();
            let path = format!("/admin/explain?model=model-{number}&key={}&node={node}", key.id);
            let told = wait::until_async("the node knows of the pause", SOON, async || {
                let plan = planes.admin.get(&path).await.ok()?;
                let skipped = plan["skipped"].as_array()?.iter().find(|skipped| skipped["reason"] == "cooling")?;
                skipped["until"].as_i64()
            });
            let told = told.await.unwrap_or_else(|error| panic!("{name} at {node}: {error}"));
            assert!((told - until).abs() < 2_000, "{name} at {node}: {} ms apart", told - until);
        }
    }
}
