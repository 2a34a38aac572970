use super::*;

#[test]
fn each_format_says_it_in_its_own_place() {
    for (json, expected) in [
        (r#"{"id": "a", "service_tier": "flex", "choices": []}"#, Some("flex")),
        (r#"{"type": "response.completed", "response": {"service_tier": "priority"}}"#, Some("priority")),
        (r#"{"type": "message", "usage": {"input_tokens": 1, "service_tier": "batch"}}"#, Some("batch")),
        (r#"{"type": "message_start", "message": {"usage": {"service_tier": "standard"}}}"#, Some("standard")),
        (r#"{"usageMetadata": {"promptTokenCount": 1, "serviceTier": "flex"}}"#, Some("flex")),
        (r#"{"output": {}, "serviceTier": {"type": "priority"}}"#, Some("priority")),
        (r#"{"service_tier": "auto"}"#, None),
        (r#"{"service_tier": null, "usage": null}"#, None),
        (r#"{"service_tier": 5}"#, None),
        (r#"{"choices": [{"message": {"content": "\"service_tier\": \"flex\""}}]}"#, None),
        (r#"{"choices": [{"service_tier": "flex"}]}"#, None),
        (r#"[{"service_tier": "flex"}]"#, None),
        (r#"{"service_tier": "#, None),
        ("", None),
    ] {
        assert_eq!(service_tier(json.as_bytes()).as_deref(), expected, "{json}");
    }
}
