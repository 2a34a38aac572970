//! Tools of a namespace, such as those of Codex, before providers that know none.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::facts::ModelFacts;
use crate::format::Format;
use crate::ir::{CallKind, Event, Finish, Request, Start};
use crate::protocol::contract::{AnswerContext, Encoded, Quirks, Target};

fn request(input: Value) -> Request {
    let function = |name: &str| json!({"type": "function", "name": name, "parameters": {"type": "object"}});
    let body = json!({"model": "m", "input": input, "tools": [
        function("ns_f"),
        {"type": "namespace", "name": "ns", "description": "All of ns.", "tools": [
            function("f"), function("g"), {"type": "custom", "name": "free"},
        ]},
        {"type": "namespace", "name": "other", "description": "", "tools": [function("f")]},
    ]});
    Format::OpenAiResponses.protocol().decode_request(body.to_string().as_bytes()).unwrap()
}

fn written(request: &Request, format: Format) -> (Value, Encoded) {
    let facts = ModelFacts::default();
    let target = Target { model: "m", facts: &facts, quirks: &Quirks::COMPATIBLE, stream: false };
    let encoded = format.protocol().encode_request(request, &target).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded)
}

/// The names of the tools that a provider is given.
fn names(body: &Value, format: Format) -> Vec<String> {
    let list = match format {
        Format::GeminiGenerate => &body["tools"][0]["functionDeclarations"],
        Format::BedrockConverse => &body["toolConfig"]["tools"],
        _ => &body["tools"],
    };
    let name = |tool: &Value| {
        let at = ["/name", "/function/name", "/custom/name", "/toolSpec/name"];
        at.iter().find_map(|at| tool.pointer(at)).and_then(Value::as_str).unwrap().to_owned()
    };
    list.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn each_tool_has_a_unique_name_and_comes_back_with_its_namespace() {
    for format in Format::ALL {
        let request = request(json!("go"));
        let (body, encoded) = written(&request, format);
        let names = names(&body, format);
        assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), 5, "{format}: {names:?}");
        assert_eq!(names[0], "ns_f", "{format}: the client's own name stays");
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')));
        assert!(body.to_string().contains("All tools of ns: All of ns."), "{format}: {body}");

        // Whole.
        let wanted = [(1, "f", "ns"), (2, "g", "ns"), (4, "f", "other")];
        let asked = AnswerContext { id: "1".to_owned(), created: 1, request: Arc::new(request.clone()) };
        for (at, name, namespace) in wanted {
            let mut events = vec![
                Event::Start(Start::default()),
                Event::ToolStart {
                    call: 0,
                    id: "c".to_owned(),
                    name: names[at].clone(),
                    kind: CallKind::default(),
                    signature: None,
                },
                Event::ToolArguments { call: 0, text: "{}".to_owned() },
                Event::ToolEnd { call: 0 },
                Event::Finish { reason: Finish::ToolCalls, stop_sequence: None },
            ];
            encoded.back.clone().stream().events(&mut events);
            let mut writer = Format::OpenAiResponses.protocol().encoder(asked.clone());
            let mut bytes = Vec::new();
            for event in &events {
                writer.event(event, &mut bytes);
            }
            writer.end(&mut bytes);
            let text = String::from_utf8(bytes).unwrap();
            let call = format!("\"name\":\"{name}\",\"namespace\":\"{namespace}\"");
            assert_eq!(text.matches(&call).count(), 3, "{format}: added, done and completed: {text}");
            assert!(!text.contains("u001f"), "{format}: {text}");
        }
    }
}

#[test]
fn a_call_in_the_history_has_the_name_of_its_tool() {
    let call = |name: &str| json!({"type": "function_call", "call_id": name, "name": name, "namespace": "ns", "arguments": "{}"});
    let output = |name: &str| json!({"type": "function_call_output", "call_id": name, "output": "1"});
    let input = json!([{"role": "user", "content": "go"}, call("f"), call("g"), output("f"), output("g")]);
    for format in Format::ALL {
        let (body, _) = written(&request(input.clone()), format);
        let names = names(&body, format);
        let text = body.to_string();
        for name in &names[1..3] {
            assert!(text.matches(&format!("\"{name}\"")).count() >= 2, "{format}: {name}: {text}");
        }
    }
}

#[test]
fn tools_that_are_added_on_the_way_are_given_at_once() {
    let input = json!([
        {"role": "user", "content": "go"},
        {"type": "additional_tools", "role": "developer", "tools": [
            {"type": "namespace", "name": "late", "tools": [{"type": "custom", "name": "exec"}]}]},
        {"type": "tool_search_call", "call_id": "s", "execution": "client", "arguments": {}},
        {"type": "tool_search_output", "call_id": "s", "execution": "client", "tools": [
            {"type": "function", "name": "found", "parameters": {"type": "object"}}]},
        {"role": "user", "content": "on"},
    ]);
    for format in Format::ALL.into_iter().filter(|format| *format != Format::OpenAiResponses) {
        let (body, encoded) = written(&request(input.clone()), format);
        let names = names(&body, format);
        assert!(names.contains(&"late_exec".to_owned()) && names.contains(&"found".to_owned()), "{format}: {names:?}");
        assert!(!encoded.dropped.is_empty(), "{format}: the items of the search are named");
    }
}
