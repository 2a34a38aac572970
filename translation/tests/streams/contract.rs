//! What a decoder promises of its events (`ir/event.rs`).

use std::collections::HashSet;

use translation::ir::{CallKind, Event, Finish, Usage};

/// A tool call, put together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Called {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: CallKind,
    pub(crate) arguments: String,
}

/// What a stream says, put together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) refusal: String,
    pub(crate) thoughts: String,
    pub(crate) calls: Vec<Called>,
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: Option<Finish>,
    pub(crate) failed: bool,
}

/// Puts `events` together, and fails where they break the contract.
pub(crate) fn checked(events: &[Event], of: &str) -> Said {
    let mut said = Said::default();
    let (mut started, mut ended) = (false, HashSet::new());
    for (at, event) in events.iter().enumerate() {
        let last = at + 1 == events.len();
        let context = || format!("{of}: event {at} of {events:#?}");
        assert!(!said.failed && said.finish.is_none(), "nothing follows the end: {}", context());
        match event {
            Event::Start(start) => {
                assert!(!std::mem::replace(&mut started, true), "it starts once: {}", context());
                said.usage = start.usage;
                continue;
            }
            Event::Error(error) => {
                assert!(last, "{}", context());
                assert!(!error.message.is_empty(), "an error says something: {}", context());
                assert!((400..600).contains(&error.status), "{}", context());
                said.failed = true;
                continue;
            }
            _ => assert!(started, "it starts first: {}", context()),
        }
        match event {
            Event::Text(text) => said.text.push_str(filled(text, &context)),
            Event::Refusal(text) => said.refusal.push_str(filled(text, &context)),
            Event::Thinking(text) => said.thoughts.push_str(filled(text, &context)),
            Event::ToolStart { call, id, name, kind, .. } => {
                assert_eq!(*call, said.calls.len(), "numbers have no gap: {}", context());
                assert!(said.calls.iter().all(|call| call.id != *id), "ids differ: {}", context());
                let (id, name) = (filled(id, &context).to_owned(), filled(name, &context).to_owned());
                said.calls.push(Called { id, name, kind: *kind, arguments: String::new() });
            }
            Event::ToolArguments { call, text } => {
                assert!(!ended.contains(call), "a call that ended has ended: {}", context());
                let call = said.calls.get_mut(*call).unwrap_or_else(|| panic!("it begins first: {}", context()));
                call.arguments.push_str(filled(text, &context));
            }
            Event::ToolEnd { call } => {
                assert!(ended.insert(*call), "a call ends once: {}", context());
                let call = said.calls.get(*call).unwrap_or_else(|| panic!("it begins first: {}", context()));
                let empty = call.kind == CallKind::Function && call.arguments.is_empty();
                assert!(!empty, "arguments that never came are an empty object: {}", context());
            }
            Event::Usage(usage) => said.usage = Some(*usage),
            Event::Finish { reason, .. } => {
                assert_eq!(ended.len(), said.calls.len(), "every call ends: {}", context());
                said.finish = Some(*reason);
            }
            _ => {}
        }
    }
    assert!(said.failed != said.finish.is_some(), "{of}: it ends, in an end or an error: {events:#?}");
    if let Some(usage) = said.usage {
        for (part, whole) in [
            (usage.cached.saturating_add(usage.cache_write), usage.input),
            (usage.cache_write_1h, usage.cache_write),
            (usage.input_audio, usage.input),
            (usage.reasoning, usage.output),
            (usage.output_audio, usage.output),
        ] {
            assert!(part <= whole, "{of}: every count is a part of its sum: {usage:?}");
        }
    }
    said
}

fn filled<'t>(text: &'t str, context: &dyn Fn() -> String) -> &'t str {
    assert!(!text.is_empty(), "it is never empty: {}", context());
    text
}
