use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{Plane, group};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_read_replaced_patched_and_deleted() {
    let (plane, token) = Plane::with_admin().await;
    let made = plane.call(Method::POST, "/admin/groups", &token, &group("first")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert!(!made.text.contains("sk-upstream-key-0001"));
    let made_json = made.json();
    let path = format!("/admin/groups/{}", made_json["id"].as_str().unwrap());
    assert_eq!(made.headers[header::LOCATION], path);
    assert_eq!(made_json["apiKeys"], json!(["sk-u****0001"]));
    assert_eq!(plane.get(&path, &token).await.json(), made_json);

    let mut whole = made_json.clone();
    whole["priority"] = json!(7);
    let replaced = plane.call(Method::PUT, &path, &token, &whole).await;
    assert_eq!(replaced.status, StatusCode::OK, "{}", replaced.text);
    assert_eq!(replaced.json()["priority"], 7);
    assert_eq!(replaced.json()["upstreamKeys"], made_json["upstreamKeys"], "the keys keep their ids");

    let patched = plane.call(Method::PATCH, &path, &token, &json!({"retry_count": 0, "models": ["a"]})).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", patched.text);
    assert_eq!((&patched.json()["retryCount"], &patched.json()["priority"]), (&json!(0), &json!(7)));

    let bad = plane.call(Method::PATCH, &path, &token, &json!({"timeout": -1, "balancePolicy": "x"})).await;
    assert_eq!((bad.status, bad.fields().len()), (StatusCode::BAD_REQUEST, 2));
    assert_eq!(plane.get(&path, &token).await.json(), patched.json(), "nothing was stored");

    assert_eq!(plane.call(Method::DELETE, &path, &token, &Value::Null).await.status, StatusCode::NO_CONTENT);
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = plane.call(method.clone(), &path, &token, &group("x")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}");
        assert_eq!(answer.json()["detail"], "The group was not found.");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_say_what_to_do() {
    let (plane, token) = Plane::with_admin().await;
    let made = plane.call(Method::POST, "/admin/groups", &token, &group("first")).await.json();
    let again = plane.call(Method::POST, "/admin/groups", &token, &group("first")).await;
    assert_eq!((again.status, again.fields()), (StatusCode::CONFLICT, vec!["groupName".to_owned()]));
    assert_eq!(again.json()["type"], "urn:orchestration-api:taken");

    let path = format!("/admin/groups/{}", made["id"].as_str().unwrap());
    assert_eq!(plane.call(Method::PATCH, &path, &token, &json!({"priority": 1})).await.status, StatusCode::OK);
    let stale = plane.call(Method::PUT, &path, &token, &made).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert_eq!(stale.json()["type"], "urn:orchestration-api:stale");
    assert!(stale.json()["detail"].as_str().unwrap().contains("Read it again"), "{}", stale.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page() {
    let (plane, token) = Plane::with_admin().await;
    for number in 0..5 {
        let made = plane.call(Method::POST, "/admin/groups", &token, &group(&format!("group-{number}"))).await;
        assert_eq!(made.status, StatusCode::CREATED);
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = plane.get(&format!("/admin/groups?limit=2{cursor}"), &token).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        names.extend(items.iter().map(|item| item["groupName"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    names.sort();
    assert_eq!(names, ["group-0", "group-1", "group-2", "group-3", "group-4"]);
    let audit = plane.get("/admin/audit?limit=3", &token).await.json();
    assert_eq!(audit["items"].as_array().unwrap().len(), 3);
    assert!(audit["nextCursor"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_key_shows_its_value_once() {
    let (plane, token) = Plane::with_admin().await;
    let body = json!({"name": "my-app-key", "rpm": 100, "enabled": true});
    let made = plane.call(Method::POST, "/admin/proxy-keys", &token, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let value = made.json()["key"].as_str().unwrap().to_owned();
    assert!(value.starts_with("sk-orch-"));
    assert_eq!(made.json()["rpmLimit"], 100);
    let path = format!("/admin/proxy-keys/{}", made.json()["id"].as_str().unwrap());
    for path in [path.as_str(), "/admin/proxy-keys", "/admin/audit"] {
        assert!(!plane.get(path, &token).await.text.contains(&value), "{path}");
    }
    let patched = plane.call(Method::PATCH, &path, &token, &json!({"description": "new"})).await;
    assert_eq!((patched.status, patched.json().get("key")), (StatusCode::OK, None), "{}", patched.text);

    let own = json!({"name": "own", "key": "sk-brought-from-elsewhere"});
    let brought = plane.call(Method::POST, "/admin/proxy-keys", &token, &own).await;
    assert_eq!(brought.json()["key"], "sk-brought-from-elsewhere");
    let same_name = plane.call(Method::POST, "/admin/proxy-keys", &token, &body).await;
    assert_eq!((same_name.status, same_name.fields()), (StatusCode::CONFLICT, vec!["name".to_owned()]));
    let own = json!({"name": "other", "key": "sk-brought-from-elsewhere"});
    let same_value = plane.call(Method::POST, "/admin/proxy-keys", &token, &own).await;
    assert_eq!((same_value.status, same_value.fields()), (StatusCode::CONFLICT, vec!["key".to_owned()]));
    assert!(!same_value.text.contains("brought"), "{}", same_value.text);

    assert_eq!(plane.call(Method::DELETE, &path, &token, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(plane.get(&path, &token).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_key_names_only_groups_that_exist() {
    let (plane, token) = Plane::with_admin().await;
    let id = plane.call(Method::POST, "/admin/groups", &token, &group("a")).await.json()["id"].clone();
    let body = json!({"name": "k", "allowedGroups": [id, "gone"], "groupWeights": {"lost": 1}});
    let refused = plane.call(Method::POST, "/admin/proxy-keys", &token, &body).await;
    assert_eq!(
        (refused.status, refused.fields()),
        (StatusCode::BAD_REQUEST, vec!["allowedGroups[1]".to_owned(), "groupWeights[lost]".to_owned()])
    );
    let named = json!({"name": "k", "allowedGroups": ["a"]});
    let named = plane.call(Method::POST, "/admin/proxy-keys", &token, &named).await;
    assert_eq!((named.status, named.fields()), (StatusCode::BAD_REQUEST, vec!["allowedGroups[0]".to_owned()]));
    assert!(named.text.contains("its id is wanted") && named.text.contains(id.as_str().unwrap()), "{}", named.text);
    let made =
        plane.call(Method::POST, "/admin/proxy-keys", &token, &json!({"name": "k", "allowedGroups": [id]})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);

    // When the group is deleted, the key still names it, and other fields of the key can still be changed.
    let group_path = format!("/admin/groups/{}", id.as_str().unwrap());
    plane.call(Method::DELETE, &group_path, &token, &Value::Null).await;
    let path = format!("/admin/proxy-keys/{}", made.json()["id"].as_str().unwrap());
    let patched = plane.call(Method::PATCH, &path, &token, &json!({"rpm": 5})).await;
    assert_eq!((patched.status, &patched.json()["allowedGroups"]), (StatusCode::OK, &json!([id])), "{}", patched.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_logins_are_in_the_audit_log() {
    let (plane, token) = Plane::with_admin().await;
    plane.call(Method::POST, "/admin/groups", &token, &group("a")).await;
    let audit = plane.get("/admin/audit", &token).await;
    let items = audit.json()["items"].as_array().unwrap().clone();
    assert!(items.iter().any(|item| item["action"] == "login" && item["clientIp"] == "127.0.0.1"), "{}", audit.text);
    let change = items.iter().find(|item| item["resource"] == "group").unwrap();
    assert_eq!(change["username"], "admin");
    assert!(!audit.text.contains("sk-upstream-key-0001"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_counts_what_nodes_are_told() {
    let (plane, token) = Plane::with_admin().await;
    plane.call(Method::POST, "/admin/groups", &token, &group("a")).await;
    let wanted = json!({"groups": 1, "enabledGroups": 1, "upstreamKeys": 1, "proxyKeys": 0, "enabledProxyKeys": 0, "usageRecords": 0,
        "unpricedRecords": 0, "costMicros": 0});
    let mut position = plane.control.publisher().position();
    let deadline = std::time::Duration::from_secs(10);
    tokio::time::timeout(deadline, async {
        while plane.get("/admin/status", &token).await.json()["counts"] != wanted {
            position.changed().await.unwrap();
        }
    })
    .await
    .unwrap();
    let status = plane.get("/admin/status", &token).await.json();
    assert_eq!(status["databaseType"], plane.database.kind());
    assert_eq!(status["nodesConnected"], 0);
    assert!(status["configVersion"].as_u64().unwrap() > 0);
    let nodes = plane.get("/admin/nodes", &token).await.json();
    assert_eq!((&nodes["items"], &nodes["nextCursor"]), (&json!([]), &Value::Null));
    assert!(nodes["databaseId"].as_str().is_some_and(|id| !id.is_empty()), "{nodes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_that_a_group_can_name_are_listed() {
    let (plane, token) = Plane::with_admin().await;
    let listed = plane.get("/admin/providers", &token).await.json();
    assert_eq!(listed["nextCursor"], Value::Null);
    let items = listed["items"].as_array().unwrap();
    let find = |name: &str| items.iter().find(|item| item["name"] == name).unwrap().clone();
    assert_eq!(
        find("anthropic"),
        json!({"name": "anthropic", "title": "Anthropic", "defaultBaseUrl": "https://api.anthropic.com",
               "baseUrlExample": null, "formats": ["anthropic_messages"], "takesApiVersion": true,
               "docs": "https://platform.claude.com/docs/en/api/messages"})
    );
    assert_eq!(find("vertex")["formats"], json!(["gemini_generate", "anthropic_messages"]));
    assert!(find("bedrock")["baseUrlExample"].as_str().unwrap().contains("bedrock-runtime"));
    let body = json!({"groupName": "g", "providerType": "opanai"});
    let refused = plane.call(Method::POST, "/admin/groups", &token, &body).await;
    assert_eq!((refused.status, refused.fields()), (StatusCode::BAD_REQUEST, vec!["providerType".to_owned()]));
    assert!(refused.text.contains(r#"did you mean \"openai\"?"#), "{}", refused.text);
    for item in items {
        assert!(refused.text.contains(item["name"].as_str().unwrap()), "{item} is not named in {}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_translation_are_stored() {
    let (plane, token) = Plane::with_admin().await;
    let mut body = group("first");
    let settings = [
        ("upstreamStream", json!("always")),
        ("unsupportedParameters", json!("reject")),
        ("modelFacts", json!({"gpt-4o": {"maxOutput": 100, "off": null}})),
        ("providerType", json!("azure_openai")),
        ("baseUrl", json!("https://resource.openai.azure.com")),
        ("apiVersion", json!("2024-10-21")),
    ];
    for (name, value) in &settings {
        body[*name] = value.clone();
    }
    let made = plane.call(Method::POST, "/admin/groups", &token, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("/admin/groups/{}", made.json()["id"].as_str().unwrap());
    let read = plane.get(&path, &token).await.json();
    for (name, value) in &settings {
        assert_eq!(read[*name], *value, "{name}");
    }
    assert_eq!(read["fakeStreaming"], false);
    let patched = plane.call(Method::PATCH, &path, &token, &json!({"fake_streaming": true, "apiVersion": null})).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", patched.text);
    let read = plane.get(&path, &token).await.json();
    assert_eq!((&read["upstreamStream"], &read["apiVersion"]), (&json!("never"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_rules_of_every_group_are_replaced_as_a_whole_and_tried_behind_those_of_a_group() {
    let (plane, token) = Plane::with_admin().await;
    let path = "/admin/error-rules";
    assert_eq!(plane.get(path, &token).await.json(), json!({"rules": [], "updatedAt": null}));
    let rules = json!({"rules": [
        {"words": ["never"], "step": "end"},
        {"statuses": [503], "words": ["Busy"], "step": "next_group", "effect": "none"},
    ]});
    let put = plane.call(Method::PUT, path, &token, &rules).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
    assert_eq!(plane.get(path, &token).await.json(), put.json());
    assert_eq!(put.json()["rules"][1]["words"], json!(["Busy"]));
    for bad in
        [json!({}), json!({"rules": [{}]}), json!({"rules": [{"words": ["x"], "step": "leap"}]}), json!({"r": 1})]
    {
        let answer = plane.call(Method::PUT, path, &token, &bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}: {}", answer.text);
    }
    assert_eq!(plane.get(path, &token).await.json(), put.json(), "nothing was stored");

    let mut own = group("strict");
    own["errorRules"] = json!([{"words": ["seats"], "step": "end"}]);
    let made = plane.call(Method::POST, "/admin/groups", &token, &own).await.json();
    let tried = async |body: &str, of: Value| {
        let mut answer = json!({"providerType": "openai", "status": 503, "body": body});
        answer.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
        let judged = plane.call(Method::POST, "/admin/error-rules/try", &token, &answer).await;
        assert_eq!(judged.status, StatusCode::OK, "{}", judged.text);
        let judged = judged.json();
        (judged["step"].clone(), judged["rule"].clone(), judged["ruleOf"].clone())
    };
    let of_group = json!({"groupId": made["id"]});
    assert_eq!(tried("no seats, BUSY", of_group.clone()).await, (json!("end"), json!(0), json!("group")));
    assert_eq!(tried("busy", of_group.clone()).await, (json!("next_group"), json!(1), json!("global")));
    assert_eq!(tried("busy", json!({})).await, (json!("next_group"), json!(1), json!("global")));
    let given = json!({"rules": [{"words": ["busy"], "step": "end"}]});
    assert_eq!(tried("busy", given).await, (json!("end"), json!(0), json!("given")));
    assert_eq!(tried("else", of_group).await, (json!("next_key"), Value::Null, Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_replaced_as_a_whole_and_imported_once_that_is_said() {
    let (plane, token) = Plane::with_admin().await;
    let path = "/admin/prices";
    let none = plane.get(path, &token).await.json();
    assert_eq!((&none["vendors"], &none["asOf"], &none["updatedAt"]), (&json!([]), &Value::Null, &Value::Null));
    assert!(none["builtInAsOf"].as_str().is_some_and(|day| day.starts_with("20")), "{none}");
    let rows = json!([{"models": ["gpt-4o"], "rates": {"input": 2_000_000, "output": 8_000_000}}]);
    let block =
        json!({"providerTypes": ["openai"], "source": "https://x.test", "lookedUp": "2026-11-30", "rows": rows});
    let document = json!({"asOf": "2026-11-30", "comment": "ours", "vendors": [block]});
    let put = plane.call(Method::PUT, path, &token, &document).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
    let shown = plane.get(path, &token).await.json();
    assert_eq!((&shown["vendors"], &shown["comment"]), (&document["vendors"], &json!("ours")));
    let again = plane.call(Method::PUT, path, &token, &shown).await;
    assert_eq!(again.status, StatusCode::OK, "what was read can be sent back: {}", again.text);
    let bad = plane.call(Method::PUT, path, &token, &json!({"vendors": [{"providerTypes": ["openai"]}]})).await;
    assert_eq!((bad.status, bad.fields()), (StatusCode::BAD_REQUEST, vec!["vendors".to_owned()]));

    let list = json!({"openai": {"models": {
        "new-one": {"cost": {"input": 1, "output": 2}}, "gpt-4o": {"cost": {"input": 3, "output": 8}}
    }}});
    let tried = plane.call(Method::POST, "/admin/prices/import", &token, &list).await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.text);
    let tried = tried.json();
    assert_eq!(
        (&tried["applied"], &tried["counts"]["added"], &tried["counts"]["changed"]),
        (&json!(false), &json!(2), &json!(2))
    );
    let change = &tried["changed"][0];
    assert_eq!((&change["before"]["input"], &change["after"]["input"]), (&json!(2_000_000), &json!(3_000_000)));
    assert_eq!(plane.get(path, &token).await.json()["vendors"], document["vendors"], "nothing was stored");
    let applied = plane.call(Method::POST, "/admin/prices/import?apply=true", &token, &list).await.json();
    assert_eq!((&applied["applied"], &applied["counts"]), (&json!(true), &tried["counts"]));
    let now = plane.get(path, &token).await.json();
    assert_eq!((&now["comment"], now["vendors"].as_array().map(Vec::len)), (&Value::Null, Some(2)), "{now}");
    let query = plane.call(Method::POST, "/admin/prices/import?apply=perhaps", &token, &list).await;
    assert_eq!((query.status, query.fields()), (StatusCode::BAD_REQUEST, vec!["apply".to_owned()]));
    // A public list is larger than other bodies may be.
    let mut large = list.clone();
    large["openai"]["models"]["gpt-4o"]["note"] = json!("x".repeat(2 * 1024 * 1024));
    assert_eq!(plane.call(Method::POST, "/admin/prices/import", &token, &large).await.status, StatusCode::OK);
    large["openai"]["models"]["gpt-4o"]["note"] = json!("x".repeat(8 * 1024 * 1024));
    let answer = plane.call(Method::POST, "/admin/prices/import", &token, &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}
