//! Streams (`docs/TRANSLATION.md` section 4).

use std::fmt::Write as _;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::super::stream::LARGEST_FRAME;
use super::{decode, decode_in, error_of, event, frame, metadata, stop, stream, text};
use crate::format::Family;
use crate::ir::{CallKind, Collector, ErrorKind, Event, Finish, Part, Start, Usage};

fn started() -> Event {
    Event::Start(Start::default())
}

fn finished(reason: Finish) -> Event {
    Event::Finish { reason, stop_sequence: None }
}

fn usage(input: u64, output: u64) -> Event {
    Event::Usage(Usage { input, output, ..Usage::default() })
}

fn tool_start(index: u64, id: &str, name: &str) -> serde_json::Value {
    json!({"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": name}}}})
}

fn tool_input(index: u64, input: &str) -> serde_json::Value {
    json!({"contentBlockDelta": {"contentBlockIndex": index, "delta": {"toolUse": {"input": input}}}})
}

fn block_stop(index: u64) -> serde_json::Value {
    json!({"contentBlockStop": {"contentBlockIndex": index}})
}

#[test]
fn text_usage_and_reason() {
    let role = json!({"messageStart": {"role": "assistant", "p": "abcdef"}});
    let events = decode(&[role, text("OK"), text(""), text("."), block_stop(0), stop("end_turn"), metadata(12, 5)]);
    let texts = [Event::Text("OK".to_owned()), Event::Text(".".to_owned())];
    let [first, second] = texts;
    assert_eq!(events, [started(), first, second, usage(12, 5), finished(Finish::Stop)]);
}

#[test]
fn what_it_cost_may_come_before_the_reason() {
    let events = decode(&[text("a"), metadata(1, 2), stop("max_tokens")]);
    assert_eq!(events, [started(), Event::Text("a".to_owned()), usage(1, 2), finished(Finish::Length)]);
}

#[test]
fn a_stream_whose_cost_never_comes_is_whole_all_the_same() {
    assert_eq!(decode(&[text("a"), stop("end_turn")]).last(), Some(&finished(Finish::Stop)));
}

#[test]
fn point_03_tool_index_is_dense() {
    let events = decode(&[
        text("Let me see."),
        block_stop(0),
        tool_start(1, "t1", "a"),
        tool_input(1, "{\"x\":"),
        tool_start(3, "t3", "b"),
        tool_input(3, "{}"),
        tool_input(1, "1}"),
        block_stop(1),
        block_stop(3),
        stop("tool_use"),
        metadata(1, 1),
    ]);
    let call = |call, id: &str, name: &str| Event::ToolStart {
        call,
        id: id.to_owned(),
        name: name.to_owned(),
        kind: CallKind::Function,
        signature: None,
    };
    let arguments = |call, text: &str| Event::ToolArguments { call, text: text.to_owned() };
    assert_eq!(
        events[2..events.len() - 2],
        [
            call(0, "t1", "a"),
            arguments(0, "{\"x\":"),
            call(1, "t3", "b"),
            arguments(1, "{}"),
            arguments(0, "1}"),
            Event::ToolEnd { call: 0 },
            Event::ToolEnd { call: 1 },
        ]
    );
    assert_eq!(events.last(), Some(&finished(Finish::ToolCalls)));
}

#[test]
fn point_02_arguments_that_never_come_are_an_empty_object() {
    let events = decode(&[tool_start(0, "t", "a"), tool_input(0, ""), block_stop(0), stop("tool_use")]);
    assert!(events.contains(&Event::ToolArguments { call: 0, text: "{}".to_owned() }));
    // Nor does the end of the block have to come.
    let events = decode(&[tool_start(0, "t", "a"), stop("tool_use")]);
    let ended = [Event::ToolArguments { call: 0, text: "{}".to_owned() }, Event::ToolEnd { call: 0 }];
    assert_eq!(events[2..4], ended);
}

#[test]
fn point_05_calls_make_the_reason_whatever_the_provider_says() {
    let events = decode(&[tool_start(0, "t", "a"), block_stop(0), stop("end_turn")]);
    assert_eq!(events.last(), Some(&finished(Finish::ToolCalls)));
}

#[test]
fn point_06_reasons() {
    for (reason, finish) in [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::Stop),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("guardrail_intervened", Finish::ContentFilter),
        ("content_filtered", Finish::ContentFilter),
        ("malformed_model_output", Finish::Stop),
        ("of_next_year", Finish::Stop),
    ] {
        assert_eq!(decode(&[text("a"), stop(reason)]).last(), Some(&finished(finish)), "{reason}");
    }
}

