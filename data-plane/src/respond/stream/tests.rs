use std::sync::Arc;

use bytes::Bytes;
use translation::Format;

use super::PassedStream;
use super::deltas::Deltas;
use crate::provider::redact::Leak;
use crate::respond::flow::Writer;
use crate::route::fixtures::candidate;
use crate::usage::meter::Meter;

/// A stream of `format` that passes.
pub(in crate::respond) fn passed(format: Format, meter: Meter) -> impl Writer {
    PassedStream::new(format, Arc::clone(&candidate().key), meter)
}

/// An event of each format with a piece of text.
const EVENTS: [(Format, &str); 4] = [
    (Format::OpenAiChat, r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"TEXT"}}]}"#),
    (Format::OpenAiResponses, r#"{"type":"response.output_text.delta","item_id":"i","delta":"TEXT"}"#),
    (
        Format::AnthropicMessages,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}"#,
    ),
    (Format::GeminiGenerate, r#"{"candidates":[{"content":{"parts":[{"text":"TEXT"}],"role":"model"}}]}"#),
];

#[test]
fn a_secret_across_the_deltas_of_a_passed_stream_is_taken_out() {
    const SECRET: &str = "sk-upstream-1";
    let leak = Leak::of(&SECRET.into());
    for (format, event) in EVENTS {
        for size in 1..SECRET.len() {
            let mut deltas = Deltas::new(format);
            let text = format!("It is {SECRET} \\\"so\\\". And sk-up");
            let mut told = String::new();
            let mut take = |events: Bytes| {
                for event in String::from_utf8(events.to_vec()).unwrap().split_terminator("\n\n") {
                    let data: serde_json::Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
                    let texts = [
                        &data["choices"][0]["delta"]["content"],
                        &data["delta"]["text"],
                        &data["delta"],
                        &data["candidates"][0]["content"]["parts"][0]["text"],
                    ];
                    told.push_str(texts.into_iter().find_map(serde_json::Value::as_str).unwrap());
                }
            };
            let mut rest = &*text;
            while !rest.is_empty() {
                // An escape is not cut in two.
                let mut length = size.min(rest.len());
                while rest[..length].ends_with('\\') && length < rest.len() {
                    length += 1;
                }
                let (piece, behind) = rest.split_at(length);
                let wire = Bytes::from(format!("data: {}\n\n", event.replace("TEXT", piece)));
                take(deltas.push(&leak, &wire).unwrap_or(wire));
                rest = behind;
            }
            take(deltas.finish().unwrap_or_default());
            assert!(!told.contains("upstream"), "{format}, by {size}: {told}");
            assert!(
                told.starts_with("It is ") && told.ends_with("[redacted] \"so\". And sk-up"),
                "{format}, by {size}: {told}"
            );
        }
    }
}
