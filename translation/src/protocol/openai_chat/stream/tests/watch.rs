use bytes::Bytes;

use super::super::watcher::{Watcher, usage, usage_in_tail};
use crate::ir::Usage;
use crate::protocol::contract::{Seen, StreamWatcher as _};

const USAGE: &str = r#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":1,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":3}}"#;
const TOKENS: Usage = Usage {
    input: 9,
    cached: 4,
    cache_write: 2,
    cache_write_1h: 0,
    input_audio: 1,
    output: 12,
    reasoning: 5,
    output_audio: 3,
    capped: false,
    input_image: 0,
    output_image: 0,
};

fn of(data: &str) -> Seen {
    Watcher.event(&Bytes::copy_from_slice(data.as_bytes()))
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
    assert_eq!(usual, Seen::default());
}

#[test]
fn usage_is_found_wherever_a_vendor_puts_it() {
    // Groq, and Moonshot.
    for data in [
        format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],"x_groq":{{"id":"r","usage":{USAGE}}}}}"#),
        format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop","usage":{USAGE}}}]}}"#),
        format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop","usage":{USAGE}}}],"usage":null}}"#),
    ] {
        let seen = of(&data);
        assert_eq!((seen.usage, seen.only_usage, seen.finishes), (Some(TOKENS), false, true), "{data}");
        assert_eq!(usage(data.as_bytes()).unwrap(), Some(TOKENS), "{data}");
    }
}

#[test]
fn the_end_and_errors_are_seen() {
    assert!(of("[DONE]").done);
    assert!(of(" [DONE] ").done);
    assert!(of(r#"{"error":{"message":"overloaded"}}"#).error);
    assert!(!of(r#"{"error":null,"choices":[]}"#).error);
    assert!(!of(r#"{"choices":[{"delta":{"content":"{\"error\":1}"}}]}"#).error);
}
