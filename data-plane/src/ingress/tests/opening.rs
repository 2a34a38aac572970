//! Answers with the status of success that are none, and streams that end badly.

use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use serde_json::Value;
use shared::drain::Tasks;
use shared::pb::usage_record::{Outcome, UsageSource};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;
use translation::Format;

use super::matrix::{CLIENTS, VENDORS, bench_with, request, said, streamed};
use super::streaming::spoken_to;
use super::{bench, chat, error, plain, text};

const OPENAI_ERROR: &str = r#"{"error":{"code":502,"message":"Provider returned error"}}"#;
const ANTHROPIC_ERROR: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
const GEMINI_ERROR: &str = r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#;
const RESPONSES_FAILED: &str = r#"{"type":"response.failed","response":{"id":"r","object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"It failed."}}}"#;

fn data(document: &str) -> String {
    format!("data: {document}\n\n")
}

fn named(name: &str, document: &str) -> String {
    format!("event: {name}\ndata: {document}\n\n")
}

/// What a provider of `format` sends in place of a stream.
pub(super) fn bad_streams(format: Format) -> Vec<String> {
    let mut streams = match format {
        Format::OpenAiChat => {
            let role = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
            let spoilt = r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Provider returned error"}}"#;
            vec![
                data(OPENAI_ERROR),
                data(role) + &data(OPENAI_ERROR),
                ": OPENROUTER PROCESSING\n\n".to_owned() + &data(role) + &data(spoilt) + "data: [DONE]\n\n",
                data(role),
                "data: [DONE]\n\n".to_owned(),
            ]
        }
        Format::OpenAiResponses => {
            let created = r#"{"type":"response.created","response":{"id":"r","object":"response","status":"in_progress","output":[]}}"#;
            let error = r#"{"type":"error","error":{"type":"server_error","code":"server_error","message":"It failed.","param":null}}"#;
            vec![
                named("response.created", created) + &named("response.failed", RESPONSES_FAILED),
                named("error", error),
                named("response.created", created) + &named("error", error),
                named("response.created", created),
            ]
        }
        Format::AnthropicMessages => {
            let start = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"c","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#;
            let ping = named("ping", r#"{"type":"ping"}"#);
            vec![
                named("error", ANTHROPIC_ERROR),
                named("message_start", start) + &ping + &named("error", ANTHROPIC_ERROR),
                named("message_start", start) + &ping,
            ]
        }
        Format::GeminiGenerate => {
            let empty = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}"#;
            let signed = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"","thoughtSignature":"c2ln"}]},"index":0}]}"#;
            vec![
                data(GEMINI_ERROR),
                data(empty) + &data(GEMINI_ERROR),
                data(empty) + GEMINI_ERROR,
                data(signed) + &data(GEMINI_ERROR),
                data(empty),
            ]
        }
        Format::BedrockConverse => unreachable!(),
    };
    streams.extend([String::new(), ": nothing\n\n".to_owned(), "data: \n\n".to_owned()]);
    streams
}

/// What a provider of `format` sends in place of a whole answer.
pub(super) fn bad_answers(format: Format) -> Vec<(&'static str, &'static str)> {
    let own = match format {
        Format::OpenAiChat => OPENAI_ERROR,
        Format::OpenAiResponses => {
            r#"{"id":"r","object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"It failed."}}"#
        }
        Format::AnthropicMessages => ANTHROPIC_ERROR,
        _ => GEMINI_ERROR,
    };
    vec![
        ("application/json", own),
        ("application/json", OPENAI_ERROR),
        ("application/json", r#"{"error":"no"}"#),
        ("application/json", ""),
        ("application/json", " \n"),
        ("application/json", "{\"id\":"),
        ("text/html", "<html><h1>Bad</h1></html>"),
    ]
}

/// Of two keys the first gets what is no answer. The client gets the answer that comes with the second, or, where there
/// is no other, an error of its own API with the status of one.
#[tokio::test]
async fn what_fails_before_its_first_content_is_an_error_and_goes_to_the_next_key() {
    for (vendor, versioned, model) in VENDORS {
        for format in CLIENTS {
            let spoken = spoken_to(vendor, format);
            let streams = bad_streams(spoken).into_iter().map(|body| (true, "text/event-stream", body));
            let html = (true, "text/html", "<html>".to_owned());
            let answers = bad_answers(spoken).into_iter().flat_map(|(kind, body)| {
                [
                    (false, kind, body.to_owned()),
                    (true, kind, body.to_owned()),
                    (true, "text/event-stream", body.to_owned()),
                ]
            });
            for (stream, kind, body) in streams.chain([html]).chain(answers) {
                let about = format!("{format} from {vendor}, stream {stream}: {kind} {body:?}");
                let mut bench = bench_with(vendor, versioned, model, |_| {}).await;
                bench.provider.script(Target::All, Script::verbatim(200, kind, body.clone()));
                bench.provider.always(Target::All, Script::saying("one two").usage(20, 7));
                let response = bench.send(request(format, "Hello", stream, false)).await;
                let status = response.status().as_u16();
                let answer = text(response).await;
                assert_eq!(status, 200, "{about}: {answer}");
                let words = if stream {
                    streamed(format, &answer)
                } else {
                    said(format, &serde_json::from_str(&answer).unwrap())
                };
                assert_eq!(words.0, "one two", "{about}: {answer}");
                assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2"], "{about}");
                let record = bench.record();
                assert_eq!((record.outcome(), record.output_tokens), (Outcome::Success, 7), "{about}");
                assert_eq!(record.attempts.len(), 2, "{about}");

                let mut bench = bench_with(vendor, versioned, model, |group| group.upstream_keys.truncate(1)).await;
                bench.provider.always(Target::All, Script::verbatim(200, kind, body));
                let response = bench.send(request(format, "Hello", stream, false)).await;
                let status = response.status().as_u16();
                let answer = text(response).await;
                assert!(status >= 500, "{about}: {status} {answer}");
                let document: Value =
                    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error} {about}: {answer}"));
                assert!(document["error"]["message"].is_string(), "{about}: {answer}");
                let record = bench.record();
                assert_eq!((record.outcome(), record.status), (Outcome::UpstreamError, u32::from(status)), "{about}");
            }
        }
    }
}

