use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use translation::Format;
use translation::ir::{Choice, Event, Part, Response};

use super::heard::Heard;
use super::request::{HeldRequest, tokens_of_request};
use super::text::{COUNTED, tokens_of_response, tokens_of_text};

const PROSE: &str = "The quick brown fox jumps over the lazy dog, and 42 others do the same. ";

fn of(body: &Value) -> u64 {
    tokens_of_request(body.to_string().as_bytes())
}

#[test]
fn texts_are_counted_as_openai_does() {
    // Counted with another implementation (GitHub's `bpe-openai`).
    let known = [
        ("", 0),
        ("hello world", 2),
        ("Hello, world! How are you today?", 9),
        ("tiktoken is great!", 6),
        ("お誕生日おめでとう", 8),
    ];
    for (text, tokens) in known {
        assert_eq!(tokens_of_text(text), tokens, "{text}");
    }
}

#[test]
fn a_long_text_is_sampled_and_comes_close() {
    let lines: Vec<_> = (0..40_000).map(|at| format!("{PROSE}Line {at}: naïve café — {}\n", at * 7919)).collect();
    let text = lines.concat();
    assert!(text.len() > 50 * COUNTED);
    let all: u64 = text.as_bytes().chunks(COUNTED).map(|part| tokens_of_text(&String::from_utf8_lossy(part))).sum();
    let sampled = tokens_of_text(&text);
    assert!(sampled.abs_diff(all) < all / 20, "{sampled} of {all}");
}

#[test]
fn no_text_takes_long() {
    tokens_of_text("x");
    let texts = [
        "a".repeat(5_000_000),
        " ".repeat(5_000_000),
        "\n\t".repeat(2_000_000),
        "ä".repeat(3_000_000),
        PROSE.repeat(80_000),
    ];
    for text in texts {
        let started = Instant::now();
        assert!(tokens_of_text(&text) > 0);
        assert!(started.elapsed() < Duration::from_millis(500), "{:?} for {:.20}", started.elapsed(), text);
    }
}

#[test]
fn a_prompt_is_counted_in_every_format() {
    let expected = tokens_of_text("Be brief.") + tokens_of_text(PROSE);
    let bodies = [
        json!({ "messages": [{ "role": "system", "content": "Be brief." }, { "role": "user", "content": PROSE }] }),
        json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": PROSE }] }], "system": "Be brief." }),
        json!({ "instructions": "Be brief.", "input": PROSE }),
        json!({ "instructions": "Be brief.", "input": [{ "role": "user", "content": [{ "type": "input_text", "text": PROSE }] }] }),
        json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "contents": [{ "role": "user", "parts": [{ "text": PROSE }] }],
            "safetySettings": [{ "category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE" }],
        }),
    ];
    for body in bodies {
        let tokens = of(&body);
        assert!((expected..=expected + 10).contains(&tokens), "{tokens}, not {expected}, for {body}");
    }
}

#[test]
fn media_are_not_read_as_text() {
    let base64 = "iVBORw0KGgoAAAANSUhEUgAA".repeat(20_000);
    let bodies = [
        json!({ "messages": [{ "role": "user", "content": [
            { "type": "text", "text": "What is this?" },
            { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{base64}"), "detail": "low" } },
        ] }] }),
        json!({ "messages": [{ "role": "user", "content": [
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": base64 } },
            { "type": "text", "text": "What is this?" },
        ] }] }),
        json!({ "contents": [{ "parts": [
            { "inlineData": { "mimeType": "image/png", "data": base64 } },
            { "text": "What is this?" },
        ] }] }),
        json!({ "input": [{ "role": "user", "content": [
            { "type": "input_image", "image_url": "https://example.com/picture.png?size=large" },
            { "type": "input_text", "text": "What is this?" },
        ] }] }),
    ];
    for body in bodies {
        let tokens = of(&body);
        assert!((800..820).contains(&tokens), "{tokens} for {:.200}", body.to_string());
    }
}

#[test]
fn a_text_document_is_read_and_ids_and_signatures_are_not() {
    let document =
        json!({ "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": PROSE } });
    let tokens = of(&json!({ "messages": [{ "role": "user", "content": [document] }] }));
    assert!(tokens >= tokens_of_text(PROSE) && tokens < 2 * tokens_of_text(PROSE), "{tokens}");

    let bare = json!({ "messages": [{ "role": "assistant", "content": [
        { "type": "thinking", "thinking": PROSE },
        { "type": "tool_use", "name": "f", "input": { "a": 1 } },
    ] }] });
    let mut signed = bare.clone();
    signed["messages"][0]["content"][0]["signature"] = "Ev0BCkYIBxgC".repeat(50).into();
    signed["messages"][0]["content"][1]["id"] = "toolu_01A09q90qw90lq917835lq9".into();
    assert_eq!(of(&signed), of(&bare));
}

