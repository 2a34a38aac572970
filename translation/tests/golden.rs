//! Every exchange in `tests/fixtures`, translated into every format: the request for each target, the answer for each
//! client. A change of a snapshot is a change of what providers and clients get; `INSTA_UPDATE=always cargo test -p
//! translation --test golden` writes them anew, for the diff to be read.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use translation::Format;
use translation::back::Back;
use translation::facts::Facts;
use translation::ir::{Event, Request};
use translation::protocol::contract::{AnswerContext, Quirks, Target};

/// Whom each request is written for: an older and a newer model where they differ in what they take.
const TARGETS: &[(Format, &str)] = &[
    (Format::OpenAiChat, "gpt-4o"),
    (Format::OpenAiResponses, "gpt-5.1"),
    (Format::AnthropicMessages, "claude-sonnet-4-5"),
    (Format::AnthropicMessages, "claude-opus-5-5"),
    (Format::GeminiGenerate, "gemini-2.5-flash"),
    (Format::GeminiGenerate, "gemini-3-pro-preview"),
];

const CLIENTS: [Format; 4] =
    [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::GeminiGenerate];

fn folder(path: &Path) -> &str {
    path.parent().and_then(Path::file_name).unwrap().to_str().unwrap()
}

fn pretty(bytes: &[u8]) -> String {
    let value: Value =
        serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)));
    serde_json::to_string_pretty(&value).unwrap()
}

fn requests(format: Format, exchange: &Value, golden: &mut String) -> Option<Request> {
    let body = exchange.get("request")?.to_string();
    let mut request = match format.protocol().decode_request(body.as_bytes()) {
        Ok(request) => request,
        Err(error) => {
            writeln!(golden, "## request: refused\n{:?}: {}", error.param, error.message).unwrap();
            return None;
        }
    };
    if let Some(model) = exchange["model"].as_str() {
        model.clone_into(&mut request.model);
    }
    for (target, model) in TARGETS.iter().filter(|(target, _)| *target != format) {
        let facts = Facts::built_in().of(model);
        let written_for = Target { model, facts, quirks: &Quirks::NONE, stream: request.stream };
        writeln!(golden, "## request for {target} ({model})").unwrap();
        match target.protocol().encode_request(&request, &written_for) {
            Ok(encoded) => {
                writeln!(golden, "{}", pretty(&encoded.body)).unwrap();
                if !encoded.dropped.is_empty() {
                    writeln!(golden, "dropped: {}", encoded.dropped.names().join(", ")).unwrap();
                }
                if encoded.back != Back::default() {
                    writeln!(golden, "undone: {}", undone(&encoded.back)).unwrap();
                }
            }
            Err(error) => writeln!(golden, "refused: {:?}: {}", error.param, error.message).unwrap(),
        }
    }
    Some(request)
}

/// In a fixed order.
fn undone(back: &Back) -> String {
    let mut names: Vec<_> = back.tool_names.iter().collect();
    names.sort();
    let mut custom: Vec<_> = back.custom_tools.iter().collect();
    custom.sort();
    format!(
        "names {names:?}, answer tool {:?}, custom {custom:?}, prefill {:?}, unfence {}, first call only {}",
        back.answer_tool, back.prefill, back.unfence, back.first_call_only
    )
}

fn answers(format: Format, exchange: &Value, request: Request, golden: &mut String) {
    let asked = AnswerContext { id: "0000000000000000".to_owned(), created: 1_700_000_000, request: Arc::new(request) };
    let others = CLIENTS.into_iter().filter(|client| *client != format);
    if let Some(status) = exchange["status"].as_u64() {
        let body = exchange["response"].as_str().map_or_else(|| exchange["response"].to_string(), str::to_owned);
        let error = format.protocol().decode_error(u16::try_from(status).unwrap(), body.as_bytes());
        for client in others {
            let (status, document) = client.protocol().encode_error(&error, "req_0");
            writeln!(golden, "## error for {client}: {status}\n{}", pretty(&document)).unwrap();
        }
    } else if let Some(stream) = exchange["sse"].as_str() {
        let mut decoder = format.protocol().decoder();
        let mut events = Vec::new();
        decoder.push(Bytes::copy_from_slice(stream.as_bytes()), &mut events);
        decoder.end(&mut events);
        for client in others {
            let mut encoder = client.protocol().encoder(asked.clone());
            let mut bytes = Vec::new();
            for event in &events {
                encoder.event(event, &mut bytes);
            }
            if !matches!(events.last(), Some(Event::Error(_))) {
                encoder.end(&mut bytes);
            }
            writeln!(golden, "## stream for {client}\n{}", String::from_utf8(bytes).unwrap().replace('\r', ""))
                .unwrap();
        }
    } else if let Some(response) = exchange.get("response") {
        match format.protocol().decode_response(response.to_string().as_bytes()) {
            Ok(response) => {
                for client in others {
                    let bytes = client.protocol().encode_response(&response, &asked);
                    writeln!(golden, "## answer for {client}\n{}", pretty(&bytes)).unwrap();
                }
            }
            Err(error) => {
                writeln!(golden, "## answer: an error\n{} {:?}: {}", error.status, error.code, error.message).unwrap();
            }
        }
    }
}

#[test]
fn every_exchange_in_every_format() {
    insta::glob!("../../tests/fixtures", "*/*.json", |path| {
        // Ids that a decoder makes up are the same in every run.
        fastrand::seed(7);
        let exchange: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        // No client asks in it; its own tests read its exchanges.
        if folder(path) == Format::BedrockConverse.name() {
            return;
        }
        let format = CLIENTS.into_iter().find(|format| format.name() == folder(path)).expect("a folder is a format");
        let mut golden = format!("# {}\n", exchange["about"].as_str().unwrap_or_default());
        let request = requests(format, &exchange, &mut golden);
        answers(format, &exchange, request.unwrap_or_else(|| Request::new(format, "model")), &mut golden);
        let name = path.file_stem().unwrap().to_str().unwrap();
        let mut settings = insta::Settings::new();
        settings.set_omit_expression(true);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path(format!("golden/{}", folder(path)));
        settings.bind(|| insta::assert_snapshot!(name, golden));
    });
}

#[test]
fn there_are_enough_exchanges_of_each_provider() {
    for format in CLIENTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(format.name());
        let count = std::fs::read_dir(&folder).unwrap().count();
        assert!(count >= 40, "{format}: {count}");
    }
}
