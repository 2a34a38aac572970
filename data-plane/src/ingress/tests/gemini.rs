//! What Gemini's clients go by beside generated content.

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
