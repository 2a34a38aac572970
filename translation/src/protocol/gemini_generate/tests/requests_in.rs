//! A client's request.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::scenes::{decode_failure, decoded};
use crate::format::Family;
use crate::ir::{
    Effort, Media, MediaKind, MediaSource, Output, Part, Reasoning, Request, Role, ServiceTier, Signature, Summary,
    Thinking, ToolChoice, ToolKind,
};
use crate::protocol::contract::Protocol as _;
use crate::protocol::gemini_generate::{GeminiGenerate, signature};

fn contents(contents: Value) -> Request {
    decoded(&json!({"contents": contents}))
}

fn config(config: Value) -> Request {
    decoded(&json!({"contents": "x", "generationConfig": config}))
}

fn part(part: Value) -> Part {
    contents(json!([{"parts": [part]}])).messages.remove(0).parts.remove(0)
}

#[test]
fn contents_take_every_form_that_sdks_write() {
    for form in [
        json!("Hi"),
        json!({"parts": "Hi"}),
        json!({"parts": {"text": "Hi"}}),
        json!(["Hi"]),
        json!([{"parts": ["Hi"]}]),
        json!([{"role": "user", "parts": [{"text": "Hi"}]}]),
        json!([{"role": null, "parts": [{"text": "Hi", "thought": null}]}]),
    ] {
        let request = contents(form.clone());
        assert_eq!(request.messages.len(), 1, "{form}");
        assert_eq!((request.messages[0].role, &request.messages[0].parts[..]), (Role::User, &[Part::text("Hi")][..]));
    }
}

#[test]
fn both_spellings_of_keys_are_read_at_every_level() {
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, {"fileData": {"fileUri": "gs://b/a.pdf", "mimeType": "application/pdf"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a_b": 1}}, "thoughtSignature": "c2ln"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r_s": 1}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"topP": 0.5, "topK": 3, "maxOutputTokens": 9, "stopSequences": ["x"], "responseMimeType": "application/json",
            "thinkingConfig": {"thinkingBudget": 7, "includeThoughts": true}, "candidateCount": 2, "mediaResolution": "LOW"},
        "safetySettings": [],
    });
    let keys = [
        "systemInstruction",
        "inlineData",
        "mimeType",
        "fileData",
        "fileUri",
        "functionCall",
        "thoughtSignature",
        "functionResponse",
        "functionDeclarations",
        "parametersJsonSchema",
        "googleSearch",
        "toolConfig",
        "functionCallingConfig",
        "allowedFunctionNames",
        "generationConfig",
        "topP",
        "topK",
        "maxOutputTokens",
        "stopSequences",
        "responseMimeType",
        "thinkingConfig",
        "thinkingBudget",
        "includeThoughts",
        "candidateCount",
        "mediaResolution",
        "safetySettings",
    ];
    let snake = keys.iter().fold(camel.to_string(), |text, key| {
        let snake: String = key
            .chars()
            .flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] })
            .collect();
        text.replace(&format!("\"{key}\""), &format!("\"{snake}\""))
    });
    let request = decoded(&camel);
    assert_eq!(GeminiGenerate.decode_request(snake.as_bytes()).unwrap(), request);
    assert_eq!(request.extensions.len(), 2, "{:?}", request.extensions);
    assert_eq!(
        request.reasoning,
        Some(Reasoning { effort: None, thinking: Some(Thinking::Budget(7)), summary: Some(Summary::Auto) })
    );
}

