use serde_json::{Value, json};

use super::encode;
use crate::back::Back;
use crate::facts::{ForcedTools, ModelFacts, Sampling, ThinkingForm};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CacheControl, CallKind, Effort, Media, MediaKind, MediaSource, Message, Output, Part, Reasoning, Request, Role,
    Schema, ServiceTier, Signature, Thinking, Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
};
use crate::json::Json;
use crate::protocol::contract::{Encoded, Quirks, Target};
use crate::protocol::thinking_rules::{ThinkingRules, ThoughtField, ThoughtHistory};

/// A request of a client of another format.
fn foreign(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = Request::new(Format::AnthropicMessages, "m");
    request.messages.push(Message::new(Role::User, vec![Part::text("hi")], 0));
    change(&mut request);
    request
}

fn encoded(request: &Request, quirks: Quirks, facts: &ModelFacts, stream: bool) -> Encoded {
    encode(request, &Target { model: "vendor", facts, quirks: &quirks, stream }).unwrap()
}

fn with(quirks: Quirks, facts: &ModelFacts, change: impl FnOnce(&mut Request)) -> (Value, Vec<String>, Back) {
    let Encoded { body, dropped, back } = encoded(&foreign(change), quirks, facts, false);
    let names = dropped.names().iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&body).unwrap(), names, back)
}

fn body(change: impl FnOnce(&mut Request)) -> Value {
    with(Quirks::NONE, &ModelFacts::default(), change).0
}

fn refused(change: impl FnOnce(&mut Request)) -> String {
    let target = Target { model: "v", facts: &ModelFacts::default(), quirks: &Quirks::NONE, stream: false };
    encode(&foreign(change), &target).unwrap_err().param.unwrap()
}

fn call(id: &str, name: &str) -> ToolCall {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), "{\"n\":1.0}".to_owned());
    let signature = Some(Signature { family: Family::Anthropic, data: "s".into() });
    ToolCall { id, name, arguments, kind: CallKind::Function, signature, cache: None }
}

fn result(id: &str, content: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult { call_id: id.into(), name: None, content, is_error: None, cache: None })
}

