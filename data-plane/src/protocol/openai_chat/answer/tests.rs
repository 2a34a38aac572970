use bytes::Bytes;

use super::{Event, Tokens, event, provider_error, usage, usage_in_tail};

const USAGE: &str = r#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":5}}"#;
const TOKENS: Tokens = Tokens { input: 9, cached: 4, output: 12, reasoning: 5 };

fn of(data: &str) -> Event {
    event(&Bytes::copy_from_slice(data.as_bytes()))
}

#[test]
fn usage_of_a_whole_answer() {
    assert_eq!(usage(format!(r#"{{"id":"x","choices":[{{}}],"usage":{USAGE}}}"#).as_bytes()).unwrap(), Some(TOKENS));
    assert_eq!(usage(br#"{"id":"x","usage":null}"#).unwrap(), None);
    assert_eq!(usage(br#"{"id":"x","usage":"many"}"#).unwrap(), None);
    assert_eq!(usage(br"[1]").unwrap(), None);
    assert!(usage(b"<html>").is_err());
    assert!(usage(br#"{"usage":"#).is_err());
}

#[test]
fn usage_in_the_tail_of_a_large_answer() {
    assert_eq!(usage_in_tail(format!(r#"..."}}],"usage" : {USAGE},"x":1}}"#).as_bytes()), Some(TOKENS));
    assert_eq!(usage_in_tail(br#"... \"usage\": {}"#), None);
    assert_eq!(usage_in_tail(br#""usage":{"prompt_tokens":"#), None);
    assert_eq!(usage_in_tail(b""), None);
}

#[test]
fn the_event_of_usage_alone_is_told_from_others() {
    let alone = of(&format!(r#"{{"id":"x","choices":[],"usage":{USAGE}}}"#));
    assert_eq!((alone.usage, alone.only_usage), (Some(TOKENS), true));
    let last = of(&format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],"usage": {USAGE}}}"#));
    assert_eq!((last.usage, last.only_usage, last.finishes), (Some(TOKENS), false, true));
    let usual = of(r#"{"choices":[{"delta":{"content":"\"usage\":{}"},"finish_reason":null}],"usage":null}"#);
    assert_eq!(usual, Event { usage: None, only_usage: false, finishes: false, done: false, error: false });
}

#[test]
fn the_end_and_errors_are_seen() {
    assert!(of("[DONE]").done);
    assert!(of(" [DONE] ").done);
    assert!(of(r#"{"error":{"message":"overloaded"}}"#).error);
    assert!(!of(r#"{"error":null,"choices":[]}"#).error);
    assert!(!of(r#"{"choices":[{"delta":{"content":"{\"error\":1}"}}]}"#).error);
}

#[test]
fn the_words_of_an_error_document() {
    let known = provider_error(br#"{"error":{"message":"no such model","type":"x","code":"model_not_found"}}"#);
    assert_eq!((known.well_formed, known.message.as_str()), (true, "no such model"));
    let other = provider_error(br#"{"message":"nope"}"#);
    assert_eq!((other.well_formed, other.message.as_str()), (false, "nope"));
    assert_eq!(provider_error(br#"{"error":"nope"}"#).message, "nope");
    assert_eq!(provider_error(br#"{"detail":"too large: 9 > 5"}"#).message, "too large: 9 > 5");
    assert_eq!(provider_error(br#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#).message, "field required");
    let array = provider_error(br#"[{"error":{"message":"API key not valid"}}]"#);
    assert_eq!((array.well_formed, array.message.as_str()), (false, "API key not valid"));
    for (text, words) in [
        ("overloaded: come back\nat noon\n", "overloaded: come back at noon"),
        ("<html><title>502 Bad Gateway</title>\r\n<body><h1>nginx</h1></body></html>", ""),
        ("5 < 6 > 4", "5 < 6 > 4"),
        ("<", ""),
        ("", ""),
    ] {
        let said = provider_error(text.as_bytes());
        assert_eq!((said.well_formed, said.message.as_str()), (false, words), "{text}");
    }
    assert!(provider_error("é".repeat(9999).as_bytes()).message.len() <= 300);
}
