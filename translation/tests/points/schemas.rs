//! Schemas, and the shapes of what is asked for and given: points 19, 25.

use serde_json::{Value, json};
use translation::Format;

use super::answered::{Answer, answered, data, streamed};
use super::asked::{Ask, hello, models, others};
use super::pairs;

fn model(target: Format) -> &'static str {
    models().into_iter().find(|(format, _)| *format == target).unwrap().1
}

/// A schema with all that Gemini's older fields do not take.
fn hard() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "place": {"$ref": "#/$defs/Place"},
            "kind": {"const": "fixed"},
            "maybe": {"type": ["string", "null"]},
            "other": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            // A property that is called as a keyword is.
            "const": {"type": "string"},
            "type": {"type": "string", "format": "uuid"},
        },
        "required": ["place"],
        "additionalProperties": false,
        "$defs": {"Place": {"type": "object", "properties": {
            "name": {"type": "string"},
            "within": {"$ref": "#/$defs/Place"},
        }}},
    })
}

/// Whether a keyword stands anywhere in `schema`, as one and not as the name of a property.
fn says(schema: &Value, keyword: &str) -> bool {
    match schema {
        Value::Object(object) => object.iter().any(|(name, value)| match (name.as_str(), value) {
            ("properties" | "$defs", Value::Object(inner)) => inner.values().any(|schema| says(schema, keyword)),
            _ => name == keyword || says(value, keyword),
        }),
        Value::Array(array) => array.iter().any(|value| says(value, keyword)),
        _ => false,
    }
}

#[test]
fn point_19_schemas_for_gemini_say_the_same_within_what_it_takes() {
    for client in others(Format::GeminiGenerate) {
        let ask = Ask { tools: vec![("f", hard())], ..hello() };
        // Newer models take JSON schema, older ones a subset of OpenAPI's.
        for model in ["gemini-2.5-flash", "gemini-1.5-pro", "gemini-of-tomorrow"] {
            let body = ask.sent(client, Format::GeminiGenerate, model).unwrap().body;
            let declared = &body["tools"][0]["functionDeclarations"][0];
            let (old, new) = (declared.get("parameters"), declared.get("parametersJsonSchema"));
            assert_ne!(old.is_some(), new.is_some(), "one of the two: {client}: {body}");
            let schema = old.or(new).unwrap();
            let context = format!("{client} to {model}: {schema}");
            let names: Vec<_> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, ["place", "kind", "maybe", "other", "const", "type"], "{context}");
            assert_eq!(schema["required"], json!(["place"]), "{context}");
            if old.is_some() {
                for keyword in ["$ref", "$defs", "$schema", "const", "additionalProperties"] {
                    assert!(!says(schema, keyword), "{keyword}: {context}");
                }
                let properties = &schema["properties"];
                assert_eq!(properties["kind"]["enum"], json!(["fixed"]), "{context}");
                assert_eq!(
                    (&properties["maybe"]["type"], &properties["maybe"]["nullable"]),
                    (&json!("string"), &json!(true)),
                    "{context}"
                );
                assert_eq!(
                    (&properties["other"]["type"], &properties["other"]["nullable"]),
                    (&json!("integer"), &json!(true)),
                    "{context}"
                );
                assert_eq!(properties["type"].get("format"), None, "{context}");
            }
        }
        // The others are given it as it was.
        for target in others(client).filter(|target| *target != Format::GeminiGenerate) {
            let body = ask.sent(client, target, model(target)).unwrap().body;
            let tool = &body["tools"][0];
            let schema = tool.pointer("/function/parameters").or(tool.get("parameters")).or(tool.get("input_schema"));
            assert_eq!(schema, Some(&hard()), "{client} to {target}");
        }
    }
}

#[test]
fn point_25_the_shape_that_is_asked_for_is_asked_for() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    for (client, target) in pairs() {
        let ask = Ask { output: Some(schema.clone()), ..hello() };
        let sent = ask.sent(client, target, model(target)).unwrap();
        let body = &sent.body;
        let context = format!("{client} to {target}: {body}");
        let asked = match target {
            Format::OpenAiChat => body["response_format"]["json_schema"].get("schema"),
            Format::OpenAiResponses => body["text"]["format"].get("schema"),
            Format::AnthropicMessages => body["output_config"]["format"].get("schema"),
            _ => body["generationConfig"].get("responseJsonSchema").or(body["generationConfig"].get("responseSchema")),
        };
        assert_eq!(
            asked.unwrap_or_else(|| panic!("{context}"))["properties"]["a"],
            json!({"type": "string"}),
            "{context}"
        );
        if matches!(target, Format::OpenAiChat | Format::OpenAiResponses) {
            // OpenAI wants it to have a name.
            let named = if target == Format::OpenAiChat {
                &body["response_format"]["json_schema"]
            } else {
                &body["text"]["format"]
            };
            assert!(named["name"].as_str().is_some_and(|name| !name.is_empty()), "{context}");
        }
        assert!(sent.encoded.dropped.is_empty(), "{context}");
    }
    // A model that cannot be held to it has a tool, or words, and what comes back is taken out of them.
    for client in others(Format::AnthropicMessages) {
        let ask = Ask { output: Some(schema.clone()), ..hello() };
        let sent = ask.sent(client, Format::AnthropicMessages, "claude-3-haiku-20240307").unwrap();
        assert!(sent.body.to_string().contains("\"a\""), "{client}: {}", sent.body);
        let back = sent.encoded.back;
        assert!(back.answer_tool.is_some() || back.unfence, "{client}");
    }
}

