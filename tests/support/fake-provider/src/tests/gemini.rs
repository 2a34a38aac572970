use serde_json::{Value, json};

use super::{Got, post, provider, send, weather};
use crate::FakeProvider;
use crate::queue::Target;
use crate::script::{Cut, Script};

fn request() -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] })
}

fn with(name: &str, value: &Value) -> Value {
    let mut request = request();
    request[name] = value.clone();
    request
}

async fn call(provider: &FakeProvider, model_and_verb: &str, body: &Value) -> Got {
    post(provider, &format!("/v1beta/models/{model_and_verb}\nx-goog-api-key: AIza"), body).await
}

#[tokio::test]
async fn an_answer_has_the_vendor_s_shape() {
    let provider = provider().await;
    provider.script(Target::Model("gemini-2.5-flash".into()), Script::saying("Bonjour").usage(100, 7).cached(30, 2));
    let got = call(&provider, "gemini-2.5-flash:generateContent", &request()).await;
    assert_eq!(got.header("content-type"), Some("application/json; charset=UTF-8"));
    let answer = got.json();
    let candidate = &answer["candidates"][0];
    assert_eq!(candidate["content"], json!({ "parts": [{ "text": "Bonjour" }], "role": "model" }));
    assert_eq!(candidate["finishReason"], "STOP");
    let names = [
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "cachedContentTokenCount",
        "totalTokenCount",
    ];
    assert_eq!(names.map(|name| answer["usageMetadata"][name].as_u64().unwrap()), [100, 5, 2, 30, 107]);
    assert_eq!(provider.journal().last().unwrap().key(), "AIza");
}

#[tokio::test]
async fn paths_and_keys_are_taken_in_all_their_forms() {
    let provider = provider().await;
    for path in [
        "/v1/models/gemini-2.5-flash:generateContent?key=AIza",
        "/v1beta/models/gemini-2.5-flash%3AgenerateContent?key=AIza",
        "/v1beta/models/gemini-2.5-flash:generateContent\nauthorization: Bearer ya29",
    ] {
        let got = post(&provider, path, &request()).await;
        assert_eq!((got.status, &got.json()["modelVersion"]), (200, &json!("gemini-2.5-flash")), "{path}");
    }
    post(&provider, "/v1beta/models/gemini-2.5-flash:generateContent", &request())
        .await
        .refuses(403, "PERMISSION_DENIED");
    call(&provider, "gemini-2.5-flash:doSomething", &request()).await.refuses(404, "NOT_FOUND");
}

#[tokio::test]
async fn streams_are_events_or_one_list() {
    let provider = provider().await;
    provider.always(Target::All, Script::saying("one two"));
    let got = call(&provider, "gemini-2.5-flash:streamGenerateContent?alt=sse", &request()).await;
    let text = got.text();
    assert!(text.starts_with("data: {") && text.ends_with("}\r\n\r\n") && !text.contains("[DONE]"), "{text}");
    assert!(got.events().iter().all(|(name, chunk)| name.is_empty() && chunk["usageMetadata"].is_object()));
    let said: String = got
        .events()
        .iter()
        .filter_map(|(_, chunk)| chunk.pointer("/candidates/0/content/parts/0/text")?.as_str().map(str::to_owned))
        .collect();
    assert_eq!(said, "one two");
    let list = call(&provider, "gemini-2.5-flash:streamGenerateContent", &request()).await.json();
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert_eq!(list[2]["candidates"][0]["finishReason"], "STOP");
}

