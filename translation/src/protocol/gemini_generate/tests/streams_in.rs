//! A provider's stream (`docs/TRANSLATION.md` section 8).

use proptest::prelude::*;
use serde_json::{Value, json};

use super::scenes::{chunk, collected, events, events_cut, finish, sse};
use crate::format::Family;
use crate::ir::{ErrorKind, Event, Finish, Media, MediaKind, MediaSource, Part, ProviderError, Signature, Usage};
use crate::protocol::sse::LARGEST_EVENT;

fn error(stream: &str) -> ProviderError {
    match events(stream).pop() {
        Some(Event::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn calls(events: &[Event]) -> Vec<(usize, &str)> {
    let start = |event| match event {
        &Event::ToolStart { call, ref name, .. } => Some((call, name.as_str())),
        _ => None,
    };
    events.iter().filter_map(start).collect()
}

fn call(name: &str, args: Value) -> Value {
    json!({"functionCall": {"name": name, "args": args}})
}

#[test]
fn a_stream_gives_its_events_in_order() {
    let mut last = finish("STOP");
    last["usageMetadata"] = json!({"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5});
    let stream = sse(&[
        chunk(json!([{"text": "Hm", "thought": true}, {"text": "Hello"}])),
        chunk(json!([{"text": " you"}])),
        last,
    ]);
    let events = events(&stream);
    let Event::Start(start) = &events[0] else { panic!("{events:?}") };
    assert_eq!((start.id.as_deref(), start.model.as_deref()), (Some("r1"), Some("gemini-3-flash-preview")));
    let wanted = [
        Event::Thinking("Hm".to_owned()),
        Event::Text("Hello".to_owned()),
        Event::Text(" you".to_owned()),
        Event::Usage(Usage { input: 3, output: 2, ..Usage::default() }),
        Event::Finish { reason: Finish::Stop, stop_sequence: None },
    ];
    assert_eq!(events[1..], wanted);
}

#[test]
fn point_03_tool_index_is_dense_over_the_whole_stream() {
    let stream = sse(&[
        chunk(json!([{"text": "I look."}, call("f", json!({"city": "Paris"})), call("f", json!({"city": "Rome"}))])),
        chunk(json!([call("g", json!({}))])),
        finish("STOP"),
    ]);
    let events = events(&stream);
    assert_eq!(calls(&events), [(0, "f"), (1, "f"), (2, "g")]);
    let response = collected(&events);
    let arguments = response.choices[0].parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call.arguments.as_str()),
        _ => None,
    });
    let arguments: Vec<_> = arguments.collect();
    assert_eq!(arguments, [r#"{"city":"Paris"}"#, r#"{"city":"Rome"}"#, "{}"]);
}

#[test]
fn point_04_a_call_begins_once_and_ends_once() {
    let events = events(&sse(&[chunk(json!([call("f", json!({}))])), finish("STOP")]));
    let ends = events.iter().filter(|event| matches!(event, Event::ToolEnd { .. })).count();
    assert_eq!((calls(&events).len(), ends), (1, 1));
}

#[test]
fn point_05_the_reason_comes_after_the_call() {
    let events = events(&sse(&[chunk(json!([call("f", json!({}))])), finish("STOP")]));
    assert_eq!(events.last(), Some(&Event::Finish { reason: Finish::ToolCalls, stop_sequence: None }));
}

#[test]
fn point_08_counts_are_running_totals_and_told_when_they_change() {
    let with = |mut chunk: Value, output: u64| {
        chunk["usageMetadata"] = json!({"promptTokenCount": 3, "candidatesTokenCount": output});
        chunk
    };
    let text = || chunk(json!([{"text": "x"}]));
    let events = events(&sse(&[with(text(), 1), with(text(), 1), with(text(), 2), with(finish("STOP"), 2)]));
    let counts = events.iter().filter_map(|event| match event {
        Event::Usage(usage) => Some(usage.output),
        _ => None,
    });
    assert_eq!(counts.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn point_10_an_error_may_stand_between_events_as_bare_json() {
    let bare = "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"high demand\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n";
    let good = sse(&[chunk(json!([{"text": "x"}]))]);
    for stream in [format!("{good}{bare}"), format!("{good}{bare}\r\n"), bare.to_owned(), format!("[{bare}]")] {
        let error = error(&stream);
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Overloaded, "high demand"), "{stream}");
    }
    let framed = sse(&[json!({"error": {"code": 500, "message": "boom", "status": "INTERNAL"}})]);
    assert_eq!(error(&format!("{good}{framed}")).kind, ErrorKind::Server);
    assert_eq!(error(&format!("{good}upstream gone\n\n")).code.as_deref(), Some("bad_upstream_response"));
    assert_eq!(error("<html>no</html>").code.as_deref(), Some("bad_upstream_response"));
}

#[test]
fn point_10_nothing_follows_an_error() {
    let framed = sse(&[
        json!({"error": {"code": 500, "message": "boom", "status": "INTERNAL"}}),
        chunk(json!([{"text": "x"}])),
        finish("STOP"),
    ]);
    assert!(matches!(events(&framed)[..], [Event::Error(_)]));
}

#[test]
fn point_11_a_stream_without_a_reason_broke_off() {
    let text = sse(&[chunk(json!([{"text": "x"}]))]);
    let half = format!("{text}data: {{\"candidates\": [{{\"content\": {{\"par");
    let array = "[{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"x\"}]}}]}\n,\r\n{\"candid";
    for stream in [&*text, &half, array] {
        assert_eq!(error(stream), ProviderError::truncated(), "{stream}");
    }
    assert_eq!(error("").status, 502);
}

#[test]
fn the_last_event_needs_no_empty_line() {
    let stream = sse(&[chunk(json!([{"text": "x"}])), finish("STOP")]);
    assert_eq!(events(stream.trim_end()), events(&stream));
    assert_eq!(events(&stream.replace("\r\n", "\n")), events(&stream));
    assert_eq!(events(&format!("\u{feff}: hi\r\n\r\n{stream}data: [DONE]\r\n\r\n")), events(&stream));
    // Nor does any, where a test server left them out.
    assert_eq!(events(&stream.replace("\r\n\r\n", "\n")), events(&stream));
}

#[test]
fn point_12_a_blocked_prompt_declines() {
    let stream = sse(&[json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}})]);
    let events = events(&stream);
    let wanted = [
        Event::Refusal("Blocked by Gemini: SAFETY".to_owned()),
        Event::Usage(Usage { input: 4, ..Usage::default() }),
        Event::Finish { reason: Finish::ContentFilter, stop_sequence: None },
    ];
    assert_eq!(events[1..], wanted);
    let stream = sse(&[json!({"candidates": [{"finishReason": "SAFETY", "finishMessage": "no"}]})]);
    assert_eq!(super::scenes::events(&stream)[1], Event::Refusal("no".to_owned()));
}

#[test]
fn a_broken_call_is_an_error_unless_something_was_said() {
    let broken = || json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]});
    assert_eq!(error(&sse(&[broken()])).code.as_deref(), Some("malformed_function_call"));
    let events = events(&sse(&[chunk(json!([{"text": "x"}])), broken()]));
    assert_eq!(events.last(), Some(&Event::Finish { reason: Finish::Stop, stop_sequence: None }));
}

