//! The examples of the OpenAPI document are true.

use axum::http::Method;
use serde_json::{Value, json};
use shared::drain::Tasks;
use shared::health::Readiness;
use shared::telemetry::Metrics;

use crate::store::tests::database::TestDatabase;

use super::Plane;
use crate::admin::openapi::documented;
use crate::{ControlPlane, ControlPlaneSettings};

fn document() -> Value {
    serde_json::from_str(&documented().1.to_json().unwrap()).unwrap()
}

/// The operations of the document: path, method, operation.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &Value)| {
        let item = item.as_object().unwrap().clone();
        let path = path.clone();
        item.into_iter().filter_map(move |(method, operation)| {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok()?;
            operation.is_object().then(|| (path.clone(), method, operation))
        })
    };
    paths.iter().flat_map(methods).collect()
}

fn body(operation: &Value) -> Option<&Value> {
    operation.get("requestBody").map(|body| &body["content"]["application/json"]["example"])
}

#[tokio::test]
async fn every_body_in_the_document_succeeds_as_it_stands() {
    let document = document();
    let operations = operations(&document);
    let find = |id: &str| operations.iter().find(|(_, _, operation)| operation["operationId"] == id).unwrap();
    let login = body(&find("login").2).unwrap();
    let mut sent = 0;
    for (path, method, operation) in &operations {
        let Some(example) = body(operation) else { continue };
        let id = operation["operationId"].as_str().unwrap();
        assert!(example.is_object(), "{id} has no example of its body");
        let database = TestDatabase::sqlite();
        let mut settings = ControlPlaneSettings {
            data_directory: database.directory.path().to_owned(),
            ..ControlPlaneSettings::default()
        };
        settings.auth.password = login["password"].as_str().map(Into::into);
        let tasks = Tasks::new();
        let control = ControlPlane::start(settings, &Metrics::new(), &Readiness::new("test"), &tasks).await.unwrap();
        let router = control.router().fallback_service(control.fallback());
        let plane = Plane { control, router, database };
        let answer = plane.call(Method::POST, "/auth/login", "", login).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let mut path = path.clone();
        if let Some((collection, _)) = path.clone().split_once("/{id}") {
            let creation =
                operations.iter().find(|(path, method, _)| path == collection && *method == Method::POST).unwrap();
            let made = plane.call(Method::POST, collection, &token, body(&creation.2).unwrap()).await;
            assert_eq!(made.status, 201, "{}", made.text);
            let made = made.json();
            path = path.replace("{id}", made["id"].as_str().unwrap());
            path = path.replace("{keyId}", made["upstreamKeys"][0]["id"].as_str().unwrap_or_default());
        }
        let answer = plane.call(method.clone(), &path, &token, example).await;
        sent += 1;
        // A new installation has no node that it could have ask a provider.
        let asks_a_node =
            operation["responses"]["503"]["description"].as_str().is_some_and(|when| when.starts_with("No node"));
        if asks_a_node && !answer.status.is_success() {
            assert_eq!(answer.json()["type"], "urn:orchestration-api:no-node", "{id}: {}", answer.text);
            continue;
        }
        assert!(answer.status.is_success(), "{id}: {} {}", answer.status, answer.text);
        assert_eq!(answer.json().get("warnings").unwrap_or(&json!([])), &json!([]), "{id}");
    }
    assert!(sent >= 7, "{sent} bodies were sent");
}

#[test]
fn every_example_of_an_error_has_the_status_that_it_stands_under() {
    let document = document();
    let mut seen = 0;
    for (path, method, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let Some(content) = response["content"].get("application/problem+json") else { continue };
            assert_eq!(content["example"]["status"].to_string(), *status, "{method} {path}");
            assert!(content["example"]["type"].as_str().unwrap().starts_with("urn:orchestration-api:"));
            assert_eq!(content["example"].get("errors").is_some(), status == "400", "{method} {path} {status}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

#[tokio::test]
async fn the_document_for_clients_is_served_and_linked_beside_that_for_operators() {
    let plane = Plane::start().await;
    let clients = plane.get("/openapi-client.json", "").await;
    assert_eq!((clients.status.as_u16(), &clients.json()["openapi"]), (200, &json!("3.1.0")));
    assert!(clients.json()["paths"]["/v1/chat/completions"]["post"].is_object());
    assert!(clients.json()["paths"]["/health/ready"]["get"].is_object());
    let initializer = plane.get("/swagger/swagger-initializer.js", "").await.text;
    for document in ["/openapi.json", "/openapi-client.json"] {
        assert_eq!(plane.get(document, "").await.status, 200);
        assert!(initializer.contains(document), "{initializer}");
    }
}