#[test]
fn parts_have_their_neutral_forms() {
    let signature = |data: &str| Some(Signature { family: Family::Gemini, data: data.to_owned() });
    let text = |text: &str, signature| Part::Text { text: text.to_owned(), cache: None, citations: vec![], signature };
    assert_eq!(part(json!({"text": "a", "thoughtSignature": "cw=="})), text("a", signature("cw==")));
    assert_eq!(part(json!({"thoughtSignature": "cw=="})), text("", signature("cw==")));
    assert_eq!(part(json!({"text": "a", "thought": true})), Part::Thinking { text: "a".to_owned(), signature: None });
    let media = |kind, source, mime: &str| Part::Media(Media::new(kind, source, Some(mime.to_owned())));
    assert_eq!(
        part(json!({"inlineData": {"mimeType": "image/jpg", "data": "-_8"}})),
        media(MediaKind::Image, MediaSource::Base64("+/8=".to_owned()), "image/jpeg")
    );
    assert_eq!(
        part(json!({"fileData": {"mimeType": "audio/mp3", "fileUri": "https://x/a.mp3"}})),
        media(MediaKind::Audio, MediaSource::Url("https://x/a.mp3".to_owned()), "audio/mpeg")
    );
    let Part::Opaque { family: Family::Gemini, block } = part(json!({"executable_code": {"code": "1"}})) else {
        panic!()
    };
    assert_eq!(block.get(), r#"{"executableCode":{"code":"1"}}"#);
}

#[test]
fn point_21_a_thought_that_was_streamed_is_one_with_its_signature() {
    let own = |family| Signature { family, data: "c2ln".to_owned() };
    let written = |family| signature::write(&own(family), signature::Of::Shown).into_owned();
    let thought = |text: &str| json!({"text": text, "thought": true});
    let signed = |family| json!({"text": "", "thought": true, "thoughtSignature": written(family)});
    let read = |contents_of_model: Vec<Value>| {
        let model = contents_of_model.into_iter().map(|parts| json!({"role": "model", "parts": parts}));
        let user = json!({"role": "user", "parts": [{"text": "?"}]});
        contents([user].into_iter().chain(model).collect()).messages.into_iter().skip(1).flat_map(|m| m.parts)
    };
    for family in [Family::Anthropic, Family::OpenAi] {
        let whole = |text: &str| Part::Thinking { text: text.to_owned(), signature: Some(own(family)) };
        let call = json!({"functionCall": {"name": "f"}});
        // One content, or one for each chunk.
        let parts = [thought("a"), thought("b"), signed(family), thought("c"), signed(family), call.clone()];
        for contents in [vec![json!(parts)], parts.iter().map(|part| json!([part])).collect()] {
            let parts: Vec<Part> = read(contents).collect();
            assert_eq!((parts.len(), &parts[..2]), (3, &[whole("ab"), whole("c")][..]));
        }
        // What stands between is not thought.
        let parts: Vec<Part> = read(vec![json!([thought("a"), {"text": "x"}, signed(family)])]).collect();
        assert_eq!((parts.len(), &parts[2]), (3, &whole("")));
    }
    // Gemini takes its own back as they came.
    assert_eq!(read(vec![json!([thought("a"), signed(Family::Gemini)])]).count(), 2);
}

#[test]
fn calls_without_ids_match_their_results_by_name_and_order() {
    let call = |city: &str| json!({"functionCall": {"name": "weather", "args": {"city": city}}});
    let result = |name: &str, value: u64| json!({"functionResponse": {"name": name, "response": {"v": value}}});
    let body = json!([
        {"role": "user", "parts": [{"text": "?"}]},
        {"role": "model", "parts": [{"text": "I look."}, call("Paris"), {"functionCall": {"name": "time"}}, call("Rome")]},
        {"role": "user", "parts": [result("time", 1), result("weather", 2), result("weather", 3), {"text": "and?"}]},
    ]);
    let request = contents(body.clone());
    let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::User]);
    let call_ids: Vec<_> = request.messages[1]
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.id.clone()),
            _ => None,
        })
        .collect();
    let result_ids: Vec<_> = request.messages[2]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolResult(result) => result.call_id.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(result_ids, [call_ids[1].clone(), call_ids[0].clone(), call_ids[2].clone()]);
    // The same in every turn.
    assert_eq!(contents(body), request);
    let Part::ToolResult(result) = &request.messages[2].parts[0] else { panic!() };
    assert_eq!((&result.content[..], result.name.as_deref()), (&[Part::text(r#"{"v":1}"#)][..], Some("time")));
}

#[test]
fn ids_match_calls_and_results_where_they_are_given() {
    let request = contents(json!([
        {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "f"}}, {"functionCall": {"id": "b", "name": "f"}}]},
        {"role": "function", "parts": [{"functionResponse": {"id": "b", "name": "f", "response": {}}}, {"functionResponse": {"name": "f", "response": {},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}}]},
    ]));
    let ids: Vec<_> = request.messages[1]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolResult(result) => (result.call_id.as_str(), result.content.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, [("b", 1), ("a", 2)]);
}

#[test]
fn instructions_are_a_system_message() {
    for instruction in [
        json!("Be brief."),
        json!({"parts": {"text": "Be brief."}}),
        json!({"role": "system", "parts": [{"text": "Be brief."}, {"text": ""}]}),
    ] {
        let request = decoded(&json!({"contents": "x", "system_instruction": instruction}));
        assert_eq!(
            (request.messages[0].role, &request.messages[0].parts[..]),
            (Role::System, &[Part::text("Be brief.")][..])
        );
    }
}