#[test]
fn tools_and_arguments_count() {
    let plain = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
    let mut with_tools = plain.clone();
    with_tools["tools"] = json!([{ "type": "function", "function": {
        "name": "get_weather", "description": PROSE, "parameters": { "type": "object", "properties": { "city": { "type": "string" } } },
    } }]);
    assert!(of(&with_tools) > of(&plain) + tokens_of_text(PROSE) + 15);
    let call =
        |arguments: Value| json!({ "messages": [{ "tool_calls": [{ "function": { "arguments": arguments } }] }] });
    assert_eq!(of(&call(json!("{\"a\":1}"))), of(&call(json!({ "a": 1 }))));
}

#[test]
fn many_messages_are_sampled() {
    let message = json!({ "role": "user", "content": PROSE });
    let body = json!({ "messages": vec![message; 5_000] });
    let (tokens, expected) = (of(&body), 5_000 * (tokens_of_text(PROSE) + 4));
    assert!(tokens.abs_diff(expected) < expected / 20, "{tokens}, not {expected}");
}

#[test]
fn of_a_body_that_is_cut_the_beginning_counts() {
    let body = json!({ "messages": [{ "role": "user", "content": PROSE }, { "role": "user", "content": "x ".repeat(2_000_000) }] });
    let body = Bytes::from(body.to_string());
    let tokens = HeldRequest::new(&body).tokens();
    assert!(tokens >= tokens_of_text(PROSE) && tokens < 100, "{tokens}");
    let small = body.slice(..1000);
    assert_eq!(HeldRequest::new(&small).tokens(), tokens_of_request(&small));
}

#[test]
fn the_words_of_an_answer_count_however_long_it_is() {
    let mut heard = Heard::default();
    assert_eq!(heard.tokens(), 0);
    heard.event(&Event::Thinking(PROSE.to_owned()));
    heard.event(&Event::Text(PROSE.to_owned()));
    assert_eq!(heard.tokens(), tokens_of_text(&PROSE.repeat(2)));
    for _ in 0..998 {
        heard.event(&Event::Text(PROSE.to_owned()));
    }
    let expected = tokens_of_text(&PROSE.repeat(1000));
    assert!(heard.tokens().abs_diff(expected) < expected / 50, "{}, not {expected}", heard.tokens());
    assert!(matches!(&heard, Heard::Words { beginning, .. } if beginning.len() <= 2048));
}

#[test]
fn a_whole_answer_counts_with_its_calls() {
    let parts = vec![Part::text(PROSE), Part::Refusal("No.".to_owned())];
    let response = Response { choices: vec![Choice { parts, ..Choice::default() }], ..Response::default() };
    assert_eq!(tokens_of_response(&response), tokens_of_text(PROSE) + 2);
}

#[test]
fn the_beginning_of_a_stream_is_kept_and_no_more() {
    let mut heard = Heard::default();
    let request = format!("data: {{\"instructions\":\"{}\"}}\n\n", "x".repeat(100_000));
    heard.wire_event(Format::OpenAiResponses, request.as_bytes());
    for _ in 0..1000 {
        heard.wire_event(
            Format::OpenAiResponses,
            b"data: {\"type\":\"response.output_text.delta\",\"delta\":\"one\"}\n\n",
        );
    }
    let Heard::Stream { beginning, bytes, .. } = &heard else { panic!("{heard:?}") };
    assert!(beginning.len() <= 2048 && beginning.ends_with(b"\n\n"));
    assert_eq!(*bytes, 59_000, "the event that repeats the request is none of the answer");
}

proptest! {
    #[test]
    fn any_bytes_are_counted(body in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        tokens_of_request(&body);
        prop_assert!(tokens_of_text(&text) <= text.len() as u64);
        let mut heard = Heard::default();
        for event in body.chunks(7) {
            heard.wire_event(Format::OpenAiChat, event);
        }
        heard.tokens();
    }
}

#[test]
fn what_gemini_embeds_or_wraps_is_counted_too() {
    let content = json!({ "parts": [{ "text": "hello world" }] });
    assert_eq!(of(&json!({ "contents": [content] })), 6);
    assert_eq!(of(&json!({ "content": content, "model": "models/m", "taskType": "RETRIEVAL_QUERY" })), 6);
    let request = json!({ "model": "models/m", "content": content });
    assert_eq!(of(&json!({ "requests": [request, request] })), 12);
    assert_eq!(of(&json!({ "generateContentRequest": { "model": "models/m", "contents": [content] } })), 6);
    assert_eq!(of(&json!({ "generate_content_request": { "contents": [content], "systemInstruction": content } })), 8);
    assert_eq!(of(&json!({ "query": "hello world", "documents": ["hello world", { "text": "hello world" }] })), 6);
}
