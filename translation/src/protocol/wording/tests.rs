use crate::format::Format;
use crate::ir::ErrorKind;

/// What vendors say of a request that is too long, one a line, and what says something else.
#[test]
fn a_request_that_is_too_long_is_known_in_every_format() {
    let told = |format: Format, message: &str| {
        let body = serde_json::json!({"error": {"message": message}}).to_string();
        format.protocol().decode_error(400, body.as_bytes()).code
    };
    let formats = [
        Format::OpenAiChat,
        Format::OpenAiResponses,
        Format::AnthropicMessages,
        Format::GeminiGenerate,
        Format::BedrockConverse,
    ];
    for message in [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
        "Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)",
        "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 258048]",
        "Please reduce the length of the messages or completion.",
        "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 8000 `inputs` tokens and 512 `max_new_tokens`",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "Input length 300000 exceeds the maximum allowed input length of 262112 tokens.",
        "prompt too long; exceeded max context length by 1200 tokens",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "the request exceeds the available context size. try increasing the context size or enable context shift",
        "Prompt 超长",
        "Prompt exceeds max length",
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
        "Input is too long for requested model.",
    ] {
        for format in formats {
            // Bedrock's document has no `error`.
            let body = serde_json::json!({"message": message}).to_string();
            let code = match format {
                Format::BedrockConverse => format.protocol().decode_error(400, body.as_bytes()).code,
                _ => told(format, message),
            };
            assert_eq!(code.as_deref(), Some("context_length_exceeded"), "{format}: {message}");
        }
    }
    for message in ["`max_new_tokens` must be <= 4096", "Invalid 'messages': too long an array", "context: no"] {
        assert_eq!(formats.map(|format| told(format, message)), [const { None }; 5], "{message}");
    }
}

#[test]
fn a_refused_content_is_no_refused_key() {
    for (format, body) in [
        (
            Format::OpenAiChat,
            r#"{"error":{"message":"openai/m requires moderation on OpenAI. Your input was flagged for \"violence\".","code":403}}"#,
        ),
        (
            Format::OpenAiResponses,
            r#"{"code":"permission-denied","error":"Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}"#,
        ),
        (
            Format::AnthropicMessages,
            r#"{"type":"error","error":{"type":"permission_error","message":"m requires moderation on A. Your input was flagged for \"violence\"."}}"#,
        ),
    ] {
        let error = format.protocol().decode_error(403, body.as_bytes());
        let told = (error.kind, error.status, error.code.as_deref());
        assert_eq!(told, (ErrorKind::InvalidRequest, 400, Some("content_policy_violation")), "{body}");
        assert!(!error.message.contains("credentials"), "{body}");
        let error = format.protocol().decode_error(401, body.as_bytes());
        assert_eq!(error.kind, ErrorKind::UpstreamAuthentication, "{body}");
    }
}
