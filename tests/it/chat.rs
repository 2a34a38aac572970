//! Tests of `POST /v1/chat/completions`: what passes through, and how a stream comes.

use std::io::Write as _;
use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::{Script, ToolCall};
use flate2::Compression;
use flate2::write::GzEncoder;
use harness::planes::chat;
use harness::wait;
use serde_json::{Value, json};

use crate::support::{Bed, SOON, chunks, content, split, standalone};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_through_both_deployments() {
    for setup in [standalone(), split(1)] {
        let bed = Bed::start(setup).await.unwrap();
        bed.provider.script(Target::All, Script::saying("Bonjour").usage(3, 5));
        let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        assert_eq!(body["choices"][0]["message"]["content"], "Bonjour");
        assert_eq!(body["usage"]["total_tokens"], 8);
        assert!(answer.header("content-type").starts_with("application/json"));
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_pass_through_untouched_both_ways() {
    let bed = Bed::start(standalone()).await.unwrap();
    // The answer has unusual spacing, order and escapes, numbers that no float holds, and fields that nobody knows.
    let answer = "{ \"zzz\" : 1e400,\n\t\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"gpt-4o\",\
                  \"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\\u00e9\\/\",\"reasoning_content\":\"r\"},\
                  \"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,\
                  \"mystery\":12345678901234567890123}, \"vendor\":{\"a\":[ ]} }\n";
    bed.provider.script(Target::All, Script::verbatim(200, "application/json", answer));
    let request = "{ \"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9\",\"cache_control\":{\"type\":\"ephemeral\"}}],\
                   \"seed\": 12345678901234567890123, \"unknown_field\" : {\"b\":1,\"a\":[1.0,  2]},\t\"model\":\"gpt-4o\" }";
    let got = bed.post(&[], request).await.unwrap();
    assert_eq!(got.status, 200);
    assert_eq!(got.text(), answer);
    let received = bed.provider.journal().last().unwrap();
    assert_eq!(String::from_utf8_lossy(&received.body), request);
    assert_eq!(received.path, "/v1/chat/completions");
    assert_eq!(received.key(), "sk-upstream-key-0001");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_passes_through_untouched_for_who_asked_for_usage() {
    let bed = Bed::start(standalone()).await.unwrap();
    let events = ": a comment\n\ndata: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\
                  \"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"new\":[ 1 ]}\n\n\
                  data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\\u00e9 🚀\"}}],\"usage\":null}\n\n\
                  data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                  data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n\
                  data: [DONE]\n\n";
    // The stream is cut into pieces wherever they fall, also within a character.
    let script = Script { split_bytes: Some(7), ..Script::verbatim(200, "text/event-stream", events) };
    bed.provider.script(Target::All, script);
    let request = r#"{"model":"gpt-4o", "stream":true, "stream_options":{"include_usage":true, "x":1}, "messages":[]}"#;
    let got = bed.post(&[], request).await.unwrap();
    assert_eq!(got.status, 200);
    assert!(got.header("content-type").starts_with("text/event-stream"), "{}", got.header("content-type"));
    assert_eq!(got.text(), events);
    assert_eq!(String::from_utf8_lossy(&bed.provider.journal().last().unwrap().body), request);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_what_the_provider_said() {
    for setup in [standalone(), split(1)] {
        let bed = Bed::start(setup).await.unwrap();
        bed.provider.script(Target::All, Script::saying("one two three"));
        let mut stream = bed.planes.api().chat_stream(&bed.key.value, &chat("gpt-4o", true)).await.unwrap();
        assert_eq!(stream.status, 200);
        assert!(stream.header("content-type").starts_with("text/event-stream"));
        assert!(!stream.header("x-request-id").is_empty());
        let events = stream.rest().await.unwrap();
        assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
        assert_eq!(content(&chunks(&events)), "one two three");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_chunk_arrives_before_the_next_is_sent() {
    for setup in [standalone(), split(1)] {
        let bed = Bed::start(setup).await.unwrap();
        bed.provider.script(Target::All, Script::paced(3, Duration::from_millis(600)));
        let mut stream = bed.planes.api().chat_stream(&bed.key.value, &chat("gpt-4o", true)).await.unwrap();
        let received = bed.provider.journal().last().unwrap();
        // These are the role and three deltas. The role says nothing yet, so it comes together with the first delta.
        for chunk in 1..=4 {
            let data = stream.data().await.unwrap().unwrap();
            assert!(data.contains("\"delta\""), "{data}");
            assert_eq!(received.chunks(), chunk.max(2), "chunk {chunk} came after the provider had sent more");
        }
        assert_eq!(stream.rest().await.unwrap().last().map(String::as_str), Some("[DONE]"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_of_a_stream_does_not_wait_for_its_body() {
    let bed = Bed::start(standalone()).await.unwrap();
    let hour = 3_600_000;
    bed.provider.script(Target::All, Script { chunks: Some(2), chunk_delay_ms: hour, ..Script::new() });
    let mut stream = bed.planes.api().chat_stream(&bed.key.value, &chat("gpt-4o", true)).await.unwrap();
    assert!(stream.data().await.unwrap().unwrap().contains("\"role\":\"assistant\""));
    let received = bed.provider.journal().last().unwrap();
    drop(stream);
    wait::until("the provider sees that the client has left", SOON, || received.end()).await.unwrap();
}

fn weather() -> Value {
    json!([{ "type": "function", "function": { "name": "weather", "strict": true,
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } } } } }])
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_called_and_answered() {
    let bed = Bed::start(standalone()).await.unwrap();
    let mut request = chat("gpt-4o", false);
    request["tools"] = weather();
    let answer = bed.chat(&request).await.unwrap().json();
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let message = &answer["choices"][0]["message"];
    let call = &message["tool_calls"][0];
    assert_eq!(call["function"]["name"], "weather");
    assert_eq!(bed.provider.journal().last().unwrap().json(), request);

    let result = json!({ "role": "tool", "tool_call_id": call["id"], "content": "21 degrees" });
    request["messages"].as_array_mut().unwrap().extend([message.clone(), result]);
    bed.provider.script(Target::All, Script::saying("It is 21 degrees in Paris."));
    let answer = bed.chat(&request).await.unwrap().json();
    assert_eq!(answer["choices"][0]["message"]["content"], "It is 21 degrees in Paris.");
    assert_eq!(bed.provider.journal().last().unwrap().json(), request);
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_tool_calls_keep_their_indices() {
    let bed = Bed::start(standalone()).await.unwrap();
    let calls: Vec<(&str, &str)> = vec![("weather", r#"{"city":"Paris"}"#), ("time", r#"{"zone":"CET"}"#)];
    let tool_calls =
        calls.iter().map(|(name, arguments)| ToolCall { name: (*name).into(), arguments: (*arguments).into() });
    bed.provider.script(Target::All, Script { tool_calls: tool_calls.collect(), ..Script::new() });
    let mut request = chat("gpt-4o", true);
    request["tools"] = weather();
    let mut stream = bed.planes.api().chat_stream(&bed.key.value, &request).await.unwrap();
    let chunks = chunks(&stream.rest().await.unwrap());
    let mut seen = vec![(String::new(), String::new()); 2];
    for call in chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array()).flatten() {
        let (name, arguments) = &mut seen[usize::try_from(call["index"].as_u64().unwrap()).unwrap()];
        name.push_str(call["function"]["name"].as_str().unwrap_or_default());
        arguments.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
    }
    let seen: Vec<(&str, &str)> = seen.iter().map(|(name, arguments)| (name.as_str(), arguments.as_str())).collect();
    assert_eq!(seen, calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_request_reaches_the_provider_plain() {
    let bed = Bed::start(standalone()).await.unwrap();
    let request = chat("gpt-4o", false);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(request.to_string().as_bytes()).unwrap();
    let answer = bed.post(&[("content-encoding", "gzip")], encoder.finish().unwrap()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = bed.provider.journal().last().unwrap();
    assert_eq!((received.json(), received.header("content-encoding")), (request, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_that_claims_to_be_gzip_is_the_clients_fault() {
    let bed = Bed::start(standalone()).await.unwrap();
    let answer = bed.post(&[("content-encoding", "gzip")], "no gzip at all").await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    assert_eq!(bed.provider.journal().total(), 0);
}
