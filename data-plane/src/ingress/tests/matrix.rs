//! Every format of clients against every format of providers.

use axum::body::Body;
use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use http::Request;
use serde_json::{Value, json};
use shared::pb::usage_record::{Outcome, UsageSource};
use shared::snapshot::Group;
use translation::Format;

use super::{Bench, bench, text};

pub(crate) const CLIENTS: [Format; 4] =
    [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::GeminiGenerate];

/// Vendors, whether their base URL ends in `/v1`, and a model.
pub(super) const VENDORS: [(&str, bool, &str); 5] = [
    ("openai", true, "gpt-4o"),
    ("openai_responses", true, "gpt-4.1"),
    ("anthropic", false, "claude-sonnet-4-5"),
    ("gemini", false, "gemini-2.5-flash"),
    ("openai_compatible", true, "llama-3"),
];

async fn bench_of(vendor: &str, versioned: bool, model: &str) -> Bench {
    bench_with(vendor, versioned, model, |_| {}).await
}

/// A group of `vendor` with what `change` makes of it.
pub(super) async fn bench_with(vendor: &str, versioned: bool, model: &str, change: impl FnOnce(&mut Group)) -> Bench {
    bench(|group| {
        change(group);
        group.provider_type = vendor.into();
        if !versioned {
            group.base_url = group.base_url.trim_end_matches("/v1").into();
        }
        group.model_aliases.insert("m".into(), model.into());
    })
    .await
}

/// The request of a client of `format` that asks `prompt`.
pub(crate) fn request(format: Format, prompt: &str, stream: bool, tools: bool) -> Request<Body> {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let (path, mut body) = match format {
        Format::OpenAiChat => (
            "/v1/chat/completions".to_owned(),
            json!({ "model": "m", "stream": stream, "messages": [
                { "role": "system", "content": "Be brief" }, { "role": "user", "content": prompt }] }),
        ),
        Format::OpenAiResponses => (
            "/v1/responses".to_owned(),
            json!({ "model": "m", "stream": stream, "instructions": "Be brief", "input": prompt }),
        ),
        Format::AnthropicMessages => (
            "/v1/messages".to_owned(),
            json!({ "model": "m", "stream": stream, "max_tokens": 100, "system": "Be brief",
                "messages": [{ "role": "user", "content": prompt }] }),
        ),
        Format::GeminiGenerate => {
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let body = json!({ "systemInstruction": { "parts": [{ "text": "Be brief" }] },
                "contents": [{ "role": "user", "parts": [{ "text": prompt }] }] });
            (format!("/v1beta/models/m:{method}"), body)
        }
        Format::BedrockConverse => unreachable!(),
    };
    if tools {
        body["tools"] = match format {
            Format::OpenAiChat => {
                json!([{ "type": "function", "function": { "name": "weather", "parameters": schema } }])
            }
            Format::OpenAiResponses => {
                json!([{ "type": "function", "name": "weather", "parameters": schema, "strict": false }])
            }
            Format::AnthropicMessages => json!([{ "name": "weather", "input_schema": schema }]),
            _ => json!([{ "functionDeclarations": [{ "name": "weather", "parametersJsonSchema": schema }] }]),
        };
    }
    let (name, value) = match format {
        Format::AnthropicMessages => ("x-api-key", "sk-client"),
        Format::GeminiGenerate => ("x-goog-api-key", "sk-client"),
        _ => ("authorization", "Bearer sk-client"),
    };
    let request = Request::post(path).header(name, value).header("anthropic-version", "2023-06-01");
    request.body(Body::from(body.to_string())).unwrap()
}

/// The data of the events of a stream that are JSON.
fn events(body: &str) -> Vec<Value> {
    let body = body.replace("\r\n", "\n");
    let data = body.split("\n\n").filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
}

