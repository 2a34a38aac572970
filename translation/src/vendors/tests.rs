use std::collections::HashSet;

use super::{ApiVersion, Auth, Vendor, all, by_name};
use crate::format::Format;

fn vendor(name: &str) -> &'static Vendor {
    by_name(name).unwrap_or_else(|| panic!("no vendor {name}"))
}

#[test]
fn names_are_unique_and_found() {
    let names: HashSet<_> = all().iter().map(|vendor| vendor.name).collect();
    assert_eq!(names.len(), all().len());
    for listed in all() {
        assert_eq!(vendor(listed.name).title, listed.title);
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(!listed.name.is_empty() && listed.name.chars().all(fine), "{:?}", listed.name);
        assert!(!listed.title.is_empty(), "{}", listed.name);
    }
    assert!(by_name("opanai").is_none() && by_name("").is_none());
}

#[test]
fn each_url_is_one() {
    for vendor in all() {
        for url in vendor.base_url.iter().chain(&vendor.base_url_example) {
            let local = url.starts_with("http://localhost:");
            assert!(local || url.starts_with("https://"), "{}: {url}", vendor.name);
            assert!(!url.ends_with('/') && !url.contains(['?', '#', ' ', '{']), "{}: {url}", vendor.name);
        }
        assert!(vendor.base_url.is_none() || vendor.base_url_example.is_none(), "{}", vendor.name);
        assert!(vendor.docs.starts_with("https://") && !vendor.docs.contains(' '), "{}", vendor.name);
        assert!(vendor.models_path.is_none_or(|path| path.starts_with('/')), "{}", vendor.name);
    }
}

#[test]
fn each_format_has_a_path_below_the_base_url() {
    for vendor in all() {
        assert!(!vendor.formats.is_empty(), "{}", vendor.name);
        let unique: HashSet<_> = vendor.formats.iter().collect();
        assert_eq!(unique.len(), vendor.formats.len(), "{}", vendor.name);
        for format in vendor.formats {
            for stream in [false, true] {
                let path = vendor.path(*format, "m", stream, None);
                assert!(path.starts_with('/') && !path.contains(['{', '}']), "{}: {path}", vendor.name);
                let doubled = vendor.base_url.is_some_and(|url| url.ends_with("/v1")) && path.starts_with("/v1/");
                assert!(!doubled, "{}: {path}", vendor.name);
            }
        }
    }
}

