use serde_json::{Map, Value, json};

use crate::facts::Facts;
use crate::format::Format;
use crate::protocol::contract::Target;
use crate::vendors::by_name;

/// The fields of `body` as the vendor gets them, and what is named as left out.
fn passed(vendor: &str, model: &str, body: Value) -> (Value, String) {
    let quirks = &by_name(vendor).unwrap().quirks;
    let target = Target { model, facts: Facts::built_in().of(model), quirks, stream: true };
    let mut body: Map<String, Value> = serde_json::from_value(body).unwrap();
    let texts: Vec<_> = body.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    let given = |name: &str| texts.iter().find(|(field, _)| field == name).map(|(_, text)| text.as_str());
    let Some(edits) = Format::OpenAiChat.protocol().thinking_edits(&given, &target) else {
        return (Value::Object(body), "untouched".to_owned());
    };
    for (name, value) in edits.set {
        body.insert(name.to_owned(), serde_json::from_str(&value).unwrap());
    }
    for name in edits.removed {
        body.shift_remove(name);
    }
    (Value::Object(body), edits.dropped.names().join(","))
}

fn effort(vendor: &str, model: &str, word: &str) -> (Value, String) {
    passed(vendor, model, json!({"reasoning_effort": word}))
}

fn plain(body: Value) -> (Value, String) {
    (body, String::new())
}

#[test]
fn c1_openai_s_words_become_the_vendors_where_a_client_passes_through() {
    let switched = |word: &str| plain(json!({"thinking": {"type": word}}));
    assert_eq!(effort("zhipu", "glm-4.7", "none"), switched("disabled"));
    assert_eq!(effort("zhipu", "glm-4.7", "high"), switched("enabled"));
    assert_eq!(effort("moonshot", "kimi-k2.6", "none"), switched("disabled"));
    assert_eq!(effort("deepseek", "deepseek-v4-pro", "none"), switched("disabled"));
    assert_eq!(effort("qwen", "qwen3.8-max", "none"), plain(json!({"enable_thinking": false})));
    assert_eq!(effort("qwen", "qwen3.8-max", "low"), plain(json!({"enable_thinking": true, "thinking_budget": 2048})));
    assert_eq!(
        effort("vllm", "Qwen/Qwen3-8B", "none"),
        plain(json!({"chat_template_kwargs": {"enable_thinking": false}}))
    );
    assert_eq!(effort("groq", "openai/gpt-oss-120b", "xhigh"), plain(json!({"reasoning_effort": "high"})));
    assert_eq!(effort("groq", "qwen/qwen3-32b", "low"), plain(json!({"reasoning_effort": "default"})));
    let anthropic = json!({"thinking": {"type": "enabled", "budget_tokens": 2000}});
    assert_eq!(
        passed("qwen", "qwen-plus", anthropic),
        plain(json!({"enable_thinking": true, "thinking_budget": 2000}))
    );
}

#[test]
fn c1_a_switch_that_the_vendor_lacks_is_named() {
    assert_eq!(effort("moonshot", "moonshot-v1-8k", "high"), (json!({}), "reasoning_effort".to_owned()));
    assert_eq!(effort("moonshot", "moonshot-v1-8k", "none"), plain(json!({})));
    assert_eq!(
        effort("moonshot", "kimi-k3", "none"),
        (json!({"reasoning_effort": "low"}), "reasoning_effort".to_owned())
    );
    assert_eq!(effort("xai", "grok-4", "high"), (json!({}), "reasoning_effort".to_owned()));
}

#[test]
fn c1_the_vendors_own_words_are_left_alone() {
    let untouched = |vendor: &str, model: &str, body: Value| {
        assert_eq!(passed(vendor, model, body.clone()), (body, "untouched".to_owned()), "{vendor} {model}");
    };
    untouched("zhipu", "glm-4.7", json!({"thinking": {"type": "enabled", "clear_thinking": false}}));
    untouched("deepseek", "deepseek-v4-pro", json!({"reasoning_effort": "medium", "thinking": {"type": "enabled"}}));
    untouched("qwen", "qwen3.8-max", json!({"enable_thinking": false}));
    untouched("mistral", "mistral-medium-3-5", json!({"reasoning_effort": "none"}));
    untouched("openrouter", "acme/new", json!({"reasoning_effort": "none"}));
    untouched("openrouter", "acme/new", json!({"reasoning": {"exclude": true}}));
    untouched("openai_compatible", "acme/new", json!({"reasoning_effort": "high", "thinking": {"type": "x"}}));
    untouched("openai", "gpt-5.2", json!({"reasoning_effort": "none"}));
    untouched("groq", "acme-new", json!({"reasoning_effort": "none"}));
    untouched("moonshot", "kimi-k2.6", json!({"temperature": 0.5}));
    // Both at once are refused, and the vendor's own word counts.
    assert_eq!(
        passed("moonshot", "kimi-k2.6", json!({"reasoning_effort": "high", "thinking": {"type": "disabled"}})),
        plain(json!({"thinking": {"type": "disabled"}}))
    );
}
