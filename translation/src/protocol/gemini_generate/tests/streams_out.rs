//! A stream for a client (`docs/CONFORMANCE.md` section 8).

use serde_json::{Value, json};

use super::scenes::{asked, collected, events, written};
use crate::format::Family;
use crate::ir::{CallKind, Citation, ErrorKind, Event, Finish, ProviderError, Signature, Start, Usage};
use crate::protocol::contract::Protocol as _;
use crate::protocol::gemini_generate::{GeminiGenerate, array_encoder};

fn start() -> Event {
    Event::Start(Start { id: Some("msg_1".to_owned()), ..Start::default() })
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

fn end(reason: Finish) -> Event {
    Event::Finish { reason, stop_sequence: None }
}

fn call(number: usize, pieces: &[&str]) -> Vec<Event> {
    let (id, name, kind) = (format!("toolu_{number}"), "f".to_owned(), CallKind::Function);
    let mut events = vec![Event::ToolStart { call: number, id, name, kind, signature: None }];
    events.extend(pieces.iter().map(|piece| Event::ToolArguments { call: number, text: (*piece).to_owned() }));
    events.push(Event::ToolEnd { call: number });
    events
}

fn frames(events: &[Event]) -> Vec<Value> {
    let stream = written(&mut *GeminiGenerate.encoder(asked("gemini-pro-latest")), events);
    let frames = stream.strip_suffix("\r\n\r\n").unwrap().split("\r\n\r\n");
    frames.map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

#[test]
fn frames_are_data_lines_ended_by_crlf_and_nothing_else() {
    let stream = written(&mut *GeminiGenerate.encoder(asked("m")), &[start(), text("Hi"), end(Finish::Stop)]);
    let wanted = concat!(
        r#"data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"msg_1"}"#,
        "\r\n\r\n",
        r#"data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"#,
        r#""usageMetadata":{"promptTokenCount":0,"candidatesTokenCount":0,"totalTokenCount":0},"modelVersion":"m","responseId":"msg_1"}"#,
        "\r\n\r\n",
    );
    assert_eq!(stream, wanted);
    let encoder = GeminiGenerate.encoder(asked("m"));
    assert_eq!((encoder.content_type(), encoder.keep_alive()), ("text/event-stream", &b""[..]));
}

#[test]
fn a_call_is_written_when_its_arguments_are_whole() {
    let mut all = vec![start()];
    let (one, two) = (call(0, &["{\"a\":", "1.0}"]), call(1, &["{}"]));
    // They may come interleaved.
    all.extend([
        one[0].clone(),
        two[0].clone(),
        one[1].clone(),
        two[1].clone(),
        one[2].clone(),
        one[3].clone(),
        two[2].clone(),
    ]);
    all.push(end(Finish::ToolCalls));
    let frames = frames(&all);
    assert_eq!(frames.len(), 3);
    let part = |frame: &Value| frame["candidates"][0]["content"]["parts"][0].clone();
    assert_eq!(part(&frames[0]), json!({"functionCall": {"id": "toolu_0", "name": "f", "args": {"a": 1.0}}}));
    assert_eq!(part(&frames[1])["functionCall"]["id"], "toolu_1");
    assert_eq!(frames[2]["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn counts_come_with_the_reason() {
    let usage = Usage { input: 5, output: 9, reasoning: 4, ..Usage::default() };
    let frames =
        frames(&[start(), text("x"), Event::Usage(Usage::default()), Event::Usage(usage), end(Finish::Length)]);
    assert!(frames[0]["usageMetadata"].is_null());
    let wanted =
        json!({"promptTokenCount": 5, "candidatesTokenCount": 5, "thoughtsTokenCount": 4, "totalTokenCount": 14});
    assert_eq!(frames[1]["usageMetadata"], wanted);
    assert_eq!(frames[1]["candidates"][0]["finishReason"], "MAX_TOKENS");
}

#[test]
fn signatures_of_any_family_are_base64_and_come_back() {
    let all = [
        start(),
        Event::Thinking("hm".to_owned()),
        Event::ThinkingSignature(Signature { family: Family::Anthropic, data: "Eq+/opaque==".to_owned() }),
        Event::RedactedThinking(Signature { family: Family::OpenAi, data: "gAAAA-x_".to_owned() }),
        text("x"),
        Event::TextSignature(Signature { family: Family::Gemini, data: "c2ln".to_owned() }),
        end(Finish::Stop),
    ];
    let parts: Vec<Value> =
        frames(&all).iter().map(|frame| frame["candidates"][0]["content"]["parts"][0].clone()).collect();
    assert_eq!(parts[4]["thoughtSignature"], "c2ln");
    for part in &parts[1..3] {
        use base64::Engine as _;
        let signature = part["thoughtSignature"].as_str().unwrap();
        assert!(base64::engine::general_purpose::STANDARD.decode(signature).is_ok());
        assert_eq!(part["thought"], true);
    }
    // The client sends back what it got: Google's Python SDK in the alphabet of URLs.
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "?"}]}, {"role": "model", "parts": parts}, {"role": "user", "parts": [{"text": "?"}]}]});
    let body = body.to_string().replace("\"thoughtSignature\"", "\"thought_signature\"").replace('+', "-");
    let request = GeminiGenerate.decode_request(body.as_bytes()).unwrap();
    let given = request.messages[1].parts.iter().filter_map(|part| match part {
        crate::ir::Part::Thinking { signature: Some(signature), .. } => Some((signature.clone(), false)),
        crate::ir::Part::RedactedThinking(signature) => Some((signature.clone(), true)),
        _ => None,
    });
    let given: Vec<_> = given.collect();
    let signed = |family, data: &str| Signature { family, data: data.to_owned() };
    assert_eq!(given, [(signed(Family::Anthropic, "Eq+/opaque=="), false), (signed(Family::OpenAi, "gAAAA-x_"), true)]);
}

