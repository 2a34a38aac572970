use axum::http::{HeaderMap, HeaderName, HeaderValue};
use shared::snapshot::{ErrorRule, RuleEffect, RuleScope, RuleStep};
use translation::vendors::by_name;

use super::{Judged, judged};

fn of(vendor: &str, status: u16, retry_after: Option<&'static str>, body: &str, rules: &[ErrorRule]) -> Judged {
    let header = |value| (HeaderName::from_static("retry-after"), HeaderValue::from_static(value));
    let headers: HeaderMap = retry_after.map(header).into_iter().collect();
    judged(by_name(vendor).unwrap(), status, &headers, body.as_bytes(), rules)
}

#[test]
fn a_pasted_answer_is_judged_as_a_node_would() {
    let limited = of("openai", 429, Some("7"), "{}", &[]);
    let expected = Judged {
        meaning: "rate_limited",
        step: "next_key",
        effect: "cool",
        scope: Some("model"),
        seconds: Some(7),
        rule: None,
        rule_of: None,
    };
    assert_eq!(limited, expected);
    let low = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#;
    let spent = of("anthropic", 400, None, low, &[]);
    assert_eq!((spent.meaning, spent.effect, spent.scope, spent.seconds), ("exhausted", "exhaust", Some("key"), None));
    let (effect, scope) = (Some(RuleEffect::Refuse), RuleScope::Key);
    let rule = ErrorRule { words: vec!["custom".to_owned()], effect, scope, ..ErrorRule::default() };
    let rule = ErrorRule { step: Some(RuleStep::NextGroup), ..rule };
    let refused = of("openai", 503, None, "A CUSTOM error", std::slice::from_ref(&rule));
    assert_eq!((refused.step, refused.effect, refused.rule), ("next_group", "refuse", Some(0)));
    let clients = of("openai", 400, None, "A custom error", &[rule]);
    assert_eq!((clients.meaning, clients.step, clients.effect), ("client_fault", "next_group", "none"));
}
