//! Tests of which way requests take, and of what answers, traces and plans tell about it.

use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::planes::{chat, group};
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{SOON, chat_records, provider, split, standalone};

/// An upstream key of the group that is asked first.
const FIRST: &str = "sk-upstream-first-0001";

/// An upstream key of the group that is asked behind it.
const SECOND: &str = "sk-upstream-second-0002";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_and_its_trace_tell_the_way_of_the_request() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut first = group("first", &provider.base_url(), &[FIRST], &["gpt-4o"]);
    (first["priority"], first["affinity"]) = (json!(9), json!(true));
    planes.admin.create_group(&first).await.unwrap();
    let second = group("zweite Größe", &provider.base_url(), &[SECOND], &["gpt-4o"]);
    let second = planes.admin.create_group(&second).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "ways" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.always(Target::Key(FIRST.to_owned()), Script::error(503));

    for stream in [false, true] {
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", stream)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-orchestration-attempts"), "2");
        assert_eq!(answer.headers["x-orchestration-group"].as_bytes(), "zweite Größe".as_bytes());
        assert_eq!(answer.header("x-orchestration-model"), "gpt-4o");
        let id = answer.header("x-request-id").to_owned();
        let trace = harness::wait::until_async("the trace is there", SOON, async || {
            planes.admin.get(&format!("/admin/requests/{id}/trace")).await.ok()
        });
        let trace = trace.await.unwrap();
        assert_eq!((&trace["requestId"], &trace["status"]), (&json!(id), &json!(200)));
        assert_eq!((&trace["groupPolicy"], &trace["outcome"]), (&json!("failover"), &json!("success")));
        assert_eq!(trace["affinity"], "soft_miss", "its home has failed");
        assert!(trace["snapshotVersion"].as_i64() > Some(0));
        let attempts = trace["attempts"].as_array().unwrap();
        let told = |name: &str| attempts.iter().map(|attempt| attempt[name].clone()).collect::<Vec<Value>>();
        assert_eq!(told("status"), [json!(503), json!(200)]);
        assert_eq!(told("groupName"), [json!("first"), json!("zweite Größe")]);
        assert_eq!(told("upstreamModel"), [json!("gpt-4o"), json!("gpt-4o")]);
        assert_eq!(attempts[1]["groupId"], json!(second));
        assert_ne!(attempts[0]["error"], "");
        assert!(attempts[1]["startedUs"].as_i64() >= attempts[0]["startedUs"].as_i64());
        assert!(!trace.to_string().contains(FIRST), "an upstream key is masked: {trace}");
        assert!(
            told("upstreamKeyMasked").iter().all(|masked| masked.as_str().is_some_and(|text| text.contains("****")))
        );
    }
    let scrape = planes.api().scrape().await.unwrap();
    let line = |kind: &str| format!("routed_requests_total{{affinity=\"{kind}\"}}");
    assert!(scrape.text().contains(&line("soft_hit")) && scrape.text().contains(&line("hard")));

    let unknown = planes.admin.send(Method::GET, "/admin/requests/none/trace", &Value::Null).await.unwrap();
    assert_eq!(unknown.status, 404, "{}", unknown.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_tells_its_way_too_and_a_refusal_has_none() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    planes.admin.create_group(&group("only", &provider.base_url(), &[FIRST], &["gpt-4o"])).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "ways" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.always(Target::All, Script::error(400));
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!((answer.status, answer.header("x-orchestration-attempts")), (400, "1"));
    assert_eq!(answer.header("x-orchestration-group"), "only");
    let answer = planes.api().chat(&key.value, &chat("unknown", false)).await.unwrap();
    assert_eq!((answer.status, answer.header("x-orchestration-attempts")), (404, ""));
    let records = chat_records(&planes, 2, SOON).await.unwrap();
    assert_eq!((&records[0]["groupPolicy"], &records[0]["affinity"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_may_keep_the_way_to_itself() {
    let provider = provider().await;
    let planes = standalone().set("Node:RouteHeaders", false).start().await.unwrap();
    let key = planes.serve(&provider.base_url(), &["gpt-4o"]).await.unwrap();
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    for name in ["x-orchestration-attempts", "x-orchestration-group", "x-orchestration-model"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_explained_as_a_node_would_make_it() {
    let provider = provider().await;
    let planes = split(2).start().await.unwrap();
    let mut first = group("first", &provider.base_url(), &[FIRST], &["gpt-4o"]);
    first["priority"] = json!(9);
    planes.admin.create_group(&first).await.unwrap();
    planes.admin.create_group(&group("second", &provider.base_url(), &[SECOND], &["gpt-4o"])).await.unwrap();
    let other = group("other", &provider.base_url(), &["sk-upstream-other-0003"], &["gpt-4o-mini"]);
    planes.admin.create_group(&other).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "plans" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let path = format!("/admin/explain?model=gpt-4o&key={}", key.id);
    let plan = planes.admin.get(&path).await.unwrap();
    let names = |plan: &Value, of: &str| -> Vec<String> {
        let listed = plan[of].as_array().unwrap().iter();
        listed.map(|entry| format!("{} {}", entry["groupName"].as_str().unwrap(), entry["reason"])).collect()
    };
    assert_eq!(names(&plan, "candidates"), ["first null", "second null"]);
    assert_eq!(names(&plan, "skipped"), ["other \"model_not_served\""]);
    assert_eq!(plan["groupPolicy"], "failover");
    assert!(!plan.to_string().contains(FIRST), "upstream keys are masked: {plan}");

    // A key that has to rest is left out, at the node that is asked for by its id.
    provider.script(Target::Key(FIRST.to_owned()), Script::error(429).header("retry-after", "60"));
    assert_eq!(planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap().status, 200);
    for node in planes.admin.get("/admin/nodes").await.unwrap()["items"].as_array().unwrap() {
        let id = node["id"].as_str().unwrap();
        let out = harness::wait::until_async("the node knows of the pause", SOON, async || {
            let plan = planes.admin.get(&format!("{path}&node={id}")).await.ok()?;
            (names(&plan, "candidates") == ["second null"]).then_some(plan)
        });
        let plan = out.await.unwrap();
        assert_eq!(plan["nodeId"], id);
        let skipped = plan["skipped"].as_array().unwrap();
        let cooling = skipped.iter().find(|skip| skip["groupName"] == "first").unwrap();
        assert_eq!(cooling["reason"], "cooling");
        assert!(cooling["until"].as_i64() > Some(1_700_000_000_000), "{cooling}");
    }

    let status = async |path: &str| planes.admin.send(Method::GET, path, &Value::Null).await.unwrap();
    assert_eq!(status("/admin/explain?model=gpt-4o&key=none").await.status, 404);
    assert_eq!(status("/admin/explain").await.status, 400);
    let away = status(&format!("{path}&node=none")).await;
    assert_eq!((away.status, &away.json()["type"]), (503, &json!("urn:orchestration-api:no-node")), "{}", away.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_group_is_asked_first_and_tokens_from_the_cache_count() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    // 0.80 dollars in, cached or not, and 4 out; 1 in, 0.05 from the cache, and 5 out; and a relay of unknown price.
    for (name, provider_type, upstream_key, model) in [
        ("relay", "openai_compatible", "sk-upstream-relay-0003", "gpt-5-nano"),
        ("terra", "openai", SECOND, "gpt-6.1-terra"),
        ("groq", "groq", FIRST, "qwen/qwen3.8-27b"),
    ] {
        let mut group = group(name, &provider.base_url(), &[upstream_key], &[model]);
        group["providerType"] = json!(provider_type);
        group["modelAliases"] = json!({ "thrifty": model });
        (group["priority"], group["affinity"]) = (json!(if name == "relay" { 9 } else { 0 }), json!(true));
        planes.admin.create_group(&group).await.unwrap();
    }
    let key = planes.admin.create_key(&json!({ "name": "thrift", "groupPolicy": "cost" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let shown = planes.admin.get(&format!("/admin/proxy-keys/{}", key.id)).await.unwrap();
    assert_eq!(shown["warnings"], json!([]), "the policy is in force");

    let plan = async || -> Vec<(String, Option<u64>)> {
        let plan = planes.admin.get(&format!("/admin/explain?model=thrifty&key={}", key.id)).await.unwrap();
        let candidates = plan["candidates"].as_array().unwrap().iter();
        let told = |one: &Value| (one["groupName"].as_str().unwrap().to_owned(), one["effectivePriceMicros"].as_u64());
        candidates.map(told).collect()
    };
    let priced = |name: &str, price: Option<u64>| (name.to_owned(), price);
    let unpriced = priced("relay", None);
    let cold = [priced("groq", Some(1_600_000)), priced("terra", Some(2_000_000)), unpriced.clone()];
    assert_eq!(plan().await, cold);
    let answer = planes.api().chat(&key.value, &chat("thrifty", false)).await.unwrap();
    assert_eq!((answer.status, answer.header("x-orchestration-group")), (200, "groq"));

    // The vendor that charges a twentieth for what comes from its cache reports that nine of ten tokens did.
    provider.script(Target::Key(SECOND.to_owned()), Script::saying("Hello").usage(100_000, 5).cached(90_000, 0));
    let answer = planes.api().chat(&key.value, &chat("terra/gpt-6.1-terra", false)).await.unwrap();
    assert_eq!((answer.status, answer.header("x-orchestration-group")), (200, "terra"));
    let warm = harness::wait::until_async("what was reported counts", SOON, async || {
        let plan = plan().await;
        (plan[0].0 == "terra").then_some(plan)
    });
    let expected = [priced("terra", Some(1_358_750)), priced("groq", Some(1_600_000)), unpriced];
    assert_eq!(warm.await.unwrap(), expected);
    let answer = planes.api().chat(&key.value, &chat("thrifty", false)).await.unwrap();
    assert_eq!((answer.status, answer.header("x-orchestration-group")), (200, "terra"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_explained_for_what_a_request_needs() {
    let provider = provider().await;
    let planes = split(1).start().await.unwrap();
    let mut first = group("first", &provider.base_url(), &[FIRST], &["gpt-4o"]);
    first["priority"] = json!(9);
    first["modelFacts"] = json!({"gpt-4o": {"vision": false, "context": 1000}});
    planes.admin.create_group(&first).await.unwrap();
    let mut second =
        group("second", &provider.base_url(), &[SECOND, "sk-upstream-second-0004"], &["gpt-4o", "gpt-4o-mini"]);
    second["affinity"] = json!(true);
    planes.admin.create_group(&second).await.unwrap();
    let chain = json!({"gpt-4o": ["gpt-none", "gpt-4o-mini"]});
    let key = json!({ "name": "needs", "modelFallbacks": chain, "fallbackOn": ["context_length"] });
    let key = planes.admin.create_key(&key).await.unwrap();
    planes.knows(&key).await.unwrap();
    let explained = async |query: &str| {
        planes.admin.get(&format!("/admin/explain?model=gpt-4o&key={}{query}", key.id)).await.unwrap()
    };
    let left_out = |plan: &Value| -> Vec<String> {
        let skipped = plan["skipped"].as_array().unwrap().iter();
        skipped.map(|entry| format!("{} {}", entry["groupName"], entry["reason"])).collect()
    };
    let plan = explained("").await;
    assert_eq!((left_out(&plan).len(), &plan["home"]), (0, &Value::Null), "{plan}");
    let served = json!([{"model": "gpt-none", "served": false}, {"model": "gpt-4o-mini", "served": true}]);
    assert_eq!((&plan["fallbacks"], &plan["fallbackOn"]), (&served, &json!(["context_length"])));
    assert_eq!(left_out(&explained("&needs=vision").await), ["\"first\" \"cannot\""]);
    assert_eq!(left_out(&explained("&needs=tools&inputTokens=1000").await).len(), 0);
    let plan = explained("&inputTokens=1001").await;
    assert_eq!(left_out(&plan), ["\"first\" \"no_room\""]);
    assert!(plan["skipped"][0]["detail"].as_str().unwrap().contains("1000 tokens"), "{plan}");
    // A session is at home at the same key each time, which is the first that is tried.
    let plan = explained("&inputTokens=1001&session=alice").await;
    assert_eq!(plan["home"], plan["candidates"][0]["upstreamKeyId"], "{plan}");
    assert_eq!(plan["home"], explained("&inputTokens=1001&session=alice").await["home"]);

    let path = format!("/admin/explain?model=gpt-4o&key={}&needs=wings&inputTokens=-1", key.id);
    let refused = planes.admin.send(Method::GET, &path, &Value::Null).await.unwrap();
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("needs") && refused.text().contains("inputTokens"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_for_errors_of_every_group_reach_the_nodes() {
    let provider = provider().await;
    let planes = split(1).start().await.unwrap();
    let mut first = group("first", &provider.base_url(), &[FIRST], &["gpt-4o"]);
    first["priority"] = json!(9);
    planes.admin.create_group(&first).await.unwrap();
    planes.admin.create_group(&group("second", &provider.base_url(), &[SECOND], &["gpt-4o"])).await.unwrap();
    let busy = json!({"error": {"message": "We are on holiday", "type": "invalid_request_error"}});
    provider.always(Target::Key(FIRST.to_owned()), Script::verbatim(400, "application/json", busy.to_string()));
    let key = planes.admin.create_key(&json!({ "name": "rules" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 400, "without a rule it is the client's fault");
    let rules = json!({"rules": [{"statuses": [400], "words": ["on holiday"], "step": "next_group"}]});
    let put = planes.admin.send(Method::PUT, "/admin/error-rules", &rules).await.unwrap();
    assert_eq!(put.status, 200, "{}", put.text());
    // A key that is made later is known once the rules are.
    let key = planes.admin.create_key(&json!({ "name": "later" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!((answer.status, answer.header("x-orchestration-group")), (200, "second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_shows_both_attempts_of_a_request_that_was_late() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut hedging = group("hedging", &provider.base_url(), &[FIRST, SECOND], &["gpt-4o"]);
    (hedging["hedging"], hedging["balancePolicy"]) = (json!(true), json!("random"));
    planes.admin.create_group(&hedging).await.unwrap();
    let shown = planes.admin.get("/admin/groups").await.unwrap()["items"][0].clone();
    assert_eq!((&shown["hedging"], &shown["warnings"]), (&json!(true), &json!([])));
    let key = planes.admin.create_key(&json!({ "name": "late" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    // How long an answer takes is known from twenty on.
    for _ in 0..20 {
        assert_eq!(planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap().status, 200);
    }
    provider.script(Target::All, Script::saying("late").head_delay(Duration::from_mins(1)));
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!((answer.status, answer.header("x-orchestration-attempts")), (200, "2"), "{}", answer.text());
    let id = answer.header("x-request-id").to_owned();
    let trace = harness::wait::until_async("the trace is there", SOON, async || {
        planes.admin.get(&format!("/admin/requests/{id}/trace")).await.ok()
    });
    let mut attempts = trace.await.unwrap()["attempts"].as_array().unwrap().clone();
    attempts.sort_by_key(|attempt| attempt["startedUs"].as_i64());
    let told = |name: &str| attempts.iter().map(|attempt| attempt[name].clone()).collect::<Vec<Value>>();
    assert_eq!((told("status"), told("hedged")), (vec![json!(0), json!(200)], vec![json!(false), json!(true)]));
    assert!(attempts[0]["error"].as_str().unwrap().starts_with("cancelled"), "{attempts:?}");
    assert_eq!(chat_records(&planes, 21, SOON).await.unwrap().len(), 21, "one record for each request");
    let scrape = planes.api().scrape().await.unwrap();
    assert!(scrape.text().contains("hedged_requests_total{result=\"won\"} 1"), "{}", scrape.text());
}
