//! Requests for a provider.

use serde_json::{Value, json};

use super::{OpenAiResponses, decoded, encoded, target};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CacheControl, CallKind, Effort, Media, MediaKind, MediaSource, Message, Output, Part, Reasoning, Request, Role,
    Schema, ServiceTier, Signature, Summary, Thinking, Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
};
use crate::json::Json;
use crate::protocol::contract::Protocol as _;

fn chat(parts: Vec<Part>) -> Request {
    let mut request = Request::new(Format::OpenAiChat, "m");
    request.messages.push(Message::new(Role::User, parts, 0));
    request
}

fn hello() -> Request {
    chat(vec![Part::text("hi")])
}

fn body(request: &Request) -> Value {
    encoded(request, "gpt-4o").0
}

fn refused(request: &Request) -> String {
    OpenAiResponses.encode_request(request, &target("gpt-4o")).unwrap_err().param.unwrap()
}

fn call(id: &str, name: &str, arguments: &str, kind: CallKind) -> Part {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
    Part::ToolCall(ToolCall { id, name, arguments, kind, signature: None, cache: None })
}

fn result(id: &str, content: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult { call_id: id.to_owned(), name: None, content, is_error: None, cache: None })
}

fn function(name: &str) -> Tool {
    let parameters = Json::parse(r#"{"type":"object","properties":{"x":{"const":1.0}}}"#);
    Tool {
        name: name.to_owned(),
        description: Some("does".to_owned()),
        kind: ToolKind::Function { parameters, strict: None },
        cache: None,
    }
}

#[test]
fn point_15_one_leading_system_message_is_instructions_and_others_stay_in_place() {
    let mut request = hello();
    request.messages.insert(0, Message::new(Role::System, vec![Part::text("a"), Part::text("b")], 0));
    let written = body(&request);
    assert_eq!(written["instructions"], "a\n\nb");
    assert_eq!(written["input"], json!([{"type": "message", "role": "user", "content": "hi"}]));
    request.messages.push(Message::new(Role::Developer, vec![Part::text("c")], 2));
    let written = body(&request);
    assert_eq!(written.get("instructions"), None);
    let roles: Vec<_> = written["input"].as_array().unwrap().iter().map(|item| item["role"].clone()).collect();
    assert_eq!(roles, ["system", "user", "developer"]);
    request.messages[0].parts.push(Part::Media(Media::new(
        MediaKind::Image,
        MediaSource::Url("https://x".to_owned()),
        None,
    )));
    assert_eq!(refused(&request), "messages[0].content[2]");
}

#[test]
fn a_tool_loop_is_items_in_order() {
    let mut request = hello();
    let assistant = vec![
        Part::Thinking {
            text: "t".to_owned(),
            signature: Some(Signature { family: Family::OpenAi, data: "rs_1:gAAA".to_owned() }),
        },
        Part::Thinking {
            text: "foreign".to_owned(),
            signature: Some(Signature { family: Family::Anthropic, data: "x".to_owned() }),
        },
        Part::text("look"),
        call("a:1", "f", "{\"n\":12345678901234567890}", CallKind::Function),
        call("c2", "free", "4 + 4", CallKind::Custom),
    ];
    request.messages.push(Message::new(Role::Assistant, assistant, 1));
    let picture = Media::new(MediaKind::Image, MediaSource::Base64("AAAA".to_owned()), Some("image/png".to_owned()));
    let results = vec![result("a:1", vec![Part::text("1"), Part::Media(picture)]), result("c2", Vec::new())];
    request.messages.push(Message::new(Role::Tool, results, 2));
    let written = body(&request);
    assert_eq!(
        written["input"].as_array().unwrap()[1..],
        [
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "gAAA"}),
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "look"}]}),
            json!({"type": "function_call", "call_id": "a:1", "name": "f", "arguments": "{\"n\":12345678901234567890}"}),
            json!({"type": "custom_tool_call", "call_id": "c2", "name": "free", "input": "4 + 4"}),
            json!({"type": "function_call_output", "call_id": "a:1", "output": [{"type": "input_text", "text": "1"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}]}),
            json!({"type": "custom_tool_call_output", "call_id": "c2", "output": ""}),
        ]
    );
}

