//! Tool loops and thoughts, over several turns: points 1, 18, 20, 21.

use serde_json::{Value, json};
use translation::Format;
use translation::ir::ErrorCode;

use super::FORMATS;
use super::answered::{Answer, answered, data, streamed};
use super::asked::{Ask, Turn, hello, models, others, send, two_calls};
use super::pairs;
use super::read::{put_together, read};

fn model(target: Format) -> &'static str {
    models().into_iter().find(|(format, _)| *format == target).unwrap().1
}

#[test]
fn point_01_results_of_one_turn_are_one_message_in_the_order_of_the_calls() {
    for (client, target) in pairs() {
        let body = two_calls().sent(client, target, model(target)).unwrap().body;
        let context = format!("{client} to {target}: {body}");
        match target {
            Format::AnthropicMessages => {
                let [_, calls, results] = body["messages"].as_array().unwrap().as_slice() else { panic!("{context}") };
                assert_eq!((&calls["role"], &results["role"]), (&json!("assistant"), &json!("user")), "{context}");
                let id = |block: &Value, name: &str| block[name].as_str().unwrap().to_owned();
                let of = |message: &Value, name: &str| {
                    message["content"].as_array().unwrap().iter().map(|block| id(block, name)).collect::<Vec<_>>()
                };
                assert_eq!(of(calls, "id"), of(results, "tool_use_id"), "{context}");
                assert!(results["content"][0].to_string().contains("sun"), "{context}");
            }
            Format::GeminiGenerate => {
                let [_, calls, results] = body["contents"].as_array().unwrap().as_slice() else { panic!("{context}") };
                assert_eq!(calls["parts"].as_array().unwrap().len(), 2, "{context}");
                assert_eq!(results["parts"].as_array().unwrap().len(), 2, "{context}");
                assert!(results["parts"][0].to_string().contains("sun"), "{context}");
            }
            Format::OpenAiChat => {
                let roles: Vec<_> =
                    body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
                assert_eq!(roles, ["user", "assistant", "tool", "tool"], "{context}");
                assert_eq!(body["messages"][1]["tool_calls"].as_array().unwrap().len(), 2, "{context}");
            }
            _ => {
                let kinds: Vec<_> =
                    body["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
                let call = "function_call";
                assert_eq!(kinds, ["message", call, call, "function_call_output", "function_call_output"], "{context}");
            }
        }
    }
}

#[test]
fn point_01_a_call_has_its_result() {
    // Anthropic answers 400 without; the client is told which.
    for client in others(Format::AnthropicMessages) {
        let mut ask = two_calls();
        ask.turns[2] = Turn::Results(vec![("call_2", "weather", "rain")]);
        let error = ask.sent(client, Format::AnthropicMessages, model(Format::AnthropicMessages)).err().unwrap();
        assert_eq!(error.code, ErrorCode::InvalidValue, "{client}: {error}");
        assert!(error.param.is_some() && error.message.contains("call_1"), "{client}: {error}");
    }
}

#[test]
fn point_18_results_for_gemini_have_a_name_an_object_and_the_order_of_the_calls() {
    for client in others(Format::GeminiGenerate) {
        for (text, response) in [
            ("sun", json!({"result": "sun"})),
            (
                "{\"sky\": \"blue\", \"big\": 12345678901234567890}",
                json!({"sky": "blue", "big": 12_345_678_901_234_567_890_u64}),
            ),
            ("[1, 2]", json!({"result": [1, 2]})),
            ("3", json!({"result": 3})),
            ("", json!({"result": ""})),
        ] {
            let mut ask = two_calls();
            ask.turns[2] = Turn::Results(vec![("call_2", "weather", "rain"), ("call_1", "weather", text)]);
            let body = ask.sent(client, Format::GeminiGenerate, "gemini-2.5-flash").unwrap().body;
            let result = &body["contents"][2]["parts"][0]["functionResponse"];
            assert_eq!((&result["name"], &result["response"]), (&json!("weather"), &response), "{client}: {text}");
            assert_eq!(body["contents"][2]["parts"][1]["functionResponse"]["response"], json!({"result": "rain"}));
            // They stand alone: what the user says besides is another content.
            ask.turns.push(Turn::User("So?"));
            let body = ask.sent(client, Format::GeminiGenerate, "gemini-3-pro-preview").unwrap().body;
            let parts = body["contents"][2]["parts"].as_array().unwrap();
            assert!(parts.iter().all(|part| part.get("functionResponse").is_some()), "{client}: {body}");
        }
        // One to a call that nobody made.
        let mut ask = two_calls();
        ask.turns[2] = Turn::Results(vec![("call_9", "weather", "rain")]);
        let error = ask.sent(client, Format::GeminiGenerate, "gemini-2.5-flash").err().unwrap();
        assert_eq!(error.code, ErrorCode::InvalidValue, "{client}: {error}");
    }
}

/// The client's next request: what was said, the answer as its SDK gives it back, and the results of its calls.
fn next(client: Format, answer: &Value) -> Value {
    let calls = read(client, answer).calls;
    let ask = Ask { tools: two_calls().tools, ..hello() };
    let mut body = ask.of(client);
    let results = |id: &str, name: &str| Turn::Results(vec![(leak(id), leak(name), "done")]);
    let turns: Vec<Turn> = calls.iter().map(|(id, name, _)| results(id, name)).collect();
    let mut after = Ask { turns, ..Ask::default() }.of(client);
    match client {
        Format::OpenAiChat => {
            let mut message = answer["choices"][0]["message"].clone();
            message["role"] = json!("assistant");
            list(&mut body["messages"]).push(message);
            list(&mut body["messages"]).append(list(&mut after["messages"]));
        }
        Format::OpenAiResponses => {
            list(&mut body["input"]).append(&mut answer["output"].as_array().unwrap().clone());
            list(&mut body["input"]).append(list(&mut after["input"]));
            body["store"] = json!(false);
        }
        Format::AnthropicMessages => {
            list(&mut body["messages"]).push(json!({"role": "assistant", "content": answer["content"]}));
            list(&mut body["messages"]).append(list(&mut after["messages"]));
            body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
            body["max_tokens"] = json!(4096);
        }
        _ => {
            list(&mut body["contents"]).push(answer["candidates"][0]["content"].clone());
            list(&mut body["contents"]).append(list(&mut after["contents"]));
        }
    }
    body
}

fn list(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().unwrap()
}

/// For as long as the test runs.
fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}

