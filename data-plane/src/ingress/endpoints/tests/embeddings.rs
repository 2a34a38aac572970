use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use serde_json::{Value, json};
use shared::pb::usage_record::Outcome;

use super::{bench, plain};

fn vectors(answer: &Value) -> Vec<Vec<f64>> {
    let floats = |vector: &Value| vector.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
    answer["data"].as_array().unwrap().iter().map(|item| floats(&item["embedding"])).collect()
}

#[tokio::test]
async fn rule_12_a_gemini_group_answers_in_openais_form() {
    let mut bench = plain(&[("g", "gemini")]).await;
    let body = json!({ "model": "alias", "input": ["one", "two"], "dimensions": 8 });
    let got = bench.post("/v1/embeddings", &body).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let answer = got.json();
    assert_eq!((&answer["object"], &answer["model"]), (&json!("list"), &json!("alias")));
    assert_eq!(answer["data"][1]["index"], 1);
    assert!(answer["usage"]["prompt_tokens"].is_u64() && answer["usage"]["total_tokens"].is_u64());
    let floats = vectors(&answer);
    assert_eq!(floats.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8]);
    let sent = bench.providers[0].journal().last().unwrap();
    assert_eq!(sent.path, "/v1beta/models/upstream-m:batchEmbedContents");
    assert_eq!(sent.key(), "sk-upstream-g-1");
    let record = bench.record();
    assert_eq!((record.api.as_str(), record.outcome(), record.attempts.len()), ("embeddings", Outcome::Success, 1));
    assert_eq!(record.upstream_model, "upstream-m");

    let mut packed = body.clone();
    packed["encoding_format"] = json!("base64");
    let answer = bench.post("/v1/embeddings", &packed).await.json();
    let bytes = STANDARD.decode(answer["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let numbers: Vec<f32> = bytes.chunks(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect();
    assert_eq!(numbers.len(), 8);
    for (packed, float) in numbers.iter().zip(&floats[0]) {
        assert!((f64::from(*packed) - float).abs() < 1e-6);
    }
}

#[tokio::test]
async fn rule_12_more_texts_than_a_batch_keep_their_order() {
    let mut bench = plain(&[("g", "gemini")]).await;
    let texts: Vec<String> = (0..250).map(|at| format!("text {at}")).collect();
    let body = json!({ "model": "m", "input": texts, "dimensions": 4 });
    let all = vectors(&bench.post("/v1/embeddings", &body).await.json());
    assert_eq!(all.len(), 250);
    let journal = bench.providers[0].journal().requests();
    let sizes: Vec<_> = journal.iter().map(|request| request.json()["requests"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(bench.record().attempts.len(), 3);
    for at in [0, 99, 100, 249] {
        let one = json!({ "model": "m", "input": format!("text {at}"), "dimensions": 4 });
        assert_eq!(vectors(&bench.post("/v1/embeddings", &one).await.json()), [all[at].clone()], "{at}");
    }
}

#[tokio::test]
async fn rule_12_tokens_go_to_openai_and_nowhere_else() {
    let mut bench = plain(&[("g", "gemini"), ("o", "openai")]).await;
    let tokens = json!({ "model": "m", "input": [[1, 2], [3]] });
    assert_eq!(bench.post("/v1/embeddings", &tokens).await.status, 200);
    assert_eq!(bench.record().group_id, "o");
    let bench = plain(&[("g", "gemini")]).await;
    let got = bench.post("/v1/embeddings", &tokens).await;
    assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!("input")));
    assert_eq!(bench.asked()[0].len(), 0);
}

#[tokio::test]
async fn rule_12_the_encoding_passes_to_openai_as_it_is() {
    let bench = plain(&[("o", "openai")]).await;
    let body = json!({ "model": "m", "input": ["x"], "encoding_format": "base64", "dimensions": 6 });
    let answer = bench.post("/v1/embeddings", &body).await.json();
    let packed = answer["data"][0]["embedding"].as_str().unwrap();
    assert_eq!(STANDARD.decode(packed).unwrap().len(), 24);
    assert_eq!(bench.providers[0].journal().last().unwrap().json(), body);
}

#[tokio::test]
async fn a_client_of_geminis_is_served_by_either() {
    for (vendor, path) in [("gemini", "/v1beta/models/upstream-m:embedContent"), ("openai", "/v1/embeddings")] {
        let mut bench = plain(&[("g", vendor)]).await;
        let body = json!({ "content": { "parts": [{ "text": "x" }] }, "outputDimensionality": 5 });
        let got = bench.post("/v1beta/models/alias:embedContent?key=sk-client", &body).await;
        assert_eq!(got.status, 200, "{vendor}: {}", got.text());
        assert_eq!(got.json()["embedding"]["values"].as_array().unwrap().len(), 5, "{vendor}");
        assert_eq!(bench.providers[0].journal().last().unwrap().path, path);
        assert_eq!(bench.record().api, "embeddings");

        let one = |text: &str| json!({ "model": "models/alias", "content": { "parts": [{ "text": text }] } });
        let body = json!({ "requests": [one("x"), one("y")] });
        let got = bench.post("/v1/models/alias:batchEmbedContents?key=sk-client", &body).await;
        assert_eq!(got.json()["embeddings"].as_array().unwrap().len(), 2, "{vendor}: {}", got.text());
        let got = bench.post("/v1beta/models/alias:batchEmbedContents?key=sk-client", &json!({ "requests": [] })).await;
        assert_eq!(got.status, 400);
        assert!(got.json()["error"]["status"].is_string(), "{}", got.text());
    }
}

#[tokio::test]
async fn an_answer_that_holds_no_embeddings_is_no_answer() {
    let mut bench = bench(&[("g", "gemini")], |_, _, _| {}).await;
    for body in ["{}", "<html>", "{\"embeddings\":[]}"] {
        bench.providers[0].script(Target::All, Script::verbatim(200, "application/json", body));
        let got = bench.post("/v1/embeddings", &json!({ "model": "m", "input": "x" })).await;
        assert_eq!(got.status, 502, "{}", got.text());
        assert!(got.json()["error"]["message"].is_string());
        assert_eq!(bench.record().outcome(), Outcome::UpstreamError);
    }
}
