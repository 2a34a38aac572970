use std::sync::Arc;

use translation::protocol::Format;

use super::{Call, Endpoint};

fn endpoint(vendor: &str, base: &str) -> Endpoint {
    Endpoint::of(vendor, &Arc::from(base)).unwrap()
}

fn chat(vendor: &str, base: &str, format: Format, model: &str, stream: bool) -> String {
    endpoint(vendor, base).uri(format, model, stream).unwrap().to_string()
}

#[test]
fn chat_goes_where_the_vendor_takes_it() {
    use Format::{AnthropicMessages, GeminiGenerate, OpenAiChat, OpenAiResponses};
    let cases = [
        ("openai", "https://api.openai.com/v1", OpenAiChat, "m", "https://api.openai.com/v1/chat/completions"),
        ("openai", "https://api.openai.com/v1", OpenAiResponses, "m", "https://api.openai.com/v1/responses"),
        ("anthropic", "https://api.anthropic.com", AnthropicMessages, "m", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "https://api.anthropic.com/v1", AnthropicMessages, "m", "https://api.anthropic.com/v1/messages"),
        ("gemini", "https://g", GeminiGenerate, "a b/c", "https://g/v1beta/models/a%20b%2Fc:generateContent"),
        ("gemini", "https://g/v1", GeminiGenerate, "tunedModels/x", "https://g/v1/tunedModels/x:generateContent"),
        (
            "azure_openai",
            "https://n.openai.azure.com",
            OpenAiChat,
            "d",
            "https://n.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
        (
            "azure_openai",
            "https://n.openai.azure.com/openai/v1",
            OpenAiChat,
            "d",
            "https://n.openai.azure.com/openai/v1/chat/completions",
        ),
    ];
    for (vendor, base, format, model, url) in cases {
        assert_eq!(chat(vendor, base, format, model, false), url);
    }
    assert_eq!(
        chat("gemini", "https://g", GeminiGenerate, "m", true),
        "https://g/v1beta/models/m:streamGenerateContent?alt=sse"
    );
}

#[test]
fn other_endpoints_are_those_of_the_clients_api() {
    let other = |vendor: &str, format, model, path, query| {
        endpoint(vendor, "https://h").call(Call::Other { format, model, path, query }).map(|uri| uri.to_string()).ok()
    };
    let messages = Format::AnthropicMessages;
    let url = other("anthropic", messages, "", "/messages/count_tokens", Some("beta=true")).unwrap();
    assert_eq!(url, "https://h/v1/messages/count_tokens?beta=true");
    let url = other("gemini", Format::GeminiGenerate, "m", ":countTokens", None).unwrap();
    assert_eq!(url, "https://h/v1beta/models/m:countTokens");
    assert_eq!(other("anthropic", Format::OpenAiChat, "m", "/embeddings", None), None);
}

#[test]
fn a_credential_is_never_printed() {
    for vendor in ["openai", "anthropic", "gemini", "azure_openai"] {
        let (_, value) = endpoint(vendor, "https://h").provider.credential("sk-secret").unwrap();
        assert!(value.is_sensitive());
        assert!(value.to_str().unwrap().contains("sk-secret"));
    }
}