/// The answer of `provider` as `client` gets it, whole and as a stream.
fn both(provider: Format, whole: &Value, stream: &str, client: Format) -> [Value; 2] {
    let told = streamed(provider, stream, client, false);
    [answered(provider, whole, client), put_together(client, &data(&told))]
}

#[test]
fn point_20_signatures_come_back_to_gemini_and_are_not_in_ids() {
    let provider = Format::GeminiGenerate;
    let call =
        json!({"functionCall": {"name": "weather", "args": {"city": "Bern"}}, "thoughtSignature": "c2lnbmF0dXJl"});
    let other = json!({"functionCall": {"name": "weather", "args": {"city": "Rome"}}});
    let candidate = json!({"content": {"role": "model", "parts": [call, other]}, "finishReason": "STOP"});
    let whole = json!({"candidates": [candidate], "modelVersion": "m"});
    let stream = format!("data: {whole}\r\n\r\n");
    for client in others(provider) {
        let answer = answered(provider, &whole, client);
        let ids: Vec<_> = read(client, &answer).calls.into_iter().map(|(id, ..)| id).collect();
        assert!(ids.iter().all(|id| !id.contains("c2ln") && id.len() <= 40), "{client}: {ids:?}");
        assert_ne!(ids[0], ids[1], "{client}");
        // The stream's SDK form of chat completions keeps what is in the first piece of a call, as the client does that
        // sends it back.
        let answers =
            if client == Format::OpenAiChat { vec![answer] } else { both(provider, &whole, &stream, client).to_vec() };
        for answer in answers {
            let body = send(client, &next(client, &answer), provider, "gemini-3-pro-preview").unwrap().body;
            let parts = &body["contents"][1]["parts"];
            assert_eq!(parts[0]["thoughtSignature"], "c2lnbmF0dXJl", "{client}: {body}");
            assert_eq!(parts[1].get("thoughtSignature"), None, "only the first is signed: {client}: {body}");
            // The proof is Gemini's alone.
            for target in others(provider).filter(|target| *target != client) {
                let sent = send(client, &next(client, &answer), target, model(target)).unwrap();
                assert!(!sent.body.to_string().contains("c2lnbmF0dXJl"), "{client} to {target}: {}", sent.body);
            }
        }
    }
    // A call without one, of another provider's, has the one that says so.
    for client in others(provider) {
        let body = two_calls().sent(client, provider, "gemini-3-pro-preview").unwrap().body;
        let signature = &body["contents"][1]["parts"][0]["thoughtSignature"];
        assert!(signature.as_str().is_some_and(|signature| !signature.is_empty()), "{client}: {body}");
    }
}