fn tool(name: &str) -> Tool {
    let kind = ToolKind::Function { parameters: Json::parse(r#"{"type":"object"}"#), strict: None };
    Tool { name: name.into(), description: None, kind, cache: None }
}

fn image() -> Part {
    Part::Media(Media::new(MediaKind::Image, MediaSource::Base64("QQ==".into()), Some("image/png".into())))
}

#[test]
fn the_plainest_request() {
    assert_eq!(body(|_| {}), json!({"model": "vendor", "messages": [{"role": "user", "content": "hi"}]}));
    let stream = encoded(&foreign(|_| {}), Quirks::NONE, &ModelFacts::default(), true).body;
    let stream: Value = serde_json::from_slice(&stream).unwrap();
    assert_eq!((&stream["stream"], &stream["stream_options"]), (&json!(true), &json!({"include_usage": true})));
    let mut quirks = Quirks::NONE;
    quirks.stream_usage = false;
    let stream = encoded(&foreign(|_| {}), quirks, &ModelFacts::default(), true).body;
    assert!(serde_json::from_slice::<Value>(&stream).unwrap().get("stream_options").is_none());
}

#[test]
fn point_13_the_limit_has_the_vendors_name_and_bound() {
    let facts = ModelFacts { max_output: Some(100), ..ModelFacts::default() };
    let limit = |quirks| with(quirks, &facts, |request| request.max_output_tokens = Some(500)).0;
    assert_eq!(limit(Quirks::NONE)["max_completion_tokens"], 100);
    assert_eq!(limit(Quirks::COMPATIBLE)["max_tokens"], 100);
}

#[test]
fn point_14_sampling_is_for_models_that_take_it() {
    let ask = |sampling, change: fn(&mut Request)| {
        with(Quirks::NONE, &ModelFacts { sampling, ..ModelFacts::default() }, change)
    };
    let both: fn(&mut Request) =
        |request| (request.temperature, request.top_p, request.top_k) = (Some(3.0), Some(0.5), Some(4));
    let (all, dropped, _) = ask(Sampling::All, both);
    assert_eq!((&all["temperature"], &all["top_p"], dropped), (&json!(2.0), &json!(0.5), vec!["top_k".to_owned()]));
    let (one, dropped, _) = ask(Sampling::OneOf, both);
    assert_eq!(
        (&one["temperature"], one.get("top_p"), dropped),
        (&json!(2.0), None, vec!["top_p".to_owned(), "top_k".to_owned()])
    );
    let (none, dropped, _) = ask(Sampling::None, both);
    assert!(none.get("temperature").is_none() && none.get("top_p").is_none());
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
    assert_eq!(body(|_| {}).as_object().unwrap().len(), 2, "nothing is injected");
}

#[test]
fn point_15_system_messages_keep_their_places_and_developers_their_role() {
    let change = |request: &mut Request| {
        let system = |role, texts: &[&str]| Message::new(role, texts.iter().map(|text| Part::text(*text)).collect(), 0);
        request.messages.insert(0, system(Role::System, &["a", "b"]));
        request.messages.push(system(Role::Developer, &["c"]));
    };
    let roles = |quirks| with(quirks, &ModelFacts::default(), change).0["messages"].clone();
    let owner = roles(Quirks::NONE);
    assert_eq!((&owner[0], &owner[2]["role"]), (&json!({"role": "system", "content": "a\n\nb"}), &json!("developer")));
    assert_eq!(roles(Quirks::COMPATIBLE)[2], json!({"role": "system", "content": "c"}));
}

#[test]
fn point_01_results_follow_each_other_and_what_they_show_comes_after() {
    let told = body(|request| {
        let calls = vec![Part::text("look"), Part::ToolCall(call("1", "f")), Part::ToolCall(call("2", "f"))];
        request.messages.push(Message::new(Role::Assistant, calls, 1));
        request.messages.push(Message::new(
            Role::Tool,
            vec![result("1", vec![Part::text("a"), Part::text("b"), image()]), result("2", vec![])],
            2,
        ));
        request.messages.push(Message::new(Role::User, vec![Part::text("go on")], 3));
    })["messages"]
        .take();
    let calls: Vec<_> = ["1", "2"]
        .iter()
        .map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"n\":1.0}"}}))
        .collect();
    assert_eq!(told[1], json!({"role": "assistant", "content": "look", "tool_calls": calls}));
    assert_eq!(told[2], json!({"role": "tool", "content": "a\nb", "tool_call_id": "1"}));
    assert_eq!(told[3], json!({"role": "tool", "content": "", "tool_call_id": "2"}));
    assert_eq!(told[4]["role"], "user");
    assert_eq!(told[4]["content"][1], json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}));
    assert_eq!(told[4]["content"][2]["text"], "go on");
    assert_eq!(told.as_array().unwrap().len(), 5);
}

#[test]
fn content_is_null_beside_calls() {
    let told =
        body(|request| request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call("1", "f"))], 1)));
    assert_eq!(told["messages"][1]["content"], Value::Null);
}

#[test]
fn point_20_foreign_signatures_and_thoughts_are_stripped() {
    const RULES: &[ThinkingRules] = &[ThinkingRules {
        models: &["*"],
        history: ThoughtHistory::in_loop(ThoughtField::ReasoningContent),
        ..ThinkingRules::ALWAYS
    }];

    let change = |request: &mut Request| {
        let thought = |text: &str| Part::Thinking {
            text: text.into(),
            signature: Some(Signature { family: Family::Anthropic, data: "s".into() }),
        };
        request.messages.insert(0, Message::new(Role::Assistant, vec![thought("old"), Part::text("x")], 0));
        request.messages.push(Message::new(Role::Assistant, vec![thought("new"), Part::ToolCall(call("1", "f"))], 1));
        request.messages.push(Message::new(Role::Tool, vec![result("1", vec![])], 2));
    };
    let told = with(Quirks::NONE, &ModelFacts::default(), change).0.to_string();
    assert!(!told.contains("extra_content") && !told.contains("\"s\"") && !told.contains("new"), "{told}");
    let mut quirks = Quirks::COMPATIBLE;
    quirks.thinking = RULES;
    let told = with(quirks, &ModelFacts::default(), change).0;
    assert!(told["messages"][0].get("reasoning_content").is_none(), "outside of the loop under way");
    assert_eq!(told["messages"][2]["reasoning_content"], "new");
}