#[test]
fn point_20_signatures_come_with_what_they_sign() {
    let signed = |data: &str| Signature { family: Family::Gemini, data: data.to_owned() };
    let mut first = call("f", json!({}));
    first["thoughtSignature"] = "Y2FsbA==".into();
    let stream = sse(&[
        chunk(
            json!([{"text": "t", "thought": true, "thoughtSignature": "dA=="}, first, {"text": "", "thoughtSignature": "ZQ=="}]),
        ),
        finish("STOP"),
    ]);
    let events = events(&stream);
    assert_eq!(events[2], Event::ThinkingSignature(signed("dA==")));
    assert!(matches!(&events[3], Event::ToolStart { signature: Some(s), .. } if *s == signed("Y2FsbA==")));
    assert_eq!(events[6], Event::TextSignature(signed("ZQ==")));
}

#[test]
fn pictures_have_an_event() {
    let stream = sse(&[chunk(json!([{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}])), finish("STOP")]);
    let media = Media::new(MediaKind::Image, MediaSource::Base64("AAAA".to_owned()), Some("image/png".to_owned()));
    assert_eq!(events(&stream)[1], Event::Media(media));
}

#[test]
fn citations_count_characters_of_the_whole_text() {
    let mut last = finish("STOP");
    last["candidates"][0]["groundingMetadata"] = json!({
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
        "groundingSupports": [{"segment": {"startIndex": 11, "endIndex": 16}, "groundingChunkIndices": [0]}],
    });
    let stream = sse(&[chunk(json!([{"text": "Zü"}])), chunk(json!([{"text": "rich is öde."}])), last]);
    let citation = events(&stream).into_iter().find_map(|event| match event {
        Event::Citation(citation) => Some((citation.start, citation.end)),
        _ => None,
    });
    assert_eq!(citation, Some((Some(10), Some(14))));
}