#[test]
fn ids_that_are_too_long_are_mapped_alike_in_calls_and_results() {
    let (long, mut request) = ("x".repeat(300), hello());
    request.messages.push(Message::new(Role::Assistant, vec![call(&long, "f", "{}", CallKind::Function)], 1));
    request.messages.push(Message::new(Role::Tool, vec![result(&long, vec![Part::text("1")])], 2));
    let written = body(&request);
    let id = written["input"][1]["call_id"].as_str().unwrap();
    assert!(id.len() <= 64, "{id}");
    assert_eq!(written["input"][2]["call_id"], id);
}

#[test]
fn tools_are_flat_lax_unless_asked_and_their_names_come_back() {
    let mut request = hello();
    request.tools = vec![function("mcp.tool/x"), function("plain")];
    request.tools[1].kind = ToolKind::Function { parameters: Json::parse("{}"), strict: Some(true) };
    request.parallel_tool_calls = Some(false);
    request.tool_choice = Some(ToolChoice::Named("mcp.tool/x".to_owned()));
    let (written, whole) = encoded(&request, "gpt-4o");
    assert_eq!(
        written["tools"],
        json!([
            {"type": "function", "name": "mcp_tool_x", "description": "does",
                "parameters": {"type": "object", "properties": {"x": {"const": 1.0}}}, "strict": false},
            {"type": "function", "name": "plain", "description": "does",
                "parameters": {"type": "object", "properties": {}}, "strict": true},
        ])
    );
    assert_eq!(written["tool_choice"], json!({"type": "function", "name": "mcp_tool_x"}));
    assert_eq!(written["parallel_tool_calls"], false);
    assert_eq!(whole.back.tool_names["mcp_tool_x"], "mcp.tool/x");
    assert!(std::str::from_utf8(&whole.body).unwrap().contains("\"const\":1.0"), "numbers pass digit by digit");
}

#[test]
fn point_17_choices_are_said_and_unknown_ones_refused() {
    let mut request = hello();
    request.tools = vec![function("f")];
    for (choice, written) in [
        (ToolChoice::Auto, json!("auto")),
        (ToolChoice::None, json!("none")),
        (ToolChoice::Required, json!("required")),
        (
            ToolChoice::Allowed { required: true, names: vec!["f".to_owned()] },
            json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}),
        ),
    ] {
        request.tool_choice = Some(choice);
        assert_eq!(body(&request)["tool_choice"], written);
    }
    request.tool_choice = Some(ToolChoice::Named("g".to_owned()));
    assert_eq!(refused(&request), "tool_choice");
    request.tools.clear();
    request.tool_choice = Some(ToolChoice::Required);
    assert_eq!(refused(&request), "tool_choice");
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(body(&request).get("tool_choice"), None);
}

