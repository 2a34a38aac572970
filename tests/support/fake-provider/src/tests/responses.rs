use serde_json::{Value, json};

use super::{get, openai, provider, send, weather};
use crate::queue::Target;
use crate::script::{Cut, Script};

fn request() -> Value {
    json!({ "model": "gpt-5", "input": "Hi" })
}

fn with(name: &str, value: &Value) -> Value {
    let mut request = request();
    request[name] = value.clone();
    request
}

#[tokio::test]
async fn a_response_has_the_vendor_s_shape() {
    let provider = provider().await;
    provider.script(Target::All, Script::saying("Bonjour").thinking("Hm").usage(9, 5).cached(4, 2));
    let answer =
        openai(&provider, "/v1/responses", &with("include", &json!(["reasoning.encrypted_content"]))).await.json();
    assert_eq!((&answer["object"], &answer["status"]), (&json!("response"), &json!("completed")));
    let output = &answer["output"];
    assert_eq!((&output[0]["type"], &output[0]["summary"][0]["text"]), (&json!("reasoning"), &json!("Hm")));
    assert!(output[0]["encrypted_content"].is_string());
    assert_eq!((&output[1]["type"], &output[1]["content"][0]["text"]), (&json!("message"), &json!("Bonjour")));
    assert_eq!(
        answer["usage"],
        json!({ "input_tokens": 9, "input_tokens_details": { "cached_tokens": 4 },
        "output_tokens": 5, "output_tokens_details": { "reasoning_tokens": 2 }, "total_tokens": 14 })
    );
}

#[tokio::test]
async fn a_stream_has_the_recorded_sequence() {
    let provider = provider().await;
    provider.script(Target::All, Script::saying("one two"));
    let got = openai(&provider, "/v1/responses", &with("stream", &json!(true))).await;
    assert_eq!(
        got.names(),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed"
        ]
    );
    for (number, (name, data)) in got.events().iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
    }
    assert!(!got.text().contains("[DONE]"));
    let events = got.events();
    assert_eq!(events[6].1["text"], "one two");
    assert_eq!(events[9].1["response"]["output"][0], events[8].1["item"]);
}

#[tokio::test]
async fn a_function_goes_round() {
    let provider = provider().await;
    let mut request = with("tools", &json!([{ "type": "function", "name": "weather", "parameters": weather() }]));
    request["stream"] = json!(true);
    let got = openai(&provider, "/v1/responses", &request).await;
    let events = got.events();
    let deltas = events.iter().filter(|(name, _)| name == "response.function_call_arguments.delta");
    let arguments: String = deltas.filter_map(|(_, data)| data["delta"].as_str().map(str::to_owned)).collect();
    assert_eq!(arguments, r#"{"city":"Paris"}"#);
    let call = events.last().unwrap().1["response"]["output"][0].clone();
    assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("weather")));
    request["stream"] = json!(false);
    let output = json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "21" });
    request["input"] = json!([{ "role": "user", "content": "Hi" }, call, output]);
    assert_eq!(openai(&provider, "/v1/responses", &request).await.json()["output"][0]["type"], "message");
    request["input"] = json!([output]);
    openai(&provider, "/v1/responses", &request).await.refuses(400, "No tool call found for function call output");
}

#[tokio::test]
async fn thoughts_refusals_and_incomplete_answers_are_streamed() {
    let provider = provider().await;
    let mut request = with("stream", &json!(true));
    request["reasoning"] = json!({ "summary": "auto" });
    let names = openai(&provider, "/v1/responses", &request).await.names();
    assert!(names.contains(&"response.reasoning_summary_part.done".to_owned()), "{names:?}");
    provider.script(Target::All, Script::refusing("I will not"));
    let names = openai(&provider, "/v1/responses", &request).await.names();
    assert!(names.contains(&"response.refusal.done".to_owned()), "{names:?}");
    provider.script(Target::All, Script::saying("one").finish("length"));
    let (name, data) = openai(&provider, "/v1/responses", &request).await.events().pop().unwrap();
    assert_eq!(
        (name.as_str(), &data["response"]["incomplete_details"]["reason"]),
        ("response.incomplete", &json!("max_output_tokens"))
    );
}

