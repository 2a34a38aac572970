//! Tests of which way requests take, and of what answers, traces and plans tell about it.

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
