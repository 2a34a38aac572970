use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use super::{Plane, group};
use crate::error::ApiError;
use crate::store::StoreError;

#[tokio::test(flavor = "multi_thread")]
async fn bad_json_says_where() {
    let (plane, token) = Plane::with_admin().await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
    for (body, wanted) in [
        ("{\n  \"groupName\": sk-secret }", "The body is not JSON at line 2, column 16."),
        ("{\"a\":", "The body ends too early at line 1, column 5."),
        ("", "The body is empty, JSON is needed."),
        ("[1]", "The body must be a JSON object, not a list."),
    ] {
        let answer = plane.raw(Method::POST, "/admin/groups", &headers, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["detail"], wanted);
        assert_eq!(answer.json()["type"], "urn:orchestration-api:malformed");
        assert!(!answer.text.contains("secret"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_media_type_size_method_or_path_has_its_status() {
    let (plane, token) = Plane::with_admin().await;
    let bearer = format!("Bearer {token}");
    let authorization = ("authorization", bearer.as_str());
    let body = group("a").to_string();
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let mut headers = vec![authorization];
        headers.extend(kind.map(|kind| ("content-type", kind)));
        let answer = plane.raw(Method::POST, "/admin/groups", &headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
        assert_eq!(answer.fields(), [""; 0]);
    }
    let large = format!("{{\"groupName\":\"{}\"}}", "x".repeat(1024 * 1024));
    let headers = [authorization, ("content-type", "application/json")];
    let answer = plane.raw(Method::POST, "/admin/groups", &headers, large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.fields(), [""; 0]);

    let answer = plane.call(Method::DELETE, "/admin/groups", &token, &Value::Null).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.fields(), [""; 0]);
    let allow = answer.headers[header::ALLOW].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");

    for path in ["/admin/nothing", "/admin/groups/a/b", "/auth/nothing", "/nothing", "/swagger/nothing"] {
        let answer = plane.get(path, &token).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.fields(), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_query_names_each_field() {
    let (plane, token) = Plane::with_admin().await;
    for (path, fields) in [
        ("/admin/groups?limit=0", &["limit"][..]),
        ("/admin/groups?limit=201", &["limit"]),
        ("/admin/proxy-keys?limit=many", &["limit"]),
        ("/admin/audit?limit=-1", &["limit"]),
        (
            "/admin/logs?limit=x&status=abc&from=yesterday&pageSize=5&cache=no",
            &["pageSize", "limit", "from", "status", "cache"],
        ),
        ("/admin/groups?limit=1&limit=2", &["limit"]),
        ("/admin/groups?cursor=%00", &["cursor"]),
        ("/admin/logs?cursor=not-one-of-ours", &["cursor"]),
    ] {
        let answer = plane.get(path, &token).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.fields(), fields, "{path}");
    }
    let fine = "/admin/logs?limit=200&status=200&model=m&proxy_key_id=k&groupId=g&from=2026-01-01T00:00:00Z&to=99&requestId=r&cache=hit";
    let answer = plane.get(fine, &token).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"items": [], "nextCursor": null})));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_login_are_checked() {
    let plane = Plane::start().await;
    let answer = plane.call(Method::POST, "/auth/login", "", &json!({"user": "admin", "password": 5})).await;
    assert_eq!(
        (answer.status, answer.fields()),
        (StatusCode::BAD_REQUEST, vec!["user".to_owned(), "username".to_owned(), "password".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_describes_every_route_and_swagger_shows_it() {
    let plane = Plane::start().await;
    let answer = plane.get("/openapi.json", "").await;
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(operation["operationId"].as_str().unwrap().to_owned());
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let answer =
                plane.call(method.clone(), &path.replace("{id}", "x").replace("{keyId}", "x"), "", &Value::Null).await;
            let body = operation["requestBody"].is_object();
            assert_eq!(operation["responses"]["415"].is_object(), body, "{method} {path}");
            let wanted =
                if path == "/auth/login" { StatusCode::UNSUPPORTED_MEDIA_TYPE } else { StatusCode::UNAUTHORIZED };
            assert_eq!(answer.status, wanted, "{method} {path}");
        }
    }
    assert_eq!(operations.len(), 41, "{operations:?}");
    operations.sort();
    operations.dedup();
    assert_eq!(operations.len(), 41, "operation ids are unique");
    for schema in ["GroupBody", "GroupView", "ProxyKeyBody", "ProxyKeyView", "LogView", "NodeView", "Problem"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
    let body = &document["components"]["schemas"]["GroupBody"]["properties"];
    for field in group("a").as_object().unwrap().keys() {
        assert!(body[field].is_object(), "{field} in {body}");
    }

    let schemas = &document["components"]["schemas"];
    let stored = [("Group", &["rpmLimit"][..]), ("ProxyKey", &["rpmLimit", "tpmLimit", "concurrencyLimit"])];
    for (schema, fields) in stored {
        for (kind, field) in ["Body", "View"].iter().flat_map(|kind| fields.iter().map(move |field| (kind, field))) {
            let described = schemas[format!("{schema}{kind}")]["properties"][field]["description"].to_string();
            assert!(!described.contains("in force"), "{schema}{kind} {field}: {described}");
        }
        let described = schemas[format!("{schema}Body")]["description"].as_str().unwrap();
        assert!(!described.contains("OpenAPI") && !described.contains("reads it"), "{described}");
    }

    let page = plane.get("/swagger/", "").await;
    assert_eq!((page.status, page.text.contains("swagger-ui")), (StatusCode::OK, true));
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("script-src 'self'"));
    let script = plane.get("/swagger/swagger-initializer.js", "").await;
    assert!(script.text.contains("/openapi.json"), "{}", script.text);
    assert_eq!(plane.get("/swagger", "").await.headers[header::LOCATION], "/swagger/");
    let home = plane.get("/", "").await;
    assert!(home.text.contains("/swagger") && home.text.contains("/health"), "{}", home.text);
}

#[test]
fn a_database_that_does_not_answer_is_not_the_clients_fault() {
    let response = ApiError::from(StoreError::Unavailable("no connection to db.internal".into())).into_response();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    let problem = ApiError::from(StoreError::Unavailable("no connection to db.internal".into())).problem();
    assert!(!serde_json::to_string(&problem).unwrap().contains("db.internal"));
    let problem = ApiError::Internal("a detail".into()).problem();
    assert_eq!(problem.status, 500);
    assert!(!serde_json::to_string(&problem).unwrap().contains("a detail"));
}
