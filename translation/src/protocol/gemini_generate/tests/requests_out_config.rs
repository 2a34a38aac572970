//! A request for a provider: `generationConfig` and what stands beside it (`docs/TRANSLATION.md` section 6).

use serde_json::{Value, json};

use super::scenes::{body, dropped, encoded, encoded_for};
use crate::format::Format;
use crate::ir::{
    Effort, Message, Part, Reasoning, Request, Role, ServiceTier, Summary, Thinking, Tool, ToolChoice, ToolKind,
};
use crate::json::Json;
use crate::protocol::contract::Quirks;

const FLASH: &str = "gemini-2.5-flash";
const PRO: &str = "gemini-2.5-pro";
const LITE: &str = "gemini-2.5-flash-lite";
const NEW_PRO: &str = "gemini-3.1-pro-preview";
const NEW_FLASH: &str = "gemini-3.5-flash";
const NEWEST: &str = "gemini-3.8-flash";

fn with(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = Request::new(Format::OpenAiChat, "gemini");
    request.messages = vec![Message::new(Role::User, vec![Part::text("x")], 0)];
    change(&mut request);
    request
}

fn config(model: &str, change: impl FnOnce(&mut Request)) -> Value {
    body(&with(change), model)["generationConfig"].clone()
}

fn refused(model: &str, change: impl FnOnce(&mut Request)) -> Option<String> {
    encoded(&with(change), model).unwrap_err().param
}

#[test]
fn nothing_asked_for_is_nothing_sent() {
    assert_eq!(body(&with(|_| {}), FLASH), json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}));
}

#[test]
fn point_13_the_limit_of_tokens() {
    assert_eq!(config(FLASH, |request| request.max_output_tokens = Some(4000)), json!({"maxOutputTokens": 4000}));
    assert_eq!(config(FLASH, |request| request.max_output_tokens = Some(1 << 40))["maxOutputTokens"], 65_536);
    assert_eq!(refused(FLASH, |request| request.max_output_tokens = Some(0)).as_deref(), Some("max_completion_tokens"));
}

#[test]
fn point_13_a_short_answer_is_not_thought_away() {
    let thinking = |model: &str, most: u64| {
        config(model, |request| request.max_output_tokens = Some(most))["thinkingConfig"].clone()
    };
    assert_eq!(thinking(FLASH, 100), json!({"thinkingBudget": 0}));
    assert_eq!(thinking(PRO, 100), json!({"thinkingBudget": 128}));
    assert_eq!(thinking(NEW_PRO, 100), json!({"thinkingLevel": "low"}));
    assert_eq!(thinking(NEW_FLASH, 100), json!({"thinkingLevel": "minimal"}));
    assert_eq!(thinking(FLASH, 1024), json!(null));
    assert_eq!(thinking(LITE, 100), json!(null));
    assert_eq!(thinking("gemini-2.0-flash", 100), json!(null));
}

#[test]
fn point_14_sampling_goes_to_models_that_take_it() {
    let all = |request: &mut Request| {
        (request.temperature, request.top_p, request.top_k) = (Some(2.5), Some(0.5), Some(40));
        (request.presence_penalty, request.frequency_penalty) = (Some(2.0), Some(-3.0));
    };
    let wanted =
        json!({"temperature": 2.0, "topP": 0.5, "presencePenalty": 1.999, "frequencyPenalty": -2.0, "topK": 40});
    assert_eq!(config("gemini-2.0-flash", all), wanted);
    assert_eq!(config("gemini-3.6-flash", all), json!(null));
    let names = ["temperature", "top_p", "presence_penalty", "frequency_penalty", "top_k"];
    assert_eq!(dropped(&with(all), NEWEST), names);
}

