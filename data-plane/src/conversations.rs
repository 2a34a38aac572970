//! Keeps the answers that translated groups gave to clients of OpenAI's Responses API, which refer to them later: by
//! `previous_response_id`, by `item_reference`, and by `GET /v1/responses/{id}`. Providers of that API keep their
//! answers themselves. The others keep nothing.
//!
//! Answers are kept in memory, by this node alone, for hours. A client that sends the whole conversation
//! (`store: false`) does not depend on them.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared::ids::Id;
use translation::object::Object;
use translation::protocol::openai_responses::resolve::{KeptTurns, Text, Turn, input_items, response_in};

use crate::shelf::{Shelf, Weigh, name};

/// The answers of all proxy keys.
#[derive(Debug, Default)]
pub struct Conversations {
    shelf: Mutex<Shelf<Arc<Thing>>>,
}

/// The answers that the clients of one proxy key may refer to.
#[derive(Clone, Debug)]
pub struct ClientConversations {
    all: Arc<Conversations>,
    proxy_key: Id,
}

/// Something that is kept under an id.
#[derive(Debug)]
enum Thing {
    /// An item of output, as JSON text.
    Item(Arc<str>),
    /// A response.
    Response {
        previous: Option<String>,
        /// The items that the client sent, as JSON text with commas between them.
        input: Arc<str>,
        /// The whole response, as JSON text.
        response: Arc<str>,
        /// Where the items of output stand in the response.
        output: Range<usize>,
    },
}

impl Weigh for Arc<Thing> {
    fn bytes(&self) -> usize {
        match &**self {
            Thing::Item(item) => item.len(),
            Thing::Response { input, response, .. } => input.len() + response.len(),
        }
    }
}

impl Conversations {
    /// The answers of a proxy key.
    pub fn of(self: &Arc<Self>, proxy_key: &Id) -> ClientConversations {
        ClientConversations { all: Arc::clone(self), proxy_key: Arc::clone(proxy_key) }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<Arc<Thing>>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

impl ClientConversations {
    /// Keeps the answer to `request`, unless the client wishes that nothing be kept. `written` is what the client got,
    /// or the end of it.
    pub fn keep(&self, request: &Bytes, written: &[u8]) {
        let Ok(request) = Object::read(request) else { return };
        if request.get("store") == Some("false") {
            return;
        }
        let Some(response) = response_in(written) else { return };
        let text = Bytes::copy_from_slice(response.as_bytes());
        let Ok(answer) = Object::read(&text) else { return };
        let Some(id) = answer.string("id").ok().flatten() else { return };
        let previous = request.string("previous_response_id").ok().flatten().map(Into::into);
        let output = answer.get("output").unwrap_or("[]");
        let items = serde_json::from_str::<Vec<&RawValue>>(output).unwrap_or_default();
        for item in items.iter().map(|item| item.get()) {
            if let Ok(Named { id: Some(id) }) = serde_json::from_str(item) {
                self.put(&id, Thing::Item(item.into()));
            }
        }
        let start = output.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        let output = if items.is_empty() { 0..0 } else { start + 1..start + output.len() - 1 };
        let input = input_items(request.get("input").unwrap_or("null"));
        self.put(&id, Thing::Response { previous, input: (*input).into(), response: response.into(), output });
    }

    fn put(&self, id: &str, thing: Thing) {
        self.all.lock().put(&self.proxy_key, name(&self.proxy_key, id), Arc::new(thing), Instant::now());
    }

    fn thing(&self, id: &str) -> Option<Arc<Thing>> {
        let mut kept = self.all.lock();
        if kept.is_empty() {
            return None;
        }
        kept.get(&name(&self.proxy_key, id), Instant::now())
    }

    /// The whole response, as JSON text.
    pub fn response(&self, id: &str) -> Option<String> {
        match &*self.thing(id)? {
            Thing::Response { response, .. } => Some(response.to_string()),
            Thing::Item(_) => None,
        }
    }

    /// What the client said in the turn, as the API lists it.
    pub fn input_list(&self, id: &str) -> Option<String> {
        let turn = self.turn(id)?;
        let input: Vec<Value> = serde_json::from_str(&format!("[{}]", turn.input.get())).ok()?;
        let number = |(at, mut item): (usize, Value)| {
            if item.get("id").is_none() {
                item["id"] = json!(format!("msg_{at}"));
            }
            item
        };
        let data: Vec<_> = input.into_iter().enumerate().map(number).rev().collect();
        let id_of = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
        let (first_id, last_id) = (id_of(data.first()), id_of(data.last()));
        let page =
            json!({ "object": "list", "data": data, "first_id": first_id, "last_id": last_id, "has_more": false });
        Some(page.to_string())
    }

    /// Forgets a response. Gives whether there was one.
    pub fn forget(&self, id: &str) -> bool {
        self.all.lock().remove(&name(&self.proxy_key, id))
    }
}

impl KeptTurns for ClientConversations {
    fn item(&self, id: &str) -> Option<Text> {
        match &*self.thing(id)? {
            Thing::Item(item) => Some(Text::new(Arc::clone(item), 0..item.len())),
            Thing::Response { .. } => None,
        }
    }

    fn turn(&self, id: &str) -> Option<Turn> {
        match &*self.thing(id)? {
            Thing::Response { previous, input, response, output } => Some(Turn {
                previous: previous.clone(),
                input: Text::new(Arc::clone(input), 0..input.len()),
                output: Text::new(Arc::clone(response), output.clone()),
            }),
            Thing::Item(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
