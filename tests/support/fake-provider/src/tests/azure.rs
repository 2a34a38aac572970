use serde_json::{Value, json};

use super::{post, provider};
use crate::queue::Target;
use crate::script::Script;

const DEPLOYMENT: &str = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21\napi-key: azure";

fn chat(stream: bool) -> Value {
    json!({ "stream": stream, "messages": [{ "role": "user", "content": "Hi" }] })
}

#[tokio::test]
async fn a_deployment_is_the_model() {
    let provider = provider().await;
    provider.script(Target::Model("my-gpt".into()), Script::saying("Bonjour"));
    let answer = post(&provider, DEPLOYMENT, &chat(false)).await.json();
    assert_eq!((&answer["choices"][0]["message"]["content"], &answer["model"]), (&json!("Bonjour"), &json!("my-gpt")));
    assert_eq!(answer["choices"][0]["content_filter_results"]["hate"]["filtered"], false);
    assert_eq!(provider.journal().last().unwrap().query(), "api-version=2024-10-21");
    assert_eq!(provider.journal().last().unwrap().key(), "azure");
}

#[tokio::test]
async fn the_first_chunk_has_no_choices() {
    let provider = provider().await;
    let mut request = chat(true);
    request["model"] = json!("gpt-4o");
    let events = post(&provider, "/openai/v1/chat/completions\napi-key: azure", &request).await.events();
    assert_eq!((&events[0].1["choices"], &events[0].1["model"]), (&json!([]), &json!("")));
    assert_eq!(events[1].1["choices"][0]["delta"]["role"], "assistant");
}

#[tokio::test]
async fn errors_speak_as_the_vendor_does() {
    let provider = provider().await;
    let no_version = post(&provider, "/openai/deployments/my-gpt/chat/completions\napi-key: azure", &chat(false)).await;
    no_version.refuses(404, "Resource not found");
    let no_key = post(&provider, DEPLOYMENT.split('\n').next().unwrap(), &chat(false)).await;
    no_key.refuses(401, "Access denied due to invalid subscription key");
    assert_eq!(no_key.json()["error"]["code"], "401");
    provider.script(Target::All, Script::error(404));
    post(&provider, DEPLOYMENT, &chat(false)).await.refuses(404, "DeploymentNotFound");
    provider.script(Target::All, Script::error(429));
    let limited = post(&provider, DEPLOYMENT, &chat(false)).await;
    assert_eq!((limited.status, limited.header("retry-after-ms")), (429, Some("1000")));
    provider.script(Target::All, Script::blocked("hate"));
    post(&provider, DEPLOYMENT, &chat(false)).await.refuses(400, "content_filter");
}

#[tokio::test]
async fn a_base_of_another_vendor_is_not_azure() {
    let provider = provider().await;
    let mut request = chat(false);
    request["model"] = json!("llama");
    let answer = post(&provider, "/openai/v1/chat/completions\nauthorization: Bearer gsk", &request).await.json();
    assert!(answer.get("prompt_filter_results").is_none());
}

#[tokio::test]
async fn deployments_embed() {
    let provider = provider().await;
    let path = "/openai/deployments/my-embedding/embeddings?api-version=2024-10-21\napi-key: azure";
    let answer = post(&provider, path, &json!({ "input": "Hi" })).await.json();
    assert_eq!((&answer["model"], answer["data"].as_array().unwrap().len()), (&json!("my-embedding"), 1));
}
