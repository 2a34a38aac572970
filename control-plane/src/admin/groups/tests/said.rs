//! What is accepted and has no effect is said, and so is what was repaired.

use serde_json::{Value, json};

use super::{bad, bad_fields, full, repairs, replacement, view};

fn warned(body: Value) -> Vec<String> {
    let shown = view(&replacement(body, None).unwrap());
    let warnings = shown["warnings"].as_array().unwrap();
    warnings.iter().map(|warning| warning["field"].as_str().unwrap().to_owned()).collect()
}

fn body(more: Value) -> Value {
    let mut body = json!({"groupName": "g", "providerType": "openai", "apiKeys": ["sk-1"], "models": ["m"]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn a_group_without_surprises_has_no_warnings() {
    assert_eq!(warned(body(json!({}))), Vec::<String>::new());
}

#[test]
fn what_is_not_in_force_is_said() {
    for (more, field) in [
        (json!({"proxyConfig": {"host": "proxy.test"}}), "proxyConfig"),
        (json!({"apiKeys": []}), "apiKeys"),
        (json!({"models": []}), "models"),
        (json!({"parameters": {"stream": true}}), "parameters[stream]"),
        (json!({"parameterOverrides": {"model": "x"}}), "parameterOverrides[model]"),
        (json!({"headers": {"authorization": "Basic x"}}), "headers[authorization]"),
    ] {
        assert_eq!(warned(body(more)), [field]);
    }
}

#[test]
fn a_key_is_kept_without_what_was_pasted_with_it() {
    for pasted in [
        "Bearer sk-proj-0123456789",
        "bearer  sk-proj-0123456789",
        "Authorization: Bearer sk-proj-0123456789",
        "x-api-key: sk-proj-0123456789",
        "\"sk-proj-0123456789\"",
        "'sk-proj-0123456789',",
        "\u{201c}sk-proj-0123456789\u{201d}",
        " sk-proj-0123456789\n",
        "\u{feff}sk-proj-0123456789\u{200b}",
        "export OPENAI_API_KEY=\"sk-proj-0123456789\"",
        "OPENAI_API_KEY=sk-proj-0123456789",
        "\"Bearer sk-proj-0123456789\"",
    ] {
        let body = body(json!({ "apiKeys": [pasted] }));
        let stored = replacement(body.clone(), None).unwrap();
        assert_eq!(stored.group.upstream_keys[0].secret.expose(), "sk-proj-0123456789", "{pasted:?}");
        let said = repairs(body);
        assert!(!said.is_empty() && said.iter().all(|(field, _)| field == "apiKeys[0]"), "{pasted:?}: {said:?}");
        assert!(!format!("{said:?}").contains("0123456789"), "no warning repeats a key");
    }
    let broken = body(json!({"apiKeys": ["sk-proj-01234567890123456789\r\n  abcdefgh"]}));
    let stored = replacement(broken.clone(), None).unwrap();
    assert_eq!(stored.group.upstream_keys[0].secret.expose(), "sk-proj-01234567890123456789abcdefgh");
    assert!(repairs(broken)[0].1.contains("joined"));
    let two = bad(replacement(body(json!({"apiKeys": ["sk-proj-012345\nsk-proj-678901"]})), None));
    assert!(two[0].1.starts_with("holds 2 keys"), "{two:?}");
    for blank in ["", "  ", "\"\"", "Bearer "] {
        assert_eq!(bad_fields(replacement(body(json!({ "apiKeys": [blank] })), None)), ["apiKeys[0]"], "{blank:?}");
    }
    for fine in ["sk-1", "AKIA1:secret/+=", "key=with=signs", "ABSKabc=="] {
        assert_eq!(repairs(body(json!({ "apiKeys": [fine] }))), [], "{fine}");
    }
}

#[test]
fn lists_of_models_are_cleaned_and_it_is_said() {
    let body = body(json!({"models": [" gpt-4o ", "", "gpt-4o", "o3", "  "], "modelAliases": {" fast ": "gpt-4o "}}));
    let stored = replacement(body.clone(), None).unwrap();
    let models: Vec<&str> = stored.group.models.iter().map(|model| &**model).collect();
    assert_eq!(models, ["gpt-4o", "o3"]);
    assert_eq!(&*stored.group.model_aliases["fast"], "gpt-4o");
    let fields: Vec<String> = repairs(body).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["models[0]", "models[1]", "models[2]", "models[4]", "modelAliases[ fast ]"]);
}

#[test]
fn a_star_stands_at_the_end_of_a_name_or_nowhere() {
    let fine =
        json!({"models": ["gpt-4*", "*"], "modelAliases": {"claude-*": "gpt-4o", "my/*": "*", "fast": "gpt-4o"}});
    assert_eq!(warned(body(fine)), Vec::<String>::new());
    for (more, field) in [
        (json!({"models": ["m", "*-mini"]}), "models[1]"),
        (json!({"models": ["gpt-**"]}), "models[0]"),
        (json!({"modelAliases": {"a*b": "m"}}), "modelAliases[a*b]"),
        (json!({"modelAliases": {"a": "m*"}}), "modelAliases[a]"),
        (json!({"modelAliases": {"a*": "m*x"}}), "modelAliases[a*]"),
    ] {
        assert_eq!(bad_fields(replacement(body(more), None)), [field]);
    }
}

#[test]
fn headers_of_the_gateway_of_the_connection_and_of_other_credentials_are_refused() {
    let named = |vendor: &str, base_url: &str, header: &str| {
        let body = json!({"groupName": "g", "providerType": vendor, "baseUrl": base_url, "headers": {header: "v"}});
        replacement(body, None)
    };
    for header in [
        "x-orchestration-hops",
        "X-Orchestration-Group",
        "host",
        "Connection",
        "proxy-connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-authorization",
        "proxy-authenticate",
        "content-length",
        "cookie",
    ] {
        for vendor in ["openai", "anthropic", "gemini", "azure_openai"] {
            let errors = bad_fields(named(vendor, "https://host.test/v1", header));
            assert_eq!(errors, [format!("headers[{header}]")], "{vendor} {header}");
        }
    }
    let places = [
        ("openai", "authorization"),
        ("anthropic", "x-api-key"),
        ("gemini", "x-goog-api-key"),
        ("azure_openai", "api-key"),
    ];
    for (vendor, own) in places {
        for (_, place) in places {
            let made = named(vendor, "https://host.test/v1", place);
            assert_eq!(made.is_ok(), place == own, "{vendor} {place}");
        }
    }
    assert!(named("openai", "https://host.test/v1", "openai-organization").is_ok());
    assert_eq!(full().group.headers.len(), 1);
}
