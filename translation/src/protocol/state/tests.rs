use serde_json::json;

use super::{Format, refuse};

#[test]
fn what_only_another_provider_has_is_refused_by_its_name() {
    let responses = |field: &str, value| (Format::OpenAiResponses, json!({"model": "m", "input": "x", field: value}));
    let reference = json!([{"type": "item_reference", "id": "i"}, {"type": "message", "role": "user", "content": "x"}]);
    let cases = [
        ("previous_response_id", responses("previous_response_id", json!("resp_1"))),
        ("conversation", responses("conversation", json!("conv_1"))),
        ("prompt", responses("prompt", json!({"id": "p"}))),
        ("background", responses("background", json!(true))),
        ("input", responses("input", reference)),
        (
            "cachedContent",
            (Format::GeminiGenerate, json!({"contents": "x", "cachedContent": "cachedContents/1", "model": "m"})),
        ),
        (
            "generationConfig.responseMimeType",
            (
                Format::GeminiGenerate,
                json!({"contents": "x", "generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}}),
            ),
        ),
    ];
    for (field, (origin, body)) in cases {
        let request = origin.protocol().decode_request(body.to_string().as_bytes()).unwrap();
        for format in Format::ALL {
            let refused = refuse(&request, format).err().and_then(|error| error.param);
            assert_eq!(refused.as_deref(), (format != origin).then_some(field), "{field} for {format}");
        }
    }
}