#[test]
fn point_21_thoughts_are_thoughts_in_the_clients_form() {
    let answer = Answer { thought: Some("Hm, let me think"), ..Answer::text("42") };
    for (client, provider) in pairs() {
        for told in both(provider, &answer.whole(provider), &answer.stream(provider), client) {
            let read = read(client, &told);
            assert_eq!((&*read.text, &*read.thoughts), ("42", "Hm, let me think"), "{client} of {provider}");
            if client == Format::OpenAiChat {
                assert!(told["choices"][0]["message"]["reasoning_content"].is_string(), "a text, not an object");
            }
        }
    }
}

#[test]
fn point_21_thoughts_come_back_to_the_one_who_had_them_with_their_proof() {
    let thinking = json!({"type": "thinking", "thinking": "Hm", "signature": "cHJvb2Y="});
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}});
    let anthropic = json!({"id": "m", "type": "message", "role": "assistant", "content": [thinking, call], "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1}});
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "cHJvb2Y="});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Bern\"}"});
    let responses = json!({"id": "r", "object": "response", "status": "completed", "output": [reasoning, call]});
    for (provider, whole, model_of) in
        [(Format::AnthropicMessages, anthropic, "claude-sonnet-4-5"), (Format::OpenAiResponses, responses, "gpt-5.1")]
    {
        for client in others(provider) {
            // OpenAI's own chat completions have no place for its proofs.
            if (client, provider) == (Format::OpenAiChat, Format::OpenAiResponses) {
                continue;
            }
            let answer = answered(provider, &whole, client);
            let next = next(client, &answer);
            let body = send(client, &next, provider, model_of).unwrap().body;
            let context = format!("{client} and {provider}: {next} is sent as {body}");
            if provider == Format::AnthropicMessages {
                let block = &body["messages"][1]["content"][0];
                assert_eq!(
                    (&block["type"], &block["signature"]),
                    (&json!("thinking"), &json!("cHJvb2Y=")),
                    "{context}"
                );
                assert_eq!(block["thinking"], "Hm", "{context}");
            } else {
                let item = body["input"].as_array().unwrap().iter().find(|item| item["type"] == "reasoning");
                let item = item.unwrap_or_else(|| panic!("{context}"));
                assert_eq!(item["encrypted_content"], "cHJvb2Y=", "{context}");
            }
            // Nobody else is given the proof, who would refuse it.
            for target in FORMATS.into_iter().filter(|target| *target != provider && *target != client) {
                let sent = send(client, &next, target, model(target)).unwrap().body;
                assert!(!sent.to_string().contains("cHJvb2Y="), "{client} to {target}: {sent}");
            }
        }
    }
}
