//! Tests of thinking at compatible vendors, and of the history that clients send to OpenAI itself.

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::admin::Key;
use harness::http::{Answer, Connection};
use harness::planes::{Planes, chat, group};
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{SOON, provider, standalone};

/// A standalone gateway whose groups call the fake provider as these vendors, each with one model.
async fn gateway(provider: &FakeProvider, groups: &[(&str, &str)]) -> (Planes, Key) {
    let planes = standalone().start().await.unwrap();
    for (vendor, model) in groups {
        let mut group =
            group(&model.replace(['/', '.'], "-"), &provider.base_url(), &["sk-upstream-key-0001"], &[model]);
        group["providerType"] = json!(vendor);
        planes.admin.create_group(&group).await.unwrap();
    }
    let key = planes.admin.create_key(&json!({ "name": "thinking" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    (planes, key)
}

async fn post(planes: &Planes, path: &str, key: &str, body: &Value) -> Answer {
    let request = Request::post(path).header("authorization", format!("Bearer {key}")).header("host", "x");
    let request = request.header("content-type", "application/json").body(Full::new(body.to_string().into())).unwrap();
    timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an answer").unwrap()
}

fn upstream(provider: &FakeProvider) -> Value {
    provider.journal().last().unwrap().json()
}

/// An answer of a compatible vendor, with this message.
fn said(message: Value) -> Script {
    Script::json(json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_every_client_format_switches_thinking_in_the_vendors_words() {
    let provider = provider().await;
    let (planes, key) = gateway(&provider, &[("moonshot", "kimi-k2.6"), ("zhipu", "glm-4.7")]).await;
    provider.always(Target::All, said(json!({ "role": "assistant", "content": "ok", "reasoning_content": "why" })));
    for model in ["kimi-k2.6", "glm-4.7"] {
        let messages = |thinking: Value| {
            let messages = json!([{ "role": "user", "content": "Hi" }]);
            (
                "/v1/messages".to_owned(),
                json!({ "model": model, "max_tokens": 50, "messages": messages, "thinking": thinking }),
            )
        };
        let responses = |effort: &str| {
            (
                "/v1/responses".to_owned(),
                json!({ "model": model, "input": "Hi", "store": false, "tools": [{
                "type": "function", "name": "f", "parameters": { "type": "object", "properties": {} }, "strict": false
            }], "reasoning": { "effort": effort } }),
            )
        };
        let gemini = |budget: i64| {
            let contents = json!([{ "role": "user", "parts": [{ "text": "Hi" }] }]);
            let config = json!({ "thinkingConfig": { "thinkingBudget": budget, "includeThoughts": true } });
            (
                format!("/v1beta/models/{model}:generateContent"),
                json!({ "contents": contents, "generationConfig": config }),
            )
        };
        let openai = |effort: &str| {
            let mut body = chat(model, false);
            body["reasoning_effort"] = json!(effort);
            ("/v1/chat/completions".to_owned(), body)
        };
        let asks = [
            (messages(json!({ "type": "disabled" })), "disabled"),
            (messages(json!({ "type": "enabled", "budget_tokens": 2000 })), "enabled"),
            (messages(json!({ "type": "adaptive" })), "enabled"),
            (gemini(0), "disabled"),
            (gemini(2000), "enabled"),
            (openai("none"), "disabled"),
            (openai("high"), "enabled"),
        ];
        let translated = [(responses("none"), "disabled"), (responses("xhigh"), "enabled")];
        // Moonshot serves responses itself, and then the client's bytes pass.
        let translated = translated.into_iter().filter(|_| model == "glm-4.7");
        for ((path, body), word) in asks.into_iter().chain(translated) {
            let answer = post(&planes, &path, &key.value, &body).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let told = upstream(&provider);
            assert_eq!(told["thinking"], json!({ "type": word }), "{path} {body}");
            assert!(told.get("reasoning_effort").is_none() && told.get("reasoning").is_none(), "{told}");
            // A client of responses says that nothing is to be kept.
            let named = if body.get("store").is_some() { "store" } else { "" };
            assert_eq!(answer.header("x-orchestration-dropped"), named, "{path} {body}");
            let text = answer.text();
            assert!(text.contains("why") && text.contains("ok"), "{path}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_case_5_kimi_gets_no_sampling_and_no_forced_tool_while_it_thinks() {
    let provider = provider().await;
    let (planes, key) = gateway(&provider, &[("moonshot", "kimi-k2.6"), ("moonshot", "moonshot-v1-8k")]).await;
    let body = |model: &str| {
        json!({
            "model": model, "max_tokens": 50, "temperature": 0, "top_p": 0.5,
            "messages": [{ "role": "user", "content": "Hi" }],
            "tools": [{ "name": "f", "input_schema": { "type": "object" } }], "tool_choice": { "type": "any" },
        })
    };
    provider.always(Target::All, said(json!({ "role": "assistant", "content": "ok" })));
    let answer = post(&planes, "/v1/messages", &key.value, &body("kimi-k2.6")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = upstream(&provider);
    assert!(["temperature", "top_p", "tool_choice"].iter().all(|name| told.get(*name).is_none()), "{told}");
    assert_eq!(answer.header("x-orchestration-dropped"), "tool_choice,temperature,top_p");

    let answer = post(&planes, "/v1/messages", &key.value, &body("moonshot-v1-8k")).await;
    let told = upstream(&provider);
    assert_eq!(
        (&told["temperature"], &told["top_p"], &told["tool_choice"]),
        (&json!(0.0), &json!(0.5), &json!("required"))
    );
    assert_eq!(answer.header("x-orchestration-dropped"), "");

    // A switch that the vendor lacks is named, to clients of its own format too.
    let mut plain = chat("moonshot-v1-8k", false);
    plain["reasoning_effort"] = json!("high");
    let answer = post(&planes, "/v1/chat/completions", &key.value, &plain).await;
    assert!(upstream(&provider).get("reasoning_effort").is_none());
    assert_eq!(answer.header("x-orchestration-dropped"), "reasoning_effort");
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_thoughts_go_there_and_back_in_a_tool_loop() {
    let provider = provider().await;
    let (planes, key) = gateway(&provider, &[("deepseek", "deepseek-v4-pro")]).await;
    let call = json!({ "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let mut calling = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": null, "reasoning_content": "let me look", "tool_calls": [call],
        } }],
    });
    calling["usage"] = json!({ "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 });
    provider.always(Target::All, Script::json(calling));
    // DeepSeek serves the formats of these clients itself, except Gemini's.
    let tools = json!([{ "functionDeclarations": [{ "name": "f" }] }]);
    let config = json!({ "thinkingConfig": { "includeThoughts": true } });
    let mut contents = vec![json!({ "role": "user", "parts": [{ "text": "Hi" }] })];
    let path = "/v1beta/models/deepseek-v4-pro:generateContent";
    for turn in 1..=2 {
        let body = json!({ "contents": contents, "tools": tools, "generationConfig": config });
        let answer = post(&planes, path, &key.value, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let content = answer.json()["candidates"][0]["content"].clone();
        assert!(content.to_string().contains("let me look"), "{content}");
        let told = upstream(&provider)["messages"].as_array().cloned().unwrap();
        let thoughts: Vec<_> = told.iter().filter(|message| message["role"] == "assistant").collect();
        assert_eq!(thoughts.len(), turn - 1);
        assert!(thoughts.iter().all(|message| message["reasoning_content"] == "let me look"), "{told:?}");
        contents.push(content);
        let response = json!({ "functionResponse": { "name": "f", "response": { "result": 1 } } });
        contents.push(json!({ "role": "user", "parts": [response] }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_thoughts_in_tags_reach_the_client_as_thoughts() {
    let provider = provider().await;
    let (planes, key) = gateway(&provider, &[("vllm", "Qwen/Qwen3-8B")]).await;
    let chunk = |delta: Value, finish: Value| {
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
    };
    let deltas = ["<thi", "nk>\nwhy", " not</think", ">\n\nbeca", "use"];
    let event = |chunk: Value| format!("data: {chunk}\n\n");
    let mut events: Vec<String> =
        deltas.iter().map(|text| event(chunk(json!({ "content": text }), Value::Null))).collect();
    events.push(event(chunk(json!({}), json!("stop"))));
    events.push("data: [DONE]\n\n".to_owned());
    let events = events.concat();
    let contents = json!([{ "role": "user", "parts": [{ "text": "Hi" }] }]);
    let body = json!({ "contents": contents, "generationConfig": { "thinkingConfig": { "includeThoughts": true } } });
    provider.script(Target::All, said(json!({ "role": "assistant", "content": deltas.concat() })));
    let whole = post(&planes, "/v1beta/models/Qwen%2FQwen3-8B:generateContent", &key.value, &body).await;
    provider.script(Target::All, Script::sse(events));
    let path = "/v1beta/models/Qwen%2FQwen3-8B:streamGenerateContent?alt=sse";
    let streamed = post(&planes, path, &key.value, &body).await;
    let parts = whole.json()["candidates"][0]["content"]["parts"].clone();
    assert_eq!(parts, json!([{ "text": "why not", "thought": true }, { "text": "because" }]), "{}", whole.text());
    let text = streamed.text();
    assert!(!text.contains("think>") && text.contains("\"thought\":true"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_case_10_a_history_for_openai_itself_is_clean_and_otherwise_untouched() {
    let provider = provider().await;
    let (planes, key) = gateway(&provider, &[("openai", "gpt-4o"), ("mistral", "mistral-large-latest")]).await;
    let long = format!("call_{}", "x".repeat(48));
    let history = |model: &str, id: &str| {
        json!({
            "model": model,
            "messages": [
                { "role": "user", "content": "Hi" },
                { "role": "assistant", "content": null, "reasoning_content": "why", "tool_calls": [
                    { "id": id, "type": "function", "function": { "name": "f", "arguments": "{\"n\": 1.0}" } },
                ] },
                { "role": "tool", "tool_call_id": id, "content": "1" },
            ],
        })
    };
    assert_eq!(post(&planes, "/v1/chat/completions", &key.value, &history("gpt-4o", &long)).await.status, 200);
    let told = upstream(&provider);
    let id = told["messages"][1]["tool_calls"][0]["id"].as_str().unwrap().to_owned();
    assert!(id.len() <= 40, "{id}");
    let mut expected = history("gpt-4o", &id);
    expected["messages"][1].as_object_mut().unwrap().remove("reasoning_content");
    assert_eq!(told, expected);

    assert_eq!(
        post(&planes, "/v1/chat/completions", &key.value, &history("mistral-large-latest", "call_1")).await.status,
        200
    );
    let told = upstream(&provider);
    let id = told["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && told["messages"][2]["tool_call_id"] == id, "{told}");
    assert!(told["messages"][1].get("reasoning_content").is_none(), "{told}");

    let mut clean = history("gpt-4o", "call_1");
    clean["messages"][1].as_object_mut().unwrap().remove("reasoning_content");
    let text = clean.to_string().replace("\"messages\":", "\"messages\" :  ");
    let request = crate::support::raw_post("/v1/chat/completions", &key.value, text.clone()).unwrap();
    assert_eq!(Connection::to(planes.api().http).fetch(request).await.unwrap().status, 200);
    assert_eq!(String::from_utf8_lossy(&provider.journal().last().unwrap().body), text, "nothing is touched");
}
