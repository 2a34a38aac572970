use http::HeaderMap;
use translation::Format;

use super::{Call, Endpoint};
use crate::route::fixtures::group;

fn endpoint(vendor: &str, base: &str, version: Option<&str>) -> Endpoint {
    let mut group = group("g", &[]);
    group.provider_type = vendor.into();
    group.base_url = base.into();
    group.api_version = version.map(Into::into);
    Endpoint::of(&group).unwrap()
}

#[test]
fn chat_goes_where_the_vendor_takes_it() {
    use Format::{AnthropicMessages, GeminiGenerate, OpenAiChat, OpenAiResponses};
    let cases = [
        ("openai", "https://api.openai.com/v1", OpenAiChat, "m", "https://api.openai.com/v1/chat/completions"),
        ("openai", "https://api.openai.com/v1", OpenAiResponses, "m", "https://api.openai.com/v1/responses"),
        ("anthropic", "https://api.anthropic.com", AnthropicMessages, "m", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "https://h/v1", AnthropicMessages, "m", "https://h/v1/messages"),
        ("gemini", "https://g", GeminiGenerate, "a b/c", "https://g/v1beta/models/a%20b%2Fc:generateContent"),
        ("gemini", "https://g/v1", GeminiGenerate, "m", "https://g/v1/models/m:generateContent"),
        ("azure_openai", "https://n", OpenAiChat, "d", "https://n/openai/v1/chat/completions"),
    ];
    for (vendor, base, format, model, url) in cases {
        assert_eq!(endpoint(vendor, base, None).uri(format, model, false).unwrap(), url);
    }
    let stream = endpoint("gemini", "https://g", None).uri(GeminiGenerate, "m", true).unwrap();
    assert_eq!(stream, "https://g/v1beta/models/m:streamGenerateContent?alt=sse");
    let dated = endpoint("azure_openai", "https://n", Some("2024-10-21")).uri(OpenAiChat, "d", false).unwrap();
    assert_eq!(dated, "https://n/openai/deployments/d/chat/completions?api-version=2024-10-21");
}

#[test]
fn other_endpoints_are_beside_the_chat_endpoint_of_the_clients_api() {
    let other = |vendor: &str, version, format, model, path, query| {
        let call = Call { format, model, path, query };
        endpoint(vendor, "https://h", version).call(call).map(|uri| uri.to_string()).ok()
    };
    let messages = Format::AnthropicMessages;
    let url = other("anthropic", None, messages, "", "/messages/count_tokens", Some("beta=true")).unwrap();
    assert_eq!(url, "https://h/v1/messages/count_tokens?beta=true");
    let url = other("gemini", None, Format::GeminiGenerate, "m", ":countTokens", None).unwrap();
    assert_eq!(url, "https://h/v1beta/models/m:countTokens");
    let url = other("azure_openai", Some("2024-10-21"), Format::OpenAiChat, "d", "/embeddings", Some("a=b")).unwrap();
    assert_eq!(url, "https://h/openai/deployments/d/embeddings?api-version=2024-10-21&a=b");
    assert_eq!(other("anthropic", None, Format::OpenAiChat, "m", "/embeddings", None), None);
    let url = other("azure_openai", Some("2024-10-21"), Format::OpenAiChat, "", "/files", None).unwrap();
    assert_eq!(url, "https://h/openai/files?api-version=2024-10-21");
    let url = other("openai_responses", None, Format::OpenAiChat, "m", "/embeddings", None).unwrap();
    assert_eq!(url, "https://h/embeddings");
    assert_eq!(other("openai_compatible", None, Format::OpenAiResponses, "", "/responses/resp_1", None), None);
    // Vertex counts tokens of Gemini, at an endpoint like Gemini's own, and none of Claude.
    let url = other("vertex", None, Format::GeminiGenerate, "m", ":countTokens", None).unwrap();
    assert_eq!(url, "https://h/publishers/google/models/m:countTokens");
    for model in ["claude-sonnet-4-5", ""] {
        assert_eq!(other("vertex", None, messages, model, "/messages/count_tokens", None), None);
    }
}

#[test]
fn a_version_of_the_api_is_demanded_where_the_client_names_none() {
    let anthropic = endpoint("anthropic", "https://h", None);
    let mut headers = HeaderMap::new();
    anthropic.headers(&mut headers);
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    headers.insert("anthropic-version", "2026-10-21".parse().unwrap());
    anthropic.headers(&mut headers);
    assert_eq!(headers["anthropic-version"], "2026-10-21");
}
