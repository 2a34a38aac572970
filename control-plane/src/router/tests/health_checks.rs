use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Plane, group};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_checked_is_unknown() {
    let (plane, token) = Plane::with_admin().await;
    let made = plane.call(Method::POST, "/admin/groups", &token, &group("a")).await.json();
    let overview = plane.get("/admin/health-checks", &token).await.json();
    let item = &overview["items"][0];
    assert_eq!((&item["groupId"], &item["provider"]["status"]), (&made["id"], &json!("unknown")));
    assert_eq!((&item["keys"]["status"], &item["keys"]["total"]), (&json!("unknown"), &json!(1)));
    assert_eq!((&item["models"]["unknown"], &overview["lastRun"]), (&json!(1), &Value::Null));
    assert_eq!(overview["totals"]["keys"], json!({"healthy": 0, "warning": 0, "unhealthy": 0}));
    let id = made["id"].as_str().unwrap();
    let details = plane.get(&format!("/admin/health-checks/{id}"), &token).await.json();
    assert_eq!(details["keyChecks"][0]["upstreamKeyMasked"], made["apiKeys"][0]);
    assert_eq!(details["modelChecks"][0]["model"], "gpt-4o");
    let results = plane.get(&format!("/admin/health-checks/{id}/results?kind=key&limit=5"), &token).await;
    assert_eq!(results.json(), json!({"items": [], "nextCursor": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_node_nothing_is_asked_and_that_is_said() {
    let (plane, token) = Plane::with_admin().await;
    let made = plane.call(Method::POST, "/admin/groups", &token, &group("a")).await.json();
    let id = made["id"].as_str().unwrap();
    let calls = [
        (Method::POST, "/admin/health-checks".to_owned(), json!({"groupId": id})),
        (Method::POST, format!("/admin/groups/{id}/test"), json!({"prompt": "Two\nlines"})),
        (Method::GET, format!("/admin/groups/{id}/upstream-models"), Value::Null),
    ];
    for (method, path, body) in calls {
        let answer = plane.call(method, &path, &token, &body).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.text);
        assert_eq!(answer.json()["type"], "urn:orchestration-api:no-node", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_or_asked_is_refused() {
    let (plane, token) = Plane::with_admin().await;
    let made = plane.call(Method::POST, "/admin/groups", &token, &group("a")).await.json();
    let id = made["id"].as_str().unwrap();
    let mut nameless = group("b");
    nameless["models"] = json!([]);
    let nameless = plane.call(Method::POST, "/admin/groups", &token, &nameless).await.json();
    let nameless = nameless["id"].as_str().unwrap();
    for (path, body, fields) in [
        ("/admin/health-checks".to_owned(), json!({"kinds": ["provider", "all"]}), &["kinds[1]"][..]),
        ("/admin/health-checks".to_owned(), json!({"kinds": [], "group": "x"}), &["group", "kinds"]),
        (format!("/admin/groups/{id}/test"), json!({"keyId": "nobody", "prompt": 5}), &["prompt", "keyId"]),
        (format!("/admin/groups/{nameless}/test"), json!({}), &["model"]),
    ] {
        let answer = plane.call(Method::POST, &path, &token, &body).await;
        assert_eq!(
            (answer.status, answer.fields()),
            (StatusCode::BAD_REQUEST, fields.iter().map(ToString::to_string).collect()),
            "{path}"
        );
    }
    for path in [
        "/admin/health-checks/nothing",
        "/admin/health-checks/nothing/results",
        "/admin/groups/nothing/upstream-models",
    ] {
        assert_eq!(plane.get(path, &token).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let bad = plane.get(&format!("/admin/health-checks/{id}/results?kind=all&limit=0"), &token).await;
    assert_eq!(bad.fields(), ["limit", "kind"]);
    let absent = plane.call(Method::POST, "/admin/health-checks", &token, &json!({"groupId": "nothing"})).await;
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
}
