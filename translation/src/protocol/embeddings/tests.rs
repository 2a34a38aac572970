use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::{Strategy as _, any, prop, proptest};
use proptest::prop_assert_eq;
use serde_json::{Value, json};

use super::{Embedded, EmbeddingsInput, Shape, gemini, openai};
use crate::ir::ErrorCode;
use crate::json::Json;

fn read(body: &Value) -> EmbeddingsInput {
    openai::decode_request(body.to_string().as_bytes()).unwrap()
}

fn param(body: &Value) -> (String, ErrorCode) {
    let error = openai::decode_request(body.to_string().as_bytes()).unwrap_err();
    (error.param.unwrap(), error.code)
}

fn vectors(texts: &[&str]) -> Embedded {
    Embedded { vectors: texts.iter().map(|text| Json::parse(text).unwrap()).collect(), tokens: None }
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn rule_12_input_is_a_text_or_a_list_of_texts() {
    assert_eq!(read(&json!({ "input": "a" })).texts, ["a"]);
    assert_eq!(read(&json!({ "input": ["b", "a", "é"] })).texts, ["b", "a", "é"]);
    for (body, code) in [
        (json!({}), ErrorCode::InvalidValue),
        (json!({ "input": [] }), ErrorCode::InvalidValue),
        (json!({ "input": null }), ErrorCode::InvalidValue),
        (json!({ "input": 5 }), ErrorCode::InvalidValue),
        (json!({ "input": ["a", 5] }), ErrorCode::InvalidValue),
        (json!({ "input": vec!["a"; 2049] }), ErrorCode::InvalidValue),
    ] {
        assert_eq!(param(&body), ("input".to_owned(), code), "{body:.60}");
    }
}

#[test]
fn rule_12_token_ids_are_refused() {
    for input in [json!([1, 2]), json!([[8134], [1]])] {
        assert_eq!(param(&json!({ "input": input })), ("input".to_owned(), ErrorCode::UnsupportedValue));
    }
}

#[test]
fn rule_12_dimensions_become_the_output_dimensionality() {
    let request = read(&json!({ "input": ["a", "b"], "dimensions": 768, "user": "u" }));
    let body = parsed(&gemini::encode_batch(&request, 0..2, "gemini-embedding-001"));
    let one = |text: &str| {
        json!({
            "model": "models/gemini-embedding-001", "content": { "parts": [{ "text": text }] }, "outputDimensionality": 768
        })
    };
    assert_eq!(body, json!({ "requests": [one("a"), one("b")] }));
    assert_eq!(parsed(&gemini::encode_batch(&request, 1..2, "m"))["requests"].as_array().unwrap().len(), 1);
    for wrong in [json!(0), json!(-1), json!("8"), json!(1.5)] {
        assert_eq!(param(&json!({ "input": "a", "dimensions": wrong })).0, "dimensions");
    }
}

#[test]
fn rule_12_a_list_of_floats_is_the_default() {
    for format in [json!(null), json!("float")] {
        assert_eq!(read(&json!({ "input": "a", "encoding_format": format })).shape, Shape::Numbers);
    }
    let embedded = vectors(&["[0.013168523, -1e-3]", "[1.0]"]);
    let text = openai::encode_response(&embedded, Shape::Numbers, "m", 3).unwrap();
    // Digit by digit as the provider wrote them.
    assert!(String::from_utf8_lossy(&text).contains("[0.013168523, -1e-3]"));
    assert_eq!(
        parsed(&text),
        json!({
            "object": "list",
            "data": [
                { "object": "embedding", "index": 0, "embedding": [0.013_168_523, -0.001] },
                { "object": "embedding", "index": 1, "embedding": [1.0] },
            ],
            "model": "m",
            "usage": { "prompt_tokens": 3, "total_tokens": 3 },
        })
    );
}

#[test]
fn rule_12_base64_is_of_little_endian_floats() {
    assert_eq!(read(&json!({ "input": "a", "encoding_format": "base64" })).shape, Shape::Base64);
    assert_eq!(param(&json!({ "input": "a", "encoding_format": "int8" })).0, "encoding_format");
    let text = openai::encode_response(&vectors(&["[1.0,-0.5]"]), Shape::Base64, "m", 0).unwrap();
    assert_eq!(parsed(&text)["data"][0]["embedding"], "AACAPwAAAL8=");
    let refused = openai::encode_response(&vectors(&["\"x\""]), Shape::Base64, "m", 0);
    assert!(refused.is_err());
}

#[test]
fn rule_12_what_gemini_answers() {
    let body = json!({
        "embeddings": [{ "values": [0.1, 0.2] }, { "values": [0.3] }], "usageMetadata": { "promptTokenCount": 4 }
    });
    let mut embedded = gemini::decode_response(body.to_string().as_bytes()).unwrap();
    assert_eq!((embedded.vectors.len(), embedded.tokens), (2, Some(4)));
    embedded.append(Embedded { tokens: Some(2), ..vectors(&["[9]"]) });
    assert_eq!((embedded.vectors[2].get(), embedded.tokens), ("[9]", Some(6)));
    let usage = parsed(&openai::encode_response(&embedded, Shape::Numbers, "m", 99).unwrap())["usage"].clone();
    assert_eq!(usage["prompt_tokens"], 6);
    assert_eq!(gemini::decode_response(br#"{"embeddings":[],"usageMetadata":5}"#).unwrap().tokens, None);
    for junk in ["", "{}", "[]", "<html>", r#"{"embeddings":[{"values":["x"]}],"data":[{"embedding":[[1]]}]}"#] {
        assert!(gemini::decode_response(junk.as_bytes()).is_err(), "{junk}");
        assert!(openai::decode_response(junk.as_bytes()).is_err(), "{junk}");
    }
}

#[test]
fn a_client_of_geminis_reaches_openais_models() {
    let body = br#"{"model":"models/m","content":{"parts":[{"text":"a"},{"text":"b"}]},"output_dimensionality":8}"#;
    let request = gemini::decode_request(body).unwrap();
    assert_eq!(request, EmbeddingsInput { texts: vec!["ab".to_owned()], dimensions: Some(8), shape: Shape::Single });
    assert_eq!(
        parsed(&openai::encode_request(&request, "n")),
        json!({ "model": "n", "input": ["ab"], "encoding_format": "float", "dimensions": 8 })
    );
    let answer = json!({
        "data": [{ "index": 1, "embedding": [2] }, { "index": 0, "embedding": [1] }], "usage": { "total_tokens": 3 }
    });
    let embedded = openai::decode_response(answer.to_string().as_bytes()).unwrap();
    assert_eq!(
        parsed(&gemini::encode_response(&embedded, Shape::Batch)),
        json!({ "embeddings": [{ "values": [1] }, { "values": [2] }], "usageMetadata": { "promptTokenCount": 3 } })
    );
    assert_eq!(
        parsed(&gemini::encode_response(&vectors(&["[1]"]), Shape::Single)),
        json!({ "embedding": { "values": [1] } })
    );
}

#[test]
fn what_a_text_is_not_is_named() {
    let param = |body: &Value| gemini::decode_batch(body.to_string().as_bytes()).unwrap_err().param.unwrap();
    let part = |part: Value| json!({ "content": { "parts": [part] } });
    let text = || part(json!({ "text": "a" }));
    assert_eq!(param(&json!({ "requests": [] })), "requests");
    assert_eq!(param(&json!({ "requests": [text(), part(json!({ "inlineData": {} }))] })), "requests[1].content");
    let mut longer = text();
    longer["outputDimensionality"] = json!(3);
    assert_eq!(param(&json!({ "requests": [text(), longer] })), "requests");
    assert_eq!(param(&json!({})), "body");
}

proptest! {
    #[test]
    fn base64_gives_back_the_same_numbers(numbers in prop::collection::vec(any::<f32>().prop_filter("finite", |number| number.is_finite()), 0..50)) {
        let text = serde_json::to_string(&numbers).unwrap();
        let body = openai::encode_response(&vectors(&[&text]), Shape::Base64, "m", 0).unwrap();
        let bytes = STANDARD.decode(parsed(&body)["data"][0]["embedding"].as_str().unwrap()).unwrap();
        let read: Vec<f32> = bytes.chunks(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect();
        prop_assert_eq!(read, numbers);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = openai::decode_request(&bytes);
        let _ = gemini::decode_batch(&bytes);
        let _ = gemini::decode_response(&bytes);
    }
}

#[test]
fn numbers_in_a_passed_answer_become_base64_and_all_else_stays() {
    let body = r#"{"object":"list","extra":1.0,"data":[{"object":"embedding","index":0,"embedding":[0.1, -0.2]},
        {"x":"\u00e9","embedding" : [] ,"index":1}],"model":"m","usage":{"prompt_tokens":2}}"#;
    let body = bytes::Bytes::from(body);
    let written = parsed(&openai::in_base64(&body).unwrap());
    let bytes = STANDARD.decode(written["data"][0]["embedding"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, [0.1_f32.to_le_bytes(), (-0.2_f32).to_le_bytes()].concat());
    assert_eq!(written["data"][1], json!({"x": "é", "embedding": "", "index": 1}));
    let mut rest = parsed(&body);
    rest["data"] = written["data"].clone();
    assert_eq!(written, rest);
    // What is base64 already, no vectors, or damaged passes as it is.
    for other in [
        r#"{"data":[{"object":"embedding","embedding":"zczMPQ=="}]}"#,
        r#"{"error":{}}"#,
        r#"{"data":[{"embedding":[1"#,
    ] {
        assert_eq!(openai::in_base64(&bytes::Bytes::from(other)), None, "{other}");
    }
}