#[tokio::test]
async fn a_function_goes_round_with_its_signature() {
    let provider = provider().await;
    let mut body =
        with("tools", &json!([{ "functionDeclarations": [{ "name": "weather", "parametersJsonSchema": weather() }] }]));
    let model = "gemini-3-flash-preview:generateContent";
    let answer = call(&provider, model, &body).await.json();
    let content = &answer["candidates"][0]["content"];
    let part = &content["parts"][0];
    assert_eq!(part["functionCall"]["args"], json!({ "city": "Paris" }));
    assert!(part["thoughtSignature"].is_string() && part["functionCall"]["id"].is_string());
    let result =
        json!({ "role": "user", "parts": [{ "functionResponse": { "name": "weather", "response": { "is": 21 } } }] });
    let mut replay = async |content: &Value, model: &str| {
        body["contents"] = json!([body["contents"][0], content, result]);
        call(&provider, model, &body).await
    };
    let answered = replay(content, model).await.json();
    assert!(answered["candidates"][0]["content"]["parts"][0]["text"].is_string(), "{answered}");
    let mut unsigned = content.clone();
    unsigned["parts"][0].as_object_mut().unwrap().remove("thoughtSignature");
    replay(&unsigned, model).await.refuses(400, "Function call is missing a thought_signature in functionCall parts.");
    let older = replay(&unsigned, "gemini-2.5-flash:generateContent").await;
    assert_eq!(older.status, 200);
    let mut sign = |signature: &str| {
        unsigned["parts"][0]["thoughtSignature"] = json!(signature);
        unsigned.clone()
    };
    // This is the documented placeholder, in base64.
    let dummy = sign("c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=");
    assert_eq!(replay(&dummy, model).await.status, 200);
    let foreign = sign("Et0BCtoBAXLI2nwM");
    replay(&foreign, model).await.refuses(400, "Corrupted thought signature.");
}