#[test]
fn two_tools_of_one_name_and_foreign_built_in_tools_are_refused() {
    let mut request = hello();
    request.tools = vec![function("f"), function("f")];
    assert_eq!(refused(&request), "tools[1]");
    let builtin = |text: &str| {
        let kind = ToolKind::Builtin(Json::parse(text).unwrap());
        Tool { name: "b".to_owned(), description: None, kind, cache: None }
    };
    request.origin = Format::AnthropicMessages;
    request.tools = vec![builtin(r#"{"type":"bash_20250124","name":"bash"}"#)];
    assert_eq!(refused(&request), "tools[0]");
    request.tools = vec![builtin(r#"{"type":"web_search_20250305","name":"web_search"}"#)];
    assert_eq!(body(&request)["tools"], json!([{"type": "web_search"}]));
}

#[test]
fn point_14_sampling_goes_only_to_models_that_take_it() {
    let mut request = hello();
    (request.temperature, request.top_p, request.top_k, request.seed) = (Some(2.5), Some(0.5), Some(4), Some(1));
    request.stop = vec!["x".to_owned()];
    let (written, whole) = encoded(&request, "gpt-4o");
    assert_eq!((&written["temperature"], &written["top_p"]), (&json!(2.0), &json!(0.5)));
    assert_eq!(whole.dropped.names(), ["top_k", "seed", "stop"]);
    let (written, whole) = encoded(&request, "gpt-5");
    assert_eq!((written.get("temperature"), written.get("top_p")), (None, None));
    assert!(whole.dropped.names().iter().any(|name| name == "temperature"));
    // Nothing is said that the client did not say.
    let (written, _) = encoded(&hello(), "gpt-4o");
    let fields: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["model", "input", "store"]);
}

#[test]
fn point_13_limits_are_raised_to_the_least_and_never_made_up() {
    let mut request = hello();
    request.max_output_tokens = Some(5);
    assert_eq!(body(&request)["max_output_tokens"], 16);
    request.max_output_tokens = None;
    assert_eq!(body(&request).get("max_output_tokens"), None);
}

#[test]
fn reasoning_is_said_as_the_model_knows_it() {
    let of = |reasoning: Reasoning, model: &str| {
        let mut request = hello();
        request.reasoning = Some(reasoning);
        encoded(&request, model)
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    assert_eq!(of(effort(Effort::Max), "gpt-5").0["reasoning"], json!({"effort": "high"}));
    let summed = Reasoning { summary: Some(Summary::Detailed), ..effort(Effort::Low) };
    let (written, _) = of(summed, "gpt-5");
    assert_eq!(written["reasoning"], json!({"effort": "low", "summary": "detailed"}));
    assert_eq!(written["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(written["store"], false);
    let thinking = |thinking| Reasoning { thinking: Some(thinking), ..Reasoning::default() };
    assert_eq!(of(thinking(Thinking::Budget(20_000)), "gpt-5").0["reasoning"]["effort"], "high");
    assert_eq!(of(thinking(Thinking::Adaptive), "gpt-5").0.get("reasoning"), None);
    assert_eq!(of(thinking(Thinking::Off), "gpt-5").0["reasoning"]["effort"], "minimal");
    let (written, whole) = of(effort(Effort::High), "gpt-4o");
    assert_eq!((written.get("reasoning"), written.get("include")), (None, None));
    assert_eq!(whole.dropped.names(), ["reasoning_effort"]);
    assert!(of(thinking(Thinking::Off), "gpt-4o").1.dropped.is_empty());
}

#[test]
fn point_25_shapes_of_the_answer_are_kept() {
    let mut request = hello();
    let schema = Json::parse(r#"{"type":"object","additionalProperties":false}"#).unwrap();
    request.output = Output::JsonSchema(Schema {
        name: Some("my schema".to_owned()),
        description: None,
        schema,
        strict: Some(true),
    });
    request.verbosity = Some("low".to_owned());
    assert_eq!(
        body(&request)["text"],
        json!({"format": {"type": "json_schema", "name": "my_schema", "schema": {"type": "object", "additionalProperties": false},
            "strict": true}, "verbosity": "low"})
    );
    request.output = Output::JsonObject;
    assert_eq!(body(&request)["text"]["format"], json!({"type": "json_object"}));
    assert_eq!(body(&request)["input"].as_array().unwrap().len(), 1);
    // OpenAI wants the word in the input, which clients of others do not know.
    request.origin = Format::GeminiGenerate;
    let written = body(&request);
    assert!(written["input"][0]["content"].as_str().unwrap().contains("JSON"));
}

#[test]
fn point_22_media_are_said_or_refused() {
    let document = |source, mime: &str, name: Option<&str>| {
        let mut media = Media::new(MediaKind::Document, source, Some(mime.to_owned()));
        media.name = name.map(str::to_owned);
        Part::Media(media)
    };
    let request = chat(vec![
        Part::text("see"),
        Part::Media(Media::new(MediaKind::Image, MediaSource::Url("https://x/y".to_owned()), None)),
        document(MediaSource::Base64("AAAA".to_owned()), "application/pdf", Some("a.pdf")),
        document(MediaSource::Text("words".to_owned()), "text/plain", None),
        document(MediaSource::Base64("aGk=".to_owned()), "text/plain", None),
        document(MediaSource::Url("https://x/a.pdf".to_owned()), "application/pdf", None),
        document(MediaSource::FileId("file-1".to_owned()), "application/pdf", None),
        Part::Media(Media::new(
            MediaKind::Audio,
            MediaSource::Base64("AAAA".to_owned()),
            Some("audio/mpeg".to_owned()),
        )),
    ]);
    assert_eq!(
        body(&request)["input"][0]["content"],
        json!([
            {"type": "input_text", "text": "see"},
            {"type": "input_image", "image_url": "https://x/y", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            {"type": "input_text", "text": "words"},
            {"type": "input_text", "text": "hi"},
            {"type": "input_file", "file_url": "https://x/a.pdf"},
            {"type": "input_file", "file_id": "file-1"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        ])
    );
    let video = Media::new(MediaKind::Video, MediaSource::Base64("AAAA".to_owned()), Some("video/mp4".to_owned()));
    assert_eq!(refused(&chat(vec![Part::text("see"), Part::Media(video)])), "messages[0].content[1]");
    let mut foreign = chat(vec![document(MediaSource::FileId("file_1".to_owned()), "application/pdf", None)]);
    foreign.origin = Format::AnthropicMessages;
    assert_eq!(refused(&foreign), "messages[0].content[0]");
}

#[test]
fn what_would_change_the_meaning_is_refused_and_the_rest_named() {
    let mut request = hello();
    request.candidates = Some(2);
    assert_eq!(refused(&request), "n");
    let mut request = hello();
    request.modalities = vec!["text".to_owned(), "audio".to_owned()];
    assert_eq!(refused(&request), "modalities");
    assert_eq!(refused(&Request::new(Format::OpenAiChat, "m")), "messages");
    let mut request = hello();
    request.extensions = vec![
        ("logit_bias".to_owned(), Json::of(&json!({}))),
        ("metadata".to_owned(), Json::of(&json!({"k": "v"}))),
        ("store".to_owned(), Json::of(&true)),
    ];
    request.cache = Some(CacheControl::default());
    let (written, whole) = encoded(&request, "gpt-4o");
    assert_eq!((&written["metadata"], &written["store"]), (&json!({"k": "v"}), &json!(true)));
    assert_eq!(whole.dropped.names(), ["cache_control", "logit_bias"]);
    let mut request = hello();
    (request.origin, request.service_tier) = (Format::GeminiGenerate, Some(ServiceTier::Other("batch".to_owned())));
    let (written, whole) = encoded(&request, "gpt-4o");
    assert_eq!((written.get("service_tier"), whole.dropped.names().len()), (None, 1));
}

#[test]
fn a_request_of_this_format_keeps_all_that_it_says() {
    let sent = json!({
        "model": "gpt-5", "input": [{"type": "web_search_call", "id": "ws_1", "status": "completed"}, {"role": "user", "content": "hi"}],
        "previous_response_id": "resp_1", "store": true, "metadata": {"k": "v"}, "include": ["web_search_call.action.sources"],
        "max_tool_calls": 2, "new_field": [1.0], "tools": [{"type": "web_search", "search_context_size": "low"}],
        "tool_choice": {"type": "web_search"},
    });
    let (written, whole) = encoded(&decoded(&sent), "gpt-5");
    for field in ["previous_response_id", "store", "metadata", "max_tool_calls", "new_field", "tools", "tool_choice"] {
        assert_eq!(written[field], sent[field], "{field}");
    }
    assert_eq!(written["input"][0], sent["input"][0]);
    assert_eq!(written["include"], json!(["web_search_call.action.sources", "reasoning.encrypted_content"]));
    assert!(whole.dropped.is_empty());
}
