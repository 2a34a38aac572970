//! Puts a conversation together that a client sends by reference: `previous_response_id`, and `item_reference`s to
//! earlier output (API reference, "Conversation state"). The provider of another format keeps nothing, so the caller
//! keeps its answers.

use memchr::memmem;
use serde_json::{Map, Value};

/// What is kept of earlier answers.
pub trait KeptTurns {
    /// The item of output with this id.
    fn item(&self, id: &str) -> Option<Value>;
    /// The turn whose response has this id.
    fn turn(&self, id: &str) -> Option<Turn>;
}

/// One turn of a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// The id of the response before it.
    pub previous: Option<String>,
    /// The items of what the client said.
    pub input: Vec<Value>,
    /// The items of what was answered.
    pub output: Vec<Value>,
}

/// The most turns of a conversation.
const MOST_TURNS: usize = 4096;

/// The events that bring a whole response at the end of a stream.
const ENDS: [&str; 2] = ["response.completed", "response.incomplete"];

/// The id of the response that `body` continues. None, and cheap, where it continues none.
pub fn previous_response(body: &[u8]) -> Option<String> {
    memmem::find(body, br#""previous_response_id""#)?;
    let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    body.get("previous_response_id")?.as_str().map(str::to_owned)
}

/// `body` with the whole conversation in `input` and nothing by reference, if everything that it refers to is in
/// `kept`. None where it refers to nothing, or to something that is not kept.
pub fn resolve(body: &[u8], kept: &dyn KeptTurns) -> Option<Vec<u8>> {
    let refers = |name: &[u8]| memmem::find(body, name).is_some();
    if !refers(br#""previous_response_id""#) && !refers(br#""item_reference""#) {
        return None;
    }
    let mut body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut turns = Vec::new();
    let mut next = body.get("previous_response_id").and_then(Value::as_str).map(str::to_owned);
    while let Some(id) = next.take() {
        let turn = kept.turn(&id).filter(|_| turns.len() < MOST_TURNS)?;
        next.clone_from(&turn.previous);
        turns.push(turn);
    }
    let mut items: Vec<Value> =
        turns.into_iter().rev().flat_map(|turn| turn.input.into_iter().chain(turn.output)).collect();
    for item in input_items(body.remove("input").unwrap_or_default()) {
        let referred = (item["type"] == "item_reference").then(|| item["id"].as_str().unwrap_or_default());
        items.push(match referred {
            Some(id) => kept.item(id)?,
            None => item,
        });
    }
    body.shift_remove("previous_response_id");
    body.insert("input".to_owned(), items.into());
    serde_json::to_vec(&body).ok()
}

/// `input` as items. A text is a message of the user's.
pub fn input_items(input: Value) -> Vec<Value> {
    match input {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        text => vec![serde_json::json!({ "type": "message", "role": "user", "content": text })],
    }
}

/// The whole response in what a client got: a document, or the last events of a stream.
pub fn response_in(written: &[u8]) -> Option<Value> {
    if written.starts_with(b"{") {
        return serde_json::from_slice(written).ok();
    }
    let text = std::str::from_utf8(written).ok()?;
    let data = text.rsplit("\n\n").flat_map(str::lines).filter_map(|line| line.strip_prefix("data: "));
    let speaks_of_an_end = |data: &&str| ENDS.iter().any(|end| data.contains(end));
    // Answers, and requests that are repeated in them, may speak of these events too.
    let is_end = |event: &Value| ENDS.iter().any(|end| event["type"] == *end);
    let mut events = data.filter(speaks_of_an_end).filter_map(|data| serde_json::from_str::<Value>(data).ok());
    events.find(is_end).map(|mut event| event["response"].take()).filter(Value::is_object)
}
