//! The items of a streamed answer. Each is told by its deltas. What the deltas left out is told once, from the events
//! that hold the item whole.

use serde_json::value::RawValue;

use super::answer::{Said, logprobs};
use super::item::{Annotation, Item, Kind, Piece, Thought, call_kind};
use super::lenient::{Content, maybe};
use crate::ir::{CallKind, Event, Part, Signature};
use crate::names::CallIds;
use crate::protocol::sse::LARGEST_EVENT;

/// The items so far.
#[derive(Debug, Default)]
pub(super) struct Items {
    all: Vec<Streamed>,
    calls: usize,
    ids: CallIds,
    /// The number of characters of text told, over all items.
    characters: u64,
    /// The signature of the call that comes next.
    signature: Option<Signature>,
    pub(super) said: Said,
    /// Whether there is more than an answer may make the gateway keep. Nothing can be told rightly from then on.
    pub(super) too_many: bool,
}

/// The item that an event is about, and the piece of it.
#[derive(Clone, Copy)]
pub(super) struct Where<'e> {
    pub(super) index: Option<u64>,
    pub(super) id: &'e str,
    pub(super) piece: u64,
    /// The index of the item, once it is found.
    known: Option<usize>,
}

impl<'e> Where<'e> {
    pub(super) fn new(index: Option<u64>, id: &'e str, piece: u64) -> Self {
        Self { index, id, piece, known: None }
    }
}

/// The most items of an answer. Beyond that the last message stands for all, but calls would be taken for each other.
const MOST_ITEMS: usize = 1_024;
/// The most pieces of an item. Beyond that the last stands for all: wild ids and indices must not fill the memory.
const MOST_PIECES: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Message,
    Reasoning,
    Call(CallKind),
    Other,
}

impl Sort {
    fn of(r#type: &str) -> Self {
        match r#type {
            "message" => Self::Message,
            "reasoning" => Self::Reasoning,
            other => call_kind(other).map_or(Self::Other, Self::Call),
        }
    }
}

#[derive(Debug)]
struct Streamed {
    sort: Sort,
    index: Option<u64>,
    id: String,
    /// How much has been told of each piece of content or summary.
    pieces: Vec<Told>,
    /// For reasoning, whether the summary is told or the thought itself.
    summary: Option<bool>,
    /// For a call, its number, once it is told.
    call: Option<usize>,
    /// For a call, the arguments that came before its name.
    held: String,
    done: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// The size of the text that was told, in bytes.
    bytes: usize,
    /// How many characters of the answer were told before it.
    base: Option<u64>,
    annotations: usize,
    logprobs: bool,
}

/// The part of `whole` that is not told yet.
fn rest(whole: &str, told: usize) -> &str {
    whole.get(told..).unwrap_or_default()
}

impl Streamed {
    fn piece(&mut self, at: u64) -> &mut Told {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(MOST_PIECES - 1);
        if self.pieces.len() <= at {
            self.pieces.resize(at + 1, Told::default());
        }
        &mut self.pieces[at]
    }
}

impl Items {
    /// The item that an event is about. It is made where the event that should have announced it is missing.
    fn find(&mut self, at: Where<'_>, sort: Sort) -> &mut Streamed {
        let found = self.known(at, sort).unwrap_or_else(|| self.make(at, sort));
        &mut self.all[found]
    }

    /// Some vendors give the same item another id in every event, and others give all items the same index.
    fn known(&self, at: Where<'_>, sort: Sort) -> Option<usize> {
        if at.known.is_some() {
            return at.known;
        }
        let last =
            |matches: &dyn Fn(&Streamed) -> bool| self.all.iter().rposition(|item| item.sort == sort && matches(item));
        let by_id = if at.id.is_empty() { None } else { last(&|item| item.id == at.id) };
        by_id.or_else(|| match at.index {
            Some(index) => last(&|item| item.index == Some(index)),
            None => last(&|item| !item.done),
        })
    }

