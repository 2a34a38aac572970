//! What metering needs of a stream that passes through.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::lenient::{Object, Text};
use super::usage::{Counts, Wire};
use crate::protocol::blank::is_blank;
use crate::protocol::contract::{Life, Seen, StreamWatcher};
use crate::protocol::sse;

/// The usage, merged over the stream.
#[derive(Debug, Default)]
pub(super) struct Watcher(Counts);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    message: Object<Message<'a>>,
    #[serde(borrow)]
    delta: Object<Delta<'a>>,
    #[serde(borrow)]
    usage: Object<Wire<'a>>,
    error: Object<IgnoredObject>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    usage: Object<Wire<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delta<'a> {
    #[serde(borrow)]
    stop_reason: Text<'a>,
}

#[derive(Deserialize)]
struct IgnoredObject {
    #[expect(dead_code, reason = "its presence is all that counts")]
    r#type: Option<IgnoredAny>,
}

impl StreamWatcher for Watcher {
    fn event(&mut self, data: &Bytes) -> Seen {
        let mut seen = Seen::default();
        // Nearly all events are of these types and say nothing to metering.
        if leading_type(data).is_some_and(|kind| kind.starts_with(b"content_block_") || kind == b"ping") {
            return seen;
        }
        let Ok(event) = serde_json::from_slice::<Event<'_>>(data) else {
            return seen;
        };
        match event.r#type.as_str() {
            "message_start" => seen.usage = self.usage(event.message.0.and_then(|message| message.usage.0).as_ref()),
            "message_delta" => {
                seen.usage = self.usage(event.usage.0.as_ref());
                seen.finishes = event.delta.0.is_some_and(|delta| delta.stop_reason.0.is_some());
            }
            "message_stop" => seen.done = true,
            "error" => seen.error = true,
            "" => seen.error = event.error.0.is_some(),
            _ => {}
        }
        seen
    }
}

impl Watcher {
    fn usage(&mut self, usage: Option<&Wire<'_>>) -> Option<crate::ir::Usage> {
        self.0.merge(usage?);
        self.0.usage()
    }
}

/// The value of `type` where that is the first field, as in all of Anthropic's events.
pub(super) fn leading_type(data: &[u8]) -> Option<&[u8]> {
    let rest = data.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start().strip_prefix(br#""type""#)?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = rest.iter().take(64).position(|byte| *byte == b'"')?;
    Some(&rest[..end])
}

/// Whether an event that reports an error has the name and the shape by which Anthropic's SDKs know one
/// (`docs/CONFORMANCE.md` section 7).
pub(super) fn is_error_event(event: &Bytes) -> bool {
    let typed = |data: Bytes| {
        serde_json::from_slice::<Value>(&data).is_ok_and(|data| data["type"] == "error" && data["error"].is_object())
    };
    sse::name(event).is_some_and(|name| name == "error") && sse::data(event).is_some_and(typed)
}

/// How much an event says. Pings come for as long as the model says nothing.
pub(super) fn life(data: &[u8]) -> Life {
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return Life::Nothing };
    match event["type"].as_str().unwrap_or_default() {
        "content_block_delta" if is_blank(&event["delta"], &["type"]) => Life::Nothing,
        "content_block_start" if matches!(event["content_block"]["type"].as_str(), Some("text" | "thinking")) => {
            Life::Begins
        }
        "content_block_start" | "content_block_delta" | "message_delta" | "message_stop" | "error" => Life::Says,
        "" if event["error"].is_object() => Life::Says,
        "" | "ping" => Life::Nothing,
        // An event that is newer than this gateway.
        _ => Life::Begins,
    }
}