#[tokio::test]
async fn errors_come_before_within_and_instead_of_a_stream() {
    let provider = provider().await;
    let request = with("stream", &json!(true));
    provider.script(Target::All, Script { error_after_chunks: Some(1), ..Script::saying("one two") });
    let events = openai(&provider, "/v1/responses", &request).await.events();
    let [.., (first, error), (last, failed)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((first.as_str(), last.as_str()), ("error", "response.failed"));
    assert_eq!(failed["response"]["error"]["message"], error["error"]["message"]);
    provider.script(Target::All, Script::saying("one two").cut(Cut::AfterChunks(1)));
    let names = openai(&provider, "/v1/responses", &request).await.names();
    assert_eq!(names.last().unwrap(), "response.output_text.delta");
    provider.script(Target::All, Script::error(500));
    openai(&provider, "/v1/responses", &request).await.refuses(500, "server_error");
    openai(&provider, "/v1/responses", &json!({ "model": "gpt-5" })).await.refuses(400, "'input'");
    openai(&provider, "/v1/responses", &json!({ "input": "Hi" })).await.refuses(400, "'model'");
    openai(&provider, "/v1/responses", &with("input", &json!([{ "type": "tool" }])))
        .await
        .refuses(400, "Invalid value: 'tool'");
}

#[tokio::test]
async fn responses_are_remembered_for_their_key() {
    let provider = provider().await;
    let made = openai(&provider, "/v1/responses", &request()).await.json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/responses/{id}");
    assert_eq!(get(&provider, &path).await.json(), made);
    let items = get(&provider, &format!("{path}/input_items")).await.json();
    assert_eq!(items["data"][0]["content"], json!([{ "type": "input_text", "text": "Hi" }]));
    let next = openai(&provider, "/v1/responses", &with("previous_response_id", &json!(id))).await.json();
    assert_eq!(next["previous_response_id"], id);
    send(&provider, &format!("GET {path}\nauthorization: Bearer sk-other"), b"").await.refuses(404, "not found");
    openai(&provider, &format!("{path}/cancel"), &json!({})).await.refuses(400, "synchronous");
    let deleted = send(&provider, &format!("DELETE {path}\nauthorization: Bearer sk-test"), b"").await.json();
    assert_eq!(deleted, json!({ "id": id, "object": "response", "deleted": true }));
    get(&provider, &path).await.refuses(404, "not found");
    let gone = openai(&provider, "/v1/responses", &with("previous_response_id", &json!(id))).await;
    gone.refuses(400, "previous_response_not_found");
    let unstored = openai(&provider, "/v1/responses", &with("store", &json!(false))).await.json();
    assert_eq!(get(&provider, &format!("/v1/responses/{}", unstored["id"].as_str().unwrap())).await.status, 404);
}

#[tokio::test]
async fn responses_in_the_background_are_done_later_or_cancelled() {
    let provider = provider().await;
    let queue = async || openai(&provider, "/v1/responses", &with("background", &json!(true))).await.json();
    let made = queue().await;
    assert_eq!((&made["status"], &made["output"]), (&json!("queued"), &json!([])));
    let path = |made: &Value| format!("/v1/responses/{}", made["id"].as_str().unwrap());
    assert_eq!(get(&provider, &path(&made)).await.json()["status"], "completed");
    let made = queue().await;
    for _ in 0..2 {
        let cancelled = openai(&provider, &format!("{}/cancel", path(&made)), &json!({})).await.json();
        assert_eq!(cancelled["status"], "cancelled");
    }
}

#[tokio::test]
async fn conversations_are_compacted_and_counted() {
    let provider = provider().await;
    let input = json!([{ "role": "user", "content": "Hi" }, { "role": "assistant", "content": "Hello there" }]);
    let answer = openai(&provider, "/v1/responses/compact", &with("input", &input)).await.json();
    assert_eq!(
        (&answer["object"], &answer["output"][1]["type"]),
        (&json!("response.compaction"), &json!("compaction"))
    );
    // The client can send the output back.
    let again = openai(&provider, "/v1/responses", &with("input", &answer["output"])).await;
    assert_eq!(again.status, 200, "{}", again.text());
    let counted = openai(&provider, "/v1/responses/input_tokens", &with("input", &input)).await.json();
    assert_eq!(counted["input_tokens"], 3);
}
