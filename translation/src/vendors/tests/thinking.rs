//! Every vendor, with models of each family, and every way to ask for thinking.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::vendor;
use crate::facts::Facts;
use crate::format::Format;
use crate::ir::{Effort, Message, Part, Reasoning, Request, Role, Thinking};
use crate::protocol::contract::Target;
use crate::vendors::all;

/// Models of each family that a vendor's file speaks of, and one that it does not know.
const MODELS: &[(&str, &[&str])] = &[
    ("deepseek", &["deepseek-flash", "deepseek-v4-pro", "deepseek-chat", "deepseek-reasoner"]),
    ("groq", &["openai/gpt-oss-120b", "qwen/qwen3-32b", "deepseek-r1-distill-llama-70b", "llama-3.3-70b-versatile"]),
    (
        "mistral",
        &[
            "mistral-small-latest",
            "mistral-medium-3-5",
            "mistral-large-4-0",
            "magistral-medium-latest",
            "codestral-2508",
        ],
    ),
    (
        "xai",
        &[
            "grok-4.3",
            "grok-4.5",
            "grok-4.7",
            "grok-4.20-multi-agent",
            "grok-4",
            "grok-4-fast-reasoning",
            "grok-4.20-0309-reasoning",
            "grok-4.20-0309-non-reasoning",
            "grok-3-mini",
            "grok-3",
            "grok-5",
        ],
    ),
    ("openrouter", &["anthropic/claude-sonnet-4.6", "deepseek/deepseek-v4-pro", "openai/gpt-4o", "acme/new"]),
    (
        "together",
        &[
            "openai/gpt-oss-20b",
            "zai-org/GLM-5",
            "zai-org/GLM-5.2",
            "zai-org/GLM-5.3",
            "moonshotai/Kimi-K2.6",
            "moonshotai/Kimi-K3",
            "moonshotai/Kimi-K2-Thinking",
            "deepseek-ai/DeepSeek-V3.1",
            "deepseek-ai/DeepSeek-V4-Pro",
            "Qwen/Qwen3.6-Plus",
            "meta-llama/Llama-4-Scout",
        ],
    ),
    (
        "fireworks",
        &[
            "accounts/fireworks/models/gpt-oss-120b",
            "accounts/fireworks/models/kimi-k2p6",
            "accounts/fireworks/models/kimi-k2-instruct",
            "accounts/fireworks/models/glm-5",
            "accounts/fireworks/models/deepseek-v4-pro",
            "accounts/fireworks/models/qwen3-235b-a22b",
        ],
    ),
    ("cerebras", &["gpt-oss-120b", "zai-glm-4.7", "qwen-3-32b", "qwen-3-235b-a22b-instruct-2507", "llama3.1-8b"]),
    (
        "moonshot",
        &[
            "kimi-k2.5",
            "kimi-k2.6",
            "kimi-k2.7-code",
            "kimi-k3",
            "kimi-k3.1-pro",
            "kimi-k2-thinking",
            "kimi-k2-0905-preview",
            "moonshot-v1-8k",
        ],
    ),
    (
        "qwen",
        &[
            "qwen3.8-max",
            "qwen3.5-plus",
            "qwen-plus",
            "qwen3-max",
            "qwen3-32b",
            "qwen3-235b-a22b-thinking-2507",
            "qwen3-235b-a22b-instruct-2507",
            "qwq-plus",
            "qwen-max",
            "qwen3-coder-plus",
            "glm-5",
            "deepseek-v3.2",
        ],
    ),
    (
        "zhipu",
        &[
            "glm-4.5-air",
            "glm-4.7",
            "glm-5",
            "glm-5.1",
            "glm-5-turbo",
            "glm-5.2",
            "glm-5.3",
            "glm-4-plus",
            "glm-z1-air",
        ],
    ),
    (
        "siliconflow",
        &[
            "Qwen/Qwen3-8B",
            "Pro/zai-org/GLM-5",
            "deepseek-ai/DeepSeek-V3.2",
            "deepseek-ai/DeepSeek-V4-Flash",
            "deepseek-ai/DeepSeek-R1",
            "Qwen/Qwen3-30B-A3B-Instruct-2507",
            "Qwen/Qwen2.5-7B-Instruct",
        ],
    ),
    ("ollama", &["gpt-oss:20b", "qwen3:8b", "deepseek-r1", "llama3.2"]),
    (
        "vllm",
        &[
            "openai/gpt-oss-120b",
            "Qwen/Qwen3-8B",
            "zai-org/GLM-4.7",
            "deepseek-ai/DeepSeek-V3.1",
            "deepseek-ai/DeepSeek-R1",
            "Qwen/Qwen3-4B-Instruct-2507",
            "acme/new",
        ],
    ),
    ("openai_compatible", &["acme/new"]),
    ("openai", &["gpt-5.2", "gpt-5", "gpt-4o"]),
    ("azure_openai", &["gpt-5.2"]),
];

/// Vendors to which chat is not written, so that other files speak of their thinking.
const OTHER_FORMATS: [&str; 6] = ["anthropic", "bedrock", "gemini", "openai_responses", "perplexity", "vertex"];

fn asked(thinking: Option<Thinking>, effort: Option<Effort>) -> Request {
    let mut request = Request::new(Format::AnthropicMessages, "m");
    request.messages.push(Message::new(Role::User, vec![Part::text("hi")], 0));
    if thinking.is_some() || effort.is_some() {
        request.reasoning = Some(Reasoning { thinking, effort, summary: None });
    }
    request
}

