use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::{LONGEST_PAUSE, Verdict, reset, retry_after, usual};

fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
    entries.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

#[test]
fn the_pause_is_read_in_every_form() {
    let pause = |name, value: &str| retry_after(&headers(&[(name, value)]));
    assert_eq!(pause("retry-after", "7"), Some(Duration::from_secs(7)));
    assert_eq!(pause("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
    assert_eq!(pause("retry-after-ms", "250"), Some(Duration::from_millis(250)));
    assert_eq!(pause("retry-after", "1e9"), Some(LONGEST_PAUSE));
    assert_eq!(pause("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT"), Some(LONGEST_PAUSE));
    for none in ["-1", "0", "NaN", "inf", "soon", "", "Fri, 31 Dec 1999 23:59:59 GMT"] {
        assert_eq!(pause("retry-after", none), None, "{none:?}");
    }
    let both = headers(&[("retry-after", "60"), ("retry-after-ms", "1500")]);
    assert_eq!(retry_after(&both), Some(Duration::from_millis(1500)));
}

#[test]
fn an_answer_is_classified_by_its_status() {
    let verdict = |status: u16| usual(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
    assert_eq!(verdict(200), Verdict::Success);
    assert!(matches!(verdict(302), Verdict::Unusable(_)));
    for status in [400, 404, 409, 413, 422] {
        assert_eq!(verdict(status), Verdict::ClientFault, "{status}");
    }
    for status in [401, 403] {
        assert_eq!(verdict(status), Verdict::KeyRefused, "{status}");
    }
    assert_eq!(verdict(429), Verdict::RateLimited(None));
    for status in [408, 424, 500, 502, 503, 504, 529] {
        assert_eq!(verdict(status), Verdict::Retryable, "{status}");
    }
}

#[test]
fn a_window_that_opens_again_is_a_pause() {
    let soon = (jiff::Timestamp::now() + Duration::from_secs(20)).to_string();
    let sent = headers(&[
        ("anthropic-ratelimit-requests-reset", "2020-01-01T00:00:00Z"),
        ("anthropic-ratelimit-tokens-reset", &soon),
        ("anthropic-ratelimit-tokens-limit", "5"),
    ]);
    let pause = reset(&sent, "anthropic-ratelimit-").unwrap();
    assert!(pause > Duration::from_secs(18) && pause <= Duration::from_secs(20), "{pause:?}");
    assert_eq!(
        reset(&headers(&[("anthropic-ratelimit-x-reset", "2020-01-01T00:00:00Z")]), "anthropic-ratelimit-"),
        None
    );
    assert_eq!(reset(&HeaderMap::new(), "anthropic-ratelimit-"), None);
}
