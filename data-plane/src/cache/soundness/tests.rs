use bytes::Bytes;
use translation::Format;

use super::sound;

fn kept(format: Format, streams: bool, body: &str) -> Option<String> {
    let kept = sound(Some(format), streams, Bytes::copy_from_slice(body.as_bytes()))?;
    Some(String::from_utf8(kept.to_vec()).unwrap())
}

/// A whole answer of OpenAI's chat API.
fn openai(message: &str, finish: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{message},"finish_reason":{finish}}}]}}"#
    )
}

/// A chunk of a stream of the same API.
fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

const HI: &str = r#"{"role":"assistant","content":"hi"}"#;

#[test]
fn whole_answers_that_end_well_are_kept() {
    let call = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    for (message, finish) in [(HI, r#""stop""#), (HI, r#""length""#), (call, r#""tool_calls""#)] {
        let body = openai(message, finish);
        assert_eq!(kept(Format::OpenAiChat, false, &format!("\n\n{body}\n")), Some(body));
    }
    let anthropic = r#"{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
    assert!(kept(Format::AnthropicMessages, false, anthropic).is_some());
    let gemini =
        r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP","index":0}]}"#;
    assert!(kept(Format::GeminiGenerate, false, gemini).is_some());
    let responses = r#"{"id":"r","object":"response","created_at":1,"status":"completed","model":"m","output":[{"type":"message","id":"o","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]}]}]}"#;
    assert!(kept(Format::OpenAiResponses, false, responses).is_some());
}

#[test]
fn whole_answers_that_are_empty_refused_filtered_or_none_are_not() {
    let refusal = r#"{"role":"assistant","content":null,"refusal":"no"}"#;
    let empty = r#"{"role":"assistant","content":""}"#;
    for body in [
        openai(HI, r#""content_filter""#),
        openai(refusal, r#""stop""#),
        openai(empty, r#""stop""#),
        r#"{"error":{"message":"no"}}"#.to_owned(),
        "hi".to_owned(),
        String::new(),
    ] {
        assert_eq!(kept(Format::OpenAiChat, false, &body), None, "{body}");
    }
    let refused = r#"{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":"refusal","usage":{"input_tokens":1,"output_tokens":1}}"#;
    assert_eq!(kept(Format::AnthropicMessages, false, refused), None);
    let blocked = r#"{"candidates":[{"finishReason":"SAFETY","index":0}]}"#;
    assert_eq!(kept(Format::GeminiGenerate, false, blocked), None);
    let unfinished = r#"{"id":"r","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}"#;
    assert_eq!(kept(Format::OpenAiResponses, false, unfinished), None);
}

#[test]
fn a_stream_is_kept_without_what_only_kept_the_connection_alive() {
    let (hi, end) = (chunk(HI, "null"), chunk("{}", r#""stop""#));
    let stream = format!(": keep-alive\n\n{hi}: keep-alive\n\n{end}data: [DONE]\n\n");
    assert_eq!(kept(Format::OpenAiChat, true, &stream), Some(format!("{hi}{end}data: [DONE]\n\n")));
}

#[test]
fn a_stream_that_is_cut_fails_is_filtered_or_says_nothing_is_not_kept() {
    let (hi, end) = (chunk(HI, "null"), chunk("{}", r#""stop""#));
    let filtered = chunk("{}", r#""content_filter""#);
    let other = r#"data: {"id":"c","choices":[{"index":1,"delta":{},"finish_reason":"content_filter"}]}"#;
    for stream in [
        hi.clone(),
        format!("{hi}data: {{\"error\":{{\"message\":\"no\"}}}}\n\n"),
        format!("{hi}{filtered}data: [DONE]\n\n"),
        format!("{hi}{end}{other}\n\ndata: [DONE]\n\n"),
        format!("{end}data: [DONE]\n\n"),
        String::new(),
    ] {
        assert_eq!(kept(Format::OpenAiChat, true, &stream), None, "{stream}");
    }
}

#[test]
fn an_array_of_gemini_is_read_as_its_stream() {
    let element = |text: &str, finish: &str| {
        format!(
            "{{\n \"candidates\":[{{\"content\":{{\"role\":\"model\",\"parts\":[{{\"text\":\"{text}\"}}]}}{finish}}}]}}"
        )
    };
    let end = r#","finishReason":"STOP""#;
    let whole = format!("[{},\r\n{}\n]", element("h", ""), element("i", end));
    assert_eq!(kept(Format::GeminiGenerate, false, &whole), Some(whole));
    let cut = format!("[{}\n]", element("h", ""));
    assert_eq!(kept(Format::GeminiGenerate, false, &cut), None);
}

#[test]
fn vectors_are_kept_if_they_are_an_object() {
    let vectors = Bytes::from_static(br#"{"object":"list","data":[]}"#);
    assert_eq!(sound(None, false, vectors.clone()), Some(vectors));
    assert_eq!(sound(None, false, Bytes::from_static(b"no")), None);
}
