//! Streams of providers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{collected, events};
use crate::format::Family;
use crate::ir::{ErrorKind, Event, Finish, Part, Response, Signature};

/// A stream of `data`, with or without `event:` lines.
fn sse(data: &[Value], named: bool) -> String {
    let framed = data.iter().map(|event| {
        let name = event["type"].as_str().unwrap();
        if named { format!("event: {name}\ndata: {event}\n\n") } else { format!("data: {event}\n\n") }
    });
    framed.collect()
}

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "model": "gpt-x", "created_at": 7, "status": "in_progress",
        "output": [], "error": null, "usage": null}})
}

fn completed(output: &Value) -> Value {
    json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "error": null, "output": output,
        "usage": {"input_tokens": 1, "output_tokens": 2}}})
}

fn message(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

fn call(arguments: &str) -> Value {
    json!({"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": arguments})
}

fn delta(r#type: &str, item: &str, index: u64, delta: &str) -> Value {
    json!({"type": format!("response.{type}.delta"), "item_id": item, "output_index": index, "content_index": 0, "delta": delta})
}

fn item(what: &str, index: u64, item: &Value) -> Value {
    json!({"type": format!("response.output_item.{what}"), "output_index": index, "item": item})
}

fn read(data: &[Value]) -> Response {
    let named = events(sse(data, true).as_bytes(), &[]);
    assert_eq!(events((sse(data, false) + "data: [DONE]\n\n").as_bytes(), &[]), named);
    collected(&named)
}

fn parts(data: &[Value]) -> Vec<Part> {
    read(data).choices.remove(0).parts
}

#[test]
fn what_only_the_last_events_hold_is_not_lost() {
    // Only in the whole answer.
    let response = read(&[created(), completed(&json!([message("all"), call("{\"a\":1}")]))]);
    assert_eq!(response.choices[0].finish, Some(Finish::ToolCalls));
    let [Part::Text { text, .. }, Part::ToolCall(known)] = &response.choices[0].parts[..] else {
        panic!("{response:?}")
    };
    assert_eq!((text.as_str(), known.arguments.as_str()), ("all", "{\"a\":1}"));
    // Only in the event that ends an item.
    let ended = [created(), item("done", 0, &message("all")), completed(&json!([message("all")]))];
    assert_eq!(parts(&ended), [Part::text("all")]);
    // Half by deltas.
    let half = [created(), delta("output_text", "msg_1", 0, "al"), completed(&json!([message("all")]))];
    assert_eq!(parts(&half), [Part::text("all")]);
    let half = [
        created(),
        item("added", 0, &call("")),
        delta("function_call_arguments", "fc_1", 0, "{\"a\""),
        completed(&json!([call("{\"a\":1}")])),
    ];
    let [Part::ToolCall(known)] = &parts(&half)[..] else { panic!() };
    assert_eq!(known.arguments, "{\"a\":1}");
}

#[test]
fn nothing_is_told_twice() {
    let whole = message("all");
    let done = json!({"type": "response.output_text.done", "item_id": "msg_1", "output_index": 0, "content_index": 0, "text": "all"});
    let data = [
        created(),
        created(),
        item("added", 0, &json!({"type": "message", "id": "msg_1", "content": []})),
        delta("output_text", "msg_1", 0, "al"),
        delta("output_text", "msg_1", 0, "l"),
        done,
        item("done", 0, &whole),
        item("done", 0, &whole),
        completed(&json!([whole])),
        completed(&json!([whole])),
    ];
    assert_eq!(parts(&data), [Part::text("all")]);
    // Ids that change from event to event, and in the whole answer.
    let renamed = |id: &str| json!({"type": "message", "id": id, "content": [{"type": "output_text", "text": "all"}]});
    let data = [
        created(),
        item("added", 0, &renamed("a")),
        delta("output_text", "b", 0, "all"),
        item("done", 0, &renamed("c")),
        completed(&json!([renamed("d")])),
    ];
    assert_eq!(parts(&data), [Part::text("all")]);
    // All items at one index.
    let data = [
        created(),
        item(
            "done",
            0,
            &json!({"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}),
        ),
        item("done", 0, &json!({"type": "message", "id": "m", "content": [{"type": "output_text", "text": "all"}]})),
        item(
            "added",
            0,
            &json!({"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "g", "arguments": ""}),
        ),
        delta("function_call_arguments", "fc_2", 0, "{\"b\":2}"),
        item(
            "done",
            0,
            &json!({"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "g", "arguments": "{\"b\":2}"}),
        ),
        completed(&json!([])),
    ];
    assert_eq!(parts(&data).len(), 3);
}

#[test]
fn point_03_interleaved_calls_are_numbered_without_a_gap() {
    let named = |id: &str, arguments: &str| json!({"type": "function_call", "id": id, "call_id": format!("call_{id}"), "name": "f", "arguments": arguments});
    let data = [
        created(),
        item("added", 3, &named("a", "")),
        item("added", 5, &named("b", "")),
        delta("function_call_arguments", "b", 5, "{\"b\":"),
        delta("function_call_arguments", "a", 3, "{}"),
        delta("function_call_arguments", "b", 5, "1}"),
        item("done", 5, &named("b", "{\"b\":1}")),
        item("done", 3, &named("a", "{}")),
        completed(&json!([])),
    ];
    let [Part::ToolCall(a), Part::ToolCall(b)] = &parts(&data)[..] else { panic!() };
    assert_eq!((a.id.as_str(), a.arguments.as_str()), ("call_a", "{}"));
    assert_eq!((b.id.as_str(), b.arguments.as_str()), ("call_b", "{\"b\":1}"));
}

#[test]
fn point_02_a_call_that_never_got_arguments_has_an_empty_object() {
    for end in [item("done", 0, &call("")), json!({"type": "response.unknown"})] {
        let [Part::ToolCall(known)] = &parts(&[created(), item("added", 0, &call("")), end, completed(&json!([]))])[..]
        else {
            panic!()
        };
        assert_eq!(known.arguments, "{}");
    }
}

#[test]
fn arguments_before_a_name_wait_for_it() {
    let data = [
        created(),
        delta("function_call_arguments", "fc_1", 0, "{\"a\""),
        delta("function_call_arguments", "fc_1", 0, ":1}"),
        item("done", 0, &call("{\"a\":1}")),
        completed(&json!([call("{\"a\":1}")])),
    ];
    let [Part::ToolCall(known)] = &parts(&data)[..] else { panic!() };
    assert_eq!((known.name.as_str(), known.arguments.as_str()), ("f", "{\"a\":1}"));
}

#[test]
fn thoughts_are_told_once_with_the_last_of_their_signatures() {
    let reasoning = |encrypted: &str, texts: &[&str]| {
        let summary: Vec<_> = texts.iter().map(|text| json!({"type": "summary_text", "text": text})).collect();
        json!({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": encrypted})
    };
    let piece = |index: u64, text: &str| json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": index, "delta": text});
    let data = [
        created(),
        item("added", 0, &reasoning("first", &[])),
        piece(0, "one"),
        piece(1, "two"),
        item("done", 0, &reasoning("second", &["one", "two"])),
        completed(&json!([reasoning("third", &["one", "two"])])),
    ];
    let signature = Some(Signature { family: Family::OpenAi, data: "rs_1:second".to_owned() });
    assert_eq!(parts(&data), [Part::Thinking { text: "one\n\ntwo".to_owned(), signature }]);
    // Open models show the thought itself.
    let data = [created(), delta("reasoning_text", "rs_1", 0, "raw"), completed(&json!([]))];
    assert_eq!(parts(&data), [Part::Thinking { text: "raw".to_owned(), signature: None }]);
}

#[test]
fn refusals_custom_calls_and_log_probabilities_are_read() {
    let data = [created(), delta("refusal", "msg_1", 0, "No"), completed(&json!([]))];
    let response = read(&data);
    assert_eq!(response.choices[0].finish, Some(Finish::ContentFilter));
    assert_eq!(response.choices[0].parts, [Part::Refusal("No".to_owned())]);
    let custom =
        |input: &str| json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "g", "input": input});
    let data = [
        created(),
        item("added", 0, &custom("")),
        delta("custom_tool_call_input", "ctc_1", 0, "4 +"),
        json!({"type": "response.custom_tool_call_input.done", "item_id": "ctc_1", "output_index": 0, "input": "4 + 4"}),
        item("done", 0, &custom("4 + 4")),
        completed(&json!([custom("4 + 4")])),
    ];
    let [Part::ToolCall(known)] = &parts(&data)[..] else { panic!() };
    assert_eq!(known.arguments, "4 + 4");
    let mut text = delta("output_text", "msg_1", 0, "é");
    text["logprobs"] = json!([{"token": "é", "logprob": -0.5, "top_logprobs": [{"token": "e", "logprob": -2.0}]}]);
    let response = read(&[created(), text, completed(&json!([]))]);
    let logprobs: Value = response.choices[0].logprobs.as_ref().unwrap().read().unwrap();
    assert_eq!(
        logprobs["content"],
        json!([{"token": "é", "logprob": -0.5, "top_logprobs": [{"token": "e", "logprob": -2.0, "bytes": [101]}], "bytes": [195, 169]}])
    );
}

#[test]
fn errors_of_both_shapes_end_the_stream_once() {
    let failed = json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "later"}}});
    for (error, kind, message) in [
        (
            json!({"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow"}}),
            ErrorKind::RateLimited,
            "slow",
        ),
        (json!({"type": "error", "code": "server_error", "message": "flat", "param": null}), ErrorKind::Server, "flat"),
        (json!({"type": "response.other"}), ErrorKind::Server, "later"),
        (json!({"type": "", "error": {"message": "as chat does"}}), ErrorKind::Server, "as chat does"),
    ] {
        let data = [created(), delta("output_text", "m", 0, "x"), error, failed.clone(), completed(&json!([]))];
        let events = events(sse(&data, false).as_bytes(), &[]);
        let errors: Vec<_> = events.iter().filter(|event| matches!(event, Event::Error(_))).collect();
        let [Event::Error(error)] = errors[..] else { panic!("{events:?}") };
        assert_eq!((error.kind, error.message.as_str()), (kind, message));
        assert!(matches!(events.last(), Some(Event::Error(_))));
    }
    let bare = sse(&[created()], true) + "{\n  \"error\": {\n    \"message\": \"bare\"\n  }\n}";
    assert!(matches!(events(bare.as_bytes(), &[]).last(), Some(Event::Error(error)) if error.message == "bare"));
}

#[test]
fn point_11_a_stream_that_breaks_off_is_an_error() {
    let data = [created(), delta("output_text", "m", 0, "x"), completed(&json!([]))];
    let whole = sse(&data, true);
    for end in [0, 40, whole.len() / 2, whole.len() - 20] {
        let events = events(&whole.as_bytes()[..end], &[]);
        let Some(Event::Error(error)) = events.last() else { panic!("{end}: {events:?}") };
        assert_eq!(error.code.as_deref(), Some("upstream_stream_truncated"));
    }
    // But for the empty line behind the last event, nothing is missing.
    assert!(matches!(events(whole.trim_end().as_bytes(), &[]).last(), Some(Event::Finish { .. })));
}

#[test]
fn wild_ids_and_indices_do_not_fill_the_memory() {
    let mut data = vec![created()];
    for n in 0..3_000_u64 {
        let (id, far) = (format!("msg_{n}"), u64::MAX - n);
        data.push(json!({"type": "response.output_text.delta", "item_id": id, "output_index": far, "content_index": far, "delta": "x"}));
    }
    data.push(completed(&json!([])));
    assert_eq!(parts(&data), [Part::text("x".repeat(3_000))]);
}

#[test]
fn a_background_answer_that_was_cancelled_is_an_error() {
    let data = [created(), json!({"type": "response.cancelled", "response": {"status": "cancelled"}})];
    assert!(matches!(events(sse(&data, true).as_bytes(), &[]).last(), Some(Event::Error(_))));
}

proptest! {
    #[test]
    fn any_split_gives_the_same(cuts in prop::collection::vec(0_usize..2_000, 0..12), crlf: bool) {
        let data = [
            created(),
            item("added", 0, &call("")),
            delta("function_call_arguments", "fc_1", 0, "{\"ä\":1}"),
            item("done", 0, &call("{\"ä\":1}")),
            delta("output_text", "msg_2", 1, "Olá 🌍"),
            completed(&json!([])),
        ];
        let mut text = String::from(": a comment\n\n") + &sse(&data, true);
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let mut cuts = cuts;
        cuts.sort_unstable();
        prop_assert_eq!(events(text.as_bytes(), &cuts), events(text.as_bytes(), &[]));
    }

    #[test]
    fn no_bytes_panic_and_the_end_is_told(bytes in prop::collection::vec(any::<u8>(), 0..300), json in "[\\[\\]{}:,\"a-z0-9]{0,80}") {
        let told = events(&bytes, &[7, 50]);
        let ended = matches!(told.last(), Some(Event::Error(_) | Event::Finish { .. }));
        prop_assert!(ended);
        let framed = format!("data: {{\"type\":\"response.output_item.done\",\"item\":{json}}}\n\n");
        let told = events(framed.as_bytes(), &[]);
        prop_assert!(matches!(told.last(), Some(Event::Error(_))));
    }
}

#[test]
fn a_tier_that_is_open_yet_is_nobodys() {
    for (said, served) in [("auto", None), ("flex", Some("flex"))] {
        let stream = format!(
            "event: response.created\ndata: {}\n\n",
            json!({"type": "response.created", "sequence_number": 0, "response": {"id": "r", "object": "response",
                "service_tier": said, "output": []}})
        );
        let told = events(stream.as_bytes(), &[]);
        let Some(Event::Start(start)) = told.first() else { panic!("{told:?}") };
        assert_eq!(start.service_tier.as_deref(), served);
    }
}

#[test]
fn an_item_that_is_told_whole_ends_its_own_call_whatever_its_id() {
    let item = |id: &str| json!({"type": "function_call", "id": id, "call_id": format!("call_{id}"), "name": "f", "arguments": "{}"});
    let added =
        |index: u64, id: &str| json!({"type": "response.output_item.added", "output_index": index, "item": item(id)});
    // Neither id nor index: of the one that is not whole yet.
    let done =
        json!({"type": "response.output_item.done", "item": {"type": "function_call", "name": "f", "arguments": "{}"}});
    let end = json!({"type": "response.completed", "response": {"status": "completed", "output": []}});
    let told = events(sse(&[added(0, "a"), added(1, "b"), done.clone(), done, end], true).as_bytes(), &[]);
    let ends: Vec<_> = told.iter().filter(|event| matches!(event, Event::ToolEnd { .. })).collect();
    assert_eq!(ends, [&Event::ToolEnd { call: 1 }, &Event::ToolEnd { call: 0 }]);
}

#[test]
fn calls_without_end_are_an_error() {
    let added = |at: u64| json!({"type": "response.output_item.added", "output_index": at, "item": {"type": "function_call", "id": format!("m{at}"), "name": "f"}});
    let many: Vec<Value> = (0..2_000).map(added).collect();
    let piece = "x".repeat(300_000);
    let nameless = |at: u64| json!({"type": "response.function_call_arguments.delta", "output_index": at, "item_id": format!("f{at}"), "delta": piece});
    let held: Vec<Value> = (0..4).map(nameless).collect();
    for stream in [many, held] {
        let told = events(sse(&stream, true).as_bytes(), &[]);
        let Some(Event::Error(error)) = told.last() else { panic!() };
        assert_eq!(error.code.as_deref(), Some("bad_upstream_response"));
    }
}