#[test]
fn point_12_an_answer_that_is_withheld_is_a_refusal() {
    let events = decode(&[json!({"messageStart": {"role": "assistant"}}), stop("content_filtered"), metadata(3, 0)]);
    assert!(matches!(&events[1], Event::Refusal(text) if text.contains("safety")), "{events:?}");
    assert_eq!(events.last(), Some(&finished(Finish::ContentFilter)));
}

#[test]
fn output_that_bedrock_could_not_read_is_an_error_where_nothing_came_before() {
    let events = decode(&[json!({"messageStart": {"role": "assistant"}}), stop("malformed_tool_use")]);
    assert_eq!(error_of(&events).code.as_deref(), Some("malformed_model_output"));
}

#[test]
fn point_21_thoughts_are_signed_where_they_end() {
    let thought = |delta: serde_json::Value| json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": delta}}});
    let events = decode(&[
        thought(json!({"text": "Hm"})),
        thought(json!({"text": ""})),
        thought(json!({"signature": "Ep0"})),
        thought(json!({"signature": "CCg="})),
        block_stop(0),
        json!({"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"reasoningContent": {"redactedContent": "RW1w"}}}}),
        block_stop(1),
        json!({"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"text": "a"}}}),
        stop("end_turn"),
    ]);
    let Event::ThinkingSignature(signature) = &events[2] else { panic!("{events:?}") };
    assert_eq!((signature.family, &*signature.data), (Family::Anthropic, "Ep0CCg="));
    assert!(matches!(&events[3], Event::RedactedThinking(signature) if signature.data == "RW1w"));
}

#[test]
fn reasoning_that_opens_nowhere_else_is_left_out() {
    // That of OpenAI's models: `rsn_…` in base64.
    let redacted = json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"redactedContent": "cnNuX3BVUGg="}}}});
    assert_eq!(decode(&[redacted, stop("end_turn")]), [started(), finished(Finish::Stop)]);
}

#[test]
fn point_24_tools_that_ran_at_the_provider_are_not_shown() {
    let server = json!({"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "s", "name": "web", "type": "server_tool_use"}}}});
    let result = json!({"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "s"}}}});
    let inside = json!({"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolResult": [{"text": "found"}]}}});
    let own = json!({"contentBlockStart": {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "a", "type": "tool_use"}}}});
    let events = decode(&[server, tool_input(0, "{}"), block_stop(0), result, inside, own, stop("tool_use")]);
    let starts: Vec<_> = events.iter().filter(|event| matches!(event, Event::ToolStart { .. })).collect();
    assert!(matches!(starts[..], [Event::ToolStart { call: 0, .. }]), "{events:?}");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::ToolArguments { .. })).count(), 1);
}