    fn make(&mut self, at: Where<'_>, sort: Sort) -> usize {
        if self.all.len() >= MOST_ITEMS {
            let like = self.all.iter().rposition(|item| item.sort == sort).filter(|_| !matches!(sort, Sort::Call(_)));
            self.too_many |= like.is_none();
            return like.unwrap_or(self.all.len() - 1);
        }
        self.all.push(Streamed {
            sort,
            index: at.index,
            id: at.id.to_owned(),
            pieces: Vec::new(),
            summary: None,
            call: None,
            held: String::new(),
            done: false,
        });
        self.all.len() - 1
    }

    pub(super) fn text(&mut self, at: Where<'_>, delta: &str, events: &mut Vec<Event>) {
        if delta.is_empty() {
            return;
        }
        let characters = self.characters;
        let told = self.find(at, Sort::Message).piece(at.piece);
        told.base.get_or_insert(characters);
        told.bytes += delta.len();
        self.characters += delta.chars().count() as u64;
        events.push(Event::Text(delta.to_owned()));
    }

    pub(super) fn text_done(&mut self, at: Where<'_>, whole: &str, events: &mut Vec<Event>) {
        let told = self.find(at, Sort::Message).piece(at.piece).bytes;
        self.text(at, rest(whole, told), events);
    }

    pub(super) fn noted_logprobs(&mut self, at: Where<'_>) {
        self.find(at, Sort::Message).piece(at.piece).logprobs = true;
    }

    pub(super) fn annotation(&mut self, at: Where<'_>, raw: &RawValue, events: &mut Vec<Event>) {
        let characters = self.characters;
        let told = self.find(at, Sort::Message).piece(at.piece);
        told.annotations += 1;
        let base = told.base.unwrap_or(characters);
        let citation = maybe::<Annotation<'_>>(raw).and_then(|annotation| annotation.citation(base));
        events.extend(citation.map(Event::Citation));
    }

    pub(super) fn refusal(&mut self, at: Where<'_>, delta: &str, events: &mut Vec<Event>) {
        if delta.is_empty() {
            return;
        }
        self.find(at, Sort::Message).piece(at.piece).bytes += delta.len();
        self.said.refusal = true;
        events.push(Event::Refusal(delta.to_owned()));
    }

    pub(super) fn refusal_done(&mut self, at: Where<'_>, whole: &str, events: &mut Vec<Event>) {
        let told = self.find(at, Sort::Message).piece(at.piece).bytes;
        self.refusal(at, rest(whole, told), events);
    }

    pub(super) fn thought(&mut self, at: Where<'_>, summary: bool, delta: &str, events: &mut Vec<Event>) {
        if delta.is_empty() {
            return;
        }
        let item = self.find(at, Sort::Reasoning);
        // A vendor that gives both a summary and the thought itself gives the same twice.
        if *item.summary.get_or_insert(summary) != summary {
            return;
        }
        let earlier = usize::try_from(at.piece).unwrap_or(usize::MAX).min(item.pieces.len());
        let apart = item.pieces[..earlier].iter().any(|told| told.bytes > 0);
        let told = item.piece(at.piece);
        let first = told.bytes == 0;
        told.bytes += delta.len();
        if first && apart {
            events.push(Event::Thinking("\n\n".to_owned()));
        }
        events.push(Event::Thinking(delta.to_owned()));
    }

    pub(super) fn thought_done(&mut self, at: Where<'_>, summary: bool, whole: &str, events: &mut Vec<Event>) {
        let told = self.find(at, Sort::Reasoning).piece(at.piece).bytes;
        self.thought(at, summary, rest(whole, told), events);
    }

    pub(super) fn arguments(&mut self, at: Where<'_>, delta: &str, events: &mut Vec<Event>) {
        if delta.is_empty() {
            return;
        }
        let item = self.call_at(at);
        match item.call {
            Some(call) if !item.done => {
                item.piece(0).bytes += delta.len();
                events.push(Event::ToolArguments { call, text: delta.to_owned() });
            }
            Some(_) => {}
            None => {
                item.held.push_str(delta);
                self.too_many |= self.all.iter().map(|item| item.held.len()).sum::<usize>() > LARGEST_EVENT;
            }
        }
    }

