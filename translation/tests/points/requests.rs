//! Requests: points 13, 14, 15, 16, 17, 22.

use serde_json::{Value, json};
use translation::Format;
use translation::ir::ErrorCode;

use super::asked::{Ask, Choice, Turn, city, hello, models, others, send, two_calls};
use super::pairs;

const PICTURE: &str = "data:image/png;base64,iVBORw0KGgo=";

/// The first object, however deep, that has a field `name`.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(object) => object.get(name).or_else(|| object.values().find_map(|value| find(value, name))),
        Value::Array(array) => array.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

#[test]
fn point_13_the_limit_of_tokens_is_the_models_where_none_is_given_and_never_more() {
    let target = Format::AnthropicMessages;
    for client in others(target) {
        let body = |ask: &Ask, model| ask.sent(client, target, model).unwrap().body;
        // Never without: Anthropic answers 400.
        assert_eq!(body(&hello(), "claude-3-haiku-20240307")["max_tokens"], 4_096, "{client}");
        assert!(body(&hello(), "claude-sonnet-4-5")["max_tokens"].as_u64().unwrap() > 4_096, "{client}");
        assert!(body(&hello(), "claude-of-tomorrow")["max_tokens"].as_u64().unwrap() > 4_096, "{client}");
        let most = Ask { most: Some(1_000_000), ..hello() };
        assert_eq!(body(&most, "claude-3-haiku-20240307")["max_tokens"], 4_096, "{client}");
        // A budget leaves room for the answer.
        let thinks = Ask { effort: Some("high"), most: Some(3_000), ..hello() };
        let body = body(&thinks, "claude-sonnet-4-5");
        let budget = body["thinking"]["budget_tokens"].as_u64().unwrap_or_default();
        assert!(budget < body["max_tokens"].as_u64().unwrap(), "{client}: {body}");
    }
    // Elsewhere nothing is added, and what is given has the target's name.
    for (client, target) in
        pairs().filter(|(client, target)| *client != Format::AnthropicMessages && *target != Format::AnthropicMessages)
    {
        let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
        let name = match target {
            Format::OpenAiChat => "max_completion_tokens",
            Format::OpenAiResponses => "max_output_tokens",
            _ => "maxOutputTokens",
        };
        assert_eq!(find(&hello().sent(client, target, model).unwrap().body, name), None, "{client} to {target}");
        let ask = Ask { most: Some(500), ..hello() };
        let body = ask.sent(client, target, model).unwrap().body;
        assert_eq!(find(&body, name), Some(&json!(500)), "{client} to {target}");
    }
}

#[test]
fn point_14_sampling_goes_to_models_that_take_it_in_their_range_and_nothing_is_added() {
    for (client, target) in pairs() {
        let names = if target == Format::GeminiGenerate { ["temperature", "topP"] } else { ["temperature", "top_p"] };
        let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
        let body = hello().sent(client, target, model).unwrap().body;
        for name in names {
            assert_eq!(find(&body, name), None, "{client} to {target}: {name} is not the client's");
        }
        let mild = Ask { temperature: Some(0.5), ..hello() };
        let model = if target == Format::OpenAiResponses { "gpt-4o" } else { model };
        let body = mild.sent(client, target, model).unwrap().body;
        assert_eq!(find(&body, "temperature"), Some(&json!(0.5)), "{client} to {target}");
        if client != Format::AnthropicMessages {
            let hot = Ask { temperature: Some(1.5), ..hello() };
            let body = hot.sent(client, target, model).unwrap().body;
            let wanted = if target == Format::AnthropicMessages { 1.0 } else { 1.5 };
            assert_eq!(find(&body, "temperature").and_then(Value::as_f64), Some(wanted), "{client} to {target}");
        }
    }
    // Models that answer 400 to it; what is left out is named as the client calls it.
    let none = [
        (Format::OpenAiChat, "o3"),
        (Format::OpenAiChat, "gpt-5"),
        (Format::OpenAiResponses, "gpt-5"),
        (Format::AnthropicMessages, "claude-opus-5-5"),
    ];
    for (target, model) in none {
        for client in others(target) {
            let ask = Ask { temperature: Some(0.5), top_p: Some(0.9), ..hello() };
            let sent = ask.sent(client, target, model).unwrap();
            assert_eq!(
                (find(&sent.body, "temperature"), find(&sent.body, "top_p")),
                (None, None),
                "{client} to {model}"
            );
            let named = sent.encoded.dropped.names();
            let wanted = if client == Format::GeminiGenerate { "generationConfig.temperature" } else { "temperature" };
            assert!(named.iter().any(|name| name == wanted), "{client} to {model}: {named:?}");
        }
    }
    // Of two that exclude each other, one.
    for client in others(Format::AnthropicMessages) {
        let ask = Ask { temperature: Some(0.5), top_p: Some(0.9), ..hello() };
        let body = ask.sent(client, Format::AnthropicMessages, "claude-sonnet-4-5").unwrap().body;
        assert_eq!((&body["temperature"], body.get("top_p")), (&json!(0.5), None), "{client}");
    }
}

