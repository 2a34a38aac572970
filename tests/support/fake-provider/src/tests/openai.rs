use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{get, openai, provider, send};
use crate::queue::Target;
use crate::script::{Cut, Script};

#[tokio::test]
async fn completions_are_whole_and_streamed() {
    let provider = provider().await;
    provider.always(Target::All, Script::saying("one two"));
    let mut request = json!({ "model": "gpt-3.5-turbo-instruct", "prompt": "Hi" });
    let answer = openai(&provider, "/v1/completions", &request).await.json();
    assert_eq!((&answer["object"], &answer["choices"][0]["text"]), (&json!("text_completion"), &json!("one two")));
    request["stream"] = json!(true);
    request["stream_options"] = json!({ "include_usage": true });
    let got = openai(&provider, "/v1/completions", &request).await;
    assert!(got.text().ends_with("data: [DONE]\n\n"));
    let events = got.events();
    assert_eq!(
        (&events[0].1["choices"][0]["text"], &events[1].1["choices"][0]["text"]),
        (&json!("one "), &json!("two"))
    );
    assert_eq!((&events[2].1["choices"][0]["finish_reason"], &events[3].1["choices"]), (&json!("stop"), &json!([])));
    openai(&provider, "/v1/completions", &json!({ "prompt": "Hi" })).await.refuses(400, "you must provide a model");
}

#[tokio::test]
async fn embeddings_are_the_same_for_the_same_text_in_both_formats() {
    let provider = provider().await;
    let embed = async |more: Value| {
        let mut request = json!({ "model": "text-embedding-3-small" });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        openai(&provider, "/v1/embeddings", &request).await
    };
    let floats = embed(json!({ "input": ["a b", "c"], "dimensions": 8 })).await.json();
    assert_eq!(
        (&floats["usage"], &floats["data"][1]["index"]),
        (&json!({ "prompt_tokens": 3, "total_tokens": 3 }), &json!(1))
    );
    let vector: Vec<f64> =
        floats["data"][0]["embedding"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert_eq!(vector.len(), 8);
    assert!((vector.iter().map(|value| value * value).sum::<f64>() - 1.0).abs() < 1e-3);
    let coded = embed(json!({ "input": "a b", "dimensions": 8, "encoding_format": "base64" })).await.json();
    let bytes = STANDARD.decode(coded["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let decoded: Vec<f64> =
        bytes.chunks(4).map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()))).collect();
    assert!(decoded.iter().zip(&vector).all(|(a, b)| (a - b).abs() < 1e-6), "{decoded:?} {vector:?}");
    for (input, count) in [(json!([1, 2, 3]), 1), (json!([[1, 2], [3]]), 2)] {
        let answer = embed(json!({ "input": input, "dimensions": 2 })).await.json();
        assert_eq!((answer["data"].as_array().unwrap().len(), &answer["usage"]["total_tokens"]), (count, &json!(3)));
    }
    for input in [json!([]), json!(""), json!([{}]), Value::Null] {
        embed(json!({ "input": input })).await.refuses(400, "'$.input' is invalid");
    }
    embed(json!({ "input": "x", "dimensions": 9999 })).await.refuses(400, "dimensions");
    embed(json!({ "input": "x", "model": "fake-error-429" })).await.refuses(429, "rate_limit_exceeded");
}

#[tokio::test]
async fn models_are_listed_in_the_vendor_s_shape() {
    let provider = provider().await;
    assert_eq!(get(&provider, "/v1/models").await.json()["data"][0]["object"], "model");
    assert_eq!(get(&provider, "/v1/models/gpt%2D4o").await.json()["id"], "gpt-4o");
    get(&provider, "/v1/models/nobody").await.refuses(404, "model_not_found");
    send(&provider, "GET /v1/models", b"").await.refuses(401, "You didn't provide an API key");
    get(&provider, "/v1/nothing").await.refuses(404, "Invalid URL (GET /v1/nothing)");
    provider.script(Target::All, Script::error(503));
    get(&provider, "/v1/models").await.refuses(503, "server_error");
}

#[tokio::test]
async fn moderations_flag_violence() {
    let provider = provider().await;
    let answer = openai(&provider, "/v1/moderations", &json!({ "input": ["peace", "violence"] })).await.json();
    assert_eq!(
        (&answer["results"][0]["flagged"], &answer["results"][1]["categories"]["violence"]),
        (&json!(false), &json!(true))
    );
    openai(&provider, "/v1/moderations", &json!({})).await.refuses(400, "missing_required_parameter");
}

#[tokio::test]
async fn images_are_made() {
    let provider = provider().await;
    let answer =
        openai(&provider, "/v1/images/generations", &json!({ "model": "gpt-image-1", "prompt": "a dot", "n": 2 }))
            .await;
    let answer = answer.json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    assert!(STANDARD.decode(answer["data"][0]["b64_json"].as_str().unwrap()).unwrap().starts_with(b"\x89PNG"));
    openai(&provider, "/v1/images/generations", &json!({})).await.refuses(400, "prompt");
}

#[tokio::test]
async fn speech_is_binary_and_can_be_cut() {
    let provider = provider().await;
    let request = json!({ "model": "tts-1", "input": "one two", "voice": "alloy" });
    let got = openai(&provider, "/v1/audio/speech", &request).await;
    assert_eq!((got.header("content-type"), got.body.len()), (Some("audio/mpeg"), 834));
    provider.script(Target::All, Script::new().cut(Cut::AfterChunks(0)));
    let cut = openai(&provider, "/v1/audio/speech", &request).await;
    assert_eq!((cut.header("content-length"), cut.body.len()), (Some("834"), 417));
    openai(&provider, "/v1/audio/speech", &json!({ "input": "x" })).await.refuses(400, "voice");
}

#[tokio::test]
async fn documents_are_ordered_by_the_words_they_share() {
    let provider = provider().await;
    let request = json!({ "model": "rerank-1", "query": "capital France", "top_n": 2, "return_documents": true,
        "documents": ["Berlin", "Paris is the capital of France", { "text": "a capital idea" }] });
    let answer = openai(&provider, "/v1/rerank", &request).await.json();
    let results = answer["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["index"], &results[1]["index"]), (2, &json!(1), &json!(2)));
    assert_eq!(results[0]["relevance_score"], 1.0);
    assert_eq!(results[0]["document"]["text"], "Paris is the capital of France");
    openai(&provider, "/v1/rerank", &json!({ "query": "x" })).await.refuses(400, "documents");
}