#[test]
fn point_10_an_error_is_a_frame_of_its_own() {
    let error = Event::Error(ProviderError::new(ErrorKind::Overloaded, "high demand"));
    let frames = frames(&[start(), text("x"), error]);
    assert_eq!(frames[1], json!({"error": {"code": 503, "message": "high demand", "status": "UNAVAILABLE"}}));
}

#[test]
fn an_array_is_json_whatever_happens() {
    let array = |events: &[Event]| -> Value {
        serde_json::from_str(&written(&mut *array_encoder(asked("m")), events)).unwrap()
    };
    let whole = array(&[start(), text("a"), text("b"), end(Finish::Stop)]);
    assert_eq!(whole.as_array().unwrap().len(), 3);
    let broken = array(&[start(), text("a"), Event::Error(ProviderError::truncated())]);
    assert_eq!(broken[1]["error"]["status"], "INTERNAL");
    assert_eq!(array(&[Event::Error(ProviderError::truncated())])[0]["error"]["code"], 502);
    assert_eq!(array(&[]), json!([]));
    let encoder = array_encoder(asked("m"));
    assert_eq!(encoder.content_type(), "application/json");
    assert!(encoder.keep_alive().iter().all(u8::is_ascii_whitespace));
    let text = written(&mut *array_encoder(asked("m")), &[start(), text("a"), end(Finish::Stop)]);
    assert!(text.contains("},\r\n{"), "{text}");
}

#[test]
fn a_refusal_stands_beside_the_reason() {
    let refusal = |text: &str| Event::Refusal(text.to_owned());
    let frames = frames(&[start(), refusal("I will "), refusal("not."), end(Finish::Stop)]);
    let candidate = &frames[0]["candidates"][0];
    assert_eq!((&candidate["finishReason"], &candidate["finishMessage"]), (&json!("SAFETY"), &json!("I will not.")));
}

#[test]
fn citations_point_into_the_text_that_was_streamed() {
    let citation = Citation {
        url: Some("https://a".to_owned()),
        title: Some("A".to_owned()),
        start: Some(10),
        end: Some(14),
        quote: None,
    };
    let all = [start(), text("Zü"), text("rich is öde."), Event::Citation(citation.clone()), end(Finish::Stop)];
    let stream = written(&mut *GeminiGenerate.encoder(asked("m")), &all);
    let segment = &frames(&all)[2]["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"];
    assert_eq!((&segment["startIndex"], &segment["endIndex"]), (&json!(11), &json!(16)));
    assert!(events(&stream).contains(&Event::Citation(citation)));
}

#[test]
fn what_is_written_reads_to_the_same() {
    let mut all = vec![start(), Event::Thinking("t".to_owned()), text("a \"b\"\n")];
    all.extend(call(0, &["{\"big\":12345678901234567890123}"]));
    all.push(end(Finish::ToolCalls));
    let stream = written(&mut *GeminiGenerate.encoder(asked("m")), &all);
    let (mut wanted, mut again) = (collected(&all), collected(&events(&stream)));
    for response in [&mut wanted, &mut again] {
        response.usage.get_or_insert_default();
        response.model = None;
    }
    assert_eq!(wanted, again);
}

#[test]
fn calls_are_told_in_their_order_however_they_end() {
    let start_of = |number: usize| call(number, &[])[0].clone();
    let mut all = vec![start(), start_of(0), start_of(1), start_of(2)];
    let arguments = |call: usize| Event::ToolArguments { call, text: format!("{{\"n\":{call}}}") };
    for call in [2, 0, 1] {
        all.extend([arguments(call), Event::ToolEnd { call }]);
    }
    all.push(end(Finish::ToolCalls));
    let told: Vec<_> = frames(&all)
        .iter()
        .filter_map(|frame| frame["candidates"][0]["content"]["parts"][0]["functionCall"]["args"]["n"].as_u64())
        .collect();
    assert_eq!(told, [0, 1, 2]);
    // One that never ends is left out, and the others are told all the same.
    all.retain(|event| *event != Event::ToolEnd { call: 0 });
    let ids: Vec<_> = frames(&all)
        .iter()
        .filter_map(|frame| frame["candidates"][0]["content"]["parts"][0]["functionCall"]["args"]["n"].as_u64())
        .collect();
    assert_eq!(ids, [1, 2]);
}
