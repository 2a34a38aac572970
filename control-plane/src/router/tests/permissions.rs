//! Each operation of the document has its right, and each role has just the rights that it should.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Plane;
use crate::store::users::UserRole;

/// The least that the caller of an operation has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    Anyone,
    Viewer,
    Operator,
}
use self::Caller::{Anyone, Operator, Viewer};

/// Each operation by its id, and the least that its caller has to be. A new operation needs a line here.
const OPERATIONS: &[(&str, Caller)] = &[
    ("login", Anyone),
    ("verifyToken", Viewer),
    ("logout", Viewer),
    ("changePassword", Viewer),
    ("readStatus", Viewer),
    ("listGroups", Viewer),
    ("createGroup", Operator),
    ("readGroup", Viewer),
    ("replaceGroup", Operator),
    ("changeGroup", Operator),
    ("deleteGroup", Operator),
    ("recoverUpstreamKey", Operator),
    ("readErrorRules", Viewer),
    ("replaceErrorRules", Operator),
    ("tryErrorRules", Viewer),
    ("listProviders", Viewer),
    ("listProxyKeys", Viewer),
    ("createProxyKey", Operator),
    ("readProxyKey", Viewer),
    ("replaceProxyKey", Operator),
    ("changeProxyKey", Operator),
    ("deleteProxyKey", Operator),
    ("listLogs", Viewer),
    ("readUsage", Viewer),
    ("repriceUsage", Operator),
    ("listRepriceRuns", Viewer),
    ("readPrices", Viewer),
    ("replacePrices", Operator),
    ("importPrices", Operator),
    ("listNodes", Viewer),
    ("acceptDatabase", Operator),
    ("acceptDatabaseEverywhere", Operator),
    ("listAudit", Viewer),
    ("explainRouting", Viewer),
    ("traceRequest", Viewer),
    ("listHealthChecks", Viewer),
    ("readHealthChecks", Viewer),
    ("listHealthCheckResults", Viewer),
    ("runHealthChecks", Operator),
    ("testGroup", Operator),
    ("listUpstreamModels", Operator),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_is_open_to_those_whom_it_is_for_and_to_nobody_else() {
    let plane = Plane::start().await;
    plane.add_user("viewer", UserRole::Viewer, true).await;
    plane.add_user("operator", UserRole::Operator, true).await;
    let document = plane.get("/openapi.json", "").await.json();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let (name, least) = OPERATIONS.iter().find(|(name, _)| *name == id).unwrap_or_else(|| {
                panic!("{id} ({method} {path}) is not in the table of this test: whom is it for?");
            });
            found.push(*name);
            let documented = |status: &str| operation["responses"][status].is_object();
            assert!(documented("401"), "{id}: every operation can be refused for want of a login");
            assert_eq!(documented("403"), *least > Viewer, "{id}: 403 is documented where a role is refused");
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let path = ["{id}", "{keyId}"]
                .iter()
                .fold(path.clone(), |path, name| path.replace(name, "0190a5d0-0000-7000-8000-000000000000"));
            let body = if operation["requestBody"].is_object() { json!({}) } else { Value::Null };
            for caller in [None, Some("viewer"), Some("operator"), Some("admin")] {
                // A login of its own for each call, since one of the operations ends it.
                let token = match caller {
                    Some(username) => plane.login(username).await,
                    None => String::new(),
                };
                let status = plane.call(method.clone(), &path, &token, &body).await.status;
                let refused = match caller {
                    None if *least > Anyone => Some(StatusCode::UNAUTHORIZED),
                    Some("viewer") if *least > Viewer => Some(StatusCode::FORBIDDEN),
                    _ => None,
                };
                match refused {
                    Some(refused) => assert_eq!(status, refused, "{id} for {caller:?}"),
                    None => assert!(
                        status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN,
                        "{id} for {caller:?}: {status}"
                    ),
                }
            }
        }
    }
    let lost: Vec<_> = OPERATIONS.iter().map(|(name, _)| name).filter(|name| !found.contains(*name)).collect();
    assert!(lost.is_empty(), "{lost:?} are in the table of this test, but not in the document");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_reasons_to_refuse_a_change_the_first_is_told() {
    let (plane, token) = Plane::with_admin().await;
    plane.add_user("viewer", UserRole::Viewer, true).await;
    let (admin, viewer) = (format!("Bearer {token}"), format!("Bearer {}", plane.login("viewer").await));
    let json = "application/json";
    for (authorization, kind, body, wanted) in [
        ("", "text/plain", "{", StatusCode::UNAUTHORIZED),
        (viewer.as_str(), "text/plain", "{", StatusCode::FORBIDDEN),
        (admin.as_str(), "text/plain", "{", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (admin.as_str(), json, "{", StatusCode::BAD_REQUEST),
        (admin.as_str(), json, "{}", StatusCode::NOT_FOUND),
    ] {
        for (method, path) in [(Method::PUT, "/admin/groups/x"), (Method::PATCH, "/admin/proxy-keys/x")] {
            let mut headers = vec![("content-type", kind)];
            headers.extend((!authorization.is_empty()).then_some(("authorization", authorization)));
            let answer = plane.raw(method.clone(), path, &headers, body).await;
            assert_eq!(answer.status, wanted, "{method} {path} with {kind} {body}");
        }
    }
}
