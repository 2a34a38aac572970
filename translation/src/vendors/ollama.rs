//! Ollama on this machine: <https://docs.ollama.com/api/openai-compatibility>. In its cloud: `https://ollama.com/v1`.
//!
//! It serves responses (stateless, from 0.13.3) and Anthropic's messages
//! (<https://docs.ollama.com/api/anthropic-compatibility>). Images must be given as data; `parallel_tool_calls` is not
//! in its reference. A key is asked for by its cloud alone, but a group has one in any case.
//!
//! Thinking: `reasoning_effort` of `none`, `low`, `medium` and `high`. A model that does not think refuses it, so it is
//! for those that Ollama's library says do (<https://ollama.com/search?c=thinking>). GPT-OSS cannot be turned off
//! (<https://docs.ollama.com/capabilities/thinking>). No thoughts are asked back.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{EffortField, ThinkingRules};

const ALWAYS: ThinkingRules =
    ThinkingRules { models: &["gpt-oss"], efforts: Some(EffortField::LOW_TO_HIGH), ..ThinkingRules::ALWAYS };

const THINKING: &[ThinkingRules] = &[
    ALWAYS,
    ThinkingRules { models: &["qwen3-coder", "qwen3*instruct"], ..ThinkingRules::NONE },
    ThinkingRules {
        models: &[
            "qwen3",
            "deepseek-r1",
            "deepseek-v3",
            "deepseek-v4",
            "glm-4.",
            "glm-5",
            "kimi-k2-thinking",
            "kimi-k2.",
            "minimax-m",
            "magistral",
            "nemotron",
            "gemma4",
            "qwq",
        ],
        off: Some(&[("reasoning_effort", "\"none\"")]),
        ..ALWAYS
    },
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "ollama",
    title: "Ollama",
    base_url: Some("http://localhost:11434/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    quirks: Quirks {
        reasoning_effort: false,
        parallel_tool_calls: false,
        media_urls: false,
        thinking: THINKING,
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.ollama.com/api/openai-compatibility",
    ..Vendor::COMPATIBLE
};
