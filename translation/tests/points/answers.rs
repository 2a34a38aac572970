//! Answers: points 2, 5, 6, 7, 12, 24.

use serde_json::{Value, json};
use translation::Format;

use super::answered::{Answer, CACHED, INPUT, OUTPUT, REASONING, answered, data, streamed};
use super::read::{Counts, Read, put_together, read};
use super::{FORMATS, pairs};

/// What a client reads of an answer, whole and as a stream.
fn both(answer: &Answer, provider: Format, client: Format) -> [Read; 2] {
    let whole = answered(provider, &answer.whole(provider), client);
    let stream = streamed(provider, &answer.stream(provider), client, true);
    [read(client, &whole), read(client, &put_together(client, &data(&stream)))]
}

#[test]
fn answers_pass_whole_between_all_formats() {
    let answer = Answer {
        thought: Some("hm"),
        text: Some("Hello é"),
        calls: vec![("call_1", "f", Some(json!({"a": 1}))), ("call_2", "g", Some(json!({})))],
        reason: None,
    };
    for (client, provider) in pairs() {
        for read in both(&answer, provider, client) {
            assert_eq!((&*read.text, &*read.thoughts), ("Hello é", "hm"), "{client} of {provider}");
            let call = |id: &str, name: &str, arguments: Value| (id.to_owned(), name.to_owned(), arguments);
            let calls = [call("call_1", "f", json!({"a": 1})), call("call_2", "g", json!({}))];
            assert_eq!(read.calls, calls, "{client} of {provider}");
        }
    }
}

#[test]
fn point_02_a_call_without_arguments_has_an_empty_object() {
    for arguments in [None, Some(json!({}))] {
        let answer = Answer::calls(&[("call_1", "now", arguments)]);
        for (client, provider) in pairs() {
            for read in both(&answer, provider, client) {
                let [(_, name, arguments)] = &read.calls[..] else { panic!("{client} of {provider}: {read:?}") };
                assert_eq!((&**name, arguments), ("now", &json!({})), "{client} of {provider}");
            }
        }
    }
}

#[test]
fn point_05_called_tools_are_the_reason_to_stop() {
    // Gemini says STOP, and some vendors of chat completions say `stop`.
    for (provider, reason) in [
        (Format::OpenAiChat, Some("stop")),
        (Format::OpenAiChat, None),
        (Format::OpenAiResponses, None),
        (Format::AnthropicMessages, None),
        (Format::GeminiGenerate, Some("STOP")),
    ] {
        let answer = Answer { reason, ..Answer::calls(&[("call_1", "f", Some(json!({"a": 1})))]) };
        for client in super::asked::others(provider) {
            let wanted = match client {
                Format::OpenAiChat => "tool_calls",
                Format::OpenAiResponses => "completed",
                Format::AnthropicMessages => "tool_use",
                _ => "STOP",
            };
            for read in both(&answer, provider, client) {
                assert_eq!(read.reason, wanted, "{client} of {provider}");
            }
        }
    }
}