#[test]
fn paths_are_those_that_the_vendors_document() {
    let cases = [
        ("openai", Format::OpenAiChat, false, "https://api.openai.com/v1/chat/completions"),
        ("openai", Format::OpenAiResponses, true, "https://api.openai.com/v1/responses"),
        ("anthropic", Format::AnthropicMessages, true, "https://api.anthropic.com/v1/messages"),
        ("deepseek", Format::AnthropicMessages, false, "https://api.deepseek.com/anthropic/v1/messages"),
        ("openrouter", Format::AnthropicMessages, false, "https://openrouter.ai/api/v1/messages"),
        ("fireworks", Format::AnthropicMessages, false, "https://api.fireworks.ai/inference/v1/messages"),
        ("ollama", Format::AnthropicMessages, true, "http://localhost:11434/v1/messages"),
        ("perplexity", Format::OpenAiResponses, false, "https://api.perplexity.ai/v1/responses"),
    ];
    for (name, format, stream, url) in cases {
        let vendor = vendor(name);
        assert!(vendor.formats.contains(&format), "{name}");
        assert_eq!(vendor.base_url.unwrap().to_owned() + &vendor.path(format, "m", stream, None), url);
    }
    let gemini = vendor("gemini").path(Format::GeminiGenerate, "gemini-2.5-pro", true, None);
    assert_eq!(gemini, "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    let bedrock = vendor("bedrock");
    assert_eq!(
        bedrock.path(Format::BedrockConverse, "anthropic.claude-3-haiku-20240307-v1:0", true, None),
        "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse-stream"
    );
}

#[test]
fn a_model_stays_one_segment_of_the_path() {
    let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/a?b#c é";
    let path = vendor("bedrock").path(Format::BedrockConverse, arn, false, None);
    let wanted = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fa%3Fb%23c%20%C3%A9/converse";
    assert_eq!(path, wanted);
}

#[test]
fn vertex_serves_each_model_in_its_maker_s_format() {
    let vertex = vendor("vertex");
    assert_eq!(vertex.formats_of("gemini-2.5-pro", None), [Format::GeminiGenerate]);
    assert_eq!(vertex.formats_of("claude-opus-4-1@20250805", None), [Format::AnthropicMessages]);
    assert_eq!(
        vertex.path(Format::AnthropicMessages, "claude-opus-4-1@20250805", true, None),
        "/publishers/anthropic/models/claude-opus-4-1@20250805:streamRawPredict"
    );
    assert!(vertex.anthropic_body_version.is_some() && !vertex.quirks.media_urls);
}

#[test]
fn azure_has_its_api_of_today_and_the_one_with_a_date() {
    let azure = vendor("azure_openai");
    let path = |version| azure.path(Format::OpenAiChat, "my-gpt", false, version);
    assert_eq!(path(None), "/openai/v1/chat/completions");
    assert_eq!(path(Some("preview")), "/openai/v1/chat/completions?api-version=preview");
    assert_eq!(path(Some("2024-10-21")), "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21");
    assert_eq!(azure.formats_of("my-gpt", None), [Format::OpenAiChat, Format::OpenAiResponses]);
    assert_eq!(azure.formats_of("my-gpt", Some("2024-10-21")), [Format::OpenAiChat]);
    assert_eq!(azure.models(Some("2024-10-21")).as_deref(), Some("/openai/v1/models"));
    assert_eq!(azure.models(Some("preview")).as_deref(), Some("/openai/v1/models?api-version=preview"));
    assert_eq!((azure.auth, azure.version_header(Some("preview"))), (Auth::AzureApiKey, None));
}

#[test]
fn the_version_of_anthropic_s_api_is_a_header() {
    let anthropic = vendor("anthropic");
    assert_eq!(anthropic.version_header(None), Some(("anthropic-version", "2023-06-01")));
    assert_eq!(anthropic.version_header(Some("2026-10-21")), Some(("anthropic-version", "2026-10-21")));
    assert_eq!(anthropic.path(Format::AnthropicMessages, "m", false, Some("2026-10-21")), "/v1/messages");
    let versioned: Vec<_> = all().iter().filter(|vendor| vendor.takes_api_version()).map(|it| it.name).collect();
    assert_eq!(versioned, ["anthropic", "azure_openai"]);
    assert_eq!(vendor("openai").api_version, ApiVersion::None);
}

#[test]
fn the_example_of_a_new_vendor_is_a_real_one() {
    let guide = include_str!("../../../CONTRIBUTING.md");
    let diff: String = include_str!("groq.rs").lines().flat_map(|line| ["+", line, "\n"]).collect();
    assert!(guide.contains(&diff), "groq.rs and CONTRIBUTING.md have come apart");
    assert!(
        guide.contains("     deepseek,\n+    groq,\n     mistral,\n")
            && include_str!("mod.rs").contains("\n    groq,\n")
    );
}

#[test]
fn quirks_are_none_for_owners_and_cautious_for_others() {
    for name in ["openai", "openai_responses", "azure_openai"] {
        assert!(vendor(name).quirks.max_completion_tokens && vendor(name).quirks.developer_role, "{name}");
    }
    let others = all().iter().filter(|vendor| vendor.auth == Auth::Bearer && !vendor.name.starts_with("openai"));
    for vendor in others {
        assert!(!vendor.quirks.developer_role, "{}: system is understood everywhere", vendor.name);
    }
    let mistral = vendor("mistral").quirks;
    assert_eq!((mistral.required_word, mistral.call_id_length), ("any", Some(9)));
    assert!(!vendor("deepseek").quirks.json_schema);
}

#[test]
fn what_a_version_of_azures_api_lacks_is_known() {
    let quirks = |version| vendor("azure_openai").quirks_of(version);
    for version in [None, Some("v1"), Some("preview"), Some("2024-12-01-preview"), Some("2025-04-01-preview")] {
        assert_eq!(*quirks(version), crate::protocol::contract::Quirks::NONE, "{version:?}");
    }
    for (version, usage, schema) in [
        ("2023-05-15", false, false),
        ("2024-06-01", false, false),
        ("2024-08-01-preview", false, true),
        ("2024-09-01-preview", true, true),
        ("2024-10-21", true, true),
    ] {
        let quirks = quirks(Some(version));
        assert_eq!(
            (quirks.stream_usage, quirks.json_schema, quirks.reasoning_effort),
            (usage, schema, false),
            "{version}"
        );
        assert_eq!(quirks.parallel_tool_calls, usage, "{version}");
        assert_eq!(quirks.max_completion_tokens, usage, "{version}");
        // It is the owner's API all the same, of before the role `developer` and what came with it.
        let newer = (quirks.developer_role, quirks.take_newer_fields());
        assert_eq!((quirks.owner, newer), (true, (false, false)), "{version}");
        let long = format!(r#"[{{"role":"tool","tool_call_id":"{}","content":"1"}}]"#, "i".repeat(65));
        assert!(Format::OpenAiChat.protocol().without_foreign(&long, quirks).is_some(), "{version}");
    }
}

mod history;
mod thinking;
