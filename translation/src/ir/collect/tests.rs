use super::Collector;
use crate::format::Family;
use crate::ir::{CallKind, Choice, Citation, Event, Finish, Part, Response, Signature, ToolCall, Usage};
use crate::json::Json;

fn signature() -> Signature {
    Signature { family: Family::Anthropic, data: "c2ln".to_owned() }
}

fn answer() -> Response {
    let citation = Citation { url: Some("https://x".to_owned()), start: Some(1), end: Some(2), ..Citation::default() };
    let cited = Part::Text { text: "né".to_owned(), cache: None, citations: vec![citation], signature: None };
    let call = |id: &str, arguments: &str| {
        let (id, arguments) = (id.to_owned(), arguments.to_owned());
        let name = "f".to_owned();
        Part::ToolCall(ToolCall { id, name, arguments, kind: CallKind::Function, signature: None, cache: None })
    };
    let choice = Choice {
        parts: vec![
            Part::Thinking { text: "hm".to_owned(), signature: Some(signature()) },
            Part::Thinking { text: String::new(), signature: Some(signature()) },
            Part::RedactedThinking(signature()),
            Part::text("a"),
            Part::Refusal("no".to_owned()),
            cited,
            call("1", "{}"),
            call("2", r#"{"a":1}"#),
        ],
        finish: Some(Finish::ToolCalls),
        stop_sequence: Some("x".to_owned()),
        logprobs: Some(Json::of(&serde_json::json!({"content": [{"token": "a"}]}))),
    };
    let usage = Some(Usage { input: 3, output: 4, ..Usage::default() });
    Response {
        id: Some("i".to_owned()),
        model: Some("m".to_owned()),
        created: Some(5),
        choices: vec![choice],
        usage,
        service_tier: None,
    }
}

#[test]
fn an_answer_told_as_a_stream_and_collected_is_the_same() {
    let mut collector = Collector::default();
    for event in answer().into_events() {
        collector.event(event).unwrap();
    }
    assert_eq!(collector.finish().unwrap(), answer());
}

#[test]
fn pieces_are_put_together() {
    let mut collector = Collector::default();
    for text in ["a", "b"] {
        collector.event(Event::Text(text.to_owned())).unwrap();
    }
    collector.event(Event::Finish { reason: Finish::Stop, stop_sequence: None }).unwrap();
    assert_eq!(collector.finish().unwrap().choices[0].parts, [Part::text("ab")]);
}

#[test]
fn a_stream_that_breaks_off_is_no_answer() {
    let mut collector = Collector::default();
    collector.event(Event::Text("a".to_owned())).unwrap();
    assert_eq!(collector.finish().unwrap_err().code.unwrap(), "upstream_stream_truncated");
}

#[test]
fn a_citation_belongs_to_the_text_that_it_counts_in() {
    let citation = |start, end| Citation { start, end, ..Citation::default() };
    let mut collector = Collector::default();
    for event in [
        Event::Text("né".to_owned()),
        Event::Thinking("t".to_owned()),
        Event::Text("two".to_owned()),
        // Of the text before, told when the next has begun.
        Event::Citation(citation(Some(1), Some(2))),
        Event::Citation(citation(Some(2), Some(4))),
        Event::Citation(citation(None, None)),
        Event::Finish { reason: Finish::Stop, stop_sequence: None },
    ] {
        collector.event(event).unwrap();
    }
    let response = collector.finish().unwrap();
    let found: Vec<Vec<_>> = response.choices[0]
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { citations, .. } => Some(citations.iter().map(|found| (found.start, found.end)).collect()),
            _ => None,
        })
        .collect();
    assert_eq!(found, [vec![(Some(1), Some(2))], vec![(Some(0), Some(2)), (None, None)]]);
}