#[test]
fn names_and_ids_are_made_to_fit_and_names_come_back() {
    let mut quirks = Quirks::NONE;
    quirks.call_id_length = Some(9);
    let (told, _, back) = with(quirks, &ModelFacts::default(), |request| {
        request.tools = vec![tool("a_b"), tool("a.b")];
        request.tool_choice = Some(ToolChoice::Named("a.b".into()));
        request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call("toolu_1", "a.b"))], 1));
        request.messages.push(Message::new(Role::Tool, vec![result("toolu_1", vec![])], 2));
    });
    let name = told["tools"][1]["function"]["name"].as_str().unwrap();
    assert!(name != "a_b" && back.tool_names[name] == "a.b");
    assert_eq!(told["tool_choice"]["function"]["name"], name);
    let call = &told["messages"][1]["tool_calls"][0];
    assert_eq!(call["function"]["name"], name);
    assert_eq!(call["id"].as_str().unwrap().len(), 9);
    assert_eq!(call["id"], told["messages"][2]["tool_call_id"]);
    let long = body(|request| {
        request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call_of(&"x".repeat(90)))], 1));
    });
    assert!(long["messages"][1]["tool_calls"][0]["id"].as_str().unwrap().len() <= 40);
}

fn call_of(id: &str) -> ToolCall {
    call(id, "f")
}

#[test]
fn tools_of_free_text_are_functions_for_vendors_that_have_none() {
    let change = |request: &mut Request| {
        let format = Json::parse(r#"{"type":"grammar","syntax":"lark","definition":"d"}"#);
        request.tools = vec![Tool {
            name: "run".into(),
            description: Some("Runs.".into()),
            kind: ToolKind::Custom { format },
            cache: None,
        }];
        let made = ToolCall { kind: CallKind::Custom, arguments: "a\n\"b\"".into(), ..call("1", "run") };
        request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(made)], 1));
    };
    let (told, _, back) = with(Quirks::COMPATIBLE, &ModelFacts::default(), change);
    assert!(back.custom_tools.contains("run"));
    assert_eq!(told["tools"][0]["function"]["parameters"]["required"], json!(["input"]));
    assert_eq!(told["messages"][1]["tool_calls"][0]["function"]["arguments"], r#"{"input":"a\n\"b\""}"#);
    let (told, _, back) = with(Quirks::NONE, &ModelFacts::default(), change);
    assert!(back.is_empty());
    assert_eq!(
        told["tools"][0]["custom"]["format"],
        json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "d"}})
    );
    assert_eq!(told["messages"][1]["tool_calls"][0]["custom"], json!({"name": "run", "input": "a\n\"b\""}));
}

#[test]
fn point_17_choices_of_a_tool() {
    let choose = |quirks, facts: &ModelFacts, choice: ToolChoice| {
        with(quirks, facts, |request| {
            request.tools = vec![tool("f"), tool("g")];
            request.tool_choice = Some(choice);
            request.parallel_tool_calls = Some(false);
        })
    };
    let facts = ModelFacts::default();
    let (none, _, _) = choose(Quirks::NONE, &facts, ToolChoice::None);
    assert_eq!((&none["tool_choice"], none["tools"].as_array().unwrap().len()), (&json!("none"), 2));
    assert_eq!(none["parallel_tool_calls"], false);
    let mut mistral = Quirks::COMPATIBLE;
    (mistral.required_word, mistral.parallel_tool_calls) = ("any", false);
    let (any, _, back) = choose(mistral, &facts, ToolChoice::Required);
    assert_eq!(
        (&any["tool_choice"], any.get("parallel_tool_calls"), back.first_call_only),
        (&json!("any"), None, true)
    );
    let some = || ToolChoice::Allowed { required: true, names: vec!["g".into()] };
    assert_eq!(choose(Quirks::NONE, &facts, some()).0["tool_choice"]["allowed_tools"]["mode"], "required");
    let (some, _, _) = choose(Quirks::COMPATIBLE, &facts, some());
    assert_eq!((&some["tool_choice"], some["tools"].as_array().unwrap().len()), (&json!("required"), 1));
    let unforced = ModelFacts { forced_tools: ForcedTools::No, ..ModelFacts::default() };
    let (auto, dropped, _) = choose(Quirks::NONE, &unforced, ToolChoice::Required);
    assert_eq!((&auto["tool_choice"], dropped), (&json!("auto"), vec!["tool_choice".to_owned()]));
    assert_eq!(refused(|request| request.tool_choice = Some(ToolChoice::Required)), "tool_choice");
    assert!(body(|request| request.tool_choice = Some(ToolChoice::Auto)).get("tool_choice").is_none());
    assert_eq!(
        refused(|request| {
            request.tools = vec![tool("f")];
            request.tool_choice = Some(ToolChoice::Named("x".into()));
        }),
        "tool_choice"
    );
}

