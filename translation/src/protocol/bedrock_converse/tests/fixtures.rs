//! Exchanges in files, each with what is to be read from it.

use std::path::Path;

use serde_json::Value;

use super::{BedrockConverse, decode_in, stream};
use crate::ir::{Collector, Part, ProviderError, Response};
use crate::protocol::contract::Protocol as _;

fn read(exchange: &Value) -> Result<Response, ProviderError> {
    if let Some(status) = exchange["status"].as_u64() {
        let body = exchange["response"].to_string();
        return Err(BedrockConverse.decode_error(u16::try_from(status).unwrap(), body.as_bytes()));
    }
    let Some(events) = exchange["events"].as_array() else {
        return BedrockConverse.decode_response(exchange["response"].to_string().as_bytes());
    };
    let mut collector = Collector::default();
    for event in decode_in(&stream(events), 11) {
        collector.event(event)?;
    }
    collector.finish()
}

fn texts<'p>(parts: &'p [Part], of: impl Fn(&'p Part) -> Option<&'p str>) -> String {
    parts.iter().filter_map(of).collect()
}

fn holds(name: &str, response: &Response, expected: &Value) {
    let choice = &response.choices[0];
    let parts = &choice.parts;
    let text = |field: &str| expected[field].as_str().unwrap_or_default();
    assert_eq!(texts(parts, Part::as_text), text("text"), "{name}");
    let thought = |part: &'_ Part| match part {
        Part::Thinking { text, signature } => Some((text.clone(), signature.clone())),
        _ => None,
    };
    let (thinking, signature) = parts.iter().find_map(thought).unwrap_or_default();
    assert_eq!(thinking, text("thinking"), "{name}");
    assert_eq!(signature.map(|signature| signature.data).unwrap_or_default(), text("signature"), "{name}");
    let redacted = parts.iter().filter_map(|part| match part {
        Part::RedactedThinking(signature) => Some(&*signature.data),
        _ => None,
    });
    let wanted = expected["redacted"].as_array().into_iter().flatten().filter_map(Value::as_str);
    assert_eq!(redacted.collect::<Vec<_>>(), wanted.collect::<Vec<_>>(), "{name}");
    let calls = parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(serde_json::json!([call.name, call.arguments])),
        _ => None,
    });
    assert_eq!(calls.collect::<Vec<_>>(), expected["calls"].as_array().cloned().unwrap_or_default(), "{name}");
    let refused = parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    assert_eq!(refused, expected["refusal"] == true, "{name}");
    let mut before = 0;
    let mut citations = Vec::new();
    for part in parts {
        if let Part::Text { text, citations: cited, .. } = part {
            let at = |offset: Option<u64>| offset.map(|offset| offset + before);
            citations
                .extend(cited.iter().map(|cited| serde_json::json!([cited.title, at(cited.start), at(cited.end)])));
            before += text.chars().count() as u64;
        }
    }
    assert_eq!(citations, expected["citations"].as_array().cloned().unwrap_or_default(), "{name}");
    assert_eq!(choice.finish.map(|finish| format!("{finish:?}")).as_deref(), expected["finish"].as_str(), "{name}");
    assert_eq!(choice.stop_sequence.as_deref(), expected["stop"].as_str(), "{name}");
    assert_eq!(response.service_tier.as_deref(), expected["tier"].as_str(), "{name}");
    let usage = response.usage.unwrap();
    let counts = [
        ("input", usage.input),
        ("output", usage.output),
        ("cached", usage.cached),
        ("cache_write", usage.cache_write),
        ("cache_write_1h", usage.cache_write_1h),
    ];
    for (field, count) in counts {
        assert_eq!(count, expected["usage"][field].as_u64().unwrap_or_default(), "{name}: {field}");
    }
}

#[test]
fn every_exchange_is_read_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/bedrock_converse");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let exchange: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let expected = &exchange["expect"];
        match read(&exchange) {
            Ok(response) => holds(&name, &response, expected),
            Err(error) => {
                let said = serde_json::json!([format!("{:?}", error.kind), error.status, error.code]);
                assert_eq!(said, expected["error"], "{name}: {error:?}");
            }
        }
        count += 1;
    }
    assert!(count >= 20, "{count}");
}
