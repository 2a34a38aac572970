//! Streams that are not as they should be: no bytes panic or hang a decoder, which ends every stream in an end or an
//! error.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::clients::check_client;
use super::contract::checked;
use super::fixtures::{FIXTURES, FORMATS, events, events_cut, told};

/// What happens to a stream on its way.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Delete(Index, usize),
    Insert(Index, Vec<u8>),
    Truncate(Index),
    /// Of whole events.
    Twice(Index),
    Lose(Index),
    Swap(Index, Index),
    /// The value at some place of an event's JSON becomes another.
    Replace(Index, Index, Value),
    /// The value at some place is gone.
    Remove(Index, Index),
}

impl Change {
    fn apply(&self, stream: &mut Vec<u8>) {
        if stream.is_empty() {
            return;
        }
        match self {
            Self::Flip(at, bits) => {
                let at = at.index(stream.len());
                stream[at] ^= bits;
            }
            Self::Delete(at, length) => {
                let from = at.index(stream.len());
                stream.drain(from..(from + length).min(stream.len()));
            }
            Self::Insert(at, bytes) => {
                let at = at.index(stream.len());
                stream.splice(at..at, bytes.iter().copied());
            }
            Self::Truncate(at) => stream.truncate(at.index(stream.len())),
            Self::Twice(_) | Self::Lose(_) | Self::Swap(..) | Self::Replace(..) | Self::Remove(..) => {
                let text = String::from_utf8_lossy(stream).into_owned();
                let between = if text.contains("\r\n\r\n") { "\r\n\r\n" } else { "\n\n" };
                let mut events: Vec<String> = text.split(between).map(str::to_owned).collect();
                self.apply_to(&mut events);
                *stream = events.join(between).into_bytes();
            }
        }
    }

    fn apply_to(&self, events: &mut Vec<String>) {
        let count = events.len();
        match self {
            Self::Twice(at) => events.insert(at.index(count), events[at.index(count)].clone()),
            Self::Lose(at) => drop(events.remove(at.index(count))),
            Self::Swap(one, other) => events.swap(one.index(count), other.index(count)),
            Self::Replace(at, place, value) => edit(&mut events[at.index(count)], *place, Some(value)),
            Self::Remove(at, place) => edit(&mut events[at.index(count)], *place, None),
            _ => {}
        }
    }
}

/// Puts `value` at some place of the JSON of `event`, or takes away what stands there.
fn edit(event: &mut String, place: Index, value: Option<&Value>) {
    let Some(at) = event.find("data:").map(|at| at + 5) else { return };
    let Ok(mut document) = serde_json::from_str::<Value>(event[at..].trim()) else { return };
    let mut places = Vec::new();
    list(&document, String::new(), &mut places);
    let path = place.get(&places);
    let (above, name) = path.rsplit_once('/').unwrap_or_default();
    match (value, document.pointer_mut(path)) {
        (Some(value), Some(there)) => *there = value.clone(),
        _ => {
            if let Some(Value::Object(object)) = document.pointer_mut(above) {
                object.remove(name);
            }
        }
    }
    event.replace_range(at.., &format!(" {document}"));
}

/// Pointers to all values within `value`, itself included.
fn list(value: &Value, path: String, places: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| list(value, format!("{path}/{name}"), places)),
        Value::Array(array) => {
            array.iter().enumerate().for_each(|(at, value)| list(value, format!("{path}/{at}"), places));
        }
        _ => {}
    }
    places.push(path);
}

fn value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!(" "),
        json!("x"),
        json!("null"),
        json!("stop"),
        json!("error"),
        json!("é🦀\u{2028}"),
        json!("{\"a\":"),
        json!([]),
        json!([null]),
        json!([[]]),
        json!(["x", 1, {}]),
        json!({}),
        json!({"type": "x", "text": 1, "id": [], "name": {}}),
        json!({"type": "text", "text": "t"}),
        json!([{"type": "text", "text": "t"}, {"type": "tool_use", "id": "a", "name": "b"}]),
    ])
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        2 => (index(), 1_u8..).prop_map(|(at, bits)| Change::Flip(at, bits)),
        1 => (index(), 1_usize..40).prop_map(|(at, length)| Change::Delete(at, length)),
        1 => (index(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => prop::sample::select(vec!["\n\n", "\r", "data: ", "event: error\n", "data: [DONE]\n\n", ":\n\n", "{", "null"])
            .prop_flat_map(move |text| index().prop_map(move |at| Change::Insert(at, text.into()))),
        1 => index().prop_map(Change::Truncate),
        2 => index().prop_map(Change::Twice),
        2 => index().prop_map(Change::Lose),
        2 => (index(), index()).prop_map(|(one, other)| Change::Swap(one, other)),
        6 => (index(), index(), value()).prop_map(|(at, place, value)| Change::Replace(at, place, value)),
        4 => (index(), index()).prop_map(|(at, place)| Change::Remove(at, place)),
    ]
}

/// Shown as text where a test fails.
#[derive(Clone)]
struct Stream(Vec<u8>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A recorded stream with some changes.
fn changed() -> impl Strategy<Value = (usize, Stream)> {
    (any::<Index>(), prop::collection::vec(change(), 1..5)).prop_map(|(at, changes)| {
        let at = at.index(FIXTURES.len());
        let mut stream = FIXTURES[at].stream.clone().into_bytes();
        for change in &changes {
            change.apply(&mut stream);
        }
        (at, Stream(stream))
    })
}

/// Bytes that look like a stream.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"data:",
        b"data: ",
        b"event: ",
        b"error",
        b"message_start",
        b"\n",
        b"\n\n",
        b"\r\n\r\n",
        b"\r",
        b": c",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"\"",
        b"null",
        b"[DONE]",
        b"{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}",
        b"{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}",
        b"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}",
        b"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\0",
    ];
    prop::collection::vec(prop::sample::select(words), 0..25).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn changed_streams_end_and_clients_understand((at, Stream(stream)) in changed(), include_usage in any::<bool>()) {
        let fixture = &FIXTURES[at];
        let events = events(fixture.format, &stream);
        let said = checked(&events, &fixture.name);
        for client in FORMATS {
            let bytes = told(client, &events, include_usage);
            check_client(client, &said, &events, &bytes, include_usage);
        }
    }

    #[test]
    fn changed_streams_do_not_depend_on_cuts((at, Stream(stream)) in changed(), cut in any::<Index>()) {
        let format = FIXTURES[at].format;
        let cut = cut.index(stream.len() + 1);
        prop_assert_eq!(events_cut(format, &stream, &[cut]), events(format, &stream));
    }

    #[test]
    fn any_bytes_end(bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..400), pieces()], cut in any::<Index>()) {
        for format in FORMATS {
            let whole = events(format, &bytes);
            checked(&whole, format.name());
            prop_assert_eq!(events_cut(format, &bytes, &[cut.index(bytes.len() + 1)]), whole);
        }
    }

    #[test]
    fn another_formats_stream_ends_too((at, Stream(stream)) in changed()) {
        for format in FORMATS {
            checked(&events(format, &stream), &format!("{} read as {format}", FIXTURES[at].name));
        }
    }
}
