//! What metering, and the routing of later requests, need of answers that pass through as they are.

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::lenient::{Count, Text, maybe};
use crate::ir::Usage;
use crate::protocol::blank::is_blank;
use crate::protocol::contract::{Life, Seen, StreamWatcher};

/// `usage` (API reference, "The response object").
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts<'a> {
    input_tokens: Count,
    output_tokens: Count,
    #[serde(borrow)]
    input_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens_details: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(rename = "cached_tokens")]
    cached: Count,
    #[serde(rename = "cache_write_tokens")]
    cache_write: Count,
    #[serde(rename = "audio_tokens")]
    audio: Count,
    #[serde(rename = "reasoning_tokens")]
    reasoning: Count,
}

impl Counts<'_> {
    /// The counts in `raw`, if it is an object that holds any.
    pub(super) fn read(raw: &RawValue) -> Option<Usage> {
        let counts: Counts<'_> = maybe(raw)?;
        if counts.input_tokens.0.is_none() && counts.output_tokens.0.is_none() {
            return None;
        }
        let details = |raw: Option<&RawValue>| raw.and_then(maybe::<Details>).unwrap_or_default();
        let (input, output) = (details(counts.input_tokens_details), details(counts.output_tokens_details));
        let count = |count: Count| count.0.unwrap_or_default();
        let usage = Usage {
            capped: false,
            input_image: 0,
            output_image: 0,
            input: count(counts.input_tokens),
            cached: count(input.cached),
            cache_write: count(input.cache_write),
            cache_write_1h: 0,
            input_audio: count(input.audio),
            output: count(counts.output_tokens),
            reasoning: count(output.reasoning),
            output_audio: count(output.audio),
        };
        Some(usage.fitted())
    }
}

/// The usage of a whole answer.
pub(super) fn usage(body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Whole<'a> {
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
    }

    // A list or a number is JSON without a usage.
    let whole: &RawValue = serde_json::from_slice(body)?;
    Ok(maybe::<Whole<'_>>(whole).and_then(|whole| whole.usage).and_then(Counts::read))
}

/// The usage in the tail of an answer: the last object in a field of that name.
pub(super) fn usage_in_tail(tail: &[u8]) -> Option<Usage> {
    memmem::rfind_iter(tail, b"\"usage\"").find_map(|at| {
        let value = tail[at + b"\"usage\"".len()..].trim_ascii_start().strip_prefix(b":")?;
        let mut values = serde_json::Deserializer::from_slice(value).into_iter::<&RawValue>();
        values.next()?.ok().and_then(Counts::read)
    })
}

/// The id of an answer, from a whole one or from the data of an event such as `response.created`. Later requests name
/// it as `previous_response_id`, and have to go to the group that made it.
pub fn response_id(json: &[u8]) -> Option<String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named<'a> {
        #[serde(borrow)]
        id: Text<'a>,
        #[serde(borrow)]
        response: Option<&'a RawValue>,
    }

    memmem::find(json, b"\"id\"")?;
    let named: Named<'_> = serde_json::from_slice(json).ok()?;
    match named.response {
        Some(response) => maybe::<Named<'_>>(response)?.id.given().map(str::to_owned),
        None => named.id.given().map(str::to_owned),
    }
}

/// Watches a stream that passes through.
#[derive(Debug)]
pub(super) struct Watcher;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Watched<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl StreamWatcher for Watcher {
    fn event(&mut self, data: &Bytes) -> Seen {
        // Only errors and events of the answer as a whole have these. The many small events are not parsed.
        let of_interest = memmem::find(data, b"\"response\"").is_some() || memmem::find(data, b"\"error\"").is_some();
        if !of_interest {
            return Seen::default();
        }
        let Ok(event) = serde_json::from_slice::<Watched<'_>>(data) else { return Seen::default() };
        let ends = match event.r#type.or_empty() {
            "response.completed" | "response.incomplete" => true,
            "response.failed" => return Seen { error: true, done: true, usage: usage_of(&event), ..Seen::default() },
            "error" => return Seen { error: true, ..Seen::default() },
            "" if event.error.is_some() => return Seen { error: true, ..Seen::default() },
            _ => false,
        };
        Seen { usage: if ends { usage_of(&event) } else { None }, finishes: ends, done: ends, ..Seen::default() }
    }
}

fn usage_of(event: &Watched<'_>) -> Option<Usage> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Whole<'a> {
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
    }

    maybe::<Whole<'_>>(event.response?)?.usage.and_then(Counts::read)
}

/// How much an event says. OpenAI sends events of type `keepalive` while the model says nothing.
pub(super) fn life(data: &[u8]) -> Life {
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return Life::Nothing };
    let kind = event["type"].as_str().unwrap_or_default();
    match kind.strip_prefix("response.") {
        Some("created" | "queued" | "in_progress") => Life::Begins,
        Some(_) if event.get("delta").is_some_and(|delta| is_blank(delta, &[])) => Life::Nothing,
        Some(_) => Life::Says,
        None if kind == "error" || event["error"].is_object() => Life::Says,
        None => Life::Nothing,
    }
}
