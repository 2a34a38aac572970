use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::Back;
use crate::ir::{CallKind, Choice, Event, Finish, Part, ProviderError, Response, Start, ToolCall};

fn call(name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: format!("id-{name}"),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kind: CallKind::Function,
        signature: None,
        cache: None,
    })
}

fn undone(back: &Back, parts: Vec<Part>, finish: Finish) -> Choice {
    let choice = Choice { parts, finish: Some(finish), ..Choice::default() };
    let mut response = Response { choices: vec![choice], ..Response::default() };
    back.response(&mut response);
    response.choices.remove(0)
}

/// The same through the stream, texts joined.
fn streamed(back: &Back, parts: &[Part], finish: Finish, pieces: usize) -> Choice {
    let mut events = vec![Event::Start(Start::default())];
    let mut calls = 0;
    let chunks = |text: &str| -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        chars.chunks(pieces.max(1)).map(|chunk| chunk.iter().collect()).collect()
    };
    for part in parts {
        match part {
            Part::Text { text, .. } => events.extend(chunks(text).into_iter().map(Event::Text)),
            Part::ToolCall(call) => {
                let (id, name, kind) = (call.id.clone(), call.name.clone(), call.kind);
                events.push(Event::ToolStart { call: calls, id, name, kind, signature: None });
                events
                    .extend(chunks(&call.arguments).into_iter().map(|text| Event::ToolArguments { call: calls, text }));
                events.push(Event::ToolEnd { call: calls });
                calls += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    events.push(Event::Finish { reason: finish, stop_sequence: None });
    let mut undo = back.clone().stream();
    let mut choice = Choice::default();
    for event in events {
        let mut events = vec![event];
        undo.events(&mut events);
        for event in events {
            match event {
                Event::Text(more) => match choice.parts.last_mut() {
                    Some(Part::Text { text, .. }) => text.push_str(&more),
                    _ => choice.parts.push(Part::text(more)),
                },
                Event::ToolStart { id, name, kind, .. } => {
                    let arguments = String::new();
                    choice.parts.push(Part::ToolCall(ToolCall {
                        id,
                        name,
                        arguments,
                        kind,
                        signature: None,
                        cache: None,
                    }));
                }
                Event::ToolArguments { call, text } => {
                    let calls = choice.parts.iter_mut().filter_map(|part| match part {
                        Part::ToolCall(call) => Some(call),
                        _ => None,
                    });
                    calls.into_iter().nth(call).unwrap().arguments.push_str(&text);
                }
                Event::Finish { reason, .. } => choice.finish = Some(reason),
                _ => {}
            }
        }
    }
    choice
}

fn both(back: &Back, parts: Vec<Part>, finish: Finish) -> Choice {
    let whole = undone(back, parts.clone(), finish);
    for pieces in [1, 2, 5, 1_000] {
        assert_eq!(streamed(back, &parts, finish, pieces), whole, "in pieces of {pieces}");
    }
    whole
}

#[test]
fn names_come_back() {
    let back = Back { tool_names: HashMap::from([("a_b".to_owned(), "a.b".to_owned())]), ..Back::default() };
    assert_eq!(
        both(&back, vec![call("a_b", "{}")], Finish::ToolCalls).parts,
        [{
            let Part::ToolCall(mut call) = call("a_b", "{}") else { unreachable!() };
            call.name = "a.b".to_owned();
            Part::ToolCall(call)
        }]
    );
}

#[test]
fn an_answer_through_a_tool_is_text_and_ends_with_stop() {
    let back = Back { answer_tool: Some("json_output".to_owned()), ..Back::default() };
    let choice = both(&back, vec![call("json_output", r#"{"a":1}"#)], Finish::ToolCalls);
    assert_eq!((choice.parts, choice.finish), (vec![Part::text(r#"{"a":1}"#)], Some(Finish::Stop)));
    let choice = both(&back, vec![call("other", "{}")], Finish::ToolCalls);
    assert_eq!(choice.finish, Some(Finish::ToolCalls));
}

#[test]
fn what_is_said_around_an_answer_through_a_tool_is_none_of_it() {
    let back = Back { answer_tool: Some("json_output".to_owned()), ..Back::default() };
    let parts = vec![
        Part::text("Here it is:"),
        call("json_output", r#"{"a":1}"#),
        Part::text("Done."),
        call("json_output", r#"{"a":2}"#),
    ];
    assert_eq!(both(&back, parts, Finish::ToolCalls).parts, [Part::text(r#"{"a":1}"#)]);
    // Of what is no answer through it, all is told.
    let parts = vec![Part::text("I look it up."), call("other", "{}")];
    assert_eq!(both(&back, parts.clone(), Finish::ToolCalls).parts, parts);
    assert_eq!(both(&back, vec![Part::text("I can not.")], Finish::Stop).parts, [Part::text("I can not.")]);
    let mut undo = back.stream();
    let mut events = vec![Event::Text("Half".to_owned()), Event::Error(ProviderError::truncated())];
    undo.events(&mut events);
    assert_eq!(events[0], Event::Text("Half".to_owned()));
}

#[test]
fn free_text_comes_out_of_its_wrapping() {
    let back = Back { custom_tools: HashSet::from(["run".to_owned()]), ..Back::default() };
    let choice = both(&back, vec![call("run", r#"{"input":"a\n\"b\""}"#)], Finish::ToolCalls);
    let Part::ToolCall(call) = &choice.parts[0] else { panic!("{choice:?}") };
    assert_eq!((call.arguments.as_str(), call.kind), ("a\n\"b\"", CallKind::Custom));
}

#[test]
fn only_the_first_call_is_told_where_one_was_wanted() {
    let back = Back { first_call_only: true, ..Back::default() };
    assert_eq!(both(&back, vec![call("a", "{}"), call("b", "{}")], Finish::ToolCalls).parts, [call("a", "{}")]);
}

#[test]
fn a_prefill_is_given_back() {
    let back = Back { prefill: Some("{".to_owned()), ..Back::default() };
    assert_eq!(both(&back, vec![Part::text("\"a\":1}")], Finish::Stop).parts, [Part::text(r#"{"a":1}"#)]);
}

#[test]
fn fences_are_taken_off_where_they_are_all_there_is_around() {
    let back = Back { unfence: true, ..Back::default() };
    let text = |text: &str| both(&back, vec![Part::text(text)], Finish::Stop).parts;
    assert_eq!(text("```json\n{\"a\":1}\n```"), [Part::text("{\"a\":1}")]);
    assert_eq!(text("```\n{\"a\":1}\n```\n"), [Part::text("{\"a\":1}")]);
    for plain in ["{\"a\":\"```\"}", "{}", "Here: ```json\n{}\n```", "``", "`a`"] {
        assert_eq!(text(plain), [Part::text(plain)]);
    }
}

proptest! {
    #[test]
    fn text_without_a_fence_at_its_start_passes(text in "[^`\\s][a-z`\\n ]{0,40}", pieces in 1_usize..8) {
        let back = Back { unfence: true, ..Back::default() };
        let choice = streamed(&back, &[Part::text(text.as_str())], Finish::Stop, pieces);
        prop_assert_eq!(choice.parts, [Part::text(text)]);
    }
}

#[test]
fn c1_thoughts_in_tags_are_thoughts_whole_and_streamed() {
    let back = Back { think_tags: true, ..Back::default() };
    let cases = [
        ("<think>\nfirst, a\n</think>\n\nThe answer.", "first, a", "The answer."),
        ("\n<think>a < b</thin k></think>c", "a < b</thin k>", "c"),
        ("<think></think>\n\nplain", "", "plain"),
        ("<think>cut off", "cut off", ""),
        ("no <think>tag</think>", "", "no <think>tag</think>"),
        ("<thin", "", "<thin"),
    ];
    for (said, thought, answer) in cases {
        let mut choice =
            Choice { parts: vec![Part::text(said)], finish: Some(Finish::Stop), stop_sequence: None, logprobs: None };
        back.choice(&mut choice);
        let whole = |parts: &[Part]| {
            let mut told = (String::new(), String::new());
            for part in parts {
                match part {
                    Part::Thinking { text, .. } => told.0.push_str(text),
                    Part::Text { text, .. } => told.1.push_str(text),
                    other => panic!("{other:?}"),
                }
            }
            told
        };
        assert_eq!(whole(&choice.parts), (thought.to_owned(), answer.to_owned()), "{said:?}");
        for size in [1, 3, 100] {
            let mut undo = back.clone().stream();
            let mut events: Vec<Event> = said
                .as_bytes()
                .chunks(size)
                .map(|piece| Event::Text(String::from_utf8(piece.to_vec()).unwrap()))
                .collect();
            events.push(Event::Finish { reason: Finish::Stop, stop_sequence: None });
            let mut told = (String::new(), String::new());
            let mut all = events;
            undo.events(&mut all);
            for event in all {
                match event {
                    Event::Thinking(text) => told.0.push_str(&text),
                    Event::Text(text) => told.1.push_str(&text),
                    _ => {}
                }
            }
            assert_eq!(told, (thought.to_owned(), answer.to_owned()), "{said:?} in pieces of {size}");
        }
    }
}