    pub(super) fn arguments_done(&mut self, at: Where<'_>, whole: &str, events: &mut Vec<Event>) {
        let item = self.call_at(at);
        let told = if item.call.is_some() { item.piece(0).bytes } else { item.held.len() };
        self.arguments(at, rest(whole, told), events);
    }

    /// The call that an event about arguments is for. It may be of either kind.
    fn call_at(&mut self, at: Where<'_>) -> &mut Streamed {
        if let Some(known) = at.known {
            return &mut self.all[known];
        }
        let custom = self.all.iter().any(|item| {
            let same = if at.id.is_empty() { item.index == at.index } else { item.id == at.id };
            same && item.sort == Sort::Call(CallKind::Custom)
        });
        self.find(at, Sort::Call(if custom { CallKind::Custom } else { CallKind::Function }))
    }

    pub(super) fn added(&mut self, at: Where<'_>, raw: &RawValue, events: &mut Vec<Event>) {
        let (Some(kind), Some(item)) = (maybe::<Kind<'_>>(raw), maybe::<Item<'_>>(raw)) else { return };
        let sort = Sort::of(kind.r#type.or_empty());
        let id = item.id.or_empty().to_owned();
        let at = Where { id: &id, ..at };
        let known = match self.known(at, sort) {
            Some(known) if !self.all[known].done && (id.is_empty() || self.all[known].id == id) => known,
            _ => self.make(at, sort),
        };
        let at = Where { known: Some(known), ..at };
        if let Sort::Call(kind) = sort {
            self.open(at, kind, &item, events);
            // Some vendors give a call whole at once.
            let whole = item.call(kind).arguments;
            if whole != "{}" {
                self.arguments_done(at, &whole, events);
            }
        }
    }

    /// Tells the call, once its name is known.
    fn open(&mut self, at: Where<'_>, kind: CallKind, item: &Item<'_>, events: &mut Vec<Event>) {
        let (Some(name), calls) = (item.name.given(), self.calls) else { return };
        let streamed = self.find(at, Sort::Call(kind));
        if streamed.call.is_some() {
            return;
        }
        streamed.call = Some(calls);
        let held = std::mem::take(&mut streamed.held);
        streamed.piece(0).bytes = held.len();
        let id = self.ids.unlike_others(item.call_id.given().or(item.id.given()).map(str::to_owned));
        let signature = self.signature.take();
        events.push(Event::ToolStart { call: calls, id, name: name.to_owned(), kind, signature });
        if !held.is_empty() {
            events.push(Event::ToolArguments { call: calls, text: held });
        }
        self.calls += 1;
        self.said.call = true;
    }

    /// Tells the part of a whole item that was not told before.
    pub(super) fn done(&mut self, at: Where<'_>, raw: &RawValue, events: &mut Vec<Event>) {
        let (Some(kind), Some(item)) = (maybe::<Kind<'_>>(raw), maybe::<Item<'_>>(raw)) else { return };
        let id = item.id.or_empty().to_owned();
        self.whole(Where { id: &id, ..at }, kind.r#type.or_empty(), item, events);
    }

    fn whole(&mut self, at: Where<'_>, r#type: &str, item: Item<'_>, events: &mut Vec<Event>) {
        let sort = Sort::of(r#type);
        let found = self.known(at, sort).unwrap_or_else(|| self.make(at, sort));
        if std::mem::replace(&mut self.all[found].done, true) {
            return;
        }
        let at = Where { known: Some(found), ..at };
        match sort {
            Sort::Message => {
                for (piece, raw) in item.content.items().iter().enumerate() {
                    self.piece(Where { piece: piece as u64, ..at }, raw, events);
                }
            }
            Sort::Reasoning => self.reasoned(at, &item, events),
            Sort::Call(kind) => {
                self.open(at, kind, &item, events);
                let whole = item.call(kind).arguments;
                let streamed = self.find(at, sort);
                let Some(call) = streamed.call else { return };
                let told = streamed.piece(0).bytes;
                let text = rest(&whole, told).to_owned();
                if !text.is_empty() {
                    events.push(Event::ToolArguments { call, text });
                }
                events.push(Event::ToolEnd { call });
            }
            Sort::Other if r#type == "image_generation_call" => {
                events.extend(item.picture().map(Event::Media));
            }
            Sort::Other => {}
        }
    }

    fn piece(&mut self, at: Where<'_>, raw: &RawValue, events: &mut Vec<Event>) {
        let Some(piece) = maybe::<Piece<'_>>(raw) else { return };
        if piece.r#type.or_empty() == "refusal" {
            return self.refusal_done(at, piece.refusal.or_empty(), events);
        }
        self.text_done(at, piece.text.or_empty(), events);
        let told = *self.find(at, Sort::Message).piece(at.piece);
        for annotation in piece.annotations.items().iter().skip(told.annotations) {
            self.annotation(at, annotation, events);
        }
        let tokens = piece.logprobs.items();
        if !told.logprobs && !tokens.is_empty() {
            self.noted_logprobs(at);
            events.push(Event::Logprobs(logprobs(tokens)));
        }
    }

    fn reasoned(&mut self, at: Where<'_>, item: &Item<'_>, events: &mut Vec<Event>) {
        let (summary, pieces) = match &item.summary {
            Content::List(pieces) => (true, pieces.as_slice()),
            _ => (false, item.content.items()),
        };
        for (n, raw) in pieces.iter().enumerate() {
            if let Some(piece) = maybe::<Piece<'_>>(raw) {
                self.thought_done(Where { piece: n as u64, ..at }, summary, piece.text.or_empty(), events);
            }
        }
        match Thought::of(item, false) {
            Thought::Part(Part::Thinking { signature: Some(signature), .. }) => {
                events.push(Event::ThinkingSignature(signature));
            }
            Thought::Part(Part::RedactedThinking(signature)) => events.push(Event::RedactedThinking(signature)),
            Thought::ForCall(signature) => self.signature = Some(signature),
            Thought::Part(_) | Thought::Nothing => {}
        }
    }

