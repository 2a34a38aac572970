use axum::body::Body;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use http::Method;
use serde_json::json;
use shared::pb::usage_record::Outcome;

use super::{Bench, Got, bench, bench_with, plain, post, request};
use crate::route::fixtures::key;

const GROUPS: [(&str, &str); 3] = [("a", "openai"), ("x", "anthropic"), ("b", "openai")];

/// Uploads a file to a group.
async fn file(bench: &Bench, node: usize, group: Option<&str>) -> Got {
    let line = r#"{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}"#;
    let part = |head: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
    let body = part("name=\"purpose\"", "batch") + &part("name=\"file\"; filename=\"f.jsonl\"", line) + "--b--\r\n";
    let mut request = request(Method::POST, "/v1/files").header("content-type", "multipart/form-data; boundary=b");
    if let Some(group) = group {
        request = request.header("x-orchestration-group", group);
    }
    bench.send(node, request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_file_is_asked_for_where_it_is() {
    let mut bench = plain(&GROUPS).await;
    let first = file(&bench, 0, None).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let record = bench.record();
    assert_eq!((record.group_id.as_str(), record.api.as_str(), record.outcome()), ("a", "files", Outcome::Success));
    let id = file(&bench, 0, Some("b")).await.id();
    assert_eq!(bench.record().group_id, "b");

    bench.forget();
    let got = bench.get(0, &format!("/v1/files/{id}")).await;
    assert_eq!((got.status, got.id()), (200, id.clone()));
    let got = bench.get(0, &format!("/v1/files/{id}/content")).await;
    assert!(got.content_type == "application/octet-stream" && got.text().contains("custom_id"));
    // The node that served the upload asks no other provider.
    assert_eq!(
        bench.asked(),
        [vec![], vec![], vec![format!("GET /v1/files/{id}"), format!("GET /v1/files/{id}/content")]]
    );
}

#[tokio::test]
async fn another_node_asks_around_once() {
    let mut bench = plain(&GROUPS).await;
    let id = file(&bench, 0, Some("b")).await.id();
    bench.forget();
    let got = bench.get(1, &format!("/v1/files/{id}/content")).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let content = format!("GET /v1/files/{id}/content");
    assert_eq!(bench.asked(), [vec![content.clone()], vec![], vec![content]]);
    let record = bench.record();
    assert_eq!((record.attempts.len(), record.group_id.as_str(), record.outcome()), (2, "b", Outcome::Success));

    bench.forget();
    let got = bench.call(1, Method::DELETE, &format!("/v1/files/{id}")).await;
    assert_eq!((got.status, &got.json()["deleted"]), (200, &json!(true)));
    assert_eq!(bench.asked(), [vec![], vec![], vec![format!("DELETE /v1/files/{id}")]]);
    let got = bench.get(1, &format!("/v1/files/{id}")).await;
    assert_eq!(got.status, 404);
    assert!(got.json()["error"]["message"].as_str().unwrap().contains(&id));
}

#[tokio::test]
async fn what_changes_something_is_asked_of_the_owner_only() {
    let mut bench = plain(&GROUPS).await;
    let id = file(&bench, 0, Some("b")).await.id();
    bench.forget();
    let got = bench.call(1, Method::DELETE, &format!("/v1/files/{id}")).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let question = format!("GET /v1/files/{id}");
    assert_eq!(bench.asked(), [vec![question.clone()], vec![], vec![question, format!("DELETE /v1/files/{id}")]]);
    assert_eq!(bench.record().attempts.len(), 3);
}

#[tokio::test]
async fn a_batch_is_made_where_its_file_is() {
    let mut bench = plain(&GROUPS).await;
    let id = file(&bench, 0, Some("b")).await.id();
    let body = json!({ "input_file_id": id, "endpoint": "/v1/chat/completions", "completion_window": "24h" });
    // The first node does not know the file. The second does not know the batch.
    let got = bench.send(1, post("/v1/batches", &body)).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let batch = got.id();
    bench.forget();
    let got = bench.get(0, &format!("/v1/batches/{batch}")).await;
    let output = got.json()["output_file_id"].as_str().unwrap().to_owned();
    let record = bench.record();
    assert_eq!((record.api.as_str(), record.group_id.as_str()), ("batches", "b"));
    // The files that a batch names are known with it.
    bench.forget();
    let got = bench.get(0, &format!("/v1/files/{output}/content")).await;
    assert!(got.text().contains("custom_id"), "{}", got.text());
    assert_eq!(bench.record().attempts.len(), 1);
    let got = bench.call(0, Method::POST, &format!("/v1/batches/{batch}/cancel")).await;
    assert_eq!((got.status, bench.record().group_id.as_str()), (409, "b"));
    let got = bench.post("/v1/batches", &json!({ "endpoint": "x" })).await;
    assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!("input_file_id")));
}

