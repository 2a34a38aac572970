//! Tests of the login and the rights it gives, of the audit log, of the pages of the usage list, and of the OpenAPI
//! document.

use std::collections::HashSet;

use harness::admin::Admin;
use harness::http::{Answer, Connection, bare, json as json_request};
use harness::planes::{Planes, chat, group};
use hyper::Method;
use serde_json::{Value, json};

use crate::admin::problem;
use crate::support::{Bed, standalone};

const ROUTES: &[(&str, &str)] = &[
    ("get", "/admin/status"),
    ("get", "/admin/groups"),
    ("post", "/admin/groups"),
    ("get", "/admin/groups/{id}"),
    ("put", "/admin/groups/{id}"),
    ("patch", "/admin/groups/{id}"),
    ("delete", "/admin/groups/{id}"),
    ("get", "/admin/proxy-keys"),
    ("post", "/admin/proxy-keys"),
    ("get", "/admin/proxy-keys/{id}"),
    ("put", "/admin/proxy-keys/{id}"),
    ("patch", "/admin/proxy-keys/{id}"),
    ("delete", "/admin/proxy-keys/{id}"),
    ("get", "/admin/logs"),
    ("get", "/admin/nodes"),
    ("get", "/admin/providers"),
];

async fn send(planes: &Planes, method: Method, path: &str, token: &str, body: &Value) -> Answer {
    let request = if body.is_null() { bare(method, path, token) } else { json_request(method, path, token, body) };
    Connection::to(planes.control.http).fetch(request.unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_admin_opens_without_a_login() {
    let planes = standalone().start().await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "no admin" })).await.unwrap();
    let (head, payload) =
        planes.admin.token().rsplit_once('.').map(|(signed, _)| signed.split_once('.').unwrap()).unwrap();
    let forged = format!("{head}.{payload}.AAAA");
    for (method, path) in ROUTES {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let path = path.replace("{id}", "0190a5d0-0000-7000-8000-000000000000");
        let body = if method == Method::GET || method == Method::DELETE { Value::Null } else { json!({}) };
        for token in ["", "nonsense", key.value.as_str(), forged.as_str()] {
            problem(&send(&planes, method.clone(), &path, token, &body).await, 401);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_verified_until_the_logout() {
    let planes = standalone().start().await.unwrap();
    let login = json!({ "username": "admin", "password": planes.password });
    let answer = send(&planes, Method::POST, "/auth/login", "", &login).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("authToken=") && cookie.contains("HttpOnly"), "{cookie}");
    let admin = Admin::login(planes.control.http, "admin", &planes.password).await.unwrap();
    let token = admin.token().to_owned();
    let verified = send(&planes, Method::GET, "/auth/verify", &token, &Value::Null).await;
    assert_eq!(verified.status, 200);
    let verified = verified.json();
    assert_eq!(verified["valid"], true);
    assert_eq!(verified["user"]["username"], "admin");
    assert!(!verified.to_string().contains("password"), "{verified}");

    assert!((200..300).contains(&send(&planes, Method::POST, "/auth/logout", &token, &Value::Null).await.status));
    assert_eq!(send(&planes, Method::GET, "/auth/verify", &token, &Value::Null).await.status, 401);
    problem(&send(&planes, Method::GET, "/admin/groups", &token, &Value::Null).await, 401);
    // Another login of the same user is another session.
    assert!(planes.admin.get("/admin/groups").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_of_a_login_serves_as_the_header_does() {
    let planes = standalone().start().await.unwrap();
    let mut request = bare(Method::GET, "/admin/groups", "").unwrap();
    let cookie = format!("theme=dark; authToken={}", planes.admin.token());
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    assert_eq!(Connection::to(planes.control.http).fetch(request).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_told_nothing() {
    let planes = standalone().start().await.unwrap();
    let mut texts = HashSet::new();
    for login in
        [json!({ "username": "admin", "password": "wrong" }), json!({ "username": "nobody", "password": "wrong" })]
    {
        let answer = send(&planes, Method::POST, "/auth/login", "", &login).await;
        assert_eq!(answer.status, 401);
        texts.insert(answer.json()["detail"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(texts.len(), 1, "an unknown user is told from a wrong password: {texts:?}");
    for body in [json!({}), json!({ "username": 5, "password": [] })] {
        problem(&send(&planes, Method::POST, "/auth/login", "", &body).await, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_audit_log() {
    let planes = standalone().start().await.unwrap();
    let body = group("audited", "http://127.0.0.1:9/v1", &["sk-audit-secret-0001"], &["m"]);
    let id = planes.admin.create_group(&body).await.unwrap();
    let path = format!("/admin/groups/{id}");
    planes.admin.ok(Method::PATCH, &path, &json!({ "priority": 5 })).await.unwrap();
    planes.admin.send(Method::DELETE, &path, &Value::Null).await.unwrap();
    let document = planes.control.get("/openapi.json").await.unwrap().json();
    let audit =
        document["paths"].as_object().unwrap().keys().find(|path| path.contains("audit")).expect("a route").clone();
    let entries = planes.admin.pages(&audit, 200).await.unwrap();
    let of_group: Vec<&Value> = entries.iter().filter(|entry| entry.to_string().contains(&id)).collect();
    assert_eq!(of_group.len(), 3, "{entries:#?}");
    assert!(of_group.iter().all(|entry| entry["username"] == "admin"), "{of_group:#?}");
    assert!(!json!(entries).to_string().contains("sk-audit-secret-0001"), "a secret is in the audit log");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_listed_newest_first_page_by_page() {
    let bed = Bed::start(standalone()).await.unwrap();
    for model in ["gpt-4o", "gpt-4o-mini", "gpt-4o", "no-such", "gpt-4o"] {
        bed.chat(&chat(model, false)).await.unwrap();
    }
    bed.chat_records(5).await.unwrap();
    let paged = bed.planes.admin.pages("/admin/logs", 2).await.unwrap();
    let ids: HashSet<&str> = paged.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), paged.len(), "a record stands on two pages");
    assert_eq!(paged, bed.planes.admin.logs().await.unwrap());
    let started: Vec<i64> = paged.iter().map(|record| record["startedAt"].as_i64().unwrap()).collect();
    assert!(started.is_sorted_by(|newer, older| newer >= older), "{started:?}");
    let one = bed.planes.admin.get("/admin/logs?limit=1").await.unwrap();
    assert_eq!(one["items"].as_array().map(Vec::len), Some(1));
    assert!(one["nextCursor"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_names_each_route() {
    let planes = standalone().start().await.unwrap();
    let answer = planes.control.get("/openapi.json").await.unwrap();
    assert_eq!(answer.status, 200);
    let document = answer.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    let auth = [("post", "/auth/login"), ("get", "/auth/verify"), ("post", "/auth/logout")];
    for (method, path) in ROUTES.iter().chain(&auth) {
        let operation = &document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is missing");
        assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()), "{operation}");
    }
    for path in ["/swagger", "/swagger/", "/"] {
        let status = planes.control.get(path).await.unwrap().status;
        assert!((200..400).contains(&status), "{path} answers {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_nodes_are_told() {
    let bed = Bed::start(standalone()).await.unwrap();
    let status = bed.planes.admin.get("/admin/status").await.unwrap();
    assert!(status["version"].is_string(), "{status}");
    let nodes = bed.planes.admin.get("/admin/nodes").await.unwrap();
    let items = nodes["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{nodes}");
    assert_eq!(items[0]["connected"], true);
    assert!(items[0]["appliedVersion"].as_u64().is_some_and(|version| version >= 2), "{nodes}");
    assert!(items[0]["lastSeen"].is_i64() && items[0]["version"].is_string() && items[0]["id"].is_string(), "{nodes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_of_admin_is_a_problem() {
    let planes = standalone().start().await.unwrap();
    let answer = planes.admin.send(Method::GET, "/admin/no-such", &Value::Null).await.unwrap();
    problem(&answer, 404);
    let answer = planes.admin.send(Method::DELETE, "/admin/groups", &Value::Null).await.unwrap();
    problem(&answer, 405);
}
