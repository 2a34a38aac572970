//! What Gemini's clients rely on beside generated content.

use super::*;

async fn streamed(bench: &Bench) -> String {
    let body = json!({ "contents": [{ "parts": [{ "text": "Hello" }] }] }).to_string();
    let request = Request::post("/v1beta/models/gpt-4o:streamGenerateContent?alt=sse")
        .header("x-goog-api-key", "sk-client")
        .body(Body::from(body))
        .unwrap();
    text(bench.send(request).await).await
}

#[tokio::test]
async fn an_error_that_is_no_event_becomes_one() {
    let mut bench = bench(|group| {
        group.provider_type = "gemini".into();
        group.base_url = group.base_url.trim_end_matches("/v1").into();
    })
    .await;
    let said = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"one\"}]},\"index\":0}]}\r\n\r\n";
    let bare =
        "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"Busy.\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}";
    for end in ["", "\n", "\n\n", "\r\n\r\n"] {
        bench.provider.script(Target::All, Script::sse(format!("{said}{bare}{end}")));
        let body = streamed(&bench).await;
        let rest = body.strip_prefix(said).expect("what came before passes as it came");
        let event = rest
            .strip_prefix("data: ")
            .and_then(|rest| rest.strip_suffix("\r\n\r\n"))
            .unwrap_or_else(|| panic!("one event: {rest:?}"));
        let error = error(event);
        assert_eq!(
            (&error["code"], &error["status"], &error["message"]),
            (&json!(503), &json!("UNAVAILABLE"), &json!("Busy."))
        );
        assert_eq!(bench.record().outcome(), Outcome::UpstreamError);
    }
}

/// A turn in a tool loop, whose call is signed with `signature`.
fn signed_turn(signature: &str) -> Value {
    let call = json!({ "functionCall": { "name": "f", "args": {} }, "thoughtSignature": signature });
    json!({
        "contents": [
            { "role": "user", "parts": [{ "text": "Hello" }] },
            { "role": "model", "parts": [call] },
            { "role": "user", "parts": [{ "functionResponse": { "name": "f", "response": {} } }] },
        ],
        "tools": [{ "functionDeclarations": [{ "name": "f" }] }],
    })
}

/// The provider may be unable to read what was signed for another key, or in another region.
#[tokio::test]
async fn point_20_a_signature_that_cannot_be_read_gives_way_once() {
    let refusal =
        json!({ "error": { "code": 400, "message": "Corrupted thought signature.", "status": "INVALID_ARGUMENT" } });
    let refusing = || Script::verbatim(400, "application/json", refusal.to_string());
    let post = |signature: &str| {
        Request::post("/v1beta/models/gpt-4o:generateContent")
            .header("x-goog-api-key", "sk-client")
            .body(Body::from(signed_turn(signature).to_string()))
            .unwrap()
    };
    let unknown = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";
    for (signature, refusals, status, requests) in [("c2ln", 1, 200, 2), ("c2ln", 2, 400, 2), (unknown, 1, 400, 1)] {
        let mut bench = bench(|group| {
            group.provider_type = "gemini".into();
            group.base_url = group.base_url.trim_end_matches("/v1").into();
        })
        .await;
        (0..refusals).for_each(|_| bench.provider.script(Target::All, refusing()));
        bench.provider.script(Target::All, Script::saying("Hi"));
        let response = bench.send(post(signature)).await;
        assert_eq!(response.status(), status);
        let answer = text(response).await;
        assert_eq!(answer.contains("Corrupted"), status == 400, "{answer}");
        let sent: Vec<Value> = bench.provider.journal().requests().iter().map(|request| request.json()).collect();
        let mut wanted = vec![signed_turn(signature), signed_turn(unknown)];
        wanted.truncate(requests);
        assert_eq!(sent, wanted);
        let keys = bench.keys_used();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        let record = bench.record();
        assert_eq!(record.attempts.len(), requests);
    }
}