#[test]
fn point_25_what_an_answer_rests_on_has_the_clients_form() {
    let page =
        json!({"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5});
    let piece = json!({"type": "output_text", "text": "Hello world", "annotations": [page]});
    let message =
        json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [piece]});
    let mut responses = Answer::text("Hello world").whole(Format::OpenAiResponses);
    responses["output"] = json!([message]);
    let mut chat = Answer::text("Hello world").whole(Format::OpenAiChat);
    let inner = json!({"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5});
    chat["choices"][0]["message"]["annotations"] = json!([{"type": "url_citation", "url_citation": inner}]);
    let mut gemini = Answer::text("Hello world").whole(Format::GeminiGenerate);
    gemini["candidates"][0]["groundingMetadata"] = json!({
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 5}, "groundingChunkIndices": [0]}],
    });
    let citation = json!({"type": "web_search_result_location", "url": "https://a.example", "title": "A",
        "encrypted_index": "x", "cited_text": "c"});
    let mut anthropic = Answer::text("Hello world").whole(Format::AnthropicMessages);
    anthropic["content"] = json!([
        {"type": "text", "text": "Hello", "citations": [citation]},
        {"type": "text", "text": " world"},
    ]);
    for (provider, whole) in [
        (Format::OpenAiChat, chat),
        (Format::OpenAiResponses, responses),
        (Format::AnthropicMessages, anthropic),
        (Format::GeminiGenerate, gemini),
    ] {
        for client in others(provider) {
            let answer = answered(provider, &whole, client);
            let context = format!("{client} of {provider}: {answer}");
            match client {
                Format::OpenAiChat => {
                    let page = &answer["choices"][0]["message"]["annotations"][0];
                    assert_eq!(page["type"], "url_citation", "{context}");
                    assert_eq!(page["url_citation"], inner, "{context}");
                }
                Format::OpenAiResponses => {
                    let found = answer["output"][0]["content"][0]["annotations"][0].as_object();
                    let found = found.unwrap_or_else(|| panic!("{context}"));
                    assert_eq!(
                        (&found["url"], &found["start_index"], &found["end_index"]),
                        (&json!("https://a.example"), &json!(0), &json!(5)),
                        "{context}"
                    );
                }
                Format::AnthropicMessages => {
                    let found = &answer["content"][0]["citations"][0];
                    assert_eq!(found["type"], "web_search_result_location", "{context}");
                    // SDKs refuse one that lacks any of them.
                    for field in ["url", "title", "encrypted_index", "cited_text"] {
                        assert!(found.get(field).is_some(), "{field}: {context}");
                    }
                }
                _ => {
                    let grounding = &answer["candidates"][0]["groundingMetadata"];
                    assert_eq!(grounding["groundingChunks"][0]["web"]["uri"], "https://a.example", "{context}");
                    assert_eq!(grounding["groundingSupports"][0]["segment"]["endIndex"], 5, "{context}");
                }
            }
        }
    }
}

#[test]
fn point_25_answers_have_every_field_that_clients_insist_on() {
    for (client, provider) in pairs() {
        let answer = answered(provider, &Answer::text("Hi").whole(provider), client);
        let pointers: &[&str] = match client {
            Format::OpenAiChat => &[
                "/id",
                "/object",
                "/created",
                "/model",
                "/choices/0/index",
                "/choices/0/message/role",
                "/choices/0/message/content",
                "/choices/0/finish_reason",
                "/usage/total_tokens",
            ],
            Format::OpenAiResponses => &[
                "/id",
                "/object",
                "/created_at",
                "/model",
                "/status",
                "/output/0/id",
                "/output/0/role",
                "/output/0/status",
                "/output/0/content/0/annotations",
                "/usage/input_tokens_details/cached_tokens",
                "/usage/output_tokens_details/reasoning_tokens",
                "/tools",
                "/tool_choice",
                "/parallel_tool_calls",
            ],
            Format::AnthropicMessages => &[
                "/id",
                "/type",
                "/role",
                "/model",
                "/content/0/type",
                "/stop_reason",
                "/stop_sequence",
                "/usage/input_tokens",
                "/usage/output_tokens",
            ],
            _ => &[
                "/candidates/0/content/role",
                "/candidates/0/content/parts/0/text",
                "/candidates/0/finishReason",
                "/usageMetadata/totalTokenCount",
                "/modelVersion",
                "/responseId",
            ],
        };
        for pointer in pointers {
            assert!(answer.pointer(pointer).is_some(), "{client} of {provider}: {pointer}: {answer}");
        }
        let told = streamed(provider, &Answer::text("Hi").stream(provider), client, false);
        assert!(!data(&told).is_empty());
    }
}
