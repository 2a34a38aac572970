//! The tool calls of a stream: which pieces belong together, however a vendor tells that, and when a call is whole.

use std::borrow::Cow;

use super::super::answer::wire::{Call, Function};
use super::super::thoughts::Extra;
use crate::ir::{CallKind, Event, Signature};
use crate::names::new_call_id;
use crate::protocol::sse::LARGEST_EVENT;

/// The most calls of one answer. A piece is looked for among all, so the work grows with their number.
const MOST_CALLS: usize = 1_024;

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    known: Vec<Known>,
    /// The number of calls that have been told, which is the number of the next.
    told: usize,
    /// Whether there are more calls than are kept.
    too_many: bool,
}

#[derive(Debug)]
struct Known {
    /// The vendor's number, where it gives one.
    index: Option<u64>,
    /// The vendor's id, where it gives one.
    id: String,
    name: String,
    kind: CallKind,
    signature: Option<Signature>,
    /// The arguments that came before the name.
    held: String,
    /// The number of the call in events. It has none before its name has come.
    number: Option<usize>,
    arguments: Document,
    ended: bool,
}

/// A piece of a call.
struct Piece<'a> {
    index: Option<u64>,
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    arguments: String,
    kind: CallKind,
    signature: Option<Signature>,
}

impl Calls {
    /// Whether there were any calls.
    pub(super) fn any(&self) -> bool {
        self.told > 0
    }

    /// Whether there are more calls than are kept, or a call without a name holds more than is kept.
    pub(super) fn too_many(&self) -> bool {
        self.too_many
    }

    /// Takes a piece of a call. `signed` is its signature, if it has none of its own.
    pub(super) fn push(&mut self, call: Call<'_>, signed: &mut Option<Signature>, events: &mut Vec<Event>) {
        let (name, arguments, kind) = match (call.custom.0, call.function.0) {
            (Some(custom), _) => {
                (custom.name.0.unwrap_or_default(), custom.input.0.unwrap_or_default(), CallKind::Custom)
            }
            (None, Some(function)) => {
                let arguments = function.arguments();
                (function.name.0.unwrap_or_default(), arguments, CallKind::Function)
            }
            (None, None) => (Cow::Borrowed(""), String::new(), CallKind::Function),
        };
        let signature = call.extra_content.0.and_then(Extra::signature).or_else(|| signed.take());
        let id = call.id.0.unwrap_or_default();
        self.piece(Piece { index: call.index.0, id, name, arguments, kind, signature }, events);
    }

    /// Takes a piece of a call in the older form, of which an answer has one.
    pub(super) fn push_function(&mut self, function: Function<'_>, events: &mut Vec<Event>) {
        let arguments = function.arguments();
        let (id, name) = (Cow::Borrowed(""), function.name.0.unwrap_or_default());
        // Some vendors write an empty call beside text.
        if self.known.is_empty() && name.is_empty() {
            return;
        }
        let (index, kind, signature) = (Some(0), CallKind::Function, None);
        self.piece(Piece { index, id, name, arguments, kind, signature }, events);
    }

    /// Ends the calls that are whole, when something else of the answer follows them.
    pub(super) fn end_whole(&mut self, events: &mut Vec<Event>) {
        for call in &mut self.known {
            // Brackets in free text mean nothing.
            if call.kind == CallKind::Function && call.arguments.complete() {
                call.end(events);
            }
        }
    }

    /// Ends all calls that are open.
    pub(super) fn end(&mut self, events: &mut Vec<Event>) {
        for call in &mut self.known {
            call.end(events);
        }
    }