#[test]
fn point_06_reasons_are_the_clients_formats_and_always_there() {
    let reasons: [(Format, &[Option<&'static str>]); 4] = [
        (
            Format::OpenAiChat,
            &[None, Some("length"), Some("content_filter"), Some("eos"), Some("model_length"), Some("")],
        ),
        (Format::OpenAiResponses, &[None, Some("max_output_tokens"), Some("content_filter"), Some("unheard_of")]),
        (
            Format::AnthropicMessages,
            &[
                None,
                Some("max_tokens"),
                Some("stop_sequence"),
                Some("refusal"),
                Some("pause_turn"),
                Some("model_context_window_exceeded"),
                Some("unheard_of"),
            ],
        ),
        (
            Format::GeminiGenerate,
            &[None, Some("MAX_TOKENS"), Some("SAFETY"), Some("RECITATION"), Some("LANGUAGE"), Some("UNHEARD_OF")],
        ),
    ];
    for (provider, reasons) in reasons {
        for reason in reasons {
            let answer = Answer { reason: *reason, ..Answer::text("Hi") };
            for client in super::asked::others(provider) {
                let known: &[&str] = match client {
                    Format::OpenAiChat => &["stop", "length", "content_filter", "tool_calls", "function_call"],
                    Format::OpenAiResponses => {
                        &["completed", "incomplete max_output_tokens", "incomplete content_filter"]
                    }
                    Format::AnthropicMessages => &["end_turn", "max_tokens", "stop_sequence", "refusal", "pause_turn"],
                    _ => &["STOP", "MAX_TOKENS", "SAFETY", "PROHIBITED_CONTENT", "RECITATION", "OTHER"],
                };
                let [whole, stream] = both(&answer, provider, client).map(|read| read.reason);
                assert!(known.contains(&&*whole), "{client} of {provider}: {whole} for {reason:?}");
                assert_eq!(whole, stream, "{client} of {provider}: whole and as a stream, for {reason:?}");
            }
        }
    }
    // And the one that matters most is what it was.
    for (client, provider) in pairs() {
        let limits = ["length", "max_output_tokens", "max_tokens", "MAX_TOKENS"];
        let at = |format: Format| FORMATS.into_iter().position(|other| other == format).unwrap();
        let answer = Answer { reason: Some(limits[at(provider)]), ..Answer::text("Hi") };
        let wanted = ["length", "incomplete max_output_tokens", "max_tokens", "MAX_TOKENS"][at(client)];
        for read in both(&answer, provider, client) {
            assert_eq!(read.reason, wanted, "{client} of {provider}");
        }
    }
}

#[test]
fn point_07_counts_are_parts_of_their_sums() {
    let answer = Answer { thought: Some("hm"), ..Answer::text("Hi") };
    for (client, provider) in pairs() {
        // Anthropic does not tell thoughts apart.
        let reasoning = if provider == Format::AnthropicMessages { 0 } else { REASONING };
        let wanted = Counts { input: INPUT, cached: CACHED, output: OUTPUT, reasoning };
        for read in both(&answer, provider, client) {
            assert_eq!(read.usage, wanted, "{client} of {provider}");
        }
    }
}

#[test]
fn point_12_a_refused_prompt_has_an_answer_with_words() {
    let message = json!({"role": "assistant", "content": null, "refusal": "No."});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let declined = json!([{"type": "refusal", "refusal": "No."}]);
    let refusals = [
        (Format::OpenAiChat, json!({"id": "c", "choices": [choice]})),
        (
            Format::OpenAiChat,
            json!({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant"}, "finish_reason": "content_filter"}]}),
        ),
        (
            Format::OpenAiResponses,
            json!({"status": "completed", "output": [{"type": "message", "role": "assistant", "content": declined}]}),
        ),
        (
            Format::AnthropicMessages,
            json!({"type": "message", "content": [], "stop_reason": "refusal", "usage": {"input_tokens": 1, "output_tokens": 1}}),
        ),
        (
            Format::GeminiGenerate,
            json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 1}}),
        ),
        (Format::GeminiGenerate, json!({"candidates": [{"finishReason": "SAFETY", "index": 0}]})),
    ];
    for (provider, body) in refusals {
        for client in super::asked::others(provider) {
            let answer = answered(provider, &body, client);
            let context = format!("{client} of {provider}: {answer}");
            let words = match client {
                Format::OpenAiChat => {
                    let choice = &answer["choices"][0];
                    let reason = choice["finish_reason"].as_str().unwrap();
                    assert!(matches!(reason, "stop" | "content_filter"), "{context}");
                    choice["message"]["refusal"].as_str().or(choice["message"]["content"].as_str())
                }
                Format::OpenAiResponses => answer["output"][0]["content"][0]["refusal"].as_str(),
                Format::AnthropicMessages => {
                    assert_eq!(answer["stop_reason"], "refusal", "{context}");
                    answer["content"][0]["text"].as_str()
                }
                _ => {
                    assert!(answer["candidates"][0]["content"]["parts"].is_array(), "{context}");
                    let reason = answer["candidates"][0]["finishReason"].as_str().unwrap();
                    assert_ne!(reason, "STOP", "{context}");
                    answer["candidates"][0]["finishMessage"].as_str()
                }
            };
            assert!(words.is_some_and(|words| !words.is_empty()), "{context}");
        }
    }
}

#[test]
fn point_12_a_stream_that_is_filtered_at_once_has_words_too() {
    for (provider, reason) in [
        (Format::OpenAiChat, "content_filter"),
        (Format::OpenAiResponses, "content_filter"),
        (Format::AnthropicMessages, "refusal"),
    ] {
        let answer = Answer { reason: Some(reason), ..Answer::default() };
        for client in super::asked::others(provider) {
            let stream = streamed(provider, &answer.stream(provider), client, false);
            assert!(stream.contains("refused by the model's safety system"), "{client} of {provider}: {stream}");
        }
    }
}

#[test]
fn point_24_what_only_the_provider_knows_is_no_call_and_all_texts_are_kept() {
    let annotated = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let answers = [
        (
            Format::AnthropicMessages,
            json!({"type": "message", "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}, "content": [
                {"type": "text", "text": "One "},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result", "url": "u"}]},
                {"type": "of_tomorrow", "x": 1},
                {"type": "text", "text": "two"},
            ]}),
        ),
        (
            Format::OpenAiResponses,
            json!({"status": "completed", "output": [
                {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
                {"type": "message", "role": "assistant", "content": [annotated("One "), annotated("two")]},
                {"type": "of_tomorrow", "id": "x"},
            ]}),
        ),
        (
            Format::GeminiGenerate,
            json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [
                {"text": "One "},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
                {"partOfTomorrow": {}},
                {"text": "two"},
            ]}}]}),
        ),
    ];
    for (provider, body) in answers {
        for client in super::asked::others(provider) {
            let read = read(client, &answered(provider, &body, client));
            assert_eq!((&*read.text, read.calls.len()), ("One two", 0), "{client} of {provider}");
        }
    }
}
