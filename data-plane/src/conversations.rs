//! Keeps the answers that translated groups gave to clients of OpenAI's Responses API, which refer to them later: by
//! `previous_response_id`, by `item_reference`, and by `GET /v1/responses/{id}`. Providers of that API keep their
//! answers themselves. The others keep nothing.
//!
//! Answers are kept in memory, by this node alone, for hours. A client that sends the whole conversation
//! (`store: false`) does not depend on them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use shared::ids::Id;
use translation::protocol::openai_responses::resolve::{KeptTurns, Turn, input_items, response_in};

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
    Item(String),
    /// A response.
    Response {
        previous: Option<String>,
        /// The items that the client sent, as JSON text.
        input: String,
        /// The whole response, as JSON text.
        response: String,
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

impl ClientConversations {
    /// Keeps the answer to `request`, unless the client wishes that nothing be kept. `written` is what the client got,
    /// or the end of it.
    pub fn keep(&self, request: &[u8], written: &[u8]) {
        let Ok(mut request) = serde_json::from_slice::<Value>(request) else { return };
        if request["store"] == false {
            return;
        }
        let Some(response) = response_in(written) else { return };
        let Some(id) = response["id"].as_str().map(str::to_owned) else { return };
        let previous = request["previous_response_id"].as_str().map(str::to_owned);
        let input = Value::from(input_items(request["input"].take())).to_string();
        for item in response["output"].as_array().into_iter().flatten() {
            if let Some(id) = item["id"].as_str() {
                self.put(id, Thing::Item(item.to_string()));
            }
        }
        self.put(&id, Thing::Response { previous, input, response: response.to_string() });
    }

    fn put(&self, id: &str, thing: Thing) {
        self.all.lock().put(name(&self.proxy_key, id), Arc::new(thing), Instant::now());
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
            Thing::Response { response, .. } => Some(response.clone()),
            Thing::Item(_) => None,
        }
    }

    /// What the client said in the turn, as the API lists it.
    pub fn input_list(&self, id: &str) -> Option<String> {
        let turn = self.turn(id)?;
        let number = |(at, mut item): (usize, Value)| {
            if item.get("id").is_none() {
                item["id"] = json!(format!("msg_{at}"));
            }
            item
        };
        let data: Vec<_> = turn.input.into_iter().enumerate().map(number).rev().collect();
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
    fn item(&self, id: &str) -> Option<Value> {
        match &*self.thing(id)? {
            Thing::Item(item) => serde_json::from_str(item).ok(),
            Thing::Response { .. } => None,
        }
    }

    fn turn(&self, id: &str) -> Option<Turn> {
        match &*self.thing(id)? {
            Thing::Response { previous, input, response } => {
                let response: Value = serde_json::from_str(response).ok()?;
                let output = response["output"].as_array().cloned().unwrap_or_default();
                Some(Turn { previous: previous.clone(), input: serde_json::from_str(input).ok()?, output })
            }
            Thing::Item(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