    /// Whether the model said nothing, or only thoughts.
    pub(super) fn told_nothing(&self) -> bool {
        let said = self.said.call || self.said.refusal || self.characters > 0;
        !said && self.all.iter().all(|item| item.sort != Sort::Other)
    }

    /// Tells what only the whole answer at the stream's end holds.
    pub(super) fn rest(&mut self, output: &[&RawValue], events: &mut Vec<Event>) {
        let mut met: Vec<Sort> = Vec::with_capacity(output.len());
        for (index, raw) in output.iter().enumerate() {
            let (Some(kind), Some(item)) = (maybe::<Kind<'_>>(raw), maybe::<Item<'_>>(raw)) else { continue };
            let sort = Sort::of(kind.r#type.or_empty());
            let nth = met.iter().filter(|other| **other == sort).count();
            met.push(sort);
            // Some vendors give items new ids or other indices at the end.
            let at = Where::new(Some(index as u64), item.id.or_empty(), 0);
            let same = |(_, item): &(usize, &Streamed)| item.sort == sort;
            let by_order = || self.all.iter().enumerate().filter(same).nth(nth).map(|(known, _)| known);
            let known = self.known(at, sort).or_else(by_order).unwrap_or_else(|| self.make(at, sort));
            let at = Where { known: Some(known), ..Where::new(None, "", 0) };
            self.whole(at, kind.r#type.or_empty(), item, events);
        }
        // A call that was announced and never told whole ends all the same.
        for item in &mut self.all {
            if let (Some(call), false) = (item.call, item.done) {
                item.done = true;
                if item.piece(0).bytes == 0 && item.sort == Sort::Call(CallKind::Function) {
                    events.push(Event::ToolArguments { call, text: "{}".to_owned() });
                }
                events.push(Event::ToolEnd { call });
            }
        }
    }
}
