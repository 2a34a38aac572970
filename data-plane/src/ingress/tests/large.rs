//! Requests that are large unpacked, and events that are too large to be held, such as those with pictures.

use fake_provider::script::Script;
use translation::Format;

use super::matrix::{bench_with, request};
use super::*;

fn picture() -> String {
    "iVBORw0KGgo/".repeat(90_000)
}

/// A stream of Gemini with a picture in it. `picture` may repeat the upstream key.
fn of_gemini(picture: &str) -> [String; 3] {
    [
        json!({ "candidates": [{ "content": { "parts": [{ "text": "Here:" }], "role": "model" }, "index": 0 }] }).to_string(),
        json!({ "candidates": [{ "content": { "parts": [{ "inlineData": { "mimeType": "image/png", "data": picture } }], "role": "model" },
            "finishReason": "STOP", "index": 0 }],
            "usageMetadata": { "promptTokenCount": 12, "candidatesTokenCount": 1290, "totalTokenCount": 1302 } })
        .to_string(),
        json!({ "responseId": "r" }).to_string(),
    ]
}

fn as_events(documents: &[String]) -> String {
    documents.iter().fold(String::new(), |all, document| all + "data: " + document + "\r\n\r\n")
}

fn array() -> Request<Body> {
    Request::post("/v1beta/models/m:streamGenerateContent")
        .header("authorization", "Bearer sk-client")
        .body(Body::from(json!({ "contents": [{ "parts": [{ "text": "Draw" }] }] }).to_string()))
        .unwrap()
}

#[tokio::test]
async fn a_picture_passes_as_it_comes_and_is_metered() {
    let mut bench = bench_with("gemini", false, "gemini-2.5-flash-image", |_| {}).await;
    let documents = of_gemini(&picture());
    let stream = as_events(&documents);
    for seed in [None, Some(7)] {
        bench.provider.script(Target::All, Script { seed, ..Script::sse(stream.clone()) });
        let body = text(bench.send(request(Format::GeminiGenerate, "Draw", true, false)).await).await;
        assert!(body == stream, "passes as it came");
        let record = bench.record();
        assert_eq!((record.input_tokens, record.output_tokens), (12, 1290));
        assert_eq!((record.outcome(), record.usage_source()), (Outcome::Success, UsageSource::Reported));

        bench.provider.script(Target::All, Script { seed, ..Script::sse(stream.clone()) });
        let body = text(bench.send(array()).await).await;
        let elements: Vec<Value> = serde_json::from_str(&body).unwrap();
        assert!(elements.iter().map(Value::to_string).eq(documents.iter().cloned()), "elements of an array");
        assert_eq!(bench.record().output_tokens, 1290);
    }
}

#[tokio::test]
async fn p35_a_key_within_a_large_event_stays_here() {
    let bench = bench_with("gemini", false, "gemini-2.5-flash-image", |_| {}).await;
    bench.provider.script(Target::All, Script::saying("Hello"));
    text(bench.send(request(Format::GeminiGenerate, "Draw", true, false)).await).await;
    let key = bench.keys_used().remove(0);
    let (before, behind) = (picture(), picture());
    let stream = as_events(&of_gemini(&format!("{before}{key}{behind}{key}")));
    bench.provider.script(Target::All, Script::sse(stream.clone()));
    let body = text(bench.send(request(Format::GeminiGenerate, "Draw", true, false)).await).await;
    assert!(body == stream.replace(&key, "[redacted]"));
}

#[tokio::test]
async fn an_answer_that_repeats_a_picture_in_its_last_event_is_whole() {
    let mut bench = bench_with("openai_responses", true, "gpt-4.1", |_| {}).await;
    let item = json!({ "id": "ig_1", "type": "image_generation_call", "status": "completed", "result": picture() });
    let done = json!({ "type": "response.completed", "sequence_number": 1, "response": {
        "id": "resp_1", "object": "response", "status": "completed", "output": [item],
        "usage": { "input_tokens": 9, "output_tokens": 4, "total_tokens": 13 } } });
    let stream = format!("event: response.completed\ndata: {done}\n\n");
    for body in [stream.clone(), stream.trim_end().to_owned()] {
        bench.provider.script(Target::All, Script::sse(body));
        let body = text(bench.send(request(Format::OpenAiResponses, "Draw", true, false)).await).await;
        assert!(body == stream);
        let record = bench.record();
        assert_eq!((record.outcome(), record.input_tokens, record.output_tokens), (Outcome::Success, 9, 4));
    }
}

#[tokio::test]
async fn a_stream_cut_within_a_large_event_ends_in_an_error() {
    let mut bench = bench_with("gemini", false, "gemini-2.5-flash-image", |_| {}).await;
    let stream = as_events(&of_gemini(&picture()));
    bench.provider.script(Target::All, Script::sse(&stream[..1_070_000]));
    let body = text(bench.send(request(Format::GeminiGenerate, "Draw", true, false)).await).await;
    let (part, event) = body.trim_end().rsplit_once("\n\n").unwrap();
    assert!(stream.starts_with(part));
    assert_eq!(error(event.strip_prefix("data: ").unwrap())["status"], "INTERNAL");
    assert_eq!(bench.record().outcome(), Outcome::UpstreamError);

    bench.provider.script(Target::All, Script::sse(&stream[..1_070_000]));
    let body = text(bench.send(array()).await).await;
    assert!(serde_json::from_str::<Value>(&body).is_err(), "no client takes it for a whole array");
    assert_eq!(bench.record().outcome(), Outcome::UpstreamError);
}

#[tokio::test]
async fn p20_an_endless_text_ends_in_an_error() {
    let mut bench = bench_with("openai", true, "gpt-4o", |_| {}).await;
    bench.provider.script(Target::All, Script::sse(format!("data: {{\"x\":\"{}", "x".repeat(65 << 20))));
    let body = text(bench.send(request(Format::OpenAiChat, "Hello", true, false)).await).await;
    assert!(body.len() <= 64 << 20);
    let (_, event) = body.trim_end().rsplit_once("\n\n").unwrap();
    assert!(error(event.strip_prefix("data: ").unwrap())["message"].as_str().unwrap().contains("64 MiB"));
    assert_eq!(bench.record().outcome(), Outcome::UpstreamError);
}

#[tokio::test]
async fn a_compressed_request_is_unpacked_within_the_limit() {
    let bench = bench(|_| {}).await;
    let send = |body: Vec<u8>| {
        Request::post("/v1/chat/completions")
            .header("authorization", "Bearer sk-client")
            .header("content-encoding", "zstd")
            .body(Body::from(zstd::encode_all(&*body, 1).unwrap()))
            .unwrap()
    };
    let good = plain("gpt-4o", false);
    assert_eq!(bench.send(send(good.to_string().into_bytes())).await.status(), 200);
    assert_eq!(bench.provider.journal().last().unwrap().json(), good);
    assert_eq!(bench.send(send(vec![b' '; 50_000_000])).await.status(), 413);
}