#[test]
fn point_22_media_in_the_forms_that_there_are() {
    let tell = |media: Media| {
        body(|request| request.messages[0].parts = vec![Part::Media(media)])["messages"][0]["content"][0].take()
    };
    let base64 = |kind, mime: &str| Media::new(kind, MediaSource::Base64("aGk=".into()), Some(mime.into()));
    assert_eq!(tell(base64(MediaKind::Audio, "audio/mpeg"))["input_audio"], json!({"data": "aGk=", "format": "mp3"}));
    let pdf = tell(Media { name: Some("a.pdf".into()), ..base64(MediaKind::Document, "application/pdf") });
    assert_eq!(pdf["file"], json!({"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}));
    let told = body(|request| request.messages[0].parts = vec![Part::Media(base64(MediaKind::Document, "text/plain"))]);
    assert_eq!(told["messages"][0]["content"], "hi");
    for media in [
        Media::new(MediaKind::Image, MediaSource::FileId("f".into()), None),
        Media::new(MediaKind::Document, MediaSource::Url("https://x/a.pdf".into()), None),
        Media::new(MediaKind::Video, MediaSource::Url("https://x/a.mp4".into()), None),
        Media::new(MediaKind::Audio, MediaSource::Url("https://x/a.mp3".into()), None),
    ] {
        assert_eq!(refused(|request| request.messages[0].parts.push(Part::Media(media))), "messages[0].content[1]");
    }
}

#[test]
fn point_25_the_shape_of_the_answer_is_asked_for_one_way_or_another() {
    let schema = |request: &mut Request| {
        let schema = Json::parse(r#"{"type":"object"}"#).unwrap();
        request.output = Output::JsonSchema(Schema {
            name: Some("my schema".into()),
            description: None,
            schema,
            strict: Some(true),
        });
    };
    let (native, _, back) = with(Quirks::NONE, &ModelFacts::default(), schema);
    assert_eq!(
        native["response_format"]["json_schema"],
        json!({"name": "my_schema", "schema": {"type": "object"}, "strict": true})
    );
    assert!(back.is_empty());
    let mut quirks = Quirks::NONE;
    quirks.json_schema = false;
    let (words, _, back) = with(quirks, &ModelFacts::default(), schema);
    assert_eq!(words["response_format"], json!({"type": "json_object"}));
    assert!(words["messages"][0]["content"].as_str().unwrap().ends_with(r#"{"type":"object"}"#));
    assert!(back.unfence);
    let object = body(|request| request.output = Output::JsonObject);
    assert!(object["messages"][0]["content"].as_str().unwrap().contains("JSON"));
    let spoken = body(|request| {
        request.output = Output::JsonObject;
        request.messages[0].parts = vec![Part::text("in json, please")];
    });
    assert_eq!(spoken["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn reasoning_steps_down_to_what_the_model_knows() {
    let ask = |quirks, facts: &ModelFacts, said: Reasoning| {
        let (body, dropped, _) = with(quirks, facts, |request| request.reasoning = Some(said));
        (body.get("reasoning_effort").cloned(), !dropped.is_empty())
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let thinking = |thinking| Reasoning { thinking: Some(thinking), ..Reasoning::default() };
    let some = ModelFacts { efforts: vec![Effort::Low, Effort::Medium, Effort::High], ..ModelFacts::default() };
    assert_eq!(ask(Quirks::NONE, &some, effort(Effort::Max)), (Some(json!("high")), false));
    assert_eq!(ask(Quirks::NONE, &some, thinking(Thinking::Budget(10_000))), (Some(json!("medium")), false));
    assert_eq!(ask(Quirks::NONE, &some, thinking(Thinking::Off)), (Some(json!("low")), false));
    assert_eq!(ask(Quirks::NONE, &some, thinking(Thinking::Adaptive)), (None, false));
    // One that thinks only when told.
    let asleep = ModelFacts { efforts: vec![Effort::None, Effort::Low, Effort::Medium], ..ModelFacts::default() };
    assert_eq!(ask(Quirks::NONE, &asleep, thinking(Thinking::Adaptive)), (Some(json!("medium")), false));
    let none = ModelFacts { thinking: ThinkingForm::None, efforts: Vec::new(), ..ModelFacts::default() };
    assert_eq!(ask(Quirks::NONE, &none, effort(Effort::High)), (None, true));
    assert_eq!(ask(Quirks::NONE, &none, thinking(Thinking::Off)), (None, false));
    let mut quirks = Quirks::NONE;
    quirks.reasoning_effort = false;
    assert_eq!(ask(quirks, &some, effort(Effort::High)), (None, true));
}

#[test]
fn what_cannot_be_said_is_reported_or_refused() {
    let change = |request: &mut Request| {
        request.user = Some("u".into());
        request.service_tier = Some(ServiceTier::Priority);
        request.cache = Some(CacheControl::default());
        request.verbosity = Some("low".into());
        request.extensions.push(("container".into(), Json::of("c")));
    };
    let (_, dropped, _) = with(Quirks::COMPATIBLE, &ModelFacts::default(), change);
    assert_eq!(dropped, ["verbosity", "metadata.user_id", "service_tier", "cache_control", "container"]);
    let (told, dropped, _) = with(Quirks::NONE, &ModelFacts::default(), change);
    assert_eq!(
        (&told["user"], &told["service_tier"], dropped),
        (&json!("u"), &json!("priority"), vec!["cache_control".to_owned(), "container".to_owned()])
    );
    // A version of the owner's API from before its newer fields knows the first ones.
    let older = Quirks { developer_role: false, ..Quirks::NONE };
    let (told, dropped, _) = with(older, &ModelFacts::default(), |request| {
        change(request);
        request.stop = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    });
    assert_eq!((&told["user"], &told["stop"]), (&json!("u"), &json!(["a", "b", "c", "d"])));
    assert_eq!(dropped, ["stop_sequences", "verbosity", "service_tier", "cache_control", "container"]);
    let strict = |request: &mut Request| {
        request.tools = vec![Tool { kind: ToolKind::Function { parameters: None, strict: Some(true) }, ..tool("f") }];
    };
    assert_eq!(with(Quirks::NONE, &ModelFacts::default(), strict).1, ["tools.strict"]);
    assert_eq!(refused(|request| request.modalities = vec!["audio".into()]), "modalities");
    assert_eq!(refused(|request| request.messages.clear()), "messages");
    assert_eq!(
        refused(|request| request.tools = vec![Tool { kind: ToolKind::Builtin(Json::of(&())), ..tool("web") }]),
        "tools[0]"
    );
    let long = body(|request| request.user = Some("u".repeat(200)));
    assert_eq!(long["user"].as_str().unwrap().len(), 64);
}

#[test]
fn several_answers_are_for_models_that_give_them_and_not_for_streams() {
    let mut request = foreign(|request| request.candidates = Some(2));
    let (facts, one) = (ModelFacts::default(), ModelFacts { candidates: false, ..ModelFacts::default() });
    let ask = |request: &Request, facts, stream| {
        encode(request, &Target { model: "v", facts, quirks: &Quirks::NONE, stream })
    };
    let told: Value = serde_json::from_slice(&ask(&request, &facts, false).unwrap().body).unwrap();
    assert_eq!(told["n"], 2);
    assert_eq!(ask(&request, &facts, true).unwrap_err().param.as_deref(), Some("n"));
    assert_eq!(ask(&request, &one, false).unwrap_err().param.as_deref(), Some("n"));
    request.candidates = Some(1);
    assert!(ask(&request, &one, true).is_ok());
}
