use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use shared::pb;
use shared::pb::key_state::{Health, Pause};
use shared::time::steady_ms;

use super::{Plane, group};
use crate::grpc::key_states::KeyStates;

/// A group with one key. Gives its path, and the id of the key.
async fn a_group(plane: &Plane, token: &str) -> (String, String) {
    let made = plane.call(Method::POST, "/admin/groups", token, &group("g")).await.json();
    assert_eq!(made["upstreamKeys"][0]["state"], "ok", "{made}");
    (
        format!("/admin/groups/{}", made["id"].as_str().unwrap()),
        made["upstreamKeys"][0]["id"].as_str().unwrap().to_owned(),
    )
}

fn states(plane: &Plane) -> &KeyStates {
    &plane.control.state().nodes().key_states
}

fn refused(key: &str, model: &str) -> pb::KeyState {
    pb::KeyState {
        upstream_key_id: key.to_owned(),
        model: model.to_owned(),
        health: Health::Invalid.into(),
        status: 401,
        reason: "Incorrect API key provided".to_owned(),
        observed_at_ms: steady_ms() - 1_000,
        ..pb::KeyState::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_shows_what_is_known_of_its_keys_and_takes_that_back_in_a_write() {
    let (plane, token) = Plane::with_admin().await;
    let (path, key) = a_group(&plane, &token).await;
    let (seen, of_model) = (refused(&key, ""), refused(&key, "gpt-4o"));
    let until = steady_ms() + 7_200_000;
    let spent = pb::KeyState {
        health: Health::CoolingDown.into(),
        pause: Pause::Exhausted.into(),
        until_ms: until,
        status: 429,
        ..of_model
    };
    assert!(states(&plane).observed("n", seen.clone()) && states(&plane).observed("n", spent.clone()));
    for method in [Method::GET, Method::PATCH, Method::PUT] {
        let body = match method {
            Method::PATCH => json!({"priority": 3}),
            Method::PUT => plane.get(&path, &token).await.json(),
            _ => Value::Null,
        };
        let shown = plane.call(method.clone(), &path, &token, &body).await;
        assert_eq!(shown.status, StatusCode::OK, "{method}: {}", shown.text);
        let shown = shown.json()["upstreamKeys"][0].clone();
        assert_eq!(
            (&shown["state"], &shown["stateReason"], &shown["observedAt"], &shown["stateUntil"]),
            (
                &json!("invalid"),
                &json!("401: Incorrect API key provided"),
                &json!(seen.observed_at_ms),
                &json!(seen.observed_at_ms + 300_000)
            ),
            "{method}"
        );
        let of_model = json!([{
            "model": "gpt-4o", "state": "exhausted", "stateUntil": until,
            "stateReason": "429: Incorrect API key provided", "observedAt": spent.observed_at_ms
        }]);
        assert_eq!(shown["modelStates"], of_model);
    }
    let list = plane.get("/admin/groups", &token).await.json();
    assert_eq!(list["items"][0]["upstreamKeys"][0]["state"], "invalid");
    let disabled = json!({"upstreamKeys": [{"id": key, "enabled": false}]});
    let shown = plane.call(Method::PATCH, &path, &token, &disabled).await.json();
    assert_eq!(shown["upstreamKeys"][0]["state"], "disabled", "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_recovered_by_command_with_its_models_for_all_nodes_and_in_the_audit_log() {
    let (plane, token) = Plane::with_admin().await;
    let (path, key) = a_group(&plane, &token).await;
    for model in ["", "gpt-4o"] {
        assert!(states(&plane).observed("n", refused(&key, model)));
    }
    let (_, mut news) = states(&plane).follow();
    let recover = format!("{path}/keys/{key}/recover");
    let answer = plane.call(Method::POST, &recover, &token, &Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let shown = answer.json();
    assert_eq!((&shown["recovered"], &shown["probe"]), (&json!(true), &Value::Null));
    assert_eq!((&shown["upstreamKey"]["state"], &shown["upstreamKey"]["modelStates"]), (&json!("ok"), &json!([])));
    let mut told = [news.try_recv().unwrap(), news.try_recv().unwrap()].map(|news| (news.model.clone(), news.health()));
    told.sort();
    assert_eq!(told, [(String::new(), Health::Valid), ("gpt-4o".to_owned(), Health::Valid)]);
    // The node that has told of it comes back with its news.
    assert!(states(&plane).observed("n", refused(&key, "")));
    assert_eq!(plane.get(&path, &token).await.json()["upstreamKeys"][0]["state"], "ok");
    // It is kept.
    let states = KeyStates::default();
    states.restore(plane.control.store()).await.unwrap();
    assert!(states.observed("n", refused(&key, "gpt-4o")) && !states.of(&key).is_empty());
    assert!(states.of(&key).iter().all(|state| state.marks.outage(steady_ms()).is_none()));
    let entry = plane.get("/admin/audit?limit=1", &token).await.json()["items"][0].clone();
    assert_eq!(
        (&entry["action"], &entry["resource"], &entry["resourceId"]),
        (&json!("recover"), &json!("upstream_key"), &json!(key))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recovered_is_refused_and_a_disabled_key_stays_disabled() {
    let (plane, token) = Plane::with_admin().await;
    let (path, key) = a_group(&plane, &token).await;
    let recover = format!("{path}/keys/{key}/recover");
    for (path, body, status) in [
        ("/admin/groups/nothing/keys/nothing/recover".to_owned(), Value::Null, StatusCode::NOT_FOUND),
        (format!("{path}/keys/nothing/recover"), Value::Null, StatusCode::NOT_FOUND),
        (recover.clone(), json!({"probe": "yes"}), StatusCode::BAD_REQUEST),
        (recover.clone(), json!({"prob": true}), StatusCode::BAD_REQUEST),
        // No node is connected that could probe it.
        (recover.clone(), json!({"probe": true}), StatusCode::SERVICE_UNAVAILABLE),
    ] {
        assert_eq!(plane.call(Method::POST, &path, &token, &body).await.status, status, "{path} {body}");
    }
    let disabled = json!({"upstreamKeys": [{"id": key, "enabled": false}]});
    plane.call(Method::PATCH, &path, &token, &disabled).await;
    let answer = plane.call(Method::POST, &recover, &token, &json!({"probe": false})).await.json();
    assert_eq!((&answer["recovered"], &answer["upstreamKey"]["state"]), (&json!(true), &json!("disabled")));
    assert_eq!(plane.get(&path, &token).await.json()["upstreamKeys"][0]["enabled"], false);
}