/// The text of a whole answer, and its calls with their arguments.
pub(super) fn said(format: Format, answer: &Value) -> (String, Vec<(String, Value)>) {
    let mut text = String::new();
    let mut calls = Vec::new();
    let parsed = |arguments: &Value| serde_json::from_str(arguments.as_str().unwrap()).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match format {
        Format::OpenAiChat => {
            let message = &answer["choices"][0]["message"];
            text.push_str(message["content"].as_str().unwrap_or_default());
            for call in list(&message["tool_calls"]) {
                let function = &call["function"];
                calls.push((function["name"].as_str().unwrap().to_owned(), parsed(&function["arguments"])));
            }
        }
        Format::OpenAiResponses => {
            for item in list(&answer["output"]) {
                match item["type"].as_str().unwrap() {
                    "message" => text.push_str(item["content"][0]["text"].as_str().unwrap()),
                    "function_call" => {
                        calls.push((item["name"].as_str().unwrap().to_owned(), parsed(&item["arguments"])));
                    }
                    _ => {}
                }
            }
        }
        Format::AnthropicMessages => {
            for block in list(&answer["content"]) {
                match block["type"].as_str().unwrap() {
                    "text" => text.push_str(block["text"].as_str().unwrap()),
                    "tool_use" => calls.push((block["name"].as_str().unwrap().to_owned(), block["input"].clone())),
                    _ => {}
                }
            }
        }
        Format::GeminiGenerate => {
            for part in list(&answer["candidates"][0]["content"]["parts"]) {
                text.push_str(part["text"].as_str().unwrap_or_default());
                if let Some(name) = part["functionCall"]["name"].as_str() {
                    calls.push((name.to_owned(), part["functionCall"]["args"].clone()));
                }
            }
        }
        Format::BedrockConverse => unreachable!(),
    }
    (text, calls)
}

/// The text of a stream, and its calls with their arguments.
pub(crate) fn streamed(format: Format, body: &str) -> (String, Vec<(String, Value)>) {
    let events = events(body);
    let mut text = String::new();
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in &events {
        match format {
            Format::OpenAiChat => {
                let delta = &event["choices"][0]["delta"];
                text.push_str(delta["content"].as_str().unwrap_or_default());
                for call in delta["tool_calls"].as_array().into_iter().flatten() {
                    let function = &call["function"];
                    if let Some(name) = function["name"].as_str() {
                        calls.push((name.to_owned(), String::new()));
                    }
                    let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
                    calls[index].1.push_str(function["arguments"].as_str().unwrap_or_default());
                }
            }
            Format::OpenAiResponses => {
                if event["type"] == "response.completed" {
                    return said(format, &event["response"]);
                }
            }
            Format::AnthropicMessages => {
                if event["content_block"]["type"] == "tool_use" {
                    calls.push((event["content_block"]["name"].as_str().unwrap().to_owned(), String::new()));
                }
                text.push_str(event["delta"]["text"].as_str().unwrap_or_default());
                if let Some(arguments) = event["delta"]["partial_json"].as_str() {
                    calls.last_mut().unwrap().1.push_str(arguments);
                }
            }
            _ => {
                let (more, called) = said(format, event);
                text.push_str(&more);
                calls.extend(called.into_iter().map(|(name, arguments)| (name, arguments.to_string())));
            }
        }
    }
    let parsed = calls.into_iter().map(|(name, arguments)| (name, serde_json::from_str(&arguments).unwrap()));
    (text, parsed.collect())
}

