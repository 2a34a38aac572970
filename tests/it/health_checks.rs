//! Tests of `/admin/health-checks`, and of what else the control plane has nodes ask providers.

use std::sync::Arc;

use fake_provider::FakeProvider;
use fake_provider::journal::Received;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::planes::{Planes, chat, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{SOON, provider, split, standalone};

const FIRST: &str = "sk-upstream-first-0001";
const SECOND: &str = "sk-upstream-second-0002";

/// A deployment whose groups `openai`, `anthropic` and `gemini` speak to one provider, each in its own format and with
/// two keys. Gives their ids.
async fn of_all_formats() -> (Planes, FakeProvider, Vec<String>) {
    let provider = provider().await;
    // Nothing is checked by itself meanwhile.
    let planes = standalone().set("HealthCheck:Enabled", false).start().await.unwrap();
    let mut ids = Vec::new();
    for (vendor, model) in
        [("openai", "gpt-4o-mini"), ("anthropic", "claude-haiku-4-5"), ("gemini", "gemini-2.5-flash")]
    {
        let url = if vendor == "openai" { provider.base_url() } else { provider.origin() };
        let keys = [format!("{FIRST}-{vendor}"), format!("{SECOND}-{vendor}")];
        let mut body = group(vendor, &url, &[&keys[0], &keys[1]], &[model]);
        (body["providerType"], body["healthCheckEnabled"]) = (json!(vendor), json!(true));
        ids.push(planes.admin.create_group(&body).await.unwrap());
    }
    let key = planes.admin.create_key(&json!({ "name": "checks" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    (planes, provider, ids)
}

/// Runs checks, and waits until they are over. Gives the id of the run.
async fn run(planes: &Planes, body: &Value) -> String {
    let run = planes.admin.ok(Method::POST, "/admin/health-checks", body).await.unwrap();
    let id = run["id"].as_str().unwrap().to_owned();
    wait::until_async("the run is over", SOON, async || {
        let overview = planes.admin.get("/admin/health-checks").await.ok()?;
        (overview["lastRun"]["id"] == id).then_some(())
    })
    .await
    .unwrap();
    id
}

/// What the overview says of the group `id`.
async fn overview(planes: &Planes, id: &str) -> Value {
    let overview = planes.admin.get("/admin/health-checks").await.unwrap();
    let items = overview["items"].as_array().unwrap();
    items.iter().find(|item| item["groupId"] == id).cloned().unwrap()
}

/// The requests that `provider` got at a path that holds `part`.
fn at(provider: &FakeProvider, part: &str) -> Vec<Arc<Received>> {
    provider.journal().requests().into_iter().filter(|request| request.path.contains(part)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_ask_for_one_token_in_the_vendors_own_format_and_leave_no_usage_record() {
    let (planes, provider, ids) = of_all_formats().await;
    // Whether a node knows all of the config is asked with requests of their own.
    provider.journal().clear();
    run(&planes, &json!({})).await;
    for id in &ids {
        let group = overview(&planes, id).await;
        for part in ["provider", "keys", "models"] {
            assert_eq!(group[part]["status"], "healthy", "{part} of {group}");
        }
        assert_eq!((&group["keys"]["healthy"], &group["models"]["healthy"]), (&json!(2), &json!(1)));
    }

    let openai = at(&provider, "/v1/chat/completions");
    assert_eq!(openai.len(), 3, "each key, and the model");
    for request in &openai {
        let body = request.json();
        assert_eq!((&body["model"], &body["max_completion_tokens"]), (&json!("gpt-4o-mini"), &json!(1)), "{body}");
    }
    let keys: Vec<_> = openai[..2].iter().map(|request| request.key().to_owned()).collect();
    assert_eq!(keys, [format!("{FIRST}-openai"), format!("{SECOND}-openai")]);
    let anthropic = at(&provider, "/v1/messages");
    assert_eq!(anthropic.len(), 3);
    for request in &anthropic {
        let body = request.json();
        assert_eq!((&body["max_tokens"], request.header("anthropic-version")), (&json!(1), "2023-06-01"), "{body}");
        assert!(request.header("x-api-key").ends_with("anthropic") && body.get("max_completion_tokens").is_none());
    }
    let gemini = at(&provider, ":generateContent");
    assert_eq!(gemini.len(), 3);
    for request in &gemini {
        let body = request.json();
        assert_eq!(body["generationConfig"]["maxOutputTokens"], 1, "{body}");
        assert!(request.header("x-goog-api-key").ends_with("gemini") && body.get("messages").is_none());
    }
    assert_eq!(provider.journal().total(), 9 + 3, "the lists of models of three providers beside that");

    let scrape = planes.api().scrape().await.unwrap();
    assert_eq!(scrape.sum("probes_total"), Some(9.0), "each of them may cost money");
    assert_eq!(scrape.sum("upstream_attempts_total"), Some(0.0));
    let logs = planes.admin.logs().await.unwrap();
    assert!(logs.iter().all(|record| record["path"] == "/v1/models"), "{logs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_reaches_a_key_that_is_out_and_its_success_brings_the_key_back() {
    let (planes, provider, ids) = of_all_formats().await;
    let first = format!("{FIRST}-openai");
    let key = planes.admin.create_key(&json!({ "name": "client" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.always(Target::Key(first.clone()), Script::error(401));
    let used = async || {
        let before = usize::try_from(provider.journal().total()).unwrap();
        assert_eq!(planes.api().chat(&key.value, &chat("gpt-4o-mini", false)).await.unwrap().status, 200);
        provider.journal().requests()[before..].iter().map(|request| request.key().to_owned()).collect::<Vec<_>>()
    };
    let second = format!("{SECOND}-openai");
    assert_eq!(used().await, [first.clone(), second.clone()]);
    assert_eq!(used().await, std::slice::from_ref(&second), "the first key is out");

    let only_keys = json!({ "groupId": ids[0], "kinds": ["key"] });
    let asked = |request: &Arc<Received>| request.key() == first;
    let before = provider.journal().requests().iter().filter(|request| asked(request)).count();
    let failed = run(&planes, &only_keys).await;
    assert_eq!(provider.journal().requests().iter().filter(|request| asked(request)).count(), before + 1);
    let details = planes.admin.get(&format!("/admin/health-checks/{}", ids[0])).await.unwrap();
    assert_eq!(
        (&details["keyChecks"][0]["status"], &details["keyChecks"][0]["lastStatus"]),
        (&json!("warning"), &json!(401))
    );
    assert_eq!(details["keyChecks"][1]["status"], "healthy");
    assert_eq!(used().await, [second], "nothing else has changed");

    provider.clear_scripts();
    run(&planes, &only_keys).await;
    let details = planes.admin.get(&format!("/admin/health-checks/{}", ids[0])).await.unwrap();
    assert_eq!(details["keyChecks"][0]["status"], "healthy");
    assert_eq!(used().await, std::slice::from_ref(&first), "the key that was used less is back");
    assert!(!details.to_string().contains("sk-upstream-first"), "{details}");
    let history = planes.admin.get(&format!("/admin/health-checks/{}/results?runId={failed}", ids[0])).await.unwrap();
    let results: Vec<_> = history["items"].as_array().unwrap().iter().map(|result| result["ok"].clone()).collect();
    assert_eq!(results, [json!(true), json!(false)], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_failures_in_a_row_are_unhealthy_one_success_is_healthy_and_all_are_in_the_history() {
    let (planes, provider, ids) = of_all_formats().await;
    let (anthropic, only_provider) = (&ids[1], json!({ "groupId": ids[1], "kinds": ["provider"] }));
    run(&planes, &only_provider).await;
    provider.always(Target::All, Script::error(500));
    for (failures, status) in [(1, "warning"), (2, "warning"), (3, "unhealthy")] {
        run(&planes, &only_provider).await;
        let provider = overview(&planes, anthropic).await["provider"].clone();
        assert_eq!((&provider["status"], &provider["consecutiveFailures"]), (&json!(status), &json!(failures)));
        assert_eq!(provider["lastStatus"], 500);
    }
    let totals = planes.admin.get("/admin/health-checks").await.unwrap()["totals"].clone();
    assert_eq!(totals["providers"]["unhealthy"], 1, "{totals}");
    provider.clear_scripts();
    run(&planes, &only_provider).await;
    let now = overview(&planes, anthropic).await["provider"].clone();
    assert_eq!(
        (&now["status"], &now["consecutiveFailures"], &now["checks"]),
        (&json!("healthy"), &json!(0), &json!(5))
    );
    assert_eq!(now["successRate"], 0.4);

    let path = format!("/admin/health-checks/{anthropic}/results");
    let all = planes.admin.pages(&path, 2).await.unwrap();
    let told: Vec<_> = all.iter().map(|result| (result["ok"].clone(), result["status"].clone())).collect();
    let (well, failed) = ((json!(true), json!(200)), (json!(false), json!(500)));
    assert_eq!(told, [well.clone(), failed.clone(), failed.clone(), failed, well]);
    assert!(all.iter().all(|result| result["kind"] == "provider" && result["groupId"] == *anthropic), "{all:?}");
    let none = planes.admin.get(&format!("{path}?kind=model")).await.unwrap();
    assert_eq!(none["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_prompt_and_the_providers_models_come_through_a_node_also_for_what_is_switched_off() {
    let (planes, provider, ids) = of_all_formats().await;
    for id in &ids {
        let stored = planes.admin.get(&format!("/admin/groups/{id}")).await.unwrap();
        let key = stored["upstreamKeys"][0]["id"].clone();
        let off = json!({ "enabled": false, "upstreamKeys": [{ "id": key, "enabled": false }] });
        planes.admin.ok(Method::PATCH, &format!("/admin/groups/{id}"), &off).await.unwrap();
        provider.script(Target::All, Script::saying("Four."));
        let body = json!({ "prompt": "What is two and two?", "keyId": key });
        // The node may not have heard yet that the key is switched off, which makes no difference.
        let answer = planes.admin.ok(Method::POST, &format!("/admin/groups/{id}/test"), &body).await.unwrap();
        assert_eq!((&answer["ok"], &answer["text"]), (&json!(true), &json!("Four.")), "{answer}");
        assert_eq!((&answer["upstreamKeyId"], &answer["status"]), (&key, &json!(200)));
        assert!(provider.journal().last().unwrap().key().starts_with(FIRST));
        let models = planes.admin.get(&format!("/admin/groups/{id}/upstream-models")).await.unwrap();
        assert!(models["ok"] == true && !models["models"].as_array().unwrap().is_empty(), "{models}");
    }
    provider.always(Target::All, Script::error(401));
    let path = format!("/admin/groups/{}/test", ids[1]);
    let refused = planes.admin.ok(Method::POST, &path, &json!({})).await.unwrap();
    assert_eq!((&refused["ok"], &refused["result"]), (&json!(false), &json!("key_refused")), "{refused}");
    let audit = planes.admin.get("/admin/audit?limit=1").await.unwrap();
    assert_eq!((&audit["items"][0]["action"], &audit["items"][0]["resourceId"]), (&json!("test"), &json!(ids[1])));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_node_is_away_nothing_is_asked_and_nobody_is_blamed() {
    let provider = provider().await;
    let mut planes = split(1).start().await.unwrap();
    planes.serve(&provider.base_url(), &["gpt-4o"]).await.unwrap();
    let groups = planes.admin.get("/admin/groups").await.unwrap();
    let id = groups["items"][0]["id"].as_str().unwrap().to_owned();
    planes.nodes[0].kill().await.unwrap();
    wait::until_async("the node is known to be away", SOON, async || {
        let nodes = planes.admin.get("/admin/nodes").await.ok()?;
        (nodes["items"][0]["connected"] == false).then_some(())
    })
    .await
    .unwrap();
    for (method, path, body) in [
        (Method::POST, "/admin/health-checks".to_owned(), json!({ "groupId": id })),
        (Method::POST, format!("/admin/groups/{id}/test"), json!({})),
        (Method::GET, format!("/admin/groups/{id}/upstream-models"), Value::Null),
    ] {
        let answer = planes.admin.send(method, &path, &body).await.unwrap();
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
    }
    assert_eq!(overview(&planes, &id).await["provider"]["status"], "unknown");
    planes.nodes[0].start().await.unwrap();
    wait::until_async("the node is back", SOON, async || {
        let nodes = planes.admin.get("/admin/nodes").await.ok()?;
        (nodes["items"][0]["connected"] == true).then_some(())
    })
    .await
    .unwrap();
    run(&planes, &json!({ "groupId": id })).await;
    assert_eq!(overview(&planes, &id).await["provider"]["status"], "healthy");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_models_that_do_not_chat_are_well_where_their_keys_are() {
    let provider = provider().await;
    let planes = standalone().set("HealthCheck:Enabled", false).start().await.unwrap();
    let models = ["text-embedding-3-small", "rerank-v3.5", "dall-e-3"];
    let id = planes.admin.create_group(&group("others", &provider.base_url(), &[FIRST], &models)).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "checks" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    run(&planes, &json!({ "groupId": id })).await;
    let details = planes.admin.get(&format!("/admin/health-checks/{id}")).await.unwrap();
    assert_eq!(details["keyChecks"][0]["status"], "healthy", "{details}");
    let checks = details["modelChecks"].as_array().unwrap();
    let checks: Vec<_> = checks.iter().map(|check| (&check["model"], &check["status"], &check["checkedBy"])).collect();
    let well = json!("healthy");
    let by = ["embedding", "reranking", "list"].map(|by| json!(by));
    let models = models.map(|model| json!(model));
    let expected: Vec<_> = models.iter().zip(&by).map(|(model, by)| (model, &well, by)).collect();
    assert_eq!(checks, expected);
    assert!(at(&provider, "/chat/completions").is_empty() && at(&provider, "/images").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_checked_by_itself_where_that_is_switched_on() {
    let provider = provider().await;
    let planes = standalone().set("HealthCheck:IntervalMinutes", 60).start().await.unwrap();
    let off = planes.admin.create_group(&group("off", &provider.base_url(), &[FIRST], &["gpt-4o"])).await.unwrap();
    let mut on = group("on", &provider.base_url(), &[SECOND], &["gpt-4o"]);
    on["healthCheckEnabled"] = json!(true);
    let on = planes.admin.create_group(&on).await.unwrap();
    wait::until_async("the model is checked, which is last", 2 * SOON, async || {
        (overview(&planes, &on).await["models"]["status"] == "healthy").then_some(())
    })
    .await
    .unwrap();
    assert_eq!(overview(&planes, &off).await["provider"]["status"], "unknown");
    assert!(provider.journal().requests().iter().all(|request| request.key() == SECOND));
}