/// What is written besides the model and the messages, and what is named as left out.
fn told(name: &str, model: &str, request: &Request) -> (Value, String) {
    let quirks = &vendor(name).quirks;
    let target = Target { model, facts: Facts::built_in().of(model), quirks, stream: true };
    let encoded = Format::OpenAiChat.protocol().encode_request(request, &target).unwrap();
    let mut body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let fields = body.as_object_mut().unwrap();
    for usual in ["model", "messages", "stream", "stream_options"] {
        fields.remove(usual);
    }
    (body, encoded.dropped.names().join(","))
}

#[test]
fn c1_thinking_is_asked_for_as_each_vendor_wants_it() {
    let ways: [(&str, Option<Thinking>, Option<Effort>); 8] = [
        ("unasked", None, None),
        ("on", Some(Thinking::Adaptive), None),
        ("off", Some(Thinking::Off), None),
        ("none", None, Some(Effort::None)),
        ("minimal", None, Some(Effort::Minimal)),
        ("medium", None, Some(Effort::Medium)),
        ("xhigh", None, Some(Effort::XHigh)),
        ("5000", Some(Thinking::Budget(5_000)), None),
    ];
    let mut table = String::new();
    for (name, models) in MODELS {
        for model in *models {
            writeln!(table, "{name} {model}").unwrap();
            for (way, thinking, effort) in ways {
                let (fields, dropped) = told(name, model, &asked(thinking, effort));
                let dropped = if dropped.is_empty() { String::new() } else { format!("  (left out: {dropped})") };
                writeln!(table, "  {way:8} {fields}{dropped}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn c1_no_vendor_is_forgotten() {
    for vendor in all() {
        let there = MODELS.iter().any(|(name, _)| *name == vendor.name) || OTHER_FORMATS.contains(&vendor.name);
        assert!(there, "{}", vendor.name);
        assert_eq!(vendor.formats.contains(&Format::OpenAiChat), !OTHER_FORMATS.contains(&vendor.name));
    }
}

/// A family that stands behind another with the beginning of its name would never be found.
#[test]
fn c1_each_family_is_found() {
    for vendor in all() {
        for (at, rules) in vendor.quirks.thinking.iter().enumerate() {
            for pattern in rules.models {
                let name = pattern.replace('*', "");
                let hidden = vendor.quirks.thinking[..at]
                    .iter()
                    .flat_map(|above| above.models)
                    .any(|above| !above.contains('*') && name.starts_with(above));
                assert!(!hidden, "{}: {pattern}", vendor.name);
            }
        }
    }
}

#[test]
fn c1_case_5_kimi_refuses_sampling_and_forced_tools() {
    let refused = |model: &str, thinking: Option<Thinking>| {
        let mut request = asked(thinking, None);
        (request.temperature, request.top_p) = (Some(0.0), Some(0.5));
        request.tools = vec![tool()];
        request.tool_choice = Some(crate::ir::ToolChoice::Required);
        let (mut body, dropped) = told("moonshot", model, &request);
        body.as_object_mut().unwrap().remove("tools");
        (body, dropped)
    };
    let all = "tool_choice,temperature,top_p".to_owned();
    assert_eq!(refused("kimi-k2.6", None), (json!({}), all.clone()));
    assert_eq!(refused("kimi-k2.7-code", None), (json!({}), all.clone()));
    assert_eq!(
        refused("kimi-k2.6", Some(Thinking::Off)),
        (json!({"tool_choice": "required", "thinking": {"type": "disabled"}}), "temperature,top_p".to_owned())
    );
    assert_eq!(refused("kimi-k3", None), (json!({"tool_choice": "required"}), "temperature,top_p".to_owned()));
    assert_eq!(
        refused("moonshot-v1-8k", None),
        (json!({"tool_choice": "required", "temperature": 0.0, "top_p": 0.5}), String::new())
    );
}

fn tool() -> crate::ir::Tool {
    let kind = crate::ir::ToolKind::Function { parameters: None, strict: None };
    crate::ir::Tool { name: "f".into(), description: None, kind, cache: None }
}

#[test]
fn c1_what_else_is_refused_while_a_model_thinks() {
    let forced = |name: &str, model: &str, thinking: Option<Thinking>| {
        let mut request = asked(thinking, None);
        (request.temperature, request.presence_penalty, request.stop) = (Some(0.5), Some(1.0), vec!["x".to_owned()]);
        request.tools = vec![tool()];
        request.tool_choice = Some(crate::ir::ToolChoice::Named("f".into()));
        told(name, model, &request).1
    };
    assert_eq!(forced("deepseek", "deepseek-v4-pro", None), "tool_choice,temperature,presence_penalty");
    assert_eq!(forced("deepseek", "deepseek-v4-pro", Some(Thinking::Off)), "");
    assert_eq!(forced("deepseek", "deepseek-chat", None), "");
    assert_eq!(forced("qwen", "qwen3.8-max", None), "tool_choice");
    assert_eq!((forced("qwen", "qwen-plus", None), forced("qwen", "qwen-max", None)), (String::new(), String::new()));
    assert_eq!(forced("qwen", "qwen-plus", Some(Thinking::Adaptive)), "tool_choice");
    assert_eq!(forced("zhipu", "glm-4-plus", None), "tool_choice");
    assert_eq!(forced("moonshot", "kimi-k3", None), "tool_choice,temperature,presence_penalty");
    assert_eq!(forced("xai", "grok-4.5", None), "presence_penalty,stop_sequences");
    assert_eq!(forced("xai", "grok-4.20-0309-non-reasoning", None), "");
}