#[test]
fn point_14_penalties_go_to_models_that_take_them() {
    let both = |value: f64| {
        move |request: &mut Request| {
            (request.presence_penalty, request.frequency_penalty) = (Some(value), Some(value));
        }
    };
    for model in [FLASH, PRO, LITE, NEW_PRO, NEW_FLASH, NEWEST] {
        assert_eq!(config(model, both(0.5)), json!(null), "{model}");
        assert_eq!(dropped(&with(both(0.5)), model), ["presence_penalty", "frequency_penalty"], "{model}");
        // None is no penalty, and nothing is missed.
        assert!(dropped(&with(both(0.0)), model).is_empty(), "{model}");
    }
    assert_eq!(config("gemini-2.0-flash", both(0.0)), json!({"presencePenalty": 0.0, "frequencyPenalty": 0.0}));
}

#[test]
fn seeds_are_brought_into_31_bits() {
    for (seed, told) in [(7, 7), (-1, (1_i64 << 31) - 1), ((1 << 31) + 5, 5), (i64::MAX, (1 << 31) - 1), (i64::MIN, 0)]
    {
        assert_eq!(config(FLASH, |request| request.seed = Some(seed))["seed"], told, "{seed}");
    }
}

#[test]
fn point_16_stop_is_a_list_of_at_most_five() {
    let stop = |texts: &[&str]| with(|request| request.stop = texts.iter().map(|text| (*text).to_owned()).collect());
    assert_eq!(body(&stop(&["a"]), FLASH)["generationConfig"]["stopSequences"], json!(["a"]));
    let six = stop(&["1", "2", "", "3", "4", "5", "6"]);
    assert_eq!(body(&six, FLASH)["generationConfig"]["stopSequences"], json!(["1", "2", "3", "4", "5"]));
    assert_eq!(dropped(&six, FLASH), ["stop"]);
    assert!(body(&stop(&[""]), FLASH)["generationConfig"].is_null());
}

#[test]
fn several_answers_where_the_model_gives_them() {
    assert_eq!(config(FLASH, |request| request.candidates = Some(3)), json!({"candidateCount": 3}));
    assert_eq!(config(NEW_PRO, |request| request.candidates = Some(1)), json!(null));
    assert_eq!(refused(NEW_PRO, |request| request.candidates = Some(2)).as_deref(), Some("n"));
    assert_eq!(refused(FLASH, |request| request.candidates = Some(9)).as_deref(), Some("n"));
    assert_eq!(refused(FLASH, |request| request.candidates = Some(0)).as_deref(), Some("n"));
    let streamed = |request: &mut Request| (request.candidates, request.stream) = (Some(2), true);
    assert_eq!(refused(FLASH, streamed).as_deref(), Some("n"));
}

#[test]
fn log_probabilities_where_the_model_gives_them() {
    let asked = |request: &mut Request| (request.logprobs, request.top_logprobs) = (Some(true), Some(30));
    assert_eq!(config(FLASH, asked), json!({"responseLogprobs": true, "logprobs": 20}));
    assert_eq!(config(FLASH, |request| request.logprobs = Some(true)), json!({"responseLogprobs": true}));
    assert_eq!(config(FLASH, |request| request.logprobs = Some(false)), json!(null));
    assert_eq!(refused(NEW_FLASH, asked).as_deref(), Some("logprobs"));
}

fn effort(model: &str, effort: Effort) -> Value {
    let reasoning = Reasoning { effort: Some(effort), ..Reasoning::default() };
    config(model, |request| request.reasoning = Some(reasoning))["thinkingConfig"].clone()
}

#[test]
fn point_21_efforts_are_budgets_on_2_5() {
    let shown = |budget: i64| json!({"thinkingBudget": budget, "includeThoughts": true});
    assert_eq!(effort(FLASH, Effort::None), json!({"thinkingBudget": 0}));
    assert_eq!(effort(PRO, Effort::None), json!({"thinkingBudget": 128}));
    let scale = [
        (Effort::Minimal, 512),
        (Effort::Low, 1024),
        (Effort::Medium, 8192),
        (Effort::High, 24_576),
        (Effort::XHigh, 24_576),
        (Effort::Max, 24_576),
    ];
    for (word, budget) in scale {
        assert_eq!(effort(FLASH, word), shown(budget));
        assert_eq!(effort(LITE, word), shown(budget));
        assert_eq!(effort(PRO, word), shown(if word == Effort::Minimal { 128 } else { budget }));
    }
}

