//! A vLLM server on this machine: <https://docs.vllm.ai/en/latest/serving/openai_compatible_server/>.
//!
//! It serves responses and Anthropic's messages for what it runs.
//!
//! Thinking (<https://docs.vllm.ai/en/latest/features/reasoning_outputs/>) is switched in the template of the model, by
//! `enable_thinking` or `thinking`. A budget is for servers with a reasoning parser, so an effort is not told as one.
//! Without a parser, thoughts stay in the content. `reasoning` goes back while a loop of tools is under way
//! (<https://docs.vllm.ai/en/latest/features/interleaved_thinking/>).

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{BudgetField, EffortField, ThinkingRules, ThoughtField, ThoughtHistory};

const ALWAYS: ThinkingRules = ThinkingRules {
    budget: Some(BudgetField { field: "thinking_token_budget", beside: &[], range: (1, 128_000), for_efforts: false }),
    history: ThoughtHistory::in_loop(ThoughtField::Reasoning),
    ..ThinkingRules::ALWAYS
};

const THINKING: &[ThinkingRules] = &[
    ThinkingRules { models: &["gpt-oss"], efforts: Some(EffortField::LOW_TO_HIGH), budget: None, ..ALWAYS },
    ThinkingRules {
        models: &["deepseek-r1", "qwq", "kimi-k2-thinking", "minimax-m", "qwen3*-thinking", "ernie-4.5*-thinking"],
        ..ALWAYS
    },
    ThinkingRules { models: &["qwen3*-instruct", "qwen3-coder", "qwen2", "llama"], ..ThinkingRules::NONE },
    ThinkingRules {
        models: &["qwen3", "glm-4.", "glm-5", "ernie-4.5", "hunyuan-a13b", "nvidia-nemotron", "nemotron"],
        on: Some(&[("chat_template_kwargs.enable_thinking", "true")]),
        off: Some(&[("chat_template_kwargs.enable_thinking", "false")]),
        ..ALWAYS
    },
    ThinkingRules {
        models: &["granite-", "deepseek-v3.", "holo2", "kimi-k2."],
        by_default: false,
        on: Some(&[("chat_template_kwargs.thinking", "true")]),
        off: Some(&[("chat_template_kwargs.thinking", "false")]),
        ..ALWAYS
    },
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "vllm",
    title: "vLLM",
    base_url: Some("http://localhost:8000/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    quirks: Quirks { reasoning_effort: false, thinking: THINKING, think_tags: true, ..Quirks::COMPATIBLE },
    docs: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server/",
    ..Vendor::COMPATIBLE
};
