use serde_json::{Value, json};

use super::{bad, repairs, replacement, view};

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
fn a_base_url_that_names_an_endpoint_is_cut_and_said() {
    for (vendor, url, kept) in [
        ("openai", "https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"),
        ("openai", "https://api.openai.com/v1/responses/", "https://api.openai.com/v1"),
        ("openai", "https://api.openai.com/v1/embeddings", "https://api.openai.com/v1"),
        ("openai_compatible", "http://127.0.0.1:9/v1/models", "http://127.0.0.1:9/v1"),
        ("openai", "https://api.openai.com/chat/completions", "https://api.openai.com/v1"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1"),
        ("gemini", "https://host.test/v1beta/models/m:generateContent", "https://host.test/v1beta"),
    ] {
        let body = json!({ "groupName": "g", "providerType": vendor, "baseUrl": url });
        assert_eq!(&*replacement(body.clone(), None).unwrap().group.base_url, kept);
        assert!(
            repairs(body).iter().any(|(field, told)| field == "baseUrl" && told.contains("the gateway adds")),
            "{url}"
        );
    }
    let (field, told) = refused(&json!("gemini"), &json!("https://host.test/v1beta/models/m:generateContent?key=x"));
    assert!(field == "baseUrl" && told.contains("such as https://") && !told.contains("key=x"), "{told}");
}

#[test]
fn a_base_url_without_its_version_is_repaired_where_the_host_is_known_and_said_elsewhere() {
    for (vendor, url, kept) in [
        ("openai", "https://api.openai.com", "https://api.openai.com/v1"),
        ("openai_responses", "https://api.openai.com/", "https://api.openai.com/v1"),
        ("openai_compatible", "https://api.openai.com", "https://api.openai.com/v1"),
        ("groq", "https://api.groq.com", "https://api.groq.com/openai/v1"),
        ("openai_compatible", "https://openrouter.ai", "https://openrouter.ai/api/v1"),
    ] {
        let body = json!({ "groupName": "g", "providerType": vendor, "baseUrl": url });
        assert_eq!(&*replacement(body.clone(), None).unwrap().group.base_url, kept);
        assert_eq!(repairs(body)[0].0, "baseUrl", "{url}");
    }
    for (vendor, url, warned) in [
        ("openai_compatible", "http://127.0.0.1:8000", true),
        ("vllm", "http://gpu.internal:8000", true),
        ("openai", "http://127.0.0.1:8000", true),
        ("openai_compatible", "http://127.0.0.1:8000/v1", false),
        ("openai_compatible", "http://127.0.0.1:8000/api", false),
        ("deepseek", "https://api.deepseek.com", false),
        ("anthropic", "https://api.anthropic.com", false),
        ("gemini", "https://generativelanguage.googleapis.com", false),
        ("azure_openai", "https://r.openai.azure.com", false),
        ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com", false),
    ] {
        let body = json!({ "groupName": "g", "providerType": vendor, "baseUrl": url });
        let stored = replacement(body, None).unwrap();
        assert_eq!(&*stored.group.base_url, url);
        let said = view(&stored)["warnings"].as_array().unwrap().iter().any(|warning| warning["field"] == "baseUrl");
        assert_eq!(said, warned, "{vendor} {url}");
    }
}

#[test]
fn p30_base_urls_at_metadata_services_and_ports_that_are_none_are_refused() {
    for url in [
        "http://169.254.169.254/v1",
        "http://2852039166",
        "http://0xa9fea9fe/latest",
        "http://0251.0376.0251.0376/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://[fd00:ec2::254]/v1",
        "http://metadata.google.internal/computeMetadata/v1",
        "http://METADATA.google.internal./v1",
        "http://100.100.100.200/v1",
        "http://169.254.169.254:80/v1",
        "http://host.test:0/v1",
        "http://host.test:65536/v1",
        "http://host.test:99999999999/v1",
        "http://host.test:/v1",
        "http://host.test:http/v1",
    ] {
        let (field, told) = refused(&json!("openai_compatible"), &json!(url));
        assert_eq!(field, "baseUrl", "{url}: {told}");
    }
    let proxied = json!({ "groupName": "g", "providerType": "openai", "proxyConfig": { "host": "0xa9fea9fe" } });
    assert_eq!(bad(replacement(proxied, None))[0].0, "proxyConfig.host");
    for url in ["http://127.0.0.1:65535/v1", "http://10.0.0.1:1/v1", "http://[::1]:8000/v1"] {
        let body = json!({ "groupName": "g", "providerType": "openai_compatible", "baseUrl": url });
        assert_eq!(&*replacement(body, None).unwrap().group.base_url, url);
    }
}