#[tokio::test]
async fn parallel_calls_are_spread_over_chunks_by_the_newer_models() {
    let provider = provider().await;
    provider.always(Target::All, Script::tool_calls([("a", "{}"), ("b", r#"{"x":1}"#)]));
    let events = call(&provider, "gemini-3-flash-preview:streamGenerateContent?alt=sse", &request()).await.events();
    let part = |at: usize| &events[at].1["candidates"][0]["content"]["parts"][0];
    assert_eq!(
        (events.len(), &part(0)["functionCall"]["name"], &part(1)["functionCall"]["name"]),
        (3, &json!("a"), &json!("b"))
    );
    assert!(part(0)["thoughtSignature"].is_string() && part(1)["thoughtSignature"].is_null());
    assert_eq!(events[2].1["candidates"][0]["finishReason"], "STOP");
    let events = call(&provider, "gemini-2.5-flash:streamGenerateContent?alt=sse", &request()).await.events();
    assert_eq!((events.len(), events[0].1["candidates"][0]["content"]["parts"].as_array().unwrap().len()), (1, 2));
}

#[tokio::test]
async fn requests_are_refused_as_the_vendor_does() {
    let provider = provider().await;
    let tools =
        |schema: Value| with("tools", &json!([{ "function_declarations": [{ "name": "f", "parameters": schema }] }]));
    let cases = [
        (
            with("messages", &json!([])),
            "Invalid JSON payload received. Unknown name \\\"messages\\\": Cannot find field.",
        ),
        (
            with("generationConfig", &json!({ "max_tokens": 1 })),
            "Unknown name \\\"max_tokens\\\" at 'generation_config': Cannot find field.",
        ),
        (
            tools(json!({ "type": "object", "properties": { "additionalProperties": { "$ref": "x" } } })),
            "Unknown name \\\"$ref\\\" at 'tools[0].function_declarations[0].parameters.properties[0].value'",
        ),
        (with("generationConfig", &json!({ "temperature": 3 })), "has a temperature value of 3"),
        (
            with("generationConfig", &json!({ "stopSequences": "x" })),
            "Invalid value at 'generation_config.stop_sequences'",
        ),
        (
            with("contents", &json!([{ "role": "assistant", "parts": [{ "text": "x" }] }])),
            "Please use a valid role: user, model.",
        ),
        (
            with(
                "contents",
                &json!([{ "role": "user", "parts": [{ "functionResponse": { "name": "f", "response": {} } }] }]),
            ),
            "comes immediately after a function call turn",
        ),
        (json!({ "contents": [] }), "contents is not specified"),
    ];
    for (request, words) in cases {
        let got = call(&provider, "gemini-2.5-flash:generateContent", &request).await;
        got.refuses(400, words);
        assert_eq!(
            (&got.json()["error"]["code"], &got.json()["error"]["status"]),
            (&json!(400), &json!("INVALID_ARGUMENT"))
        );
    }
    let snake = json!({ "contents": request()["contents"], "system_instruction": { "parts": [{ "text": "x" }] },
        "generationConfig": { "thinking_config": { "thinking_budget": 0 } } });
    assert_eq!(call(&provider, "gemini-2.5-flash:generateContent", &snake).await.status, 200);
}

#[tokio::test]
async fn blocks_and_refusals_are_scripted() {
    let provider = provider().await;
    provider.script(Target::All, Script::blocked("PROHIBITED_CONTENT"));
    let answer = call(&provider, "gemini-2.5-flash:generateContent", &request()).await.json();
    assert_eq!(
        (answer.get("candidates"), &answer["promptFeedback"]["blockReason"]),
        (None, &json!("PROHIBITED_CONTENT"))
    );
    provider.script(Target::All, Script::refusing("No."));
    let answer = call(&provider, "gemini-2.5-flash:generateContent", &request()).await.json();
    assert_eq!(
        (&answer["candidates"][0]["finishReason"], &answer["candidates"][0]["content"]),
        (&json!("SAFETY"), &json!({}))
    );
    provider.script(Target::All, Script::saying("").finish("MALFORMED_FUNCTION_CALL"));
    let answer = call(&provider, "gemini-2.5-flash:generateContent", &request()).await.json();
    assert_eq!(answer["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
}

#[tokio::test]
async fn scripts_apply_in_the_vendor_s_shape() {
    let provider = provider().await;
    let streamed = "gemini-2.5-flash:streamGenerateContent?alt=sse";
    provider.script(Target::All, Script::error(429));
    let error = call(&provider, streamed, &request()).await.json();
    assert_eq!(
        (&error["error"]["status"], &error["error"]["details"][1]["retryDelay"]),
        (&json!("RESOURCE_EXHAUSTED"), &json!("1s"))
    );
    provider.script(Target::All, Script { error_after_chunks: Some(1), ..Script::saying("one two") });
    let got = call(&provider, streamed, &request()).await;
    assert_eq!(got.events().pop().unwrap().1["error"]["status"], "UNAVAILABLE");
    provider.script(Target::All, Script { error_after_chunks: Some(1), bare_error: true, ..Script::saying("one two") });
    let text = call(&provider, streamed, &request()).await.text();
    assert!(text.contains("\r\n\r\n{\n  \"error\""), "{text}");
    provider.script(Target::All, Script::saying("one two").cut(Cut::InsideChunk(1)));
    let text = call(&provider, streamed, &request()).await.text();
    assert!(!text.ends_with('\n') && text.contains("one "), "{text}");
    call(&provider, "fake-error-503:generateContent", &request()).await.refuses(503, "UNAVAILABLE");
}

#[tokio::test]
async fn thoughts_are_parts_where_they_are_asked_for() {
    let provider = provider().await;
    let asked = with("generationConfig", &json!({ "thinkingConfig": { "includeThoughts": true } }));
    let answer = call(&provider, "gemini-2.5-flash:generateContent", &asked).await.json();
    assert_eq!(answer["candidates"][0]["content"]["parts"][0]["thought"], true);
    assert!(answer["usageMetadata"]["thoughtsTokenCount"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn tokens_are_counted_texts_embedded_and_models_listed() {
    let provider = provider().await;
    let counted =
        call(&provider, "gemini-2.5-flash:countTokens", &json!({ "generateContentRequest": request() })).await;
    assert_eq!(counted.json()["totalTokens"], 2);
    let one = json!({ "content": { "parts": [{ "text": "x" }] }, "outputDimensionality": 4 });
    let embedded = call(&provider, "gemini-embedding-001:embedContent", &one).await.json();
    assert_eq!(embedded["embedding"]["values"].as_array().unwrap().len(), 4);
    let mut named = one.clone();
    named["model"] = json!("models/gemini-embedding-001");
    let both = json!({ "requests": [named, named] });
    let batch = call(&provider, "gemini-embedding-001:batchEmbedContents", &both).await.json();
    assert_eq!(batch["embeddings"], json!([embedded["embedding"], embedded["embedding"]]));
    for path in ["/v1beta/models\nx-goog-api-key: k", "/v1/models?key=k"] {
        let list = send(&provider, &format!("GET {path}"), b"").await.json();
        assert_eq!(list["models"][0]["name"], "models/gemini-2.5-flash");
    }
    let get = async |id: &str| send(&provider, &format!("GET /v1beta/models/{id}\nx-goog-api-key: k"), b"").await;
    assert_eq!(get("gemini-2.5-pro").await.json()["displayName"], "Gemini 2.5 Pro");
    get("gemini-0").await.refuses(404, "NOT_FOUND");
}
