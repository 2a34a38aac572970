use std::time::Duration;

use http::{HeaderMap, StatusCode};
use translation::Format;
use translation::ir::{ErrorKind, ProviderError};
use translation::protocol::openai_error;
use translation::vendors::ErrorRules;

use super::{
    DEFAULT_PAUSE, Effect, LONGEST_PAUSE, Meaning, Question, Step, Verdict, has_no_endpoint, has_no_object, judge,
    reset, retry_after,
};

const RULES: &ErrorRules = &ErrorRules::USUAL;
const CHAT: Question = Question { beside_chat: false, names_model: true };

fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
    entries.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// The verdict on a chat answer whose body is one of `format`'s.
fn verdict(format: Format, status: u16, sent: &[(&'static str, &str)], body: &str) -> Verdict {
    to(CHAT, format, status, sent, body)
}

fn to(question: Question, format: Format, status: u16, sent: &[(&'static str, &str)], body: &str) -> Verdict {
    let error = format.protocol().decode_error(status, body.as_bytes());
    let words = openai_error::message(body.as_bytes()).unwrap_or_default();
    judge(StatusCode::from_u16(status).unwrap(), &headers(sent), &error, &words, question, RULES)
}

#[test]
fn the_pause_is_read_in_every_form() {
    let pause = |name, value: &str| retry_after(&headers(&[(name, value)]), RULES);
    assert_eq!(pause("retry-after", "7"), Some(Duration::from_secs(7)));
    assert_eq!(pause("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
    assert_eq!(pause("retry-after-ms", "250"), Some(Duration::from_millis(250)));
    assert_eq!(pause("retry-after", "1e9"), Some(LONGEST_PAUSE));
    assert_eq!(pause("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT"), Some(LONGEST_PAUSE));
    for none in ["-1", "0", "NaN", "inf", "soon", "", "Fri, 31 Dec 1999 23:59:59 GMT"] {
        assert_eq!(pause("retry-after", none), None, "{none:?}");
    }
    let both = headers(&[("retry-after", "60"), ("retry-after-ms", "1500")]);
    assert_eq!(retry_after(&both, RULES), Some(Duration::from_millis(1500)));
}

#[test]
fn an_answer_is_classified_by_its_status() {
    let meaning = |status: u16| {
        let error = ProviderError::new(ErrorKind::InvalidRequest, "");
        judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), &error, "", CHAT, RULES).meaning
    };
    assert_eq!(meaning(200), Meaning::Success);
    assert!(matches!(meaning(302), Meaning::Unusable(_)));
    for status in [400, 404, 409, 413, 422] {
        assert_eq!(meaning(status), Meaning::ClientFault, "{status}");
    }
    for status in [401, 403] {
        assert_eq!(meaning(status), Meaning::KeyRefused, "{status}");
    }
    assert_eq!(meaning(429), Meaning::RateLimited);
    for status in [408, 424, 500, 502, 503, 504, 529] {
        assert_eq!(meaning(status), Meaning::Failed, "{status}");
    }
    assert_eq!(meaning(508), Meaning::Circle);
}

#[test]
fn a_window_that_opens_again_is_a_pause() {
    let soon = (jiff::Timestamp::now() + Duration::from_secs(20)).to_string();
    let sent = headers(&[
        ("anthropic-ratelimit-requests-reset", "2020-01-01T00:00:00Z"),
        ("anthropic-ratelimit-tokens-reset", &soon),
        ("anthropic-ratelimit-tokens-limit", "5"),
    ]);
    let pause = reset(&sent, RULES).unwrap();
    assert!(pause > Duration::from_secs(18) && pause <= Duration::from_secs(20), "{pause:?}");
    assert_eq!(reset(&headers(&[("anthropic-ratelimit-x-reset", "2020-01-01T00:00:00Z")]), RULES), None);
    assert_eq!(reset(&HeaderMap::new(), RULES), None);
}

/// The format, the status, the headers and the body of an answer; the step and the effect.
type Case<'c> = (Format, u16, &'c [(&'static str, &'c str)], &'c str, Step, Effect);

#[test]
fn each_answer_has_its_step_and_its_effect() {
    const OPENAI: Format = Format::OpenAiChat;
    const GEMINI: Format = Format::GeminiGenerate;
    let rest = |seconds| Effect::Rest(Duration::from_secs(seconds));
    let message = |words: &str| format!(r#"{{"error":{{"message":"{words}"}}}}"#);
    let bad_key = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}"#;
    let signature = r#"{"error":{"code":400,"message":"Corrupted thought signature.","status":"INVALID_ARGUMENT"}}"#;
    let aws = r#"{"__type":"UnrecognizedClientException","message":"The security token is invalid."}"#;
    let wait = message("Rate limit reached. Please try again in 9s.");
    let cases: &[Case<'_>] = &[
        (OPENAI, 400, &[], &message("no"), Step::End, Effect::None),
        (OPENAI, 402, &[], &message("no money"), Step::End, Effect::None),
        (OPENAI, 404, &[], "", Step::End, Effect::None),
        (OPENAI, 409, &[], "", Step::End, Effect::None),
        (OPENAI, 413, &[], "", Step::End, Effect::None),
        (OPENAI, 422, &[], "", Step::End, Effect::None),
        // A key that does not open the provider, said with a status of the client's.
        (GEMINI, 400, &[], bad_key, Step::NextKey, Effect::Refuse),
        (Format::BedrockConverse, 400, &[], aws, Step::NextKey, Effect::Refuse),
        (GEMINI, 400, &[], signature, Step::Unsigned, Effect::None),
        (OPENAI, 401, &[], "", Step::NextKey, Effect::Refuse),
        (OPENAI, 403, &[], "", Step::NextKey, Effect::Refuse),
        (OPENAI, 401, &[], &message("missing scopes"), Step::NextKey, Effect::Refuse),
        // A pause of a header counts, then one in the words.
        (OPENAI, 429, &[], "", Step::NextKey, Effect::Rest(DEFAULT_PAUSE)),
        (OPENAI, 429, &[("retry-after", "7")], "", Step::NextKey, rest(7)),
        (OPENAI, 429, &[("retry-after", "7"), ("retry-after-ms", "3000")], &wait, Step::NextKey, rest(3)),
        (OPENAI, 429, &[], &wait, Step::NextKey, rest(9)),
        (OPENAI, 429, &[("retry-after", "never")], "", Step::NextKey, Effect::Rest(DEFAULT_PAUSE)),
        // A failure of the provider says nothing of the key, whatever else it says.
        (OPENAI, 408, &[], "", Step::NextKey, Effect::None),
        (OPENAI, 424, &[], "", Step::NextKey, Effect::None),
        (OPENAI, 500, &[("retry-after", "7")], &message("API key not valid"), Step::NextKey, Effect::None),
        (OPENAI, 503, &[("retry-after", "7")], "", Step::NextKey, Effect::None),
        (Format::AnthropicMessages, 529, &[], "", Step::NextKey, Effect::None),
        (GEMINI, 503, &[], bad_key, Step::NextKey, Effect::None),
        // Another try goes the same way.
        (OPENAI, 508, &[], "", Step::End, Effect::None),
        (OPENAI, 302, &[], "", Step::End, Effect::None),
        (OPENAI, 700, &[], "", Step::End, Effect::None),
    ];
    for (format, status, sent, body, step, effect) in cases {
        let verdict = verdict(*format, *status, sent, body);
        assert_eq!((verdict.step, verdict.effect), (*step, *effect), "{format:?} {status} {sent:?} {body}");
    }
}

#[test]
fn only_a_pause_that_was_asked_for_is_told() {
    assert_eq!(verdict(Format::OpenAiChat, 429, &[], "").pause, None);
    assert_eq!(verdict(Format::OpenAiChat, 429, &[("retry-after", "7")], "").pause, Some(Duration::from_secs(7)));
    assert_eq!(verdict(Format::OpenAiChat, 503, &[("retry-after", "7")], "").pause, None);
}

#[test]
fn what_is_forbidden_beside_chat_does_not_harm_the_key() {
    let beside = Question { beside_chat: true, names_model: true };
    let body = |words: &str| format!(r#"{{"error":{{"message":"{words}"}}}}"#);
    let effect = |status, words: &str| {
        let verdict = to(beside, Format::OpenAiChat, status, &[], &body(words));
        assert_eq!((verdict.meaning, verdict.step), (Meaning::KeyRefused, Step::NextKey));
        verdict.effect
    };
    assert_eq!(effect(403, "no"), Effect::None);
    assert_eq!(effect(401, "You have insufficient permissions for this operation."), Effect::None);
    assert_eq!(effect(401, "Missing scopes: api.files.write"), Effect::None);
    assert_eq!(effect(401, "Incorrect API key provided."), Effect::Refuse);
}

#[test]
fn limits_of_what_names_no_model_are_not_those_of_the_key() {
    let question = Question { beside_chat: true, names_model: false };
    let verdict = to(question, Format::OpenAiChat, 429, &[("retry-after", "7")], "");
    assert_eq!((verdict.step, verdict.effect), (Step::NextKey, Effect::None));
    assert_eq!(verdict.pause, Some(Duration::from_secs(7)));
}

#[test]
fn a_provider_without_the_object_or_the_endpoint_says_so() {
    let of = |status: u16| StatusCode::from_u16(status).unwrap();
    assert_eq!([400, 404, 405, 401, 403, 409, 429, 500].map(|status| has_no_object(of(status))), {
        [true, true, true, false, false, false, false, false]
    });
    assert_eq!([404, 405, 501, 400, 403, 500].map(|status| has_no_endpoint(of(status), b"not found")), {
        [true, true, true, false, false, false]
    });
    assert!(!has_no_endpoint(of(404), br#"{"error":{"message":"no such model"}}"#));
}
