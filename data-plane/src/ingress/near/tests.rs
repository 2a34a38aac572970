use axum::body::Body;
use http::Request;
use http::request::Parts;
use translation::Format;

use super::{advice, format_of, is_near};

fn parts(path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::post(path).header("host", "gw.test:5000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap().into_parts().0
}

#[test]
fn a_near_miss_is_told_the_right_base_url_of_its_client() {
    use Format::{AnthropicMessages, GeminiGenerate, OpenAiChat};
    for (path, format, base, served) in [
        ("/api/v1/chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/openai/v1/chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/v1beta/openai/chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/v1beta/openai/embeddings", OpenAiChat, "http://gw.test:5000/v1", "/v1/embeddings"),
        ("/openai/deployments/gpt-4o/chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("//v1/chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/v1//chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/v1/chat/completions/", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/v1/responses/", OpenAiChat, "http://gw.test:5000/v1", "/v1/responses"),
        ("/v1/chat/completions/chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", OpenAiChat, "http://gw.test:5000/v1", "/v1/chat/completions"),
        ("/v1/v1/models", OpenAiChat, "http://gw.test:5000/v1", "/v1/models"),
        ("/v1/v1/messages", AnthropicMessages, "http://gw.test:5000", "/v1/messages"),
        ("/claude/v1/v1/messages", AnthropicMessages, "http://gw.test:5000/claude", "/v1/messages"),
        ("/anthropic/v1/messages", AnthropicMessages, "http://gw.test:5000", "/v1/messages"),
        ("/v1/messages/v1/messages", AnthropicMessages, "http://gw.test:5000", "/v1/messages"),
        ("/v1/v1/messages/count_tokens", AnthropicMessages, "http://gw.test:5000", "/v1/messages/count_tokens"),
        ("/messages", AnthropicMessages, "http://gw.test:5000/v1", "/v1/messages"),
        ("/models/m:generateContent", GeminiGenerate, "http://gw.test:5000/v1beta", "/v1beta/models/m:generateContent"),
        (
            "/v1beta/v1beta/models/m:streamGenerateContent",
            GeminiGenerate,
            "http://gw.test:5000",
            "/v1beta/models/m:streamGenerateContent",
        ),
        (
            "/api/v1beta/models/m:generateContent",
            GeminiGenerate,
            "http://gw.test:5000",
            "/v1beta/models/m:generateContent",
        ),
    ] {
        let parts = parts(path, &[]);
        assert_eq!(format_of(&parts), format, "{path}");
        let told = advice(&parts, format);
        assert!(told.contains(&format!("{base}.")) || told.contains(&format!("{base},")), "{path}: {told}");
        assert!(told.ends_with(&format!(" {served}")), "{path}: {told}");
        assert!(is_near(path), "{path}");
    }
}

#[test]
fn what_is_far_from_any_api_is_left_to_others() {
    for path in
        ["/", "/favicon.ico", "/admin/models", "/auth/messages", "/swagger/x", "/openapi.json", "/health/v1", "/login"]
    {
        assert!(!is_near(path), "{path}");
    }
    for path in ["/nope", "/v1/nothing", "/v1"] {
        assert_eq!(advice(&parts(path, &[]), Format::OpenAiChat), "", "{path}");
    }
}

#[test]
fn the_place_of_the_credential_tells_clients_apart_where_the_path_does_not() {
    for (path, headers, format) in [
        ("/v1/models", &[][..], Format::OpenAiChat),
        ("/v1/models", &[("anthropic-version", "2023-06-01")], Format::AnthropicMessages),
        ("/v1/models", &[("x-goog-api-key", "k")], Format::GeminiGenerate),
        ("/v1/models/llama3:8b", &[], Format::OpenAiChat),
        ("/v1/models?key=k", &[], Format::GeminiGenerate),
        ("/v1beta/models", &[], Format::GeminiGenerate),
        ("/v1/messages/batches", &[], Format::AnthropicMessages),
        ("/v1beta/openai/models", &[("authorization", "Bearer k")], Format::OpenAiChat),
    ] {
        assert_eq!(format_of(&parts(path, headers)), format, "{path}");
    }
}

#[test]
fn a_host_that_is_none_is_not_repeated() {
    let mut odd = parts("/api/v1/embeddings", &[]);
    odd.headers.insert("host", "\"><script>".parse().unwrap());
    assert!(advice(&odd, Format::OpenAiChat).contains("http://GATEWAY/v1"));
    let tls = parts("/api/v1/embeddings", &[("x-forwarded-proto", "https")]);
    assert!(advice(&tls, Format::OpenAiChat).contains("https://gw.test:5000/v1"));
}