#[tokio::test]
async fn a_list_is_of_one_group() {
    let mut bench = plain(&GROUPS).await;
    let (in_a, in_b) = (file(&bench, 0, Some("a")).await.id(), file(&bench, 0, Some("b")).await.id());
    bench.forget();
    let got = bench.get(1, "/v1/files?purpose=batch&limit=5").await;
    assert_eq!((got.json()["data"].as_array().unwrap().len(), &got.json()["data"][0]["id"]), (1, &json!(in_a)));
    assert_eq!(bench.asked()[0], ["GET /v1/files?purpose=batch&limit=5"]);
    let pinned = |name: &str| {
        request(Method::GET, "/v1/files").header("x-orchestration-group", name).body(Body::empty()).unwrap()
    };
    assert_eq!(bench.send(1, pinned("b")).await.json()["data"][0]["id"], json!(in_b));
    // The ids in a list are remembered.
    bench.forget();
    assert_eq!(bench.get(1, &format!("/v1/files/{in_b}")).await.status, 200);
    assert_eq!(bench.record().attempts.len(), 1);
    let got = bench.send(1, pinned("nobody")).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (404, &json!("not_found")));
    assert_eq!(bench.get(0, "/v1/batches").await.json()["object"], "list");
}

#[tokio::test]
async fn a_key_reaches_only_what_it_may() {
    let bench = bench(&GROUPS, |_, key, _| {
        key.allowed_groups = vec!["a".into(), "x".into()];
        key.allowed_models = vec!["m".into()];
    })
    .await;
    let got = file(&bench, 0, Some("b")).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (404, &json!("not_found")));
    let id = file(&bench, 0, None).await.id();
    assert_eq!(bench.get(0, &format!("/v1/files/{id}")).await.status, 200);
    assert_eq!(bench.get(0, "/v1/files/file-of-another").await.status, 404);
    assert!(bench.asked()[2].is_empty());
    let body = json!({ "input_file_id": id, "endpoint": "/v1/chat/completions", "completion_window": "24h" });
    let got = bench.post("/v1/batches", &body).await;
    assert_eq!((got.status, &got.json()["error"]["code"]), (403, &json!("permission_denied")));
}

#[tokio::test]
async fn a_group_that_is_away_is_not_one_that_has_no_such_thing() {
    let mut bench = plain(&GROUPS).await;
    let id = file(&bench, 0, Some("b")).await.id();
    bench.providers[0].always(Target::All, Script::error(503));
    assert_eq!(bench.get(1, &format!("/v1/files/{id}")).await.status, 200);
    assert_eq!(bench.get(1, "/v1/files/file-unknown").await.status, 503);
    bench.forget();
    assert_eq!(bench.get(1, &format!("/v1/files/{id}")).await.status, 200);
    assert_eq!(bench.record().attempts.len(), 1);
}