#[test]
fn citations_are_of_the_text_of_their_block() {
    let citation = json!({"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"citation": {
        "title": "T", "sourceContent": [{"text": "said "}, {"text": "so"}], "location": {"web": {"url": "https://a.example"}},
    }}}});
    let cited = json!({"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "née"}}});
    let events = decode(&[text("Es "), block_stop(0), citation, cited, block_stop(1), stop("end_turn")]);
    let Event::Citation(citation) = &events[3] else { panic!("{events:?}") };
    assert_eq!((citation.start, citation.end), (Some(3), Some(6)));
    assert_eq!(citation.url.as_deref(), Some("https://a.example"));
    assert_eq!(citation.quote.as_deref(), Some("said so"));
}

#[test]
fn the_text_that_ended_the_answer() {
    let stop = json!({"messageStop": {"stopReason": "stop_sequence", "additionalModelResponseFields": {"delta": {"stop_sequence": "END"}}}});
    let end = Event::Finish { reason: Finish::Stop, stop_sequence: Some("END".to_owned()) };
    assert_eq!(decode(&[text("a"), stop]).last(), Some(&end));
}

#[test]
fn point_10_an_exception_within_the_stream_is_an_error() {
    for (name, kind, status) in [
        ("throttlingException", ErrorKind::RateLimited, 429),
        ("validationException", ErrorKind::InvalidRequest, 400),
        ("internalServerException", ErrorKind::Server, 502),
        ("serviceUnavailableException", ErrorKind::Overloaded, 503),
        ("modelStreamErrorException", ErrorKind::Server, 502),
        ("modelTimeoutException", ErrorKind::Timeout, 504),
        ("ofNextYearException", ErrorKind::Server, 502),
    ] {
        let events = decode(&[text("a"), json!({name: {"message": "No."}}), stop("end_turn")]);
        let error = error_of(&events);
        assert_eq!((error.kind, error.status, &*error.message), (kind, status, "No."), "{name}");
        assert_eq!(error.provider_type.as_deref(), Some(name));
    }
    let both = json!({"modelStreamErrorException": {"message": "Model Stream Error", "originalStatusCode": 500, "originalMessage": "It failed."}});
    assert_eq!(error_of(&decode(&[both])).message, "It failed.");
}

#[test]
fn an_error_without_a_model_is_one_too() {
    let headers = [(":message-type", "error"), (":error-code", "InternalServerError"), (":error-message", "Broken.")];
    let bytes = frame(&headers, "");
    assert_eq!(error_of(&decode_in(&bytes, 7)).message, "Broken.");
}

#[test]
fn point_11_a_stream_that_breaks_off_is_an_error() {
    for cut in [vec![], vec![text("a")], vec![text("a"), metadata(1, 1)]] {
        let error = decode(&cut);
        assert_eq!(error_of(&error).code.as_deref(), Some("upstream_stream_truncated"), "{cut:?}");
    }
    let whole = stream(&[text("a"), stop("end_turn"), metadata(1, 1)]);
    for end in 1..whole.len() {
        let cut = whole.slice(..end);
        let events = decode_in(&cut, cut.len());
        let between = end == stream(&[text("a"), stop("end_turn")]).len();
        assert_eq!(matches!(events.last(), Some(Event::Error(_))), !between, "{end}");
    }
}

#[test]
fn what_is_not_known_is_skipped() {
    let events = decode(&[
        json!({"ofNextYear": {"a": 1}}),
        json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"hologram": {}}}}),
        json!({"contentBlockDelta": {"contentBlockIndex": "zero", "delta": {"text": "lost"}}}),
        json!({"contentBlockDelta": {"contentBlockIndex": 0}}),
        tool_input(9, "{}"),
        block_stop(9),
        text("a"),
        json!({"metadata": {"usage": "free"}}),
        stop("end_turn"),
    ]);
    assert_eq!(events, [started(), Event::Text("a".to_owned()), finished(Finish::Stop)]);
}

#[test]
fn what_is_no_event_stream_is_an_error() {
    let bad = |bytes: &[u8]| {
        let events = decode_in(&Bytes::copy_from_slice(bytes), 3);
        error_of(&events).code.clone()
    };
    assert_eq!(bad(b"event: message\ndata: {}\n\n").as_deref(), Some("bad_upstream_response"));
    assert_eq!(bad(&[0, 0, 0, 3, 1, 2, 3, 4, 5]).as_deref(), Some("bad_upstream_response"));
    let mut damaged = event(&text("a")).to_vec();
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    assert_eq!(bad(&damaged).as_deref(), Some("bad_upstream_response"));
    let headers = [(":message-type", "event"), (":event-type", "contentBlockDelta")];
    assert_eq!(bad(&frame(&headers, "{oops")).as_deref(), Some("bad_upstream_response"));
}

#[test]
fn a_frame_is_bounded() {
    let length = u32::try_from(LARGEST_FRAME + 1).unwrap();
    let events = decode_in(&Bytes::copy_from_slice(&length.to_be_bytes()), 4);
    assert_eq!(error_of(&events).code.as_deref(), Some("bad_upstream_response"));
    let large = "a".repeat(LARGEST_FRAME - 1000);
    let bytes = stream(&[text(&large), stop("end_turn")]);
    assert_eq!(decode_in(&bytes, 16 * 1024)[1], Event::Text(large));
}

#[test]
fn a_picture_is_media() {
    let start = json!({"contentBlockStart": {"contentBlockIndex": 0, "start": {"image": {"format": "webp"}}}});
    let delta =
        json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"image": {"source": {"bytes": "UklGRg=="}}}}});
    let events = decode(&[start, delta, block_stop(0), stop("end_turn")]);
    assert!(matches!(&events[1], Event::Media(media) if media.mime.as_deref() == Some("image/webp")), "{events:?}");
}