#[test]
fn tools_become_json_schema() {
    let request = decoded(&json!({"contents": "x", "tools": [
        {"functionDeclarations": [
            {"name": "f", "description": "", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}}},
            {"name": "g", "parameters_json_schema": {"type": "object", "$defs": {}}}, {"name": "h"},
        ]},
        {"code_execution": {}, "urlContext": {}},
    ]}));
    let names: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["f", "g", "h", "codeExecution", "urlContext"]);
    let parameters = |at: usize| match &request.tools[at].kind {
        ToolKind::Function { parameters, .. } => parameters.as_ref().map(|json| json.get().to_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(parameters(0).unwrap(), r#"{"type":"object","properties":{"a":{"type":["string","null"]}}}"#);
    assert_eq!(parameters(1).unwrap(), r#"{"type":"object","$defs":{}}"#);
    assert_eq!(parameters(2), None);
    assert!(matches!(&request.tools[3].kind, ToolKind::Builtin(block) if block.get() == r#"{"codeExecution":{}}"#));
}

#[test]
fn modes_of_calling() {
    let choice =
        |config: Value| decoded(&json!({"contents": "x", "toolConfig": {"functionCallingConfig": config}})).tool_choice;
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(choice(json!({})), None);
    assert_eq!(choice(json!({"mode": "AUTO"})), Some(ToolChoice::Auto));
    assert_eq!(choice(json!({"mode": "VALIDATED"})), Some(ToolChoice::Auto));
    assert_eq!(choice(json!({"mode": "none"})), Some(ToolChoice::None));
    assert_eq!(choice(json!({"mode": "ANY"})), Some(ToolChoice::Required));
    assert_eq!(choice(json!({"mode": "any", "allowedFunctionNames": ["f"]})), Some(ToolChoice::Named("f".to_owned())));
    let several = ToolChoice::Allowed { required: true, names: named(&["f", "g"]) };
    assert_eq!(choice(json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]})), Some(several));
}

#[test]
fn the_configuration_is_read_with_numbers_as_text() {
    let request = config(json!({
        "temperature": "0.5", "topP": 1, "topK": 40.0, "seed": "-7", "presencePenalty": 0.1, "frequencyPenalty": -1, "maxOutputTokens": "100",
        "candidateCount": 1, "responseLogprobs": true, "logprobs": 5, "stopSequences": ["a", "b"], "responseModalities": ["TEXT", "Image"],
        "speechConfig": {"voice": 1}, "seed2": null,
    }));
    assert_eq!(
        (request.temperature, request.top_p, request.top_k, request.seed),
        (Some(0.5), Some(1.0), Some(40), Some(-7))
    );
    assert_eq!((request.presence_penalty, request.frequency_penalty), (Some(0.1), Some(-1.0)));
    assert_eq!((request.max_output_tokens, request.candidates), (Some(100), Some(1)));
    assert_eq!((request.logprobs, request.top_logprobs), (Some(true), Some(5)));
    assert_eq!((request.stop.len(), &request.modalities[..]), (2, &["text".to_owned(), "image".to_owned()][..]));
    assert_eq!(request.extensions[0].0, "generationConfig.speechConfig");
}

#[test]
fn shapes_of_the_answer() {
    let schema = |config: Value| match self::config(config).output {
        Output::JsonSchema(schema) => schema.schema.get().to_owned(),
        other => panic!("{other:?}"),
    };
    let typed = json!({"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}});
    assert_eq!(schema(typed), r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#);
    assert_eq!(
        schema(json!({"responseMimeType": "application/json", "_responseJsonSchema": {"$ref": "#/x"}})),
        r##"{"$ref":"#/x"}"##
    );
    assert_eq!(config(json!({"response_mime_type": "application/json"})).output, Output::JsonObject);
    assert_eq!(config(json!({"responseMimeType": "text/plain"})).output, Output::Text);
    let choice =
        config(json!({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}));
    assert_eq!((choice.output, choice.extensions.len()), (Output::Text, 2));
}

#[test]
fn thinking_is_a_budget_or_a_level() {
    let reasoning = |thinking: Value| config(json!({"thinkingConfig": thinking})).reasoning;
    let of = |effort, thinking, summary| Some(Reasoning { effort, thinking, summary });
    assert_eq!(reasoning(json!({})), None);
    assert_eq!(reasoning(json!({"thinkingBudget": 0})), of(None, Some(Thinking::Off), None));
    assert_eq!(reasoning(json!({"thinking_budget": -1})), of(None, Some(Thinking::Adaptive), None));
    let level = reasoning(json!({"thinkingLevel": "HIGH", "includeThoughts": false}));
    assert_eq!(level, of(Some(Effort::High), None, Some(Summary::Omitted)));
}

#[test]
fn other_fields_are_extensions() {
    let request = decoded(
        &json!({"contents": "x", "safety_settings": [1], "cachedContent": "c", "labels": {"a": "b"}, "model": "m", "serviceTier": "flex", "odd": null}),
    );
    let names: Vec<_> = request.extensions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["safetySettings", "cachedContent", "labels"]);
    assert_eq!(request.service_tier, Some(ServiceTier::Flex));
}

#[test]
fn errors_name_the_field() {
    let cases = [
        (r#"{"contents": "x", "generationConfig": {"temperature": "warm"}}"#, "generationConfig.temperature"),
        (
            r#"{"contents": "x", "generationConfig": {"topK": 1, "maxOutputTokens": 0}}"#,
            "generationConfig.maxOutputTokens",
        ),
        (r#"{"contents": "x", "generationConfig": {"stopSequences": ["a", 5]}}"#, "generationConfig.stopSequences[1]"),
        (
            r#"{"contents": "x", "generation_config": {"thinking_config": {"thinkingBudget": {}}}}"#,
            "generation_config.thinking_config.thinkingBudget",
        ),
        (r#"{"contents": [{"parts": [{"text": "a"}, {"text": 5}]}]}"#, "contents[0].parts[1].text"),
        (r#"{"contents": [{"parts": [{"text": "a"}]}, {"role": "user", "parts": 7}]}"#, "contents[1].parts"),
        (
            "{\"contents\": [\n{\"parts\":\n [{\"inlineData\": {\"mimeType\": 5, \"data\": \"\"}}]}]}",
            "contents[0].parts[0].inlineData.mimeType",
        ),
        (r#"{"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}"#, "contents[0].role"),
        (r#"{"contents": [{"parts": [{"text": "a"}, {}]}]}"#, "contents[0].parts[1]"),
        (r#"{"contents": [{"parts": [{"video": {}}]}]}"#, "contents[0].parts[0]"),
        (r#"{"contents": [{"role": "model", "parts": [{"functionCall": {}}]}]}"#, "contents[0].parts[0]"),
        (
            r#"{"contents": [{"parts": [{"functionResponse": {"response": {}}}]}]}"#,
            "contents[0].parts[0].functionResponse.name",
        ),
        (
            r#"{"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]}"#,
            "contents[0].parts[0].inlineData.data",
        ),
        (
            r#"{"contents": "x", "tools": [{"functionDeclarations": [{"name": "f"}, {"description": "d"}]}]}"#,
            "tools[0].functionDeclarations[1]",
        ),
        (r#"{"contents": "x", "tools": 5}"#, "tools"),
        (
            r#"{"contents": "x", "toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}}"#,
            "toolConfig.functionCallingConfig",
        ),
        (r#"{"contents": "x", "systemInstruction": {"parts": [{"inlineData": {}}]}}"#, "systemInstruction.parts[0]"),
        (r#"{"contents": []}"#, "contents"),
        (r#"{"contents": [{"parts": []}]}"#, "contents"),
        ("{}", "contents"),
    ];
    for (body, param) in cases {
        let error = decode_failure(body);
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {}", error.message);
        assert!(!error.message.contains(" at line "), "{}", error.message);
    }
    for body in ["", "nonsense", "[]", "{\"contents\": \"x\"", "{\"contents\": \"x\"}}"] {
        assert_eq!(decode_failure(body).param, None, "{body}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop::sample::select(b"{}[]\":,contentsparts01 \\n".to_vec()), 0..120)) {
        let _ = GeminiGenerate.decode_request(&bytes);
    }

    #[test]
    fn any_mutilation_of_a_request_is_survived(at in 0_usize..400, byte: u8) {
        let body = json!({"contents": [{"role": "model", "parts": [{"text": "é"}, {"functionCall": {"name": "f", "args": {"a": [1, "x"]}}}]},
            {"parts": [{"functionResponse": {"name": "f", "response": {"r": 1}}}]}], "generationConfig": {"topK": 1, "stopSequences": ["a"]},
            "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}]});
        let mut body = body.to_string().into_bytes();
        let at = at % body.len();
        body[at] = byte;
        let _ = GeminiGenerate.decode_request(&body);
    }
}
