//! Conversations stay at one upstream key, and what fails is left alone and comes back.

use std::collections::{BTreeMap, BTreeSet};

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::planes::{Program, group};
use harness::wait;
use serde_json::{Value, json};

use crate::support::{SOON, provider, split};

/// A conversation after so many turns of the user.
fn conversation(number: usize, turns: usize) -> Value {
    let mut messages = vec![json!({ "role": "system", "content": "Answer in one word." })];
    for turn in 0..turns {
        messages.push(json!({ "role": "user", "content": format!("question {turn} of conversation {number}") }));
        messages.push(json!({ "role": "assistant", "content": "yes" }));
    }
    messages.pop();
    json!({ "model": "gpt-4o", "messages": messages })
}

/// The upstream key that answers `body` at `node`.
async fn key_of(node: &Program, provider: &FakeProvider, key: &str, body: &Value) -> String {
    assert_eq!(node.chat(key, body).await.unwrap().status, 200);
    provider.journal().last().unwrap().key().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_stays_at_its_key_on_every_node_and_comes_home() {
    let planes = split(3).start().await.unwrap();
    let provider = provider().await;
    let keys = ["sk-upstream-0001", "sk-upstream-0002", "sk-upstream-0003", "sk-upstream-0004"];
    let mut body = group("pool", &provider.base_url(), &keys, &["gpt-4o"]);
    body["affinity"] = json!(true);
    body["balancePolicy"] = json!("round_robin");
    planes.admin.create_group(&body).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "talks" })).await.unwrap();
    planes.knows(&key).await.unwrap();

    let mut homes = BTreeMap::new();
    for number in 0..16 {
        let home = key_of(&planes.nodes[0], &provider, &key.value, &conversation(number, 1)).await;
        for (turns, node) in planes.nodes.iter().enumerate() {
            let used = key_of(node, &provider, &key.value, &conversation(number, turns + 2)).await;
            assert_eq!(used, home, "conversation {number}, turn {}", turns + 2);
        }
        homes.insert(number, home);
    }
    assert!(homes.values().collect::<BTreeSet<_>>().len() > 1, "conversations are spread: {homes:?}");

    // A key that has to rest: its conversations go elsewhere, and those of others stay where they are.
    let resting = homes[&0].clone();
    let pause = Script::error(429).header("retry-after", "2");
    provider.script(Target::Key(resting.clone()), pause);
    for (number, home) in &homes {
        let used = key_of(&planes.nodes[0], &provider, &key.value, &conversation(*number, 5)).await;
        assert_eq!(used == *home, *home != resting, "conversation {number} of {home} went to {used}");
    }
    wait::until_async("the conversation comes home", SOON, async || {
        let used = key_of(&planes.nodes[0], &provider, &key.value, &conversation(0, 6)).await;
        (used == resting).then_some(())
    })
    .await
    .unwrap();
}

/// Promise 4 in `docs/PROMISES.md`.
#[tokio::test(flavor = "multi_thread")]
async fn p04_a_provider_that_fails_is_left_alone_after_five_failures_and_is_back_soon() {
    let planes = split(1).start().await.unwrap();
    let (first, second) = (provider().await, provider().await);
    for (name, provider, priority) in [("first", &first, 10), ("second", &second, 0)] {
        let mut body = group(name, &provider.base_url(), &["sk-upstream-0001"], &["gpt-4o"]);
        body["priority"] = json!(priority);
        planes.admin.create_group(&body).await.unwrap();
    }
    let key = planes.admin.create_key(&json!({ "name": "fails" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let node = &planes.nodes[0];
    let asks = async || node.chat(&key.value, &conversation(0, 1)).await.unwrap().status;
    assert_eq!(asks().await, 200);
    let before = first.journal().total();

    first.always(Target::All, Script::error(503));
    let began = std::time::Instant::now();
    for _ in 0..40 {
        assert_eq!(asks().await, 200, "the other group answers");
    }
    let failed = first.journal().total() - before;
    // One test for each step of the pause: after 1, 3 and 7 seconds.
    let tests = [1, 3, 7, 15].iter().filter(|second| began.elapsed().as_secs() >= **second).count();
    assert!(failed <= 5 + tests as u64, "{failed} requests to a provider that fails");

    first.clear_scripts();
    wait::until_async("the first group serves again", SOON, async || {
        let answers = second.journal().total();
        assert_eq!(asks().await, 200);
        (second.journal().total() == answers).then_some(())
    })
    .await
    .unwrap();
}