#[tokio::test]
async fn what_a_key_may_not_do_here_it_may_do_elsewhere() {
    let mut bench = plain(&GROUPS).await;
    let id = file(&bench, 0, Some("b")).await.id();
    let scopes =
        json!({ "message": "You have insufficient permissions for this operation. Missing scopes: api.files.read." });
    for status in [401, 403, 429] {
        bench.providers[0].script(Target::All, Script { error: Some(scopes.clone()), ..Script::error(status) });
        bench.get(1, &format!("/v1/files/unknown-{status}")).await;
        let got = bench.get(1, "/v1/files/file-unknown").await;
        assert_eq!(got.status, 404, "{status}");
        bench.forget();
        let chat = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello" }] });
        assert_eq!(bench.send(1, post("/v1/chat/completions", &chat)).await.status, 200);
        assert_eq!(bench.record().group_id, "a", "{status}");
    }
    bench.providers[0].script(Target::All, Script::error(403));
    assert_eq!(bench.get(1, &format!("/v1/files/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_chat_about_a_file_goes_where_the_file_is() {
    for node in [0, 1] {
        let mut bench = plain(&GROUPS).await;
        let id = file(&bench, 0, Some("b")).await.id();
        bench.forget();
        let content = json!([{ "type": "file", "file": { "file_id": id } }, { "type": "text", "text": "What is it?" }]);
        let chat = json!({ "model": "m", "messages": [{ "role": "user", "content": content }] });
        let got = bench.send(node, post("/v1/chat/completions", &chat)).await;
        assert_eq!(got.status, 200, "{}", got.text());
        let record = bench.record();
        assert_eq!((record.group_id.as_str(), record.attempts.len()), ("b", if node == 0 { 1 } else { 3 }));
    }
}

#[tokio::test]
async fn a_path_leads_nowhere_else() {
    let bench = plain(&[("a", "openai")]).await;
    for path in
        ["/v1/files/..", "/v1/files/%2e%2e/content", "/v1/files/a%2Fb", "/v1/responses/../files", "/v1/responses/x//y"]
    {
        let got = bench.get(0, path).await;
        assert_eq!((got.status, &got.json()["error"]["code"]), (404, &json!("unknown_url")), "{path}");
    }
    assert_eq!(bench.call(0, Method::POST, "/v1/responses/..").await.status, 404);
    assert_eq!(bench.call(0, Method::PUT, "/v1/files").await.status, 405);
    assert!(bench.asked()[0].is_empty());
}

/// A group that the key may not use is as unknown to it as one that does not exist.
#[tokio::test]
async fn a_404_names_no_group_that_the_key_may_not_use() {
    let mut stranger = key("stranger", "sk-stranger");
    stranger.allowed_groups = vec!["a".into()];
    let bench = bench_with(&[("a", "openai"), ("hidden", "openai")], |_, _, _| {}, [stranger]).await;
    let id = file(&bench, 0, Some("hidden")).await.id();
    let ask = async |method: Method, path: &str, group: Option<&str>| {
        let mut request = http::Request::builder().method(method).uri(path);
        request = request.header("authorization", "Bearer sk-stranger");
        if let Some(group) = group {
            request = request.header("x-orchestration-group", group);
        }
        bench.send(0, request.body(Body::empty()).unwrap()).await
    };
    for method in [Method::GET, Method::DELETE] {
        // The node knows whose the file is, and does not tell.
        let known = ask(method.clone(), &format!("/v1/files/{id}"), None).await;
        let unknown = ask(method, "/v1/files/file-unknown", None).await;
        assert_eq!((known.status, unknown.status), (404, 404), "{}", known.text());
        assert_eq!(known.text().replace(&id, "file-unknown"), unknown.text());
        assert!(!known.text().contains("hidden"), "{}", known.text());
    }
    let hidden = ask(Method::GET, "/v1/files", Some("hidden")).await;
    let unknown = ask(Method::GET, "/v1/files", Some("nowhere")).await;
    assert_eq!((hidden.status, hidden.text().replace("hidden", "nowhere")), (unknown.status, unknown.text()));
    assert_eq!(unknown.status, 404);
}
