//! Groups whose providers stream always or never, and hostile providers, in every format.

use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use serde_json::Value;
use shared::pb::usage_record::{Outcome, UsageSource};
use shared::snapshot::UpstreamStream;
use tokio::time::timeout;
use translation::Format;

use super::matrix::{CLIENTS, VENDORS, bench_with, request, said, streamed};
use super::text;
use crate::media::tests::fixtures::Server;

#[tokio::test]
async fn a_client_gets_a_stream_or_none_whatever_the_provider_does() {
    for (vendor, versioned, model) in VENDORS {
        for provider in [UpstreamStream::Always, UpstreamStream::Never] {
            let mut bench = bench_with(vendor, versioned, model, |group| group.upstream_stream = provider).await;
            let calls = || Script {
                content: Some("Look:".to_owned()),
                ..Script::tool_calls([("weather", r#"{"city":"Paris"}"#)])
            };
            bench.provider.always(Target::All, calls().usage(20, 7));
            for format in CLIENTS {
                for stream in [false, true] {
                    let response = bench.send(request(format, "Hello", stream, true)).await;
                    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
                    let body = text(response).await;
                    let about = format!("{format} from {vendor}, which streams {provider:?}: {body}");
                    assert_eq!(content_type.starts_with("text/event-stream"), stream, "{about}");
                    let said = if stream {
                        streamed(format, &body)
                    } else {
                        said(format, &serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} {about}")))
                    };
                    assert_eq!(said.0, "Look:", "{about}");
                    assert_eq!((said.1[0].0.as_str(), &said.1[0].1["city"]), ("weather", &"Paris".into()), "{about}");
                    let sent = bench.provider.journal().last().unwrap();
                    let asked = sent.path.contains(":streamGenerateContent")
                        || sent.json().get("stream").and_then(Value::as_bool).unwrap_or(false);
                    assert_eq!(asked, provider == UpstreamStream::Always, "{about}");
                    let record = bench.record();
                    assert_eq!(
                        (record.input_tokens, record.output_tokens, record.streamed),
                        (20, 7, stream),
                        "{about}"
                    );
                    assert_eq!((record.outcome(), record.usage_source()), (Outcome::Success, UsageSource::Reported));
                }
            }
        }
    }
}

/// Some vendors or models always stream, or never do, whatever they are asked for.
#[tokio::test]
async fn a_provider_that_does_not_do_as_asked_makes_no_difference() {
    for (vendor, versioned, model) in VENDORS {
        let mut bench = bench_with(vendor, versioned, model, |_| {}).await;
        for format in CLIENTS {
            for stream in [false, true] {
                // The provider gives an answer of the other kind, in its own format.
                let own = spoken_to(vendor, format);
                bench.provider.script(Target::All, Script::saying("one two three").usage(20, 7));
                let other = bench.send(request(own, "Hello", !stream, false)).await;
                let content_type = other.headers()["content-type"].to_str().unwrap().to_owned();
                bench.provider.script(Target::All, Script::verbatim(200, &content_type, text(other).await));
                bench.record();

                let response = bench.send(request(format, "Hello", stream, false)).await;
                let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
                let body = text(response).await;
                let about = format!("{format} from {vendor}, stream {stream}: {body}");
                assert_eq!(content_type.starts_with("text/event-stream"), stream, "{about}");
                let said = if stream {
                    streamed(format, &body)
                } else {
                    said(format, &serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} {about}")))
                };
                assert_eq!(said.0, "one two three", "{about}");
                let record = bench.record();
                assert_eq!((record.outcome(), record.streamed), (Outcome::Success, stream), "{about}");
                // Without `stream_options` OpenAI's streams end without usage.
                if vendor != "openai" && vendor != "openai_compatible" {
                    assert_eq!((record.input_tokens, record.output_tokens), (20, 7), "{about}");
                }
            }
        }
    }
}

/// The format in which `vendor` is asked for a client of `format`.
pub(super) fn spoken_to(vendor: &str, format: Format) -> Format {
    match (vendor, format) {
        ("openai_responses", _) | ("openai", Format::OpenAiResponses) => Format::OpenAiResponses,
        ("anthropic", _) => Format::AnthropicMessages,
        ("gemini", _) => Format::GeminiGenerate,
        _ => Format::OpenAiChat,
    }
}

/// Gemini streams a JSON array where it does not know `alt=sse` (`docs/TRANSLATION.md` section 8).
#[tokio::test]
async fn rule_8_an_array_of_geminis_is_a_stream_for_every_client() {
    let mut bench = bench_with("gemini", false, "gemini-2.5-flash", |_| {}).await;
    let array = r#"[{"candidates":[{"content":{"parts":[{"text":"one "}]},"index":0}]},
        {"candidates":[{"content":{"parts":[{"text":"two"}]},"index":0,"finishReason":"STOP"}],
        "usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":7,"totalTokenCount":27}}]"#;
    for format in CLIENTS {
        bench.provider.script(Target::All, Script::verbatim(200, "application/json", array));
        let response = bench.send(request(format, "Hello", true, false)).await;
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"), "{format}");
        let body = text(response).await;
        assert_eq!(streamed(format, &body).0, "one two", "{format}: {body}");
        let record = bench.record();
        assert_eq!((record.input_tokens, record.output_tokens), (20, 7), "{format}: {body}");
    }
}

/// A whole answer of OpenAI as a stream, with and without its `[DONE]`.
fn whole_stream(done: bool) -> String {
    let chunk = |rest: &str| format!("data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",{rest}}}\n\n");
    let mut stream = chunk(r#""choices":[{"index":0,"delta":{"role":"assistant","content":"one two"}}]"#);
    stream += &chunk(r#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}]"#);
    stream += &chunk(r#""choices":[],"usage":{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27}"#);
    if done {
        stream += "data: [DONE]\n\n";
    }
    stream
}

#[tokio::test]
async fn a_connection_that_stays_open_behind_the_answer_keeps_no_one_waiting() {
    let provider = Server::start(|_, _| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        ([head, &whole_stream(true)].concat().into(), true)
    })
    .await;
    for format in CLIENTS {
        let base = provider.url("/v1");
        let mut bench =
            bench_with("openai_compatible", true, "llama-3", |group| group.base_url = base.as_str().into()).await;
        let response = bench.send(request(format, "Hello", true, false)).await;
        let body = timeout(Duration::from_secs(5), text(response)).await.expect("the end of the answer");
        assert_eq!(streamed(format, &body).0, "one two", "{format}: {body}");
        assert_eq!(bench.record().outcome(), Outcome::Success, "{format}");
    }
}

#[tokio::test]
async fn an_answer_is_whole_that_has_come_to_its_end_before_its_connection_breaks() {
    let stream = whole_stream(false);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked";
    let raw = format!("{head}\r\n\r\n{:x}\r\n{stream}\r\n", stream.len());
    for format in CLIENTS {
        for stream in [false, true] {
            let mut bench = bench_with("openai_compatible", true, "llama-3", |_| {}).await;
            bench.provider.script(Target::All, Script { raw: Some(raw.clone()), ..Script::default() });
            let response = bench.send(request(format, "Hello", stream, false)).await;
            let body = text(response).await;
            assert!(body.contains("one two") && !body.contains("closed the connection"), "{format} {stream}: {body}");
            assert_eq!(body.contains("[DONE]"), stream && format == Format::OpenAiChat, "{format}: {body}");
            let record = bench.record();
            assert_eq!((record.outcome(), record.output_tokens), (Outcome::Success, 7), "{format} {stream}: {body}");
        }
    }
}

#[tokio::test]
async fn p20_a_compressed_stream_which_was_not_asked_for_is_a_clean_error() {
    for (vendor, versioned, model) in VENDORS {
        let bench = bench_with(vendor, versioned, model, |_| {}).await;
        let script = Script::verbatim(200, "text/event-stream", "\u{1f}\u{8b}\n\n").header("content-encoding", "gzip");
        bench.provider.always(Target::All, script);
        for format in CLIENTS {
            for stream in [false, true] {
                bench.forgive();
                let response = bench.send(request(format, "Hello", stream, false)).await;
                assert_eq!(response.status(), 502, "{format} from {vendor}");
                assert!(text(response).await.contains("compressed stream"), "{format} from {vendor}");
            }
        }
    }
}

#[tokio::test]
async fn p20_a_hostile_provider_of_any_format_gives_a_clean_error_in_the_clients() {
    let hostile = || {
        [
            Script::verbatim(200, "text/html", "<html>"),
            Script::verbatim(200, "application/json", "{\"id\":"),
            Script::verbatim(200, "application/json", "[[[["),
            Script::verbatim(200, "application/json", "{}").header("content-encoding", "gzip"),
            Script::verbatim(200, "text/event-stream", "x".repeat(2 << 20)),
            Script::verbatim(200, "text/event-stream", format!("data: {}", "[".repeat(1 << 19))),
            Script::verbatim(200, "text/event-stream", "data: \u{fffd}{\n\n\r\r\n\n"),
            Script::error(302).header("location", "http://127.0.0.1:1/"),
            Script { raw: Some("junk\r\n\r\n".to_owned()), ..Script::default() },
        ]
    };
    for (vendor, versioned, model) in VENDORS {
        let bench = bench_with(vendor, versioned, model, |_| {}).await;
        for format in CLIENTS {
            for (number, script) in hostile().into_iter().enumerate() {
                bench.forgive();
                bench.provider.clear_scripts();
                bench.provider.always(Target::All, script);
                let response = bench.send(request(format, "Hello", true, false)).await;
                let status = response.status().as_u16();
                let body = text(response).await;
                let about = format!("{format} from {vendor}, {number}: {status} {body:.300}");
                if status == 200 {
                    assert!(body.contains("\"error\"") && !body.contains("[DONE]"), "{about}");
                } else {
                    assert_eq!(status, 502, "{about}");
                    let document: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} {about}"));
                    assert!(document["error"]["message"].is_string(), "{about}");
                }
                assert!(body.len() < 64 * 1024, "{about}");
            }
        }
    }
}
