//! Stored secrets do not follow a group to another host, and the names of models may end in a star.

use harness::http::{Connection, bare};
use harness::planes::{chat, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};

use crate::admin::problem;
use crate::support::{Bed, SOON, provider, split, standalone};

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_key_is_never_sent_to_another_host() {
    let bed = Bed::start(split(1)).await.unwrap();
    let thief = provider().await;
    let groups = bed.planes.admin.get("/admin/groups").await.unwrap();
    let path = format!("/admin/groups/{}", groups["items"][0]["id"].as_str().unwrap());
    let read = bed.planes.admin.get(&path).await.unwrap();
    let mut put = read.clone();
    put["baseUrl"] = json!(thief.base_url());
    let masks = json!({ "baseUrl": thief.base_url(), "apiKeys": read["apiKeys"] });
    for (method, body) in [
        (Method::PATCH, json!({ "baseUrl": thief.base_url() })),
        (Method::PATCH, masks),
        (Method::PUT, put),
        (Method::PATCH, json!({ "providerType": "groq", "baseUrl": null })),
    ] {
        let answer = bed.planes.admin.send(method, &path, &body).await.unwrap();
        let told = problem(&answer, 400);
        assert!(told.contains("apiKeys") && told.contains("must be sent again"), "{told}");
    }
    assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
    assert_eq!(thief.journal().total(), 0);

    // With its keys the group moves.
    let whole = json!({ "baseUrl": thief.base_url(), "apiKeys": ["sk-key-of-the-new-host"] });
    bed.planes.admin.ok(Method::PATCH, &path, &whole).await.unwrap();
    wait::until_async("the group has moved", SOON, async || {
        bed.chat(&chat("gpt-4o", false)).await.ok()?;
        (thief.journal().total() > 0).then_some(())
    })
    .await
    .unwrap();
    assert!(thief.journal().requests().iter().all(|received| received.key() == "sk-key-of-the-new-host"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_force_or_was_repaired_is_in_the_answer() {
    let planes = standalone().start().await.unwrap();
    let warned = |answer: &Value| -> Vec<String> {
        let warnings = answer["warnings"].as_array().unwrap_or_else(|| panic!("{answer}"));
        warnings.iter().map(|warning| warning["field"].as_str().unwrap().to_owned()).collect()
    };
    let body = json!({
        "groupName": "g", "providerType": "openai", "baseUrl": "https://api.openai.com",
        "apiKeys": ["Bearer sk-upstream-key-0001"], "models": ["gpt-4o", "", "gpt-4o"], "rpmLimit": 5,
        "proxyConfig": {"host": "proxy.test"}
    });
    let made = planes.admin.ok(Method::POST, "/admin/groups", &body).await.unwrap();
    assert_eq!(warned(&made), ["baseUrl", "apiKeys[0]", "models[1]", "models[2]", "proxyConfig"]);
    assert_eq!((&made["baseUrl"], &made["models"]), (&json!("https://api.openai.com/v1"), &json!(["gpt-4o"])));
    assert_eq!(made["apiKeys"], json!(["sk-u****0001"]));
    let path = format!("/admin/groups/{}", made["id"].as_str().unwrap());
    let read = planes.admin.get(&path).await.unwrap();
    assert_eq!(warned(&read), ["proxyConfig"], "what lasts is in reads too");
    let again = planes.admin.ok(Method::PUT, &path, &read).await.unwrap();
    assert_eq!(warned(&again), ["proxyConfig"], "what was read can be sent back");

    let body = json!({ "name": "k", "rpmLimit": 1, "tpmLimit": 2, "concurrencyLimit": 3, "groupPolicy": "weighted" });
    let made = planes.admin.ok(Method::POST, "/admin/proxy-keys", &body).await.unwrap();
    assert_eq!(warned(&made), Vec::<String>::new(), "limits are in force");
    let plain = planes.admin.ok(Method::POST, "/admin/proxy-keys", &json!({ "name": "plain" })).await.unwrap();
    assert_eq!(warned(&plain), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn models_and_aliases_may_end_in_a_star() {
    let planes = standalone().start().await.unwrap();
    let provider = provider().await;
    let mut body = group("wild", &provider.base_url(), &["sk-upstream-key-0001"], &["gpt-4o", "gpt-4*"]);
    body["modelAliases"] = json!({ "claude-*": "gpt-4o" });
    planes.admin.create_group(&body).await.unwrap();
    let free = planes.admin.create_key(&json!({ "name": "free" })).await.unwrap();
    let bound = planes.admin.create_key(&json!({ "name": "bound", "allowedModels": ["claude-*"] })).await.unwrap();
    for key in [&free, &bound] {
        planes.knows(key).await.unwrap();
    }
    for (model, upstream) in [("gpt-4.1-mini", "gpt-4.1-mini"), ("claude-sonnet-4-5", "gpt-4o"), ("gpt-4o", "gpt-4o")] {
        let answer = planes.api().chat(&free.value, &chat(model, false)).await.unwrap();
        assert_eq!(answer.status, 200, "{model}: {}", answer.text());
        assert_eq!(provider.journal().last().unwrap().json()["model"], upstream);
    }
    for (key, model, status) in
        [(&free, "o3", 404), (&bound, "claude-x", 200), (&bound, "gpt-4o", 404), (&free, "gpt-4*", 404)]
    {
        let answer = planes.api().chat(&key.value, &chat(model, false)).await.unwrap();
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
    }
    let get = async |path: &str| {
        let request = bare(Method::GET, path, &free.value).unwrap();
        Connection::to(planes.api().http).fetch(request).await.unwrap()
    };
    let listed = get("/v1/models").await.json();
    let listed: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(listed, ["gpt-4o"], "a pattern is no model");
    for (path, status) in [("/v1/models/gpt-4.1-mini", 200), ("/v1beta/models/claude-x", 200), ("/v1/models/o3", 404)] {
        assert_eq!(get(path).await.status, status, "{path}");
    }
    let gemini = get("/v1beta/models").await.text();
    assert!(gemini.contains("models/gpt-4o") && !gemini.contains('*'), "{gemini}");
}
