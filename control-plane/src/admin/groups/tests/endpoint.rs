use serde_json::{Value, json};

use super::{bad, replacement};

fn refused(provider_type: &Value, base_url: &Value) -> (String, String) {
    let body = json!({ "groupName": "g", "providerType": provider_type, "baseUrl": base_url });
    let mut errors = bad(replacement(body, None));
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

#[test]
fn a_provider_type_that_is_wrong_or_missing_is_the_only_error_and_has_a_hint() {
    for (given, hint) in [
        ("OpenAI", Some("openai")),
        ("opanai", Some("openai")),
        ("Azure OpenAI", Some("azure_openai")),
        ("openai-compatible", Some("openai_compatible")),
        ("something-else", None),
    ] {
        let (field, told) = refused(&json!(given), &Value::Null);
        assert_eq!(field, "providerType");
        assert_eq!(told.split("did you mean ").nth(1), hint.map(|hint| format!("{hint:?}?")).as_deref(), "{told}");
    }
    for missing in [Value::Null, json!(""), json!(" "), json!(5)] {
        assert_eq!(refused(&missing, &Value::Null).0, "providerType");
    }
}

#[test]
fn a_base_url_without_a_scheme_is_told_what_to_add() {
    let (field, told) = refused(&json!("openai"), &json!("api.openai.com/v1/"));
    assert_eq!(field, "baseUrl");
    assert!(told.contains("write https://api.openai.com/v1"), "{told}");
}

#[test]
fn a_base_url_that_names_an_endpoint_is_refused() {
    for (vendor, url, end) in [
        ("openai", "https://api.openai.com/v1/chat/completions", "/chat/completions"),
        ("openai", "https://api.openai.com/v1/responses/", "/responses"),
        ("openai", "https://api.openai.com/v1/embeddings", "/embeddings"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "/messages"),
        ("gemini", "https://host.test/v1beta/models/m:generateContent?key=x", ":generateContent"),
    ] {
        let (field, told) = refused(&json!(vendor), &json!(url));
        assert_eq!(field, "baseUrl");
        assert!(told.contains(&format!("without {end},")) && told.contains("such as https://"), "{told}");
        assert!(!told.contains("key=x"), "{told}");
    }
}
