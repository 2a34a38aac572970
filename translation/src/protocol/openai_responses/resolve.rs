//! Puts a conversation together that a client sends by reference: `previous_response_id`, and `item_reference`s to
//! earlier output (API reference, "Conversation state"). The provider of another format keeps nothing, so the caller
//! keeps its answers.
//!
//! All of it stays text. How long the whole becomes is known before it is written.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::quoted;
use crate::object::Object;

/// What is kept of earlier answers.
pub trait KeptTurns {
    /// The item of output with this id.
    fn item(&self, id: &str) -> Option<Text>;
    /// The turn whose response has this id.
    fn turn(&self, id: &str) -> Option<Turn>;
}

/// A part of a text that others hold, too.
#[derive(Clone)]
pub struct Text {
    whole: Arc<str>,
    part: Range<usize>,
}

impl Text {
    /// The `part` of `whole`. A range that is none of the text's gives an empty text.
    pub fn new(whole: Arc<str>, part: Range<usize>) -> Self {
        let part = if whole.get(part.clone()).is_some() { part } else { 0..0 };
        Self { whole, part }
    }

    /// The text.
    pub fn get(&self) -> &str {
        self.whole.get(self.part.clone()).unwrap_or_default()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text.into(), 0..text.len())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The id of the response before it.
    pub previous: Option<String>,
    /// The items of what the client said, as JSON with commas between them.
    pub input: Text,
    /// The items of what was answered, in the same form.
    pub output: Text,
}

/// The most turns of a conversation.
const MOST_TURNS: usize = 4096;

/// The events that bring a whole response at the end of a stream.
const ENDS: [&str; 2] = ["response.completed", "response.incomplete"];

/// A request with the whole conversation in `input` and nothing by reference, which is still to be written.
#[derive(Debug)]
pub struct Resolved<'b> {
    fields: Vec<(&'b str, &'b str)>,
    items: Vec<Item<'b>>,
}

/// Items, as JSON with commas between them.
#[derive(Debug)]
enum Item<'b> {
    Kept(Text),
    Sent(Cow<'b, str>),
}

impl Item<'_> {
    fn get(&self) -> &str {
        match self {
            Self::Kept(text) => text.get(),
            Self::Sent(text) => text,
        }
    }
}

/// The request in `object` with everything that it refers to, if all of that is in `kept`. None where it refers to
/// nothing, or to something that is not kept.
pub fn resolve<'b>(object: &'b Object<'_>, kept: &dyn KeptTurns) -> Option<Resolved<'b>> {
    let input = object.get("input").unwrap_or("null");
    let mut next = object.string("previous_response_id").ok().flatten().map(Cow::into_owned);
    let refers = memmem::find(input.as_bytes(), br#""item_reference""#).is_some();
    if next.is_none() && !refers {
        return None;
    }
    let mut turns = Vec::new();
    while let Some(id) = next.take() {
        let turn = kept.turn(&id).filter(|_| turns.len() < MOST_TURNS)?;
        next.clone_from(&turn.previous);
        turns.push(turn);
    }
    let mut items: Vec<_> =
        turns.into_iter().rev().flat_map(|turn| [Item::Kept(turn.input), Item::Kept(turn.output)]).collect();
    if refers {
        items.extend(referred(input, kept)?);
    } else {
        items.push(Item::Sent(input_items(input)));
    }
    items.retain(|item| !item.get().is_empty());
    let fields = object.fields().filter(|(name, _)| !matches!(*name, "previous_response_id" | "input")).collect();
    Some(Resolved { fields, items })
}

/// The items of `input`, with those in their places to which it refers.
fn referred<'b>(input: &'b str, kept: &dyn KeptTurns) -> Option<Vec<Item<'b>>> {
    #[derive(Deserialize)]
    struct Reference<'b> {
        #[serde(borrow)]
        r#type: Option<Cow<'b, str>>,
        #[serde(borrow)]
        id: Option<Cow<'b, str>>,
    }
    let items: Vec<&'b RawValue> = serde_json::from_str(input).ok()?;
    let one = |item: &'b RawValue| {
        let text = item.get();
        let mentions = memmem::find(text.as_bytes(), b"item_reference").is_some();
        let reference = if mentions { serde_json::from_str::<Reference<'_>>(text).ok() } else { None };
        match reference.filter(|reference| reference.r#type.as_deref() == Some("item_reference")) {
            Some(reference) => kept.item(reference.id.as_deref().unwrap_or_default()).map(Item::Kept),
            None => Some(Item::Sent(Cow::Borrowed(text))),
        }
    };
    items.into_iter().map(one).collect()
}

impl Resolved<'_> {
    /// How many bytes [`Self::write`] writes, or a few more.
    pub fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + value.len() + 4);
        let items = self.items.iter().map(|item| item.get().len() + 1);
        fields.chain(items).sum::<usize>() + r#"{"input":[]}"#.len()
    }

    /// Writes the request.
    pub fn write(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes());
        body.push(b'{');
        for (name, value) in &self.fields {
            body.extend_from_slice(quoted(name).as_bytes());
            body.push(b':');
            body.extend_from_slice(value.as_bytes());
            body.push(b',');
        }
        body.extend_from_slice(br#""input":["#);
        for (at, item) in self.items.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(item.get().as_bytes());
        }
        body.extend_from_slice(b"]}");
        body
    }
}

/// `input` as items with commas between them. A text is a message of the user's.
pub fn input_items(input: &str) -> Cow<'_, str> {
    match input.strip_prefix('[').and_then(|items| items.strip_suffix(']')) {
        Some(items) => Cow::Borrowed(items.trim_ascii()),
        None if input == "null" => Cow::Borrowed(""),
        None => Cow::Owned(format!(r#"{{"type":"message","role":"user","content":{input}}}"#)),
    }
}

/// The whole response in what a client got, as JSON text: a document, or the last events of a stream.
pub fn response_in(written: &[u8]) -> Option<&str> {
    #[derive(Deserialize)]
    struct Event<'e> {
        #[serde(borrow)]
        r#type: Option<Cow<'e, str>>,
        #[serde(borrow)]
        response: Option<&'e RawValue>,
    }
    let text = std::str::from_utf8(written).ok()?;
    if written.starts_with(b"{") {
        return Some(text);
    }
    let data = text.rsplit("\n\n").flat_map(str::lines).filter_map(|line| line.strip_prefix("data: "));
    let speaks_of_an_end = |data: &&str| ENDS.iter().any(|end| data.contains(end));
    // Answers, and requests that are repeated in them, may speak of these events too.
    let is_end = |event: &Event<'_>| event.r#type.as_deref().is_some_and(|kind| ENDS.contains(&kind));
    let mut events = data.filter(speaks_of_an_end).filter_map(|data| serde_json::from_str::<Event<'_>>(data).ok());
    events.find(is_end)?.response.map(RawValue::get).filter(|response| response.starts_with('{'))
}
