use std::sync::Arc;

use super::*;
use crate::route::fixtures::{group, snapshot};
use crate::route::table::RouteTable;

/// The headers that a client of `format` gets of these.
fn forwarded(sent: &[(&'static str, &str)], format: Format) -> Vec<(String, String)> {
    let table = RouteTable::compile(Arc::new(snapshot([group("g", &["m"])], [])), None);
    let upstream: HeaderMap =
        sent.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
    let mut client = HeaderMap::new();
    forward(&upstream, &mut client, &table.routes("m")[0].group.keys[0], format);
    let mut client: Vec<_> =
        client.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    client.sort_unstable();
    client
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_is_not_listed_stays_here() {
    let sent = [
        ("content-type", "application/json"),
        ("retry-after", "3"),
        ("x-ratelimit-limit-requests", "sk-upstream-g-1"),
        ("x-ratelimit-remaining-tokens", "4"),
        ("openai-organization", "ours"),
        ("anthropic-organization-id", "ours"),
        ("set-cookie", "a=b"),
        ("connection", "close"),
    ];
    let expected =
        pairs(&[("content-type", "application/json"), ("retry-after", "3"), ("x-ratelimit-remaining-tokens", "4")]);
    assert_eq!(forwarded(&sent, Format::OpenAiChat), expected);
}

#[test]
fn the_providers_id_of_the_request_goes_beside_the_gateways() {
    for name in ["request-id", "x-request-id", "x-amzn-requestid", "apim-request-id"] {
        assert_eq!(forwarded(&[(name, "req_1")], Format::OpenAiChat), pairs(&[("x-upstream-request-id", "req_1")]));
    }
    assert_eq!(forwarded(&[("request-id", "sk-upstream-g-1")], Format::OpenAiChat), []);
}

#[test]
fn anthropics_rate_limits_are_put_in_openais_words() {
    let reset = (Timestamp::now() + Duration::from_secs(125)).to_string();
    let sent = [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "2020-01-01T00:00:00Z"),
        ("anthropic-ratelimit-tokens-limit", "80000"),
        ("anthropic-ratelimit-tokens-reset", &reset),
        ("anthropic-ratelimit-input-tokens-limit", "7"),
        ("anthropic-ratelimit-unified-status", "allowed"),
    ];
    for format in [Format::OpenAiChat, Format::OpenAiResponses, Format::GeminiGenerate] {
        let mut client = forwarded(&sent, format);
        let (_, reset) = client.pop().unwrap();
        assert!(["2m4s", "2m5s"].contains(&reset.as_str()), "{reset}");
        let expected = pairs(&[
            ("x-ratelimit-limit-requests", "50"),
            ("x-ratelimit-limit-tokens", "80000"),
            ("x-ratelimit-remaining-requests", "49"),
            ("x-ratelimit-reset-requests", "0s"),
        ]);
        assert_eq!(client, expected);
    }
    assert_eq!(forwarded(&sent, Format::AnthropicMessages).len(), sent.len(), "its own clients get them as they are");
}