    fn piece(&mut self, piece: Piece<'_>, events: &mut Vec<Event>) {
        let at = match self.find(&piece) {
            Some(at) => at,
            None if piece.name.is_empty() && piece.id.is_empty() && self.known.is_empty() => return,
            None if self.known.len() == MOST_CALLS => {
                self.too_many = true;
                return;
            }
            None => {
                self.known.push(Known {
                    index: piece.index,
                    id: String::new(),
                    name: String::new(),
                    kind: piece.kind,
                    signature: None,
                    held: String::new(),
                    number: None,
                    arguments: Document::default(),
                    ended: false,
                });
                self.known.len() - 1
            }
        };
        let told = self.told;
        let taken = !piece.id.is_empty() && self.known.iter().any(|call| call.number.is_some() && call.id == piece.id);
        let call = &mut self.known[at];
        if call.number.is_none() {
            if call.id.is_empty() {
                // The ids of one answer have to differ, or results could not be told apart.
                call.id = if taken { new_call_id() } else { piece.id.into_owned() };
            }
            call.kind = piece.kind;
            call.signature = call.signature.take().or(piece.signature);
            if piece.name.is_empty() {
                call.held.push_str(&piece.arguments);
                self.too_many |= self.known.iter().map(|call| call.held.len()).sum::<usize>() > LARGEST_EVENT;
                return;
            }
            call.name = piece.name.into_owned();
            if call.id.is_empty() {
                call.id = new_call_id();
            }
            call.number = Some(told);
            let start = Event::ToolStart {
                call: told,
                id: call.id.clone(),
                name: call.name.clone(),
                kind: call.kind,
                signature: call.signature.take(),
            };
            let held = std::mem::take(&mut call.held);
            self.told += 1;
            for before in &mut self.known {
                if before.number.is_some_and(|number| number < told) && before.arguments.complete() {
                    before.end(events);
                }
            }
            events.push(start);
            let call = &mut self.known[at];
            call.more(held, events);
            call.more(piece.arguments, events);
        } else {
            call.more(piece.arguments, events);
        }
    }

    /// The call that a piece continues. None where it begins one.
    fn find(&self, piece: &Piece<'_>) -> Option<usize> {
        let last = self.known.len().checked_sub(1);
        if piece.index.is_some() {
            let at = self.known.iter().rposition(|call| call.index == piece.index)?;
            let call = &self.known[at];
            // Some vendors number every call 0. Another id with a name, or a second name behind whole arguments, begins
            // another call.
            let other_id = !piece.id.is_empty() && !call.id.is_empty() && piece.id != call.id;
            let again = piece.id.is_empty() && call.arguments.complete() && !piece.arguments.is_empty();
            let begins = !piece.name.is_empty() && call.number.is_some() && (other_id || again);
            return (!begins).then_some(at);
        }
        if !piece.id.is_empty() {
            let same = self.known.iter().rposition(|call| call.id == piece.id);
            // A piece without a name cannot begin a call, whatever its id is.
            return same.or(last.filter(|_| piece.name.is_empty()));
        }
        let at = last?;
        let call = &self.known[at];
        let begins =
            !piece.name.is_empty() && call.number.is_some() && (call.name != piece.name || call.arguments.complete());
        (!begins).then_some(at)
    }
}

impl Known {
    fn more(&mut self, text: String, events: &mut Vec<Event>) {
        let Some(call) = self.number else { return };
        if text.is_empty() || self.ended {
            return;
        }
        // Some vendors write this for nothing.
        if self.kind == CallKind::Function && !self.arguments.begun && text.trim() == "null" {
            return;
        }
        self.arguments.push(&text);
        events.push(Event::ToolArguments { call, text });
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        let Some(call) = self.number else { return };
        if self.ended {
            return;
        }
        if !self.arguments.begun && self.kind == CallKind::Function {
            events.push(Event::ToolArguments { call, text: "{}".to_owned() });
        }
        self.ended = true;
        events.push(Event::ToolEnd { call });
    }
}

/// Follows a JSON document that comes in pieces, without keeping it.
#[derive(Debug, Default)]
struct Document {
    begun: bool,
    depth: usize,
    string: bool,
    escape: bool,
    closed: bool,
}

impl Document {
    /// Whether the document is one whole object or array. Free text never is.
    fn complete(&self) -> bool {
        self.closed
    }

    fn push(&mut self, text: &str) {
        self.begun = self.begun || !text.trim().is_empty();
        for byte in text.bytes() {
            if self.string {
                match byte {
                    _ if self.escape => self.escape = false,
                    b'\\' => self.escape = true,
                    b'"' => self.string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed = self.depth == 0;
                }
                _ => {}
            }
        }
    }
}
