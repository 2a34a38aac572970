//! What translation costs: `cargo bench -p translation`. One thread, the median of several rounds, in microseconds of
//! wall time.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use translation::Format;
use translation::facts::Facts;
use translation::ir::Event;
use translation::protocol::contract::{AnswerContext, Quirks, Target};

const FORMATS: [(Format, &str); 4] = [
    (Format::OpenAiChat, "gpt-4o"),
    (Format::OpenAiResponses, "gpt-4.1"),
    (Format::AnthropicMessages, "claude-sonnet-4-5"),
    (Format::GeminiGenerate, "gemini-2.5-flash"),
];

/// Microseconds that `work` takes.
fn time(mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..15)
        .map(|_| {
            let (started, mut count) = (Instant::now(), 0_u32);
            while started.elapsed() < Duration::from_millis(40) {
                work();
                count += 1;
            }
            started.elapsed().as_secs_f64() * 1e6 / f64::from(count)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// A chat request of about `bytes`.
fn chat(bytes: usize) -> String {
    let words = "The quick brown fox jumps over the lazy dog. ";
    let mut messages = vec![json!({ "role": "system", "content": "Be brief." })];
    let mut size = 200;
    while size < bytes {
        let text = words.repeat(((bytes - size) / words.len()).clamp(1, 20));
        size += text.len() + 40;
        let role = if messages.len() % 2 == 1 { "user" } else { "assistant" };
        messages.push(json!({ "role": role, "content": text }));
    }
    if messages.len() % 2 == 1 {
        messages.push(json!({ "role": "user", "content": "Go on." }));
    }
    json!({ "model": "m", "messages": messages, "temperature": 0.5, "max_tokens": 500, "stream": true }).to_string()
}

/// A stream of `format` with so many pieces of text.
fn stream(format: Format, pieces: usize, asked: &AnswerContext) -> Bytes {
    let mut encoder = format.protocol().encoder(asked.clone());
    let mut bytes = Vec::new();
    encoder.event(&Event::Start(translation::ir::Start::default()), &mut bytes);
    for _ in 0..pieces {
        encoder.event(&Event::Text("some words".to_owned()), &mut bytes);
    }
    encoder.event(&Event::Usage(translation::ir::Usage { input: 9, output: 9, ..Default::default() }), &mut bytes);
    encoder.event(&Event::Finish { reason: translation::ir::Finish::Stop, stop_sequence: None }, &mut bytes);
    encoder.end(&mut bytes);
    bytes.into()
}

fn main() {
    println!("request of OpenAI chat to the format, read and written");
    for bytes in [1_000, 200_000] {
        let body = chat(bytes);
        for (format, model) in FORMATS {
            let facts = Facts::built_in().of(model);
            let target = Target { model, facts, quirks: &Quirks::NONE, stream: true };
            let cost = time(|| {
                let request = Format::OpenAiChat.protocol().decode_request(body.as_bytes()).unwrap();
                black_box(format.protocol().encode_request(&request, &target).unwrap());
            });
            println!("  {:>7} bytes to {format:<20} {cost:9.2} us", body.len());
        }
    }
    let request = Format::OpenAiChat.protocol().decode_request(chat(1_000).as_bytes()).unwrap();
    let asked = AnswerContext { id: "0".repeat(24), created: 1_700_000_000, request: Arc::new(request) };
    println!("one event of a stream from the format to OpenAI chat, read and written; and watched, where it passes");
    for (format, _) in FORMATS {
        const PIECES: u16 = 1_000;
        let bytes = stream(format, usize::from(PIECES), &asked);
        let converted = time(|| {
            let (mut decoder, mut encoder) =
                (format.protocol().decoder(), Format::OpenAiChat.protocol().encoder(asked.clone()));
            let (mut events, mut written) = (Vec::new(), Vec::new());
            decoder.push(bytes.clone(), &mut events);
            decoder.end(&mut events);
            for event in &events {
                encoder.event(event, &mut written);
            }
            black_box(written);
        });
        let watched = time(|| {
            let mut watcher = format.protocol().watcher();
            for event in translation::protocol::sse::events(bytes.clone()) {
                if let Some(data) = translation::protocol::sse::data(&event) {
                    black_box(watcher.event(&data));
                }
            }
        });
        let per_event = |cost: f64| cost / f64::from(PIECES);
        println!("  {format:<20} {:6.3} us  {:6.3} us", per_event(converted), per_event(watched));
    }
    println!("answer of 1 KB from the format to OpenAI chat, read and written");
    for (format, _) in FORMATS {
        let part = translation::ir::Part::text("some words ".repeat(90));
        let choice = translation::ir::Choice {
            parts: vec![part],
            finish: Some(translation::ir::Finish::Stop),
            ..Default::default()
        };
        let answer = translation::ir::Response { choices: vec![choice], ..Default::default() };
        let body = format.protocol().encode_response(&answer, &asked);
        let cost = time(|| {
            let answer = format.protocol().decode_response(&body).unwrap();
            black_box(Format::OpenAiChat.protocol().encode_response(&answer, &asked));
        });
        println!("  {format:<20} {cost:6.2} us");
    }
}
