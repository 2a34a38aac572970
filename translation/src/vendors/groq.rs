//! Groq: <https://console.groq.com/docs/api-reference>.
//!
//! `json_schema` and `reasoning_effort` are refused by models that lack them, which are many. Its responses API is a
//! beta without `store`, `include` and `previous_response_id` (<https://console.groq.com/docs/responses-api>), so a
//! client of it is better off translated. Also refused: `logprobs`, `logit_bias`, names of messages
//! (<https://console.groq.com/docs/openai>).
//!
//! Thinking: <https://console.groq.com/docs/reasoning>. Qwen's thoughts stand in the content unless `reasoning_format`
//! says otherwise. `reasoning_content` in the history is refused (<https://github.com/agentjido/req_llm/issues/772>),
//! and no thoughts are asked back.

use super::Vendor;
use crate::protocol::contract::{FOREIGN_BUT_REASONING, Quirks};
use crate::protocol::thinking_rules::{EffortField, ThinkingRules};

const PARSED: &[(&str, &str)] = &[("reasoning_format", "\"parsed\"")];

const THINKING: &[ThinkingRules] = &[
    ThinkingRules { models: &["gpt-oss"], efforts: Some(EffortField::LOW_TO_HIGH), ..ThinkingRules::ALWAYS },
    ThinkingRules {
        models: &["qwen3"],
        by_default: true,
        on: Some(&[("reasoning_effort", "\"default\"")]),
        off: Some(&[("reasoning_effort", "\"none\"")]),
        beside: PARSED,
        ..ThinkingRules::NONE
    },
    ThinkingRules { models: &["deepseek-r1", "qwen-qwq"], beside: PARSED, ..ThinkingRules::ALWAYS },
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "groq",
    title: "Groq",
    base_url: Some("https://api.groq.com/openai/v1"),
    quirks: Quirks {
        max_completion_tokens: true,
        json_schema: false,
        reasoning_effort: false,
        thinking: THINKING,
        think_tags: true,
        foreign_fields: FOREIGN_BUT_REASONING,
        ..Quirks::COMPATIBLE
    },
    docs: "https://console.groq.com/docs/api-reference",
    ..Vendor::COMPATIBLE
};