#[tokio::test]
async fn every_client_gets_the_answer_of_every_provider() {
    for (vendor, versioned, model) in VENDORS {
        let mut bench = bench_of(vendor, versioned, model).await;
        bench.provider.always(Target::All, Script::saying("one two three").usage(20, 7).cached(5, 2));
        for format in CLIENTS {
            for stream in [false, true] {
                let response = bench.send(request(format, "Hello", stream, false)).await;
                let status = response.status().as_u16();
                let body = text(response).await;
                assert_eq!(status, 200, "{format} from {vendor}: {body}");
                let said =
                    if stream { streamed(format, &body) } else { said(format, &serde_json::from_str(&body).unwrap()) };
                assert_eq!(said, ("one two three".to_owned(), vec![]), "{format} from {vendor}: {body}");
                let record = bench.record();
                let counts = (record.input_tokens, record.output_tokens, record.cached_tokens);
                assert_eq!(counts, (20, 7, 5), "{format} from {vendor}, stream {stream}: {body}");
                assert_eq!((record.outcome(), record.usage_source()), (Outcome::Success, UsageSource::Reported));
                assert_eq!(record.upstream_model, model);
                let sent = bench.provider.journal().last().unwrap();
                assert!(sent.json().to_string().contains("Be brief"), "{sent:?}");
            }
        }
    }
}

#[tokio::test]
async fn tools_are_called_through_every_pair() {
    for (vendor, versioned, model) in VENDORS {
        let bench = bench_of(vendor, versioned, model).await;
        for format in CLIENTS {
            for stream in [false, true] {
                bench.provider.script(
                    Target::All,
                    Script::tool_calls([("weather", r#"{"city":"Paris"}"#), ("weather", r#"{"city":"Rome"}"#)]),
                );
                let response = bench.send(request(format, "Weather?", stream, true)).await;
                let body = text(response).await;
                let (_, calls) = if stream {
                    streamed(format, &body)
                } else {
                    said(format, &serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
                };
                let expected = ["Paris", "Rome"].map(|city| ("weather".to_owned(), json!({ "city": city })));
                assert_eq!(calls, expected, "{format} from {vendor}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_in_every_format() {
    for (vendor, versioned, model) in VENDORS {
        let mut bench = bench_of(vendor, versioned, model).await;
        bench.provider.always(Target::All, Script::saying("one two three four five six").cut(Cut::AfterChunks(3)));
        for format in CLIENTS {
            let response = bench.send(request(format, "Hello", true, false)).await;
            let body = text(response).await;
            let record = bench.record();
            assert_eq!(record.outcome(), Outcome::UpstreamError, "{format} from {vendor}: {body}");
            let last = body.trim_end().rsplit("\n\n").next().unwrap().replace('\r', "");
            let data = last.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
            let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} {format}: {body}"));
            let error = if format == Format::OpenAiResponses { &data["response"]["error"] } else { &data["error"] };
            assert!(error["message"].is_string(), "{format} from {vendor}: {body}");
            if matches!(format, Format::OpenAiChat | Format::OpenAiResponses) {
                assert_eq!(error["code"], "upstream_stream_truncated", "{format} from {vendor}: {body}");
            }
            assert!(!body.contains("[DONE]"), "{format} from {vendor}: {body}");
        }
    }
}

#[tokio::test]
async fn errors_have_the_clients_shape() {
    for (vendor, versioned, model) in VENDORS {
        for format in CLIENTS {
            // A key that is limited rests, so that this comes last.
            let bench = bench_of(vendor, versioned, model).await;
            for status in [400_u16, 404, 500, 429] {
                bench.provider.clear_scripts();
                bench.provider.always(Target::All, Script::error(status));
                let response = bench.send(request(format, "Hello", false, false)).await;
                let got = response.status().as_u16();
                let body: Value = serde_json::from_str(&text(response).await).unwrap();
                let about = format!("{format} from {vendor}: {status} became {got} {body}");
                let error = &body["error"];
                assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{about}");
                assert!(got == status || (status == 500 && got == 502), "{about}");
                match format {
                    Format::AnthropicMessages => {
                        assert!(body["type"] == "error" && error["type"].is_string(), "{about}");
                    }
                    Format::GeminiGenerate => assert!(error["code"].is_u64() && error["status"].is_string(), "{about}"),
                    _ => assert!(error["type"].is_string() && error.get("param").is_some(), "{about}"),
                }
            }
        }
    }
}