#[test]
fn point_21_efforts_are_levels_on_3() {
    let shown = |level: &str| json!({"thinkingLevel": level, "includeThoughts": true});
    for (word, level) in
        [(Effort::Low, "low"), (Effort::Medium, "medium"), (Effort::High, "high"), (Effort::Max, "high")]
    {
        assert_eq!(effort(NEW_PRO, word), shown(level));
        assert_eq!(effort(NEWEST, word), shown(level));
    }
    assert_eq!(effort(NEW_FLASH, Effort::Minimal), shown("minimal"));
    assert_eq!(effort(NEW_PRO, Effort::Minimal), shown("low"));
    assert_eq!(effort(NEWEST, Effort::Minimal), shown("low"));
    assert_eq!(effort(NEW_FLASH, Effort::None), json!({"thinkingLevel": "minimal"}));
    assert_eq!(effort(NEW_PRO, Effort::None), json!({"thinkingLevel": "low"}));
}

#[test]
fn switches_count_for_more_than_efforts() {
    let thinking = |model: &str, thinking, effort, summary| {
        let reasoning = Reasoning { effort, thinking: Some(thinking), summary };
        config(model, |request| request.reasoning = Some(reasoning))["thinkingConfig"].clone()
    };
    assert_eq!(
        thinking(FLASH, Thinking::Budget(99_999), Some(Effort::Low), None),
        json!({"thinkingBudget": 24_576, "includeThoughts": true})
    );
    assert_eq!(thinking(FLASH, Thinking::Off, Some(Effort::High), None), json!({"thinkingBudget": 0}));
    assert_eq!(thinking(FLASH, Thinking::Adaptive, None, Some(Summary::Omitted)), json!({"thinkingBudget": -1}));
    assert_eq!(thinking(FLASH, Thinking::Adaptive, Some(Effort::Low), None)["thinkingBudget"], 1024);
    assert_eq!(thinking(LITE, Thinking::Budget(100), None, None)["thinkingBudget"], 512);
    assert_eq!(thinking(NEW_PRO, Thinking::Budget(2000), None, None)["thinkingLevel"], "low");
    assert_eq!(thinking(NEW_PRO, Thinking::Off, None, None), json!({"thinkingLevel": "low"}));
    assert_eq!(thinking(NEW_PRO, Thinking::Adaptive, None, None), json!({"includeThoughts": true}));
}

#[test]
fn models_that_do_not_think_are_not_told_to() {
    let asked =
        |effort| with(|request| request.reasoning = Some(Reasoning { effort: Some(effort), ..Reasoning::default() }));
    assert!(body(&asked(Effort::High), "gemini-2.0-flash")["generationConfig"].is_null());
    assert_eq!(dropped(&asked(Effort::High), "gemini-2.0-flash"), ["reasoning_effort"]);
    assert!(dropped(&asked(Effort::None), "gemini-2.0-flash").is_empty());
}

#[test]
fn geminis_own_clients_ask_for_thoughts_themselves() {
    let request = |summary| {
        with(|request| {
            request.origin = Format::GeminiGenerate;
            request.reasoning = Some(Reasoning { effort: None, thinking: Some(Thinking::Budget(600)), summary });
        })
    };
    let thinking = |summary| body(&request(summary), FLASH)["generationConfig"]["thinkingConfig"].clone();
    assert_eq!(thinking(None), json!({"thinkingBudget": 600}));
    assert_eq!(thinking(Some(Summary::Auto)), json!({"thinkingBudget": 600, "includeThoughts": true}));
    assert_eq!(thinking(Some(Summary::Omitted)), json!({"thinkingBudget": 600, "includeThoughts": false}));
}

#[test]
fn kinds_of_answer_are_upper_case() {
    let wanted = json!({"responseModalities": ["TEXT", "IMAGE"]});
    assert_eq!(config(FLASH, |request| request.modalities = vec!["text".to_owned(), "image".to_owned()]), wanted);
}