/// go-openai and Vercel's SDK see no error in an event that has choices, so one of its own is behind it. What the
/// provider sends behind an error, such as an end, does not reach the client, and the gateway adds none.
#[tokio::test]
async fn an_error_within_a_chunk_in_mid_stream_is_an_error_in_stream_and_ledger() {
    let chunk = |rest: &str| data(&format!(r#"{{"id":"c","object":"chat.completion.chunk",{rest}}}"#));
    let start = chunk(r#""choices":[{"index":0,"delta":{"role":"assistant","content":"one two"}}]"#);
    let usage = chunk(r#""choices":[],"usage":{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27}"#);
    let spoilt = [
        r#""choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Gone."}"#,
        r#""error":{"code":502,"message":"Gone."},"choices":[{"index":0,"delta":{"content":" three"},"finish_reason":null}]"#,
        r#""choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"Gone."}}]"#,
        r#""choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]"#,
    ];
    for (spoilt, end) in spoilt.into_iter().flat_map(|spoilt| [(spoilt, ""), (spoilt, "data: [DONE]\n\n")]) {
        let stream = start.clone() + &chunk(spoilt) + &usage + end;
        for format in CLIENTS {
            let mut bench = bench_with("openai_compatible", true, "llama-3", |_| {}).await;
            bench.provider.always(Target::All, Script::sse(stream.clone()));
            let body = text(bench.send(request(format, "Hello", true, false)).await).await;
            let about = format!("{format}: {spoilt} {body}");
            assert!(body.contains("one two"), "{about}");
            assert!(!body.contains("[DONE]") && !body.contains("message_stop"), "{about}");
            let last = body.trim_end().rsplit("\n\n").next().unwrap();
            let last = last.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap();
            let last: Value = serde_json::from_str(last).unwrap();
            let error = if format == Format::OpenAiResponses { &last["response"]["error"] } else { &last["error"] };
            assert!(error["message"].is_string() && last.get("choices").is_none(), "{about}");
            assert_eq!(bench.record().outcome(), Outcome::UpstreamError, "{about}");
            assert_eq!(bench.keys_used().len(), 1, "promise 7: {about}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_and_is_not_repeated() {
    for cut in [Cut::AfterChunks(2), Cut::InsideChunk(2)] {
        let mut bench = bench(|_| {}).await;
        bench.provider.script(Target::All, Script::saying("one two three four").cut(cut));
        let (status, body) = bench.chat(&plain("gpt-4o", true)).await;
        assert_eq!((status, bench.keys_used().len()), (200, 1));
        let events: Vec<_> = body.split("\n\n").filter(|event| !event.is_empty()).collect();
        let last = events.last().unwrap().strip_prefix("data: ").unwrap();
        assert_eq!(error(last)["code"], "upstream_stream_truncated");
        assert!(!body.contains("[DONE]"));
        for event in events {
            assert!(serde_json::from_str::<Value>(event.strip_prefix("data: ").unwrap()).is_ok(), "{event}");
        }
        let record = bench.record();
        assert_eq!((record.outcome(), record.usage_source()), (Outcome::UpstreamError, UsageSource::Partial));
    }
}

/// A refused 200 keeps what the provider has counted.
#[tokio::test]
async fn an_answer_that_is_refused_is_booked_as_the_provider_counted_it() {
    let malformed = r#"{"candidates":[{"content":{},"finishReason":"UNEXPECTED_TOOL_CALL","index":0}],"usageMetadata":{"promptTokenCount":60,"candidatesTokenCount":12,"totalTokenCount":72}}"#;
    for (stream, body, kind) in
        [(false, malformed.to_owned(), "application/json"), (true, data(malformed), "text/event-stream")]
    {
        let mut bench = bench_with("gemini", false, "gemini-2.5-flash", |group| group.retry_count = 0).await;
        bench.provider.always(Target::All, Script::verbatim(200, kind, body));
        let response = bench.send(request(Format::OpenAiChat, "Hello", stream, false)).await;
        assert_eq!(response.status(), 502, "{stream}");
        let record = bench.record();
        assert_eq!(
            (record.input_tokens, record.output_tokens, record.usage_source()),
            (60, 12, UsageSource::Reported),
            "{stream}"
        );
    }
}

/// A key whose account is refused within a 200 fares like one that is refused with a status of its own.
#[tokio::test]
async fn an_error_with_the_status_of_success_means_for_the_key_what_it_says() {
    let limited =
        r#"{"error":{"code":429,"message":"Rate limit reached. Please try again in 30s.","type":"rate_limit_error"}}"#;
    for script in [Script::verbatim(200, "application/json", limited), Script::sse(data(limited))] {
        let mut bench = bench(|_| {}).await;
        bench.provider.always(Target::Key("sk-upstream-g-1".to_owned()), script);
        for _ in 0..2 {
            assert_eq!(bench.send(chat(&plain("gpt-4o", true))).await.status(), 200);
            bench.record();
        }
        assert_eq!(bench.keys_used(), ["sk-upstream-g-1", "sk-upstream-g-2", "sk-upstream-g-2"], "the key rests");
    }
    let mut bench = bench(|_| {}).await;
    let clients = r#"{"error":{"message":"Bad.","type":"invalid_request_error","param":"x","code":null}}"#;
    bench.provider.always(Target::All, Script::sse(data(clients)));
    let response = bench.send(chat(&plain("gpt-4o", true))).await;
    assert_eq!(response.status(), 400, "what is the client's fault ends the walk");
    assert_eq!(bench.keys_used().len(), 1);
    bench.record();
}

/// A provider that answers with a head and then writes `piece` again and again.
async fn drip(head: &'static str, piece: &'static str, every: Duration) -> (String, Tasks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let tasks = Tasks::new();
    tasks.spawn("a provider that drips", async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((mut connection, _)) = listener.accept().await {
            open.spawn(async move {
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let mut next = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{head}");
                while connection.write_all(next.as_bytes()).await.is_ok() {
                    next = piece.to_owned();
                    tokio::time::sleep(every).await;
                }
            });
        }
    });
    (url, tasks)
}

#[tokio::test]
async fn p06_a_stream_that_says_nothing_is_silent_and_commits_to_nothing() {
    for piece in [
        ": comment\n\n",
        "data:\n\n",
        "data: {}\n\n",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{}}]}\n\n",
        "\n",
        "x",
    ] {
        let (url, tasks) = drip("", piece, Duration::from_millis(10)).await;
        for format in CLIENTS {
            let mut bench = bench_with("openai_compatible", true, "llama-3", |group| {
                group.base_url = url.as_str().into();
                group.timeout = Duration::from_millis(200);
            })
            .await;
            let asked = bench.send(request(format, "Hello", true, false));
            let response = timeout(Duration::from_secs(10), asked).await.expect("an end");
            assert_eq!(response.status(), 504, "{format}: {piece:?}");
            let record = bench.record();
            assert_eq!((record.outcome(), record.attempts.len()), (Outcome::Timeout, 2), "{format}: {piece:?}");
        }
        tasks.stop();
    }
}

/// What a provider labels as something else than it is.
#[tokio::test]
async fn the_label_of_an_answer_is_not_believed_against_its_content() {
    for (vendor, versioned, model) in VENDORS {
        for format in CLIENTS {
            let spoken = spoken_to(vendor, format);
            for (stream, given) in [(true, true), (true, false), (false, true), (false, false)] {
                for label in ["text/plain", "application/json", "text/event-stream", "application/octet-stream"] {
                    let mut bench = bench_with(vendor, versioned, model, |_| {}).await;
                    bench.provider.script(Target::All, Script::saying("one two").usage(20, 7));
                    let own = text(bench.send(request(spoken, "Hello", given, false)).await).await;
                    bench.record();
                    bench.provider.script(Target::All, Script::verbatim(200, label, own));
                    let response = bench.send(request(format, "Hello", stream, false)).await;
                    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
                    let body = text(response).await;
                    let about = format!("{format} from {vendor}: asked {stream}, given {given} as {label}: {body}");
                    let expected = if stream { "text/event-stream" } else { "application/json" };
                    assert!(kind.starts_with(expected), "{kind} {about}");
                    let words = if stream {
                        streamed(format, &body)
                    } else {
                        said(format, &serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} {about}")))
                    };
                    assert_eq!(words.0, "one two", "{about}");
                    let record = bench.record();
                    assert_eq!((record.outcome(), record.streamed), (Outcome::Success, stream), "{about}");
                }
            }
        }
    }
}
