//! Settings of how requests are translated.

use serde_json::{Value, json};
use shared::snapshot::{UnsupportedParameters, UpstreamStream};

use super::{bad, bad_fields, patched, replacement, view};
use crate::error::ApiError;
use crate::store::groups::StoredGroup;

fn made(more: &Value) -> Result<StoredGroup, ApiError> {
    let mut body = json!({"groupName": "n", "providerType": "openai"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    replacement(body, None)
}

#[test]
fn without_them_a_group_has_the_defaults() {
    let stored = made(&json!({})).unwrap();
    let group = &stored.group;
    assert_eq!(group.upstream_stream, UpstreamStream::Auto);
    assert_eq!(group.unsupported_parameters, UnsupportedParameters::Drop);
    assert!(group.model_facts.is_empty() && group.api_version.is_none());
    let shown = view(&stored);
    assert_eq!((&shown["upstreamStream"], &shown["fakeStreaming"]), (&json!("auto"), &json!(false)));
    assert_eq!((&shown["unsupportedParameters"], &shown["modelFacts"]), (&json!("drop"), &json!({})));
}

#[test]
fn fake_streaming_is_the_older_name_of_never() {
    for (given, wanted) in [
        (json!({"fakeStreaming": true}), "never"),
        (json!({"fakeStreaming": false}), "auto"),
        (json!({"upstreamStream": "always"}), "always"),
        (json!({"upstream_stream": "never"}), "never"),
        (json!({"upstreamStream": "never", "fakeStreaming": true}), "never"),
        (json!({"upstreamStream": "always", "fakeStreaming": false}), "always"),
        (json!({"upstreamStream": null, "fakeStreaming": true}), "never"),
    ] {
        let shown = view(&made(&given).unwrap());
        assert_eq!(shown["upstreamStream"], wanted, "{given}");
        assert_eq!(shown["fakeStreaming"], wanted == "never", "{given}");
    }
}

#[test]
fn contradictions_are_refused() {
    for (stream, fake, says) in [
        ("auto", true, r#"true means upstreamStream "never", but that is "auto""#),
        ("always", true, r#"true means upstreamStream "never", but that is "always""#),
        ("never", false, r#"false excludes upstreamStream "never", but that is "never""#),
    ] {
        let errors = bad(made(&json!({"upstreamStream": stream, "fakeStreaming": fake})));
        assert_eq!(errors, [("fakeStreaming".to_owned(), says.to_owned())]);
    }
    let errors = bad(made(&json!({"upstreamStream": "sometimes", "unsupportedParameters": "ignore"})));
    let says: Vec<_> = errors.iter().map(|(_, says)| says.as_str()).collect();
    assert!(says.contains(&r#"must be one of auto, always, never, not "sometimes""#), "{says:?}");
    assert!(says.contains(&r#"must be one of drop, reject, not "ignore""#), "{says:?}");
}

#[test]
fn a_patch_by_either_name_changes_the_one_setting() {
    let with = |stream: &str| made(&json!({"upstreamStream": stream})).unwrap();
    for (before, patch, wanted) in [
        ("auto", json!({"fakeStreaming": true}), UpstreamStream::Never),
        ("always", json!({"fakeStreaming": true}), UpstreamStream::Never),
        ("never", json!({"fakeStreaming": false}), UpstreamStream::Auto),
        ("never", json!({"fakeStreaming": null}), UpstreamStream::Auto),
        ("always", json!({"fakeStreaming": false}), UpstreamStream::Always),
        ("never", json!({"upstreamStream": "always"}), UpstreamStream::Always),
        ("auto", json!({"upstreamStream": "never"}), UpstreamStream::Never),
        ("never", json!({"upstreamStream": null}), UpstreamStream::Auto),
        ("never", json!({"priority": 1}), UpstreamStream::Never),
    ] {
        assert_eq!(patched(patch.clone(), &with(before)).unwrap().group.upstream_stream, wanted, "{before} {patch}");
    }
    let both = json!({"upstreamStream": "auto", "fakeStreaming": true});
    assert_eq!(bad_fields(patched(both, &with("never"))), ["fakeStreaming"]);
}

#[test]
fn facts_of_models_are_checked_row_by_row() {
    let facts = json!({"my-model": {"max_output": 8192, "thinking": "none", "efforts": []}, "o3": {"off": null}});
    let stored = made(&json!({ "modelFacts": facts })).unwrap();
    assert_eq!(stored.group.model_facts["my-model"], json!({"maxOutput": 8192, "thinking": "none", "efforts": []}));
    let bad_facts = json!({
        "a": {"maxOutpt": 1}, "b": {"thinking": "much"}, "c": 1, " ": {}, "d": {"budget": [2, 1]}, "fine": {}
    });
    let errors = bad(made(&json!({ "modelFacts": bad_facts })));
    let fields: Vec<_> = errors.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["modelFacts[a]", "modelFacts[b]", "modelFacts[c]", "modelFacts[ ]", "modelFacts[d]"]);
    assert!(errors[0].1.contains("maxOutpt") && errors[0].1.contains("maxOutput"), "{errors:?}");
    assert_eq!(bad_fields(made(&json!({"modelFacts": []}))), ["modelFacts"]);
}

#[test]
fn a_patch_replaces_whole_rows_of_facts() {
    let stored = made(&json!({"modelFacts": {"a": {"maxOutput": 1}, "b": {"maxOutput": 2}}})).unwrap();
    let patch = json!({"model_facts": {"a": {"off": null}, "b": null, "c": {"prefill": false}}});
    let patched_facts = |patch| Value::Object(patched(patch, &stored).unwrap().group.model_facts);
    assert_eq!(patched_facts(patch), json!({"a": {"off": null}, "c": {"prefill": false}}));
    assert_eq!(patched_facts(json!({"modelFacts": null})), json!({}));
    assert_eq!(patched_facts(json!({"priority": 1})), json!({"a": {"maxOutput": 1}, "b": {"maxOutput": 2}}));
}

#[test]
fn the_version_of_an_api_is_for_vendors_that_have_several() {
    let of = |vendor: &str, version: &str| {
        made(&json!({"providerType": vendor, "baseUrl": "https://host", "apiVersion": version}))
    };
    assert_eq!(of("azure_openai", " 2024-10-21 ").unwrap().group.api_version.as_deref(), Some("2024-10-21"));
    assert_eq!(of("anthropic", "2023-06-01").unwrap().group.api_version.as_deref(), Some("2023-06-01"));
    assert_eq!(of("openai", "").unwrap().group.api_version, None);
    let errors = bad(of("openai", "v2"));
    assert_eq!(errors, [("apiVersion".to_owned(), "has a meaning for anthropic and azure_openai only".to_owned())]);
    for unfit in ["2024&x=1", "a b", "é", &"9".repeat(65)] {
        assert_eq!(bad_fields(of("azure_openai", unfit)), ["apiVersion"], "{unfit}");
    }
}