#[test]
fn a_stream_is_the_answer_in_pieces() {
    let events = decode(&[
        text("a"),
        text("b"),
        block_stop(0),
        tool_start(1, "t", "f"),
        tool_input(1, "{}"),
        stop("tool_use"),
        metadata(2, 3),
    ]);
    let mut collector = Collector::default();
    for event in events {
        collector.event(event).unwrap();
    }
    let whole = collector.finish().unwrap();
    assert_eq!(whole.choices[0].parts[0], Part::text("ab"));
    assert!(matches!(&whole.choices[0].parts[1], Part::ToolCall(call) if call.arguments == "{}"));
    assert_eq!(whole.usage.unwrap().total(), 5);
}

#[test]
fn ids_differ_a_call_has_a_name_and_nothing_is_said_behind_the_end() {
    let events = decode(&[
        tool_start(0, "t", "a"),
        block_stop(0),
        tool_start(1, "t", "a"),
        block_stop(1),
        tool_start(2, "u", ""),
        block_stop(2),
        stop("tool_use"),
        tool_start(3, "v", "a"),
        text("late"),
        metadata(1, 1),
    ]);
    let ids: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::ToolStart { id, .. } => Some(id.as_str()),
            _ => None,
        })
        .collect();
    assert!(matches!(ids[..], ["t", other] if other != "t"), "{ids:?}");
    assert!(!events.contains(&Event::Text("late".to_owned())));
    assert_eq!(events.last(), Some(&finished(Finish::ToolCalls)));
}

#[test]
fn what_waits_for_the_end_of_blocks_is_limited_over_all_of_them() {
    let signature = "s".repeat(300_000);
    let signed = |index: u64| json!({"contentBlockDelta": {"contentBlockIndex": index, "delta": {"reasoningContent": {"signature": signature}}}});
    let together: Vec<_> = (0..4).map(signed).collect();
    assert!(matches!(decode(&together).last(), Some(Event::Error(error)) if error.kind == ErrorKind::Server));
    let apart: Vec<_> = (0..4).flat_map(|index| [signed(index), block_stop(index)]).chain([stop("end_turn")]).collect();
    assert_eq!(decode(&apart).last(), Some(&finished(Finish::Stop)));
}

fn long() -> Bytes {
    let mut words = String::new();
    for number in 0..40 {
        write!(words, "{number} é ").unwrap();
    }
    let thought = json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": words, "signature": "s"}}}});
    let own = json!({"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": words}}});
    let (call, input) = (tool_start(2, "t", "f"), tool_input(2, "{\"a\":12345678901234567890}"));
    let tail = [block_stop(2), stop("tool_use"), metadata(7, 9)];
    stream(&[vec![thought, block_stop(0), own, block_stop(1), call, input], tail.to_vec()].concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(portion in 1_usize..200) {
        let bytes = long();
        prop_assert_eq!(decode_in(&bytes, portion), decode_in(&bytes, bytes.len()));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600), portion in 1_usize..50) {
        let bytes = Bytes::from(bytes);
        prop_assert_eq!(decode_in(&bytes, portion), decode_in(&bytes, bytes.len().max(1)));
    }

    #[test]
    fn arbitrary_frames_do_no_harm(
        headers in proptest::collection::vec(any::<u8>(), 0..80),
        payload in proptest::collection::vec(any::<u8>(), 0..80),
        claimed in 0_u32..120,
    ) {
        // The checksums are right, so that what is behind them is read.
        let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
        let mut bytes = [total.to_be_bytes(), claimed.to_be_bytes()].concat();
        bytes.extend(crc(&bytes).to_be_bytes());
        bytes.extend(&headers);
        bytes.extend(&payload);
        bytes.extend(crc(&bytes).to_be_bytes());
        let bytes = Bytes::from(bytes);
        prop_assert!(!decode_in(&bytes, bytes.len()).is_empty());
    }

    #[test]
    fn damage_anywhere_is_noticed_or_harmless(at in 0_usize..400, by in 1_u8..) {
        let mut bytes = stream(&[text("a"), stop("end_turn"), metadata(1, 1)]).to_vec();
        let at = at % bytes.len();
        bytes[at] ^= by;
        let bytes = Bytes::from(bytes);
        // Each frame has a checksum of all its bytes.
        prop_assert!(matches!(decode_in(&bytes, 9).last(), Some(Event::Error(_))) || at >= stream(&[text("a"), stop("end_turn")]).len());
    }
}

/// CRC-32, of which the frames have two.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}