/// A chunk with a call, or a piece of one.
fn piece(call: Value) -> Value {
    chunk(json!([{"functionCall": call}]))
}

#[test]
fn arguments_in_pieces_are_put_together() {
    let stream = sse(&[
        piece(json!({"name": "write", "willContinue": true})),
        piece(
            json!({"partialArgs": [{"jsonPath": "$.items[0].name", "stringValue": "ap", "willContinue": true}], "willContinue": true}),
        ),
        piece(
            json!({"partialArgs": [{"jsonPath": "$.items[0].name", "stringValue": "ple \"x\""}], "willContinue": true}),
        ),
        piece(json!({"partialArgs": [{"jsonPath": "$.items[0].price", "numberValue": 0.50}], "willContinue": true})),
        piece(
            json!({"partialArgs": [{"jsonPath": "$['a key']", "boolValue": true}, {"jsonPath": "$.none", "nullValue": "NULL_VALUE"}], "willContinue": true}),
        ),
        piece(
            json!({"partialArgs": [{"jsonPath": "$.items[1]", "stringValue": ""}, {"jsonPath": "no path", "stringValue": "x"}], "willContinue": true}),
        ),
        piece(json!({})),
        piece(json!({"name": "write", "willContinue": true})),
        piece(json!({"partialArgs": [{"jsonPath": "$.x", "numberValue": 7}]})),
        finish("STOP"),
    ]);
    let events = events(&stream);
    assert_eq!(calls(&events), [(0, "write"), (1, "write")]);
    let arguments = events.iter().filter_map(|event| match event {
        Event::ToolArguments { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let arguments: Vec<_> = arguments.collect();
    let first = r#"{"items":[{"name":"apple \"x\"","price":0.5},""],"a key":true,"none":null}"#;
    assert_eq!(arguments, [first, r#"{"x":7}"#]);
}

#[test]
fn a_piece_of_no_call_is_none() {
    let stream = sse(&[
        piece(json!({})),
        piece(json!({"partialArgs": [{"jsonPath": "$.x", "numberValue": 7}], "willContinue": true})),
        chunk(json!([{"text": "x"}])),
        finish("STOP"),
    ]);
    assert_eq!(calls(&events(&stream)), []);
}

#[test]
fn an_open_call_ends_with_the_stream_but_not_with_a_broken_one() {
    let open = piece(json!({"name": "f", "willContinue": true}));
    assert_eq!(calls(&events(&sse(&[open.clone(), finish("STOP")]))), [(0, "f")]);
    let broken = events(&sse(&[open]));
    assert_eq!(calls(&broken), []);
    assert!(matches!(broken.last(), Some(Event::Error(_))));
}

#[test]
fn paths_that_make_no_sense_cost_nothing() {
    let deep = format!("$.a{}", "[0]".repeat(5_000));
    for path in ["$.a[99999999999]", "$.a[4000000]", "$[", "$.", "$['a", "$.a[-1]", &deep, ""] {
        let stream = sse(&[
            piece(json!({"name": "f", "partialArgs": [{"jsonPath": path, "stringValue": "x"}]})),
            finish("STOP"),
        ]);
        let events = events(&stream);
        assert_eq!(calls(&events), [(0, "f")], "{path}");
    }
}

#[test]
fn a_chunk_larger_than_allowed_is_an_error() {
    let text = "x".repeat(2 * LARGEST_EVENT);
    let stream = sse(&[chunk(json!([{"text": text}])), finish("STOP")]);
    for stream in [stream.clone(), format!("[{}]", &stream[6..stream.len() - 4])] {
        let cuts: Vec<usize> = (0..stream.len()).step_by(60_000).collect();
        let events = events_cut(stream.as_bytes(), &cuts);
        assert!(
            matches!(&events[..], [Event::Error(error)] if error.message.contains("more than 1 MiB")),
            "{:?}",
            events.len()
        );
    }
}

fn streams() -> Vec<String> {
    let bare = "{\n \"error\": {\"code\": 503,\n\"message\": \"é\", \"status\": \"UNAVAILABLE\"}}";
    let chunks = [
        chunk(json!([{"text": "Grüße \"[{}]\" \\", "thought": true}, {"text": "日本"}])),
        chunk(json!([call("f", json!({"a": "}]\"{"})), {"text": "", "thoughtSignature": "ZQ=="}])),
        finish("STOP"),
    ];
    let good = sse(&chunks);
    let array = serde_json::to_string_pretty(&chunks).unwrap();
    let spaced = format!("[{}\r\n,\r\n{}\r\n,\r\n{}]\n", chunks[0], chunks[1], chunks[2]);
    vec![
        format!("{}{bare}", &good[..good.len() / 2]),
        format!("{}{bare}", sse(&chunks[..2])),
        good.replace("\r\n", "\n"),
        good,
        array,
        spaced,
    ]
}

#[test]
fn every_split_in_two_gives_the_same_events() {
    for stream in streams() {
        let whole = events_cut(stream.as_bytes(), &[]);
        for cut in 0..stream.len() {
            assert_eq!(events_cut(stream.as_bytes(), &[cut]), whole, "{stream:?} at {cut}");
        }
        let every: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(events_cut(stream.as_bytes(), &every), whole);
    }
}

#[test]
fn nothing_follows_an_error_in_the_same_chunk() {
    let piece = json!({"functionCall": {"willContinue": true, "partialArgs": [{"jsonPath": "$.a", "stringValue": "x".repeat(600_000), "willContinue": true}]}});
    let begin = json!({"functionCall": {"name": "f", "willContinue": true}});
    let chunk =
        |parts: Value| json!({"candidates": [{"content": {"parts": parts}}], "usageMetadata": {"promptTokenCount": 1}});
    let stream =
        format!("data: {}\n\ndata: {}\n\n", chunk(json!([begin, piece])), chunk(json!([piece, {"text": "behind"}])));
    let events = events_cut(stream.as_bytes(), &[]);
    assert!(matches!(events.last(), Some(Event::Error(_))), "{:?}", events.last());
}

fn is_end(event: Option<&Event>) -> bool {
    matches!(event, Some(Event::Error(_) | Event::Finish { .. }))
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_reason_or_an_error(
        bytes in prop::collection::vec(prop::sample::select(b"[]{}\":, \r\n\\data:x0".to_vec()), 0..200),
        mut cuts in prop::collection::vec(0_usize..200, 0..6),
    ) {
        cuts.sort_unstable();
        let whole = events_cut(&bytes, &[]);
        prop_assert!(is_end(whole.last()), "{whole:?}");
        prop_assert_eq!(events_cut(&bytes, &cuts), whole);
    }

    #[test]
    fn any_mutilation_of_a_stream_is_survived(which in 0_usize..6, at in 0_usize..700, byte: u8, cut in 0_usize..900) {
        let mut stream = streams().swap_remove(which).into_bytes();
        let at = at % stream.len();
        stream[at] = byte;
        let whole = events_cut(&stream, &[]);
        prop_assert!(is_end(whole.last()), "{whole:?}");
        prop_assert_eq!(events_cut(&stream, &[cut]), whole);
    }
}
