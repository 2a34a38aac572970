use bytes::Bytes;
use translation::Format;
use translation::object::Object;

use super::{Unfit, check};

fn checked(format: Format, body: &str) -> Result<(), Unfit> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    check(format, &Object::read(&body).unwrap())
}

#[test]
fn a_plain_request_of_each_api_is_fit() {
    for (format, body) in [
        (Format::OpenAiChat, r#"{"model":"m","messages":[],"n":3,"store":false,"background":false,"tools":[]}"#),
        (Format::OpenAiChat, r#"{"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom"}]}"#),
        (Format::OpenAiResponses, r#"{"model":"m","input":"hi","store":false,"previous_response_id":null}"#),
        (Format::OpenAiResponses, r#"{"store":false,"tools":[{"type":"function","name":"f"}]}"#),
        (
            Format::AnthropicMessages,
            r#"{"messages":[],"tools":[{"name":"f","input_schema":{}},{"type":"bash_20250124"}]}"#,
        ),
        (Format::GeminiGenerate, r#"{"contents":[],"tools":[{"functionDeclarations":[]}]}"#),
        (Format::GeminiGenerate, r#"{"contents":[],"tools":[{"function_declarations":[]}]}"#),
    ] {
        assert_eq!(checked(format, body), Ok(()), "{body}");
    }
}

#[test]
fn a_request_that_leaves_something_behind_or_refers_to_it_is_not() {
    for (format, body) in [
        (Format::OpenAiChat, r#"{"store":true}"#),
        (Format::OpenAiResponses, r#"{"input":"hi"}"#),
        (Format::OpenAiResponses, r#"{"input":"hi","store":true}"#),
        (Format::OpenAiResponses, r#"{"input":"hi","store":null}"#),
        (Format::OpenAiResponses, r#"{"store":false,"previous_response_id":"resp_1"}"#),
        (Format::OpenAiResponses, r#"{"store":false,"conversation":"conv_1"}"#),
        (Format::OpenAiResponses, r#"{"store":false,"conversation":{"id":"conv_1"}}"#),
        (Format::OpenAiResponses, r#"{"store":false,"background":true}"#),
        (Format::OpenAiResponses, r#"{"store":false,"prompt":{"id":"pmpt_1"}}"#),
        (Format::AnthropicMessages, r#"{"messages":[],"container":"c_1"}"#),
        (Format::GeminiGenerate, r#"{"contents":[],"cachedContent":"cachedContents/1"}"#),
        (Format::GeminiGenerate, r#"{"contents":[],"cached_content":"cachedContents/1"}"#),
    ] {
        assert_eq!(checked(format, body), Err(Unfit::Refers), "{body}");
    }
    assert_eq!(checked(Format::OpenAiChat, r#"{"audio":{"voice":"alloy"}}"#), Err(Unfit::Sounds));
}

#[test]
fn a_request_that_has_the_provider_do_something_is_not() {
    for (format, body) in [
        (Format::OpenAiChat, r#"{"web_search_options":{}}"#),
        (Format::OpenAiResponses, r#"{"store":false,"tools":[{"type":"web_search"}]}"#),
        (Format::OpenAiResponses, r#"{"store":false,"tools":[{"type":"function"},{"type":"mcp"}]}"#),
        (Format::OpenAiResponses, r#"{"store":false,"tools":[{"type":"code_interpreter"}]}"#),
        (Format::AnthropicMessages, r#"{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#),
        (Format::AnthropicMessages, r#"{"mcp_servers":[{"url":"x"}]}"#),
        (Format::GeminiGenerate, r#"{"tools":[{"googleSearch":{}}]}"#),
        (Format::GeminiGenerate, r#"{"tools":[{"functionDeclarations":[],"codeExecution":{}}]}"#),
        (Format::GeminiGenerate, r#"{"tools":{"functionDeclarations":[]}}"#),
    ] {
        assert_eq!(checked(format, body), Err(Unfit::Acts), "{body}");
    }
}
