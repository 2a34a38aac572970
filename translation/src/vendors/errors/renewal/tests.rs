use super::Renewal;
use crate::vendors::ErrorRules;

fn renewal(body: &str) -> Option<Renewal> {
    ErrorRules::USUAL.renewal(None, body.as_bytes())
}

#[test]
fn a_time_is_read_in_the_words_of_each_vendor() {
    for (words, time) in [
        ("You will regain access on 2026-12-01 at 00:00 UTC.", "2026-12-01T00:00:00Z"),
        (
            "You have exceeded the monthly usage quota. It will reset at 2026-12-03 23:59:59 +0800 CST.",
            "2026-12-03T23:59:59+08:00",
        ),
        ("Your limit will reset at 2026-12-02 10:30:00", "2026-12-02T10:30:00Z"),
        ("It resets on 2026-12-01T08:00:00Z", "2026-12-01T08:00:00Z"),
        ("It resets on 2026-12-05.", "2026-12-05T00:00:00Z"),
    ] {
        let body = format!(r#"{{"error":{{"message":"{words}"}}}}"#);
        assert_eq!(renewal(&body), Some(Renewal::At(time.to_owned())), "{words}");
    }
    for words in ["It will reset at noon", "resets on 2026", "resets at 20é6-12-01", ""] {
        assert_eq!(renewal(&format!(r#"{{"error":{{"message":"{words}"}}}}"#)), None, "{words}");
    }
}

#[test]
fn the_kind_of_a_quota_tells_when_it_begins_anew() {
    let day = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]},{"retryDelay":"34s"}]}}"#;
    assert_eq!(renewal(day), Some(Renewal::NextDay { offset_hours: -8 }));
    let spend = r#"{"type":"error","error":{"type":"rate_limit_error","message":"limit","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    assert_eq!(renewal(spend), Some(Renewal::NextMonth));
}
