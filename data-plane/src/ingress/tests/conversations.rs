//! Clients of OpenAI's Responses API that refer to earlier answers, on groups whose provider keeps none.

use axum::body::Body;
use axum::response::Response;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use http::Request;
use serde_json::{Value, json};

use super::{Bench, bench, text};

async fn anthropic() -> Bench {
    bench(|group| {
        group.provider_type = "anthropic".into();
        group.base_url = group.base_url.trim_end_matches("/v1").into();
        group.model_aliases.insert("m".into(), "claude-sonnet-4-5".into());
    })
    .await
}

async fn call(bench: &Bench, method: &str, path: &str, body: Option<Value>) -> Response {
    let request = Request::builder().method(method).uri(path).header("authorization", "Bearer sk-client");
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    bench.send(request.body(body).unwrap()).await
}

async fn json_of(response: Response) -> Value {
    let status = response.status();
    let body = text(response).await;
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status} {error}: {body}"))
}

/// The response that a stream ends with.
fn last_response(stream: &str) -> Value {
    let data = stream.split("\n\n").filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
    let mut responses = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    responses.find(|event| event["type"] == "response.completed").unwrap()["response"].take()
}

#[tokio::test]
async fn a_conversation_goes_on_by_the_id_of_its_last_answer() {
    for stream in [false, true] {
        let bench = anthropic().await;
        bench.provider.script(Target::All, Script::saying("Paris"));
        let first = json!({ "model": "m", "input": "Capital of France?", "stream": stream });
        let answer = call(&bench, "POST", "/v1/responses", Some(first)).await;
        let answer = if stream { last_response(&text(answer).await) } else { json_of(answer).await };
        let id = answer["id"].as_str().unwrap();

        let next = json!({ "model": "m", "input": "And of Italy?", "previous_response_id": id });
        let second = json_of(call(&bench, "POST", "/v1/responses", Some(next)).await).await;
        assert_eq!(second["status"], "completed", "{second}");
        let sent = bench.provider.journal().last().unwrap().json();
        let said: Vec<_> =
            sent["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
        assert_eq!(said, ["user", "assistant", "user"], "{sent}");
        assert!(sent.to_string().contains("Paris"), "{sent}");

        let got = json_of(call(&bench, "GET", &format!("/v1/responses/{id}"), None).await).await;
        assert_eq!(got["output"], answer["output"]);
        let items = json_of(call(&bench, "GET", &format!("/v1/responses/{id}/input_items"), None).await).await;
        assert_eq!(items["data"][0]["content"], "Capital of France?");
        let cancelled = call(&bench, "POST", &format!("/v1/responses/{id}/cancel"), Some(json!({}))).await;
        assert_eq!(cancelled.status(), 400, "as OpenAI says of what was not made in the background");
        assert_eq!(json_of(cancelled).await["error"]["type"], "invalid_request_error");
        let deleted = json_of(call(&bench, "DELETE", &format!("/v1/responses/{id}"), None).await).await;
        assert_eq!(deleted["deleted"], true);
    }
}

#[tokio::test]
async fn items_are_referred_to_by_their_ids() {
    let bench = anthropic().await;
    bench.provider.script(Target::All, Script::tool_calls([("weather", r#"{"city":"Paris"}"#)]));
    let tools =
        json!([{ "type": "function", "name": "weather", "parameters": { "type": "object", "properties": {} } }]);
    let first = json!({ "model": "m", "input": "Weather?", "tools": tools });
    let answer = json_of(call(&bench, "POST", "/v1/responses", Some(first)).await).await;
    let item = answer["output"].as_array().unwrap().iter().find(|item| item["type"] == "function_call").unwrap();
    let input = json!([
        { "role": "user", "content": "Weather?" },
        { "type": "item_reference", "id": item["id"] },
        { "type": "function_call_output", "call_id": item["call_id"], "output": "Sunny" },
    ]);
    let next = json!({ "model": "m", "input": input, "tools": tools });
    let second = json_of(call(&bench, "POST", "/v1/responses", Some(next)).await).await;
    assert_eq!(second["status"], "completed", "{second}");
    let sent = bench.provider.journal().last().unwrap().json();
    assert_eq!(sent["messages"][1]["content"][0]["name"], "weather", "{sent}");
}

#[tokio::test]
async fn what_is_not_kept_is_a_400_that_says_what_to_do() {
    let bench = anthropic().await;
    let body = json!({ "model": "m", "input": "x", "previous_response_id": "resp_unknown" });
    let response = call(&bench, "POST", "/v1/responses", Some(body)).await;
    assert_eq!(response.status(), 400);
    let error = json_of(response).await["error"].take();
    assert_eq!((&error["param"], &error["code"]), (&json!("previous_response_id"), &json!("unsupported_value")));
    assert!(error["message"].as_str().unwrap().contains("whole conversation"), "{error}");
}

#[tokio::test]
async fn an_answer_that_speaks_of_its_own_end_is_kept_as_any_other() {
    for (instructions, words) in [
        ("Be brief", "The last event is response.completed, or response.incomplete."),
        ("Say response.completed", "Yes."),
    ] {
        let bench = anthropic().await;
        bench.provider.script(Target::All, Script::saying(words));
        let body =
            json!({ "model": "m", "instructions": instructions, "input": "How does a stream end?", "stream": true });
        let answer = last_response(&text(call(&bench, "POST", "/v1/responses", Some(body)).await).await);
        let id = answer["id"].as_str().unwrap();
        let got = json_of(call(&bench, "GET", &format!("/v1/responses/{id}"), None).await).await;
        assert_eq!((&got["status"], &got["output"]), (&json!("completed"), &answer["output"]), "{words}");
    }
}

#[tokio::test]
async fn p35_what_is_kept_holds_no_upstream_key() {
    for stream in [false, true] {
        let bench = anthropic().await;
        bench.provider.script(Target::All, Script::saying("Your key is sk-upstream-g-1, and sk-upstream-g-2."));
        let body = json!({ "model": "m", "input": "What is your key?", "stream": stream });
        let answer = call(&bench, "POST", "/v1/responses", Some(body)).await;
        let answer = if stream { last_response(&text(answer).await) } else { json_of(answer).await };
        let used = bench.keys_used().remove(0);
        assert!(!answer.to_string().contains(&used), "{answer}");
        let path = format!("/v1/responses/{}", answer["id"].as_str().unwrap());
        let got = text(call(&bench, "GET", &path, None).await).await;
        assert!(got.contains("Your key is") && !got.contains(&used), "{got}");
    }
}