#[test]
fn point_15_every_system_message_arrives() {
    for (client, target) in pairs() {
        let turns = vec![
            Turn::System("first"),
            Turn::User("Hi"),
            Turn::Model("Yes?"),
            Turn::Developer("second"),
            Turn::User("Go on"),
        ];
        let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
        let body = Ask { turns, ..Ask::default() }.sent(client, target, model).unwrap().body;
        let text = body.to_string();
        let context = format!("{client} to {target}: {body}");
        let (first, second) = (text.find("first").unwrap(), text.find("second").unwrap());
        assert!(first < second, "{context}");
        match target {
            Format::AnthropicMessages => {
                assert!(body["system"].to_string().contains("second"), "{context}");
                assert!(!body["messages"].to_string().contains("first"), "{context}");
                assert_eq!(body["messages"].as_array().unwrap().len(), 3, "{context}");
            }
            Format::GeminiGenerate => {
                assert_eq!(
                    body["systemInstruction"]["parts"],
                    json!([{"text": "first"}, {"text": "second"}]),
                    "{context}"
                );
                assert_eq!(body["contents"].as_array().unwrap().len(), 3, "{context}");
            }
            _ => {
                // Those of formats with one place for them come first; those of the others stay where they were.
                let list = if target == Format::OpenAiChat { &body["messages"] } else { &body["input"] };
                let roles: Vec<_> =
                    list.as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
                let lowest = roles.iter().rposition(|role| matches!(*role, "system" | "developer"));
                let in_place = matches!(client, Format::OpenAiChat | Format::OpenAiResponses);
                assert_eq!(lowest == Some(3), in_place, "{context}");
            }
        }
        assert!(
            !text.contains("developer") || matches!(target, Format::OpenAiChat | Format::OpenAiResponses),
            "{context}"
        );
    }
}

#[test]
fn point_16_texts_that_end_the_answer_are_a_list_without_white_space() {
    for client in [Format::OpenAiChat, Format::AnthropicMessages, Format::GeminiGenerate] {
        for (target, name) in [
            (Format::OpenAiChat, "stop"),
            (Format::AnthropicMessages, "stop_sequences"),
            (Format::GeminiGenerate, "stopSequences"),
        ] {
            if client == target {
                continue;
            }
            let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
            let body = Ask { stop: vec!["END"], ..hello() }.sent(client, target, model).unwrap().body;
            assert_eq!(find(&body, name), Some(&json!(["END"])), "{client} to {target}");
        }
        let ask = Ask { stop: vec!["END", "\n\n"], ..hello() };
        if client != Format::AnthropicMessages {
            let sent = ask.sent(client, Format::AnthropicMessages, "claude-sonnet-4-5").unwrap();
            assert_eq!(sent.body["stop_sequences"], json!(["END"]), "{client}");
            assert_eq!(sent.encoded.dropped.names().len(), 1, "{client}");
        }
        // The Responses API has nothing like it, and says so.
        let sent = ask.sent(client, Format::OpenAiResponses, "gpt-5.1").unwrap();
        assert!(sent.encoded.dropped.names().iter().any(|name| name.to_lowercase().contains("stop")), "{client}");
        assert_eq!(find(&sent.body, "stop"), None, "{client}");
    }
    // One text alone.
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stop": "END"});
    for target in others(Format::OpenAiChat).filter(|target| *target != Format::OpenAiResponses) {
        let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
        let sent = send(Format::OpenAiChat, &body, target, model).unwrap().body;
        assert_eq!(find(&sent, "stop_sequences").or(find(&sent, "stopSequences")), Some(&json!(["END"])), "{target}");
    }
}