#[test]
fn tiers_where_they_are_taken() {
    let request = |tier: ServiceTier| with(|request| request.service_tier = Some(tier));
    assert_eq!(body(&request(ServiceTier::Flex), FLASH)["serviceTier"], "flex");
    assert_eq!(body(&request(ServiceTier::Priority), FLASH)["serviceTier"], "priority");
    assert!(body(&request(ServiceTier::Auto), FLASH)["serviceTier"].is_null());
    assert_eq!(dropped(&request(ServiceTier::Other("scale".to_owned())), FLASH), ["service_tier"]);
    let vertex = Quirks { media_urls: false, ..Quirks::NONE };
    let encoded = encoded_for(&request(ServiceTier::Flex), FLASH, &vertex, false).unwrap();
    assert_eq!(encoded.dropped.names(), ["service_tier"]);
}

#[test]
fn extensions_are_taken_wherever_clients_of_openai_put_them() {
    let google = json!({"thinking_config": {"thinking_budget": 9}, "cached_content": "cachedContents/1", "safety_settings": [{"threshold": "OFF"}]});
    let places = [
        ("google", google.clone()),
        ("extra_body", json!({"google": google})),
        ("extra_body", json!({"extra_body": {"google": google}})),
        ("extra_body", google.clone()),
        // As chat completions are read: what stands in an object is a field of its own.
        ("extra_body.google", google.clone()),
    ];
    for (name, value) in places {
        let request = with(|request| {
            request.extensions = vec![(name.to_owned(), Json::of(&value))];
            request.reasoning = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
        });
        let body = body(&request, FLASH);
        assert_eq!(body["safetySettings"], json!([{"threshold": "OFF"}]), "{value}");
        assert_eq!(body["cachedContent"], "cachedContents/1");
        // Not a level beside a budget.
        assert_eq!(body["generationConfig"], json!({"thinkingConfig": {"thinking_budget": 9}}));
        assert!(dropped(&request, FLASH).is_empty());
    }
    let top = with(|request| {
        request.extensions = vec![("safety_settings".to_owned(), Json::of(&[1])), ("google".to_owned(), Json::of(&5))];
    });
    assert_eq!(body(&top, FLASH)["safetySettings"], json!([1]));
    assert_eq!(dropped(&top, FLASH), ["google"]);
    let odd = with(|request| {
        request.extensions = vec![("extra_body.google".to_owned(), Json::of(&json!({"labels": {}, "odd": 1})))];
    });
    assert_eq!(dropped(&odd, FLASH), ["extra_body.google.odd"]);
}

#[test]
fn what_is_cached_is_not_sent_again() {
    let request = with(|request| {
        request.messages.insert(0, Message::new(Role::System, vec![Part::text("s")], 0));
        let kind = ToolKind::Function { parameters: None, strict: None };
        request.tools = vec![Tool { name: "f".to_owned(), description: None, kind, cache: None }];
        request.tool_choice = Some(ToolChoice::Auto);
        request.extensions = vec![("cached_content".to_owned(), Json::of("cachedContents/1"))];
    });
    let body = body(&request, FLASH);
    let sent: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(sent, ["contents", "cachedContent"]);
    assert_eq!(dropped(&request, FLASH), ["messages", "tools"]);
}

#[test]
fn geminis_own_fields_pass() {
    let request = with(|request| {
        request.origin = Format::GeminiGenerate;
        let named = |name: &str, value: Value| (name.to_owned(), Json::of(&value));
        request.extensions = vec![
            named("generationConfig.speechConfig", json!({"v": 1})),
            named("toolConfig.retrievalConfig", json!({})),
            named("labels", json!({"a": "b"})),
            named("generationConfig.unheardOf", json!(1)),
            named("unheardOf", json!(1)),
        ];
    });
    let body = body(&request, FLASH);
    assert_eq!(body["generationConfig"], json!({"speechConfig": {"v": 1}}));
    assert_eq!(body["toolConfig"], json!({"retrievalConfig": {}}));
    assert_eq!(body["labels"], json!({"a": "b"}));
    assert_eq!(dropped(&request, FLASH), ["generationConfig.unheardOf", "unheardOf"]);
}
