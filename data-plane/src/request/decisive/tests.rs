use bytes::Bytes;
use translation::Format;
use translation::object::Object;

use super::{check, check_model_of_url, check_query, names_further_models};

fn refused(format: Format, body: &str) -> bool {
    let body = Bytes::copy_from_slice(body.as_bytes());
    check(&Object::read(&body).unwrap(), &body, format).is_err()
}

#[test]
fn a_body_that_readers_understand_differently_is_refused() {
    use Format::{AnthropicMessages, GeminiGenerate, OpenAiChat};
    for (format, body) in [
        (OpenAiChat, r#"{"model":"a","Model":"b"}"#),
        (OpenAiChat, r#"{"model":"a","Max_Tokens":9}"#),
        (OpenAiChat, r#"{"model":"a","n":1,"N":9}"#),
        (OpenAiChat, r#"{"model":"a","Service_tier":"priority"}"#),
        (OpenAiChat, r#"{"model":"a","stream_options":{"include_usage":true,"Include_Usage":false}}"#),
        (AnthropicMessages, r#"{"model":"a","thinking":{"type":"enabled","budget_tokens":1,"Budget_Tokens":9}}"#),
        (GeminiGenerate, r#"{"generationConfig":{"maxOutputTokens":1,"MaxOutputTokens":9}}"#),
        (GeminiGenerate, r#"{"generationConfig":{},"generation_config":{"maxOutputTokens":9}}"#),
        (GeminiGenerate, r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}"#),
    ] {
        assert!(refused(format, body), "{body}");
    }
    for (format, body) in [
        (OpenAiChat, r#"{"model":"a","unknownField":1,"Unknown":2,"stream_options":null}"#),
        (OpenAiChat, r#"{"model":"a","max_tokens":1,"max_completion_tokens":1}"#),
        (GeminiGenerate, r#"{"generation_config":{"max_output_tokens":9,"unknown":{"a":1,"A":2}}}"#),
    ] {
        assert!(!refused(format, body), "{body}");
    }
}

#[test]
fn the_model_of_the_url_counts() {
    let read = |body: &str| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        check_model_of_url(&Object::read(&body).unwrap(), &body, "m").is_ok()
    };
    assert!(read(
        r#"{"model":"models/m","requests":[{"model":"m"},{}],"generateContentRequest":{"model":"models/m"}}"#
    ));
    assert!(read("{}"));
    for body in [
        r#"{"model":"models/other"}"#,
        r#"{"model":7}"#,
        r#"{"requests":[{"model":"m"},{"model":"other"}]}"#,
        r#"{"requests":[{"model":"m","Model":"other"}]}"#,
        r#"{"generateContentRequest":{"model":"other"}}"#,
    ] {
        assert!(!read(body), "{body}");
    }
}

#[test]
fn a_query_holds_no_field_of_the_body() {
    for query in ["model=x", "a=1&Model=x", "mod%65l=x", "model[]=x", "a;model=x", "n=5", "stream=true"] {
        assert!(check_query(Some(query)).is_err(), "{query}");
    }
    for query in ["", "api-version=1", "alt=sse", "limit=3&after=x", "models=x"] {
        assert!(check_query(Some(query)).is_ok(), "{query}");
    }
    assert!(check_query(None).is_ok());
}

#[test]
fn further_models_are_seen() {
    let named = |body: &str| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        names_further_models(&Object::read(&body).unwrap())
    };
    assert!(named(r#"{"model":"a","models":["b"]}"#) && named(r#"{"model":"a","Fallbacks":[]}"#));
    assert!(!named(r#"{"model":"a"}"#));
}