#[test]
fn point_17_whether_tools_must_be_called_is_said_and_the_tools_stay() {
    for (client, target) in pairs() {
        let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
        let sent = |choice| {
            let ask = Ask { choice: Some(choice), ..two_calls() };
            ask.sent(client, target, model).unwrap().body
        };
        for choice in [Choice::None, Choice::Required, Choice::Named("weather")] {
            let body = sent(choice);
            let context = format!("{client} to {target}: {choice:?}: {body}");
            assert!(find(&body["tools"], "name").is_some(), "the conversation speaks of them: {context}");
            let config = &body["toolConfig"]["functionCallingConfig"];
            let said = match target {
                Format::OpenAiChat => body["tool_choice"].as_str().or(body["tool_choice"]["function"]["name"].as_str()),
                Format::OpenAiResponses => body["tool_choice"].as_str().or(body["tool_choice"]["name"].as_str()),
                Format::AnthropicMessages => {
                    body["tool_choice"]["name"].as_str().or(body["tool_choice"]["type"].as_str())
                }
                _ => config["allowedFunctionNames"][0].as_str().or(config["mode"].as_str()),
            };
            // Gemini's clients name one by allowing no other.
            let named = matches!(choice, Choice::Named(_)) && client != Format::GeminiGenerate;
            let known: &[&str] = match choice {
                Choice::None => &["none", "NONE"],
                Choice::Required => &["required", "any", "ANY"],
                Choice::Named(_) if named => &["weather"],
                Choice::Named(_) => &["weather", "required", "any", "allowed_tools"],
            };
            let allowed = body["tool_choice"]["type"] == "allowed_tools";
            assert!(said.is_some_and(|said| known.contains(&said)) || allowed, "{context}");
        }
    }
    for client in others(Format::AnthropicMessages) {
        // No choice, and yet one call at a time. Gemini has no such field.
        if client != Format::GeminiGenerate {
            let one = Ask { parallel: Some(false), ..two_calls() };
            let body = one.sent(client, Format::AnthropicMessages, "claude-sonnet-4-5").unwrap().body;
            assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}), "{client}");
        }
        // Forced tools and thought exclude each other.
        let forced =
            Ask { choice: Some(Choice::Required), tools: vec![("weather", city())], effort: Some("high"), ..hello() };
        let body = forced.sent(client, Format::AnthropicMessages, "claude-sonnet-4-5").unwrap().body;
        assert_eq!((&body["tool_choice"]["type"], body.get("thinking")), (&json!("any"), None), "{client}");
        // And this model is never forced.
        let sent = forced.sent(client, Format::AnthropicMessages, "claude-opus-5-5").unwrap();
        assert_eq!(sent.body["tool_choice"]["type"], "auto", "{client}");
        assert_eq!(sent.encoded.dropped.names().len(), 1, "{client}: {:?}", sent.encoded.dropped);
    }
}

#[test]
fn point_22_pictures_arrive_and_none_vanishes() {
    for (client, target) in pairs() {
        let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
        for url in [PICTURE, "https://example.com/a.png"] {
            let ask = Ask { turns: vec![Turn::User("See"), Turn::Picture(url)], ..Ask::default() };
            let context = format!("{client} to {target}: {url}");
            match ask.sent(client, target, model) {
                Ok(sent) => {
                    let text = sent.body.to_string();
                    let data = url.split_once(',').map_or(url, |(_, data)| data);
                    assert!(text.contains(data), "{context}: {text}");
                    assert!(url != PICTURE || text.contains("image/png"), "{context}: {text}");
                    assert!(sent.encoded.dropped.is_empty(), "{context}: {:?}", sent.encoded.dropped);
                }
                Err(error) => panic!("{context}: {error}"),
            }
        }
    }
    // The forms that clients of OpenAI have for it.
    let forms = [
        json!({"type": "image_url", "image_url": "data:image/jpg;base64,/9j/4A=="}),
        json!({"type": "image_url", "image_url": {"url": "data:image/jpeg;charset=utf-8;base64,/9j/4A=="}}),
        json!({"type": "image_url", "image_url": {"url": "data:application/pdf;base64,JVBERg=="}}),
        json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}}),
    ];
    for part in forms {
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, part]}]});
        for target in others(Format::OpenAiChat) {
            let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
            let sent = send(Format::OpenAiChat, &body, target, model).unwrap();
            let text = sent.body.to_string();
            assert!(text.contains("/9j/4A==") || text.contains("JVBERg=="), "{target}: {text}");
            assert!(!text.contains("image/jpg"), "{target}: {text}");
            assert_eq!(
                text.contains("application/pdf"),
                part.to_string().contains("application/pdf"),
                "{target}: {text}"
            );
        }
    }
    // What a target cannot be shown is refused, and not left out.
    let film = json!({"contents": [{"parts": [{"text": "See"}, {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}]}], "model": "m"});
    for target in others(Format::GeminiGenerate) {
        let model = models().into_iter().find(|(format, _)| *format == target).unwrap().1;
        let error = send(Format::GeminiGenerate, &film, target, model).err().unwrap();
        assert!(
            matches!(error.code, ErrorCode::UnsupportedValue | ErrorCode::UnsupportedParameter),
            "{target}: {error}"
        );
        assert_eq!(error.param.as_deref(), Some("contents[0].parts[1]"), "{target}");
    }
}
