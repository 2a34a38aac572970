use http::Request;
use translation::Format;

use super::ClientHeaders;

fn upstream(headers: &[(&str, &str)]) -> http::HeaderMap {
    let mut request = Request::post("/v1/chat/completions");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    ClientHeaders::new(&parts, Format::OpenAiChat).for_upstream(Format::OpenAiChat, false)
}

#[test]
fn only_what_is_on_the_list_goes_upstream() {
    let sent = upstream(&[
        ("authorization", "Bearer sk-proxy"),
        ("cookie", "session=1"),
        ("connection", "keep-alive, x-secret"),
        ("x-secret", "1"),
        ("host", "gateway"),
        ("transfer-encoding", "chunked"),
        ("accept-encoding", "gzip"),
        ("x-forwarded-for", "10.0.0.1"),
        ("openai-organization", "org-1"),
        ("openai-beta", "assistants=v2"),
        ("idempotency-key", "k-1"),
    ]);
    let mut names: Vec<_> = sent.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "accept-encoding",
        "content-type",
        "idempotency-key",
        "openai-beta",
        "openai-organization",
        "user-agent",
        "x-orchestration-hops",
    ];
    assert_eq!(names, expected);
    assert_eq!(sent["openai-organization"], "org-1");
    assert_eq!(sent["accept-encoding"], "identity");
}

#[test]
fn a_trace_is_passed_on_with_a_span_of_its_own() {
    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let sent = upstream(&[("traceparent", GIVEN), ("tracestate", "vendor=1")]);
    let traceparent = sent["traceparent"].to_str().unwrap();
    assert_eq!(&traceparent[..36], &GIVEN[..36]);
    assert_ne!(traceparent, GIVEN);
    assert_eq!(traceparent.len(), GIVEN.len());
    assert_eq!(&traceparent[52..], "-01");
    assert_eq!(sent["tracestate"], "vendor=1");
}

#[test]
fn a_malformed_trace_is_left_out() {
    for bad in [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "junk",
    ] {
        assert!(!upstream(&[("traceparent", bad)]).contains_key("traceparent"), "{bad}");
    }
}

#[test]
fn the_hops_are_told_twice_and_either_sign_is_enough() {
    let hops = |sent: &http::HeaderMap| {
        let mut request = Request::post("/v1/chat/completions");
        request.headers_mut().unwrap().extend(sent.clone());
        let (parts, ()) = request.body(()).unwrap().into_parts();
        ClientHeaders::new(&parts, Format::OpenAiChat).hops()
    };
    let mut sent = upstream(&[("user-agent", "OpenAI/Python 1.0 (hop 7)")]);
    for hop in 1..=2_u64 {
        assert_eq!(hops(&sent), hop);
        for stripped in ["x-orchestration-hops", "user-agent"] {
            let mut left = sent.clone();
            left.remove(stripped);
            assert_eq!(hops(&left), hop, "without {stripped}");
        }
        let text: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        sent = upstream(&text);
    }
    assert_eq!(hops(&upstream(&[])), 1);
    let older = [("user-agent".parse().unwrap(), "orchestration-api/0.0.9".parse().unwrap())];
    assert_eq!(hops(&http::HeaderMap::from_iter(older)), 1, "one that does not count");
}
