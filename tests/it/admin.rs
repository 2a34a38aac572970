//! Tests of `/admin/groups` and `/admin/proxy-keys`.

use std::collections::HashSet;

use harness::http::Answer;
use harness::planes::{Planes, chat, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{SOON, provider, standalone};

const LONG_KEYS: [&str; 2] = ["sk-upstream-aaaa-0001", "sk-upstream-bbbb-0002"];

/// Checks that `answer` is a problem document (RFC 9457) with `status`, and returns its text.
pub(crate) fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.header("content-type").starts_with("application/problem+json"), "{:?}", answer.headers);
    let body = answer.json();
    assert_eq!(body["status"], status, "{body}");
    assert!(body["title"].is_string(), "{body}");
    answer.text()
}

async fn send(planes: &Planes, method: Method, path: &str, body: &Value) -> Answer {
    planes.admin.send(method, path, body).await.unwrap()
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_body_makes_a_group() {
    let planes = standalone().start().await.unwrap();
    let body: Value = serde_json::from_str(
        r#"{"groupName":"openai-primary","providerType":"openai","apiKeys":["sk-1","sk-2"],"models":["gpt-4o","gpt-4o-mini"],"balancePolicy":"round_robin","retryCount":3,"timeout":60,"priority":1,"enabled":true,"parameters":{"temperature":0.7,"max_tokens":2000}}"#,
    )
    .unwrap();
    let made = send(&planes, Method::POST, "/admin/groups", &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let read = planes.admin.get(&format!("/admin/groups/{id}")).await.unwrap();
    for field in [
        "groupName",
        "providerType",
        "models",
        "balancePolicy",
        "retryCount",
        "timeout",
        "priority",
        "enabled",
        "parameters",
    ] {
        assert_eq!(read[field], body[field], "{field} in {read}");
    }
    assert_eq!(read["apiKeys"], json!(["****", "****#2"]));
    assert_eq!(read["baseUrl"], "https://api.openai.com/v1");
    assert!(read["createdAt"].is_i64() && read["updatedAt"].is_i64(), "{read}");
    for (field, default) in [
        ("modelAliases", json!({})),
        ("parameterOverrides", json!({})),
        ("headers", json!({})),
        ("rpmLimit", json!(0)),
        ("fakeStreaming", json!(false)),
        ("upstreamStream", json!("auto")),
        ("unsupportedParameters", json!("drop")),
        ("modelFacts", json!({})),
        ("apiVersion", json!(null)),
        ("proxyEnabled", json!(false)),
        ("healthCheckEnabled", json!(false)),
    ] {
        assert_eq!(read[field], default, "{field} in {read}");
    }
    let listed = planes.admin.get("/admin/groups").await.unwrap();
    assert_eq!(listed["items"], json!([read]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_replaced_patched_and_deleted() {
    let planes = standalone().start().await.unwrap();
    let mut body = group("one", "http://127.0.0.1:9/v1", &LONG_KEYS, &["gpt-4o"]);
    let id = planes.admin.create_group(&body).await.unwrap();
    let path = format!("/admin/groups/{id}");

    let patched = planes.admin.ok(Method::PATCH, &path, &json!({ "priority": 7, "models": ["a", "b"] })).await.unwrap();
    assert_eq!((&patched["priority"], &patched["models"]), (&json!(7), &json!(["a", "b"])));
    assert_eq!((&patched["groupName"], &patched["baseUrl"]), (&body["groupName"], &body["baseUrl"]));

    body["groupName"] = json!("renamed");
    let replaced = planes.admin.ok(Method::PUT, &path, &body).await.unwrap();
    assert_eq!((&replaced["groupName"], &replaced["models"]), (&json!("renamed"), &json!(["gpt-4o"])));
    assert_eq!(replaced["priority"], 0, "what a replacement leaves out has its default");
    assert_eq!(planes.admin.get(&path).await.unwrap(), replaced);

    assert!((200..300).contains(&send(&planes, Method::DELETE, &path, &Value::Null).await.status));
    for method in [Method::GET, Method::DELETE] {
        problem(&send(&planes, method, &path, &Value::Null).await, 404);
    }
    problem(&send(&planes, Method::PUT, &path, &body).await, 404);
    problem(&send(&planes, Method::PATCH, &path, &json!({ "priority": 1 })).await, 404);
    assert_eq!(planes.admin.get("/admin/groups").await.unwrap()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn masked_keys_are_kept() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut body = group("masked", &provider.base_url(), &LONG_KEYS[..1], &["gpt-4o"]);
    body["headers"] = json!({ "x-vendor-secret": "header-secret-0123456789" });
    let path = format!("/admin/groups/{}", planes.admin.create_group(&body).await.unwrap());
    let key = planes.admin.create_key(&json!({ "name": "masked" })).await.unwrap();
    planes.knows(&key).await.unwrap();

    let read = planes.admin.get(&path).await.unwrap();
    assert_eq!(read["apiKeys"], json!(["sk-u****0001"]));
    assert!(!read.to_string().contains("sk-upstream-aaaa"), "{read}");

    // The group is written as it was read, with and without the field, and with one key more.
    let mut without = read.clone();
    without.as_object_mut().unwrap().remove("apiKeys");
    // A group that was read before a change is refused if it says when it was read.
    without.as_object_mut().unwrap().remove("updatedAt");
    let mut more = without.clone();
    more["apiKeys"] = json!(["sk-u****0001", LONG_KEYS[1]]);
    for (method, body, masks) in [
        (Method::PUT, read.clone(), json!(["sk-u****0001"])),
        (Method::PUT, without, json!(["sk-u****0001"])),
        (Method::PATCH, json!({ "priority": 3 }), json!(["sk-u****0001"])),
        (Method::PATCH, json!({ "apiKeys": ["sk-u****0001"] }), json!(["sk-u****0001"])),
        (Method::PUT, more, json!(["sk-u****0001", "sk-u****0002"])),
    ] {
        let written = planes.admin.ok(method, &path, &body).await.unwrap();
        assert_eq!(written["apiKeys"], masks);
    }
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = provider.journal().last().unwrap();
    assert!(LONG_KEYS.contains(&received.key()), "{}", received.key());
    assert_eq!(received.header("x-vendor-secret"), "header-secret-0123456789");

    // A mask that stands for no key is an error and not a new key.
    let unknown = json!({ "apiKeys": ["sk-x****9999"] });
    assert!(problem(&send(&planes, Method::PATCH, &path, &unknown).await, 400).contains("apiKeys"));
    // A list that is emptied stays empty.
    let emptied = planes.admin.ok(Method::PATCH, &path, &json!({ "apiKeys": [] })).await.unwrap();
    assert_eq!(emptied["apiKeys"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn snake_case_is_taken_and_camel_case_is_given() {
    let planes = standalone().start().await.unwrap();
    let body = json!({ "group_name": "snake", "provider_type": "openai", "base_url": "http://127.0.0.1:9/v1/",
        "api_keys": ["sk-1"], "models": ["m"], "model_aliases": { "a": "m" }, "parameter_overrides": { "top_p": 0.5 },
        "balance_policy": "least_used", "retry_count": 1, "rpm_limit": 9, "test_model": "m", "fake_streaming": true,
        "unsupported_parameters": "reject", "model_facts": { "m": { "max_output": 9 } }, "health_check_enabled": false });
    let id = planes.admin.create_group(&body).await.unwrap();
    let read = planes.admin.get(&format!("/admin/groups/{id}")).await.unwrap();
    let expected = json!({ "groupName": "snake", "baseUrl": "http://127.0.0.1:9/v1", "modelAliases": { "a": "m" },
        "parameterOverrides": { "top_p": 0.5 }, "balancePolicy": "least_used", "retryCount": 1, "rpmLimit": 9,
        "testModel": "m", "fakeStreaming": true, "upstreamStream": "never", "unsupportedParameters": "reject",
        "modelFacts": { "m": { "maxOutput": 9 } }, "healthCheckEnabled": false });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(read[field], *value, "{field}");
    }
    assert!(!read.to_string().contains("group_name"), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_names_every_bad_field() {
    let planes = standalone().start().await.unwrap();
    let bad = json!({ "groupName": " ", "providerType": "openai", "baseUrl": "ftp://x", "apiKeys": ["a\nb"], "models": [""],
        "balancePolicy": "best", "retryCount": 3, "timeout": 0, "headers": { "bad header": "x" } });
    let text = problem(&send(&planes, Method::POST, "/admin/groups", &bad).await, 400);
    for field in ["groupName", "baseUrl", "apiKeys", "models", "balancePolicy", "timeout", "headers"] {
        assert!(text.contains(field), "{field} is not named in {text}");
    }
    assert!(!text.contains("retryCount"), "a good field is named in {text}");

    let text = problem(&send(&planes, Method::POST, "/admin/groups", &json!({})).await, 400);
    assert!(text.contains("groupName") && text.contains("providerType"), "{text}");
    let wrong_type = json!({ "groupName": "g", "providerType": "openai", "priority": "high" });
    let text = problem(&send(&planes, Method::POST, "/admin/groups", &wrong_type).await, 400);
    assert!(text.contains("priority"), "{text}");
    let bad = json!({ "name": "", "rpm": -1, "groupBalancePolicy": "best" });
    let text = problem(&send(&planes, Method::POST, "/admin/proxy-keys", &bad).await, 400);
    assert!(text.contains("name"), "{text}");
    assert_eq!(planes.admin.get("/admin/groups").await.unwrap()["items"], json!([]));

    planes.admin.create_group(&group("taken", "http://127.0.0.1:9/v1", &["sk-1"], &["m"])).await.unwrap();
    let again = group("taken", "http://127.0.0.1:9/v1", &["sk-1"], &["m"]);
    assert!(problem(&send(&planes, Method::POST, "/admin/groups", &again).await, 409).contains("groupName"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page() {
    let planes = standalone().start().await.unwrap();
    for number in 0..5 {
        let name = format!("group-{number}");
        planes.admin.create_group(&group(&name, "http://127.0.0.1:9/v1", &["sk-1"], &["m"])).await.unwrap();
        planes.admin.create_key(&json!({ "name": format!("key-{number}") })).await.unwrap();
    }
    for path in ["/admin/groups", "/admin/proxy-keys"] {
        let paged = planes.admin.pages(path, 2).await.unwrap();
        let whole = planes.admin.pages(path, 200).await.unwrap();
        assert_eq!((ids(&paged).len(), ids(&paged)), (5, ids(&whole)), "{path}");
        assert_eq!(ids(&paged).iter().collect::<HashSet<_>>().len(), 5);
        for limit in ["0", "201", "-1", "x"] {
            let answer = send(&planes, Method::GET, &format!("{path}?limit={limit}"), &Value::Null).await;
            assert!(problem(&answer, 400).contains("limit"));
        }
        let answer = send(&planes, Method::GET, &format!("{path}?cursor=%00nonsense"), &Value::Null).await;
        assert!(answer.status < 500, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_keys_value_is_shown_once() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    planes.admin.create_group(&group("g", &provider.base_url(), &LONG_KEYS, &["gpt-4o"])).await.unwrap();
    let body = json!({ "name": "my-app-key", "rpm": 100, "enabled": true });
    let made = send(&planes, Method::POST, "/admin/proxy-keys", &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let value = made["key"].as_str().unwrap();
    assert!(value.starts_with("sk-") && value.len() >= 40, "{} characters", value.len());
    let path = format!("/admin/proxy-keys/{}", made["id"].as_str().unwrap());
    let read = planes.admin.get(&path).await.unwrap();
    assert_eq!((&read["name"], &read["enabled"]), (&json!("my-app-key"), &json!(true)));
    let listed = planes.admin.get("/admin/proxy-keys").await.unwrap();
    for shown in [&read, &listed] {
        assert!(!shown.to_string().contains(value), "the value is shown again");
        assert!(shown.to_string().contains(&value[..4]), "no visible prefix");
    }
    let key = harness::admin::Key { id: made["id"].as_str().unwrap().into(), value: value.into() };
    planes.knows(&key).await.unwrap();

    for (patch, status) in [(json!({ "enabled": false }), 401), (json!({ "enabled": true }), 200)] {
        planes.admin.ok(Method::PATCH, &path, &patch).await.unwrap();
        wait::until_async("the change is in force", SOON, async || {
            let answer = planes.api().chat(value, &chat("gpt-4o", false)).await.ok()?;
            (answer.status == status).then_some(())
        })
        .await
        .unwrap();
    }
    let replaced = planes.admin.ok(Method::PUT, &path, &json!({ "name": "renamed" })).await.unwrap();
    assert_eq!(replaced["name"], "renamed");
    planes.knows(&key).await.unwrap();
    assert!((200..300).contains(&send(&planes, Method::DELETE, &path, &Value::Null).await.status));
    problem(&send(&planes, Method::GET, &path, &Value::Null).await, 404);
    wait::until_async("the key is refused", SOON, async || {
        (planes.api().chat(value, &chat("gpt-4o", false)).await.ok()?.status == 401).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_gateway_moves_in_with_its_value() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    planes.admin.create_group(&group("g", &provider.base_url(), &LONG_KEYS, &["gpt-4o"])).await.unwrap();
    let body = json!({ "name": "moved", "key": "sk-from-the-other-gateway-0123456789" });
    let key = planes.admin.create_key(&body).await.unwrap();
    assert_eq!(key.value, body["key"]);
    planes.knows(&key).await.unwrap();
    assert_eq!(planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap().status, 200);
    let again = json!({ "name": "again", "key": body["key"] });
    let masked = json!({ "name": "masked", "key": "sk-o****from-another-gateway" });
    let text = problem(&send(&planes, Method::POST, "/admin/proxy-keys", &masked).await, 400);
    assert!(text.contains("mask"), "{text}");
    let path = format!("/admin/proxy-keys/{}", key.id);
    problem(&send(&planes, Method::PATCH, &path, &json!({ "key": masked["key"] })).await, 400);
    planes.knows(&key).await.unwrap();
    let text = problem(&send(&planes, Method::POST, "/admin/proxy-keys", &again).await, 409);
    assert!(text.contains("key") && !text.contains(&key.value), "{text}");
}
