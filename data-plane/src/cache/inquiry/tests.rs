use std::collections::HashSet;

use bytes::Bytes;
use http::HeaderMap;
use translation::Format;

use super::{CacheKey, Inquiry};
use crate::cache::Unfit;

const BODY: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

struct Case {
    format: Format,
    endpoint: &'static str,
    query: &'static str,
    headers: HeaderMap,
    body: Bytes,
    model: &'static str,
    stream: bool,
    tenant: &'static str,
    config: u128,
    hints: &'static str,
}

impl Case {
    fn plain() -> Self {
        Self {
            format: Format::OpenAiChat,
            endpoint: "",
            query: "",
            headers: HeaderMap::new(),
            body: Bytes::from_static(BODY),
            model: "m",
            stream: false,
            tenant: "t",
            config: 1,
            hints: "",
        }
    }

    fn key(&self) -> Result<CacheKey, Unfit> {
        let Self { format, endpoint, query, headers, body, model, stream, .. } = self;
        let inquiry = Inquiry { format: *format, endpoint, query, headers, body, model, stream: *stream };
        inquiry.key(self.tenant, self.config, self.hints)
    }

    fn with_body(body: &'static str) -> Result<CacheKey, Unfit> {
        Self { body: Bytes::from_static(body.as_bytes()), ..Self::plain() }.key()
    }
}

#[test]
fn all_that_an_answer_depends_on_is_in_the_key() {
    let header =
        |name: &'static str| [(name.parse().unwrap(), "x".parse().unwrap())].into_iter().collect::<HeaderMap>();
    let plain = Case::plain;
    let anthropic = || Case { format: Format::AnthropicMessages, ..plain() };
    let cases = [
        plain(),
        anthropic(),
        Case { headers: header("anthropic-beta"), ..anthropic() },
        Case { headers: header("anthropic-version"), ..anthropic() },
        Case { endpoint: "/embeddings", ..plain() },
        Case { query: "beta=true", ..plain() },
        Case { body: Bytes::from_static(br#"{"model":"m"}"#), ..plain() },
        Case { model: "n", ..plain() },
        Case { stream: true, ..plain() },
        Case { tenant: "u", ..plain() },
        Case { config: 2, ..plain() },
        Case { hints: "group 'a'", ..plain() },
        // What stands in one part does not pass for another.
        Case { endpoint: "a", query: "b", ..plain() },
        Case { endpoint: "", query: "ab", ..plain() },
    ];
    let keys: HashSet<_> = cases.iter().map(|case| case.key().unwrap()).collect();
    assert_eq!(keys.len(), cases.len());
    let ignored = Case { headers: header("x-session-id"), ..plain() };
    assert_eq!(ignored.key(), plain().key());
}

#[test]
fn what_an_answer_does_not_depend_on_is_not() {
    let plain = Case::plain().key();
    for same in [
        r#"{"messages":[{"content":"hi","role":"user"}], "model": "m"}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"user":"alice","stream":false}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"metadata":{"a":"b"},"store":false}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"prompt_cache_key":"k","safety_identifier":"s"}"#,
    ] {
        assert_eq!(Case::with_body(same), plain, "{same}");
    }
    for other in [
        r#"{"model":"m","messages":[{"role":"user","content":"hi "}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"seed":1}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}"#,
    ] {
        assert_ne!(Case::with_body(other), plain, "{other}");
    }
}

#[test]
fn what_responses_repeat_counts_there() {
    let of = |body: &'static str| {
        let body = Bytes::from_static(body.as_bytes());
        Case { format: Format::OpenAiResponses, body, ..Case::plain() }.key().unwrap()
    };
    let plain = of(r#"{"model":"m","input":"hi","store":false}"#);
    assert_ne!(of(r#"{"model":"m","input":"hi","store":false,"user":"alice"}"#), plain);
    assert_ne!(of(r#"{"model":"m","input":"hi","store":false,"metadata":{"a":"b"}}"#), plain);
    assert_eq!(of(r#"{"stream":false,"model":"m","store":false,"input":"hi"}"#), plain);
}

#[test]
fn a_large_request_has_no_key() {
    let long = format!(r#"{{"model":"m","messages":"{}"}}"#, "x".repeat(1024 * 1024));
    assert_eq!(Case { body: long.into(), ..Case::plain() }.key(), Err(Unfit::Large));
    assert_eq!(Case::with_body(r#"{"model":"m","store":true}"#), Err(Unfit::Refers));
}
