use std::time::Duration;

use http::{HeaderMap, StatusCode};
use translation::Format;
use translation::ir::{ErrorKind, ProviderError};
use translation::vendors::ErrorRules;

use super::{
    Effect, Extent, LONGEST_EXHAUSTION, LONGEST_PAUSE, Meaning, Question, Step, Verdict, has_no_endpoint,
    has_no_object, judge, retry_after, shorten_pause, window,
};

const RULES: &ErrorRules = &ErrorRules::USUAL;
mod bodies;

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
    judge(StatusCode::from_u16(status).unwrap(), &headers(sent), &error, body.as_bytes(), question, RULES)
}

#[test]
fn the_pause_is_read_in_every_form() {
    let pause = |name, value: &str| retry_after(&headers(&[(name, value)]), RULES);
    assert_eq!(pause("retry-after", "7"), Some(Duration::from_secs(7)));
    assert_eq!(pause("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
    assert_eq!(pause("retry-after-ms", "250"), Some(Duration::from_millis(250)));
    assert_eq!(pause("retry-after", "1e9"), Some(LONGEST_EXHAUSTION));
    assert_eq!(pause("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT"), Some(LONGEST_EXHAUSTION));
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
        judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), &error, b"", CHAT, RULES).meaning
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
    assert_eq!(meaning(402), Meaning::Exhausted);
    for status in [408, 424, 498, 500, 502, 503, 504, 529] {
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
    let pause = window(&sent, RULES).unwrap();
    assert!(pause > Duration::from_secs(18) && pause <= Duration::from_secs(20), "{pause:?}");
    assert_eq!(window(&headers(&[("anthropic-ratelimit-x-reset", "2020-01-01T00:00:00Z")]), RULES), None);
    assert_eq!(window(&HeaderMap::new(), RULES), None);
}

/// The format, the status, the headers and the body of an answer; the step and the effect.
type Case<'c> = (Format, u16, &'c [(&'static str, &'c str)], &'c str, Step, Effect);

#[test]
fn each_answer_has_its_step_and_its_effect() {
    const OPENAI: Format = Format::OpenAiChat;
    const GEMINI: Format = Format::GeminiGenerate;
    const KEY: Effect = Effect::Refuse(Extent::Key);
    const MODEL: Effect = Effect::Refuse(Extent::Model);
    let rest = |seconds| Effect::Rest(Extent::Model, Duration::from_secs(seconds));
    let spent = Effect::Exhaust(Extent::Key, None);
    let message = |words: &str| format!(r#"{{"error":{{"message":"{words}"}}}}"#);
    let bad_key = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}"#;
    let signature = r#"{"error":{"code":400,"message":"Corrupted thought signature.","status":"INVALID_ARGUMENT"}}"#;
    let aws = r#"{"__type":"UnrecognizedClientException","message":"The security token is invalid."}"#;
    let wait = message("Rate limit reached. Please try again in 9s.");
    let cases: &[Case<'_>] = &[
        (OPENAI, 400, &[], &message("no"), Step::End, Effect::None),
        (OPENAI, 402, &[], &message("no money"), Step::NextKey, spent),
        (OPENAI, 404, &[], "", Step::End, Effect::None),
        (OPENAI, 409, &[], "", Step::End, Effect::None),
        (OPENAI, 413, &[], "", Step::End, Effect::None),
        (OPENAI, 422, &[], "", Step::End, Effect::None),
        // A key that does not open the provider, said with a status of the client's.
        (GEMINI, 400, &[], bad_key, Step::NextKey, KEY),
        (Format::BedrockConverse, 400, &[], aws, Step::NextKey, KEY),
        (GEMINI, 400, &[], signature, Step::Unsigned, Effect::None),
        // No words say that it is about the key.
        (OPENAI, 401, &[], "", Step::NextKey, Effect::Doubt(Extent::Key)),
        (OPENAI, 401, &[], &message("Incorrect API key provided."), Step::NextKey, KEY),
        // What the key may not do is about the model.
        (OPENAI, 403, &[], "", Step::NextKey, Effect::Doubt(Extent::Model)),
        (OPENAI, 401, &[], &message("missing scopes"), Step::NextKey, MODEL),
        // A pause of a header counts, then one in the words.
        (OPENAI, 429, &[], "", Step::NextKey, Effect::Guess(Extent::Model)),
        (OPENAI, 429, &[("retry-after", "7")], "", Step::NextKey, rest(7)),
        (OPENAI, 429, &[("retry-after", "7"), ("retry-after-ms", "3000")], &wait, Step::NextKey, rest(3)),
        (OPENAI, 429, &[], &wait, Step::NextKey, rest(9)),
        (OPENAI, 429, &[("retry-after", "never")], "", Step::NextKey, Effect::Guess(Extent::Model)),
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
    assert_eq!(effect(401, "Incorrect API key provided."), Effect::Refuse(Extent::Key));
    // A key that is no good is so for all.
    assert_eq!(effect(403, "This key has been disabled."), Effect::Refuse(Extent::Key));
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

#[test]
fn p09_a_pause_is_capped_however_it_is_stated() {
    let effect = |format, sent: &[(&'static str, &str)], body: &str| verdict(format, 429, sent, body);
    let longest = Effect::Rest(Extent::Model, LONGEST_PAUSE);
    let words = |words: &str| format!(r#"{{"error":{{"message":"{words}"}}}}"#);
    let retry_info = |delay: &str| {
        format!(
            r#"{{"error":{{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Too much.","details":[
            {{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{delay}"}}]}}}}"#
        )
    };
    for said in [
        effect(Format::OpenAiChat, &[("retry-after", "10800")], ""),
        effect(Format::OpenAiChat, &[("retry-after-ms", "10800000")], ""),
        effect(Format::OpenAiChat, &[], &words("Please try again in 3h0m0s.")),
        effect(Format::OpenAiChat, &[], &words("Rate limit. Wait 3 hours and 5 minutes")),
        effect(Format::OpenAiChat, &[], &words("请在3小时后重试")),
        effect(Format::OpenAiChat, &[], r#"{"error":{"message":"slow down","retry_after":10800}}"#),
        effect(Format::OpenAiChat, &[], &retry_info("10800s")),
        effect(Format::GeminiGenerate, &[], &retry_info("10800s")),
        effect(Format::OpenAiChat, &[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "3h0m")], ""),
    ] {
        assert_eq!((said.effect, said.pause), (longest, Some(LONGEST_PAUSE)));
    }
    let short = effect(Format::OpenAiChat, &[], &retry_info("34.4s"));
    assert_eq!(short.effect, Effect::Rest(Extent::Model, Duration::from_millis(34_400)));
    // A window of which something is left is open.
    let open = [("x-ratelimit-remaining-requests", "9"), ("x-ratelimit-reset-requests", "40s")];
    assert_eq!(effect(Format::OpenAiChat, &open, "").pause, None);
    let day = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1m2s")];
    assert_eq!(effect(Format::OpenAiChat, &day, "").pause, Some(Duration::from_secs(62)));
}

#[test]
fn a_client_is_told_of_no_longer_pause_than_the_key_has() {
    let shortened = |sent: &[(&'static str, &str)]| {
        let mut sent = headers(sent);
        shorten_pause(&mut sent, RULES, LONGEST_PAUSE);
        let text = |name: &str| sent.get(name).map(|value| value.to_str().unwrap().to_owned());
        (text("retry-after"), text("retry-after-ms"))
    };
    assert_eq!(shortened(&[("retry-after", "10800")]), (Some("120".to_owned()), None));
    assert_eq!(shortened(&[("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT")]), (Some("120".to_owned()), None));
    let both = [("retry-after", "10800"), ("retry-after-ms", "10800000")];
    assert_eq!(shortened(&both), (Some("120".to_owned()), Some("120000".to_owned())));
    assert_eq!(shortened(&[("retry-after", "7")]), (Some("7".to_owned()), None));
    assert_eq!(shortened(&[("retry-after", "soon")]), (Some("soon".to_owned()), None));
}

#[test]
fn no_money_moves_on_and_rests_the_key() {
    const OPENAI: Format = Format::OpenAiChat;
    let body = |kind: &str, code: &str, words: &str| {
        format!(r#"{{"error":{{"type":"{kind}","code":"{code}","message":"{words}"}}}}"#)
    };
    let anthropic = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#;
    let spend = r#"{"type":"error","error":{"type":"rate_limit_error","message":"limit","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    for (format, status, body) in [
        (OPENAI, 402, r#"{"error":{"message":"Insufficient Balance"}}"#.to_owned()),
        (OPENAI, 402, String::new()),
        (OPENAI, 429, body("insufficient_quota", "insufficient_quota", "You exceeded your current quota.")),
        (OPENAI, 429, body("exceeded_current_quota_error", "", "Your account is suspended, check your plan.")),
        (Format::AnthropicMessages, 400, anthropic.to_owned()),
        (Format::AnthropicMessages, 429, spend.to_owned()),
        (
            OPENAI,
            400,
            r#"{"code":"Arrearage","message":"Access denied, your account is not in good standing."}"#.to_owned(),
        ),
        (OPENAI, 403, r#"{"error":{"message":"用户额度不足, 剩余额度: ¥0.00","type":"new_api_error"}}"#.to_owned()),
        (OPENAI, 403, r#"{"message":"Sorry, your account balance is insufficient","code":30001}"#.to_owned()),
        (OPENAI, 429, r#"{"error":{"code":"1113","message":"您的账户已欠费，请充值后重试。"}}"#.to_owned()),
        (OPENAI, 403, r#"{"error":"quota exceeded"}"#.to_owned()),
        (OPENAI, 401, r#"{"detail":"insufficient user quota"}"#.to_owned()),
    ] {
        let said = verdict(format, status, &[], &body);
        assert_eq!((said.meaning, said.step), (Meaning::Exhausted, Step::NextKey), "{status} {body}");
        // The spend limit of a month is known to end with it.
        let ends = matches!(said.effect, Effect::Exhaust(Extent::Key, until) if until.is_some() == (body == spend));
        assert!(ends, "{status} {body}: {:?}", said.effect);
    }
    // The quota of a day is counted by model.
    let day = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota.","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}"#;
    let said = verdict(Format::GeminiGenerate, 429, &[], day);
    assert!(matches!(said.effect, Effect::Exhaust(Extent::Model, Some(_))), "{:?}", said.effect);
    // Money that requests in flight hold may come back at once.
    let held = verdict(OPENAI, 402, &[], &body("", "in_flight_budget_exhausted", "wait for requests in flight"));
    assert_eq!((held.step, held.effect), (Step::NextKey, Effect::None));
}

#[test]
fn a_model_that_is_not_there_is_looked_for_in_the_next_group() {
    let gemini =
        r#"{"error":{"code":404,"message":"models/m is not found for API version v1beta","status":"NOT_FOUND"}}"#;
    let said = |format, status, body: &str| {
        let said = verdict(format, status, &[], body);
        (said.meaning, said.step, said.effect)
    };
    let no_model = (Meaning::NoModel, Step::NextGroup, Effect::Refuse(Extent::Model));
    for (format, status, body) in [
        (
            Format::OpenAiChat,
            404,
            r#"{"error":{"code":"model_not_found","message":"The model `m` does not exist or you do not have access to it."}}"#,
        ),
        (Format::OpenAiChat, 404, r#"{"error":{"message":"model 'm' not found, try pulling it first"}}"#),
        (
            Format::OpenAiChat,
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
        ),
        (
            Format::OpenAiChat,
            404,
            r#"{"object":"error","message":"The model `m` does not exist.","type":"NotFoundError","code":404}"#,
        ),
        (Format::OpenAiChat, 400, r#"{"error":{"message":"Model Not Exist"}}"#),
        (Format::OpenAiChat, 400, r#"{"object":"error","message":"Invalid model: m","type":"invalid_model"}"#),
        (Format::AnthropicMessages, 404, r#"{"type":"error","error":{"type":"not_found_error","message":"model: m"}}"#),
        (Format::GeminiGenerate, 404, gemini),
        (Format::BedrockConverse, 400, r#"{"message":"The provided model identifier is invalid."}"#),
    ] {
        assert_eq!(said(format, status, body), no_model, "{status} {body}");
    }
    let end = (Meaning::ClientFault, Step::End, Effect::None);
    let other = r#"{"error":{"message":"Previous response with id 'resp_1' not found."}}"#;
    assert_eq!(said(Format::OpenAiChat, 404, other), end);
    assert_eq!(said(Format::OpenAiChat, 404, "<html>404</html>"), end);
    // What is asked without a model is an object.
    let object = Question { beside_chat: true, names_model: false };
    let body = r#"{"error":{"message":"The model was not found"}}"#;
    assert_eq!(to(object, Format::OpenAiChat, 404, &[], body).step, Step::End);
    let beside = Question { beside_chat: true, names_model: true };
    let said = to(beside, Format::OpenAiChat, 404, &[], body);
    assert_eq!((said.step, said.effect), (Step::NextGroup, Effect::None));
}

#[test]
fn what_a_key_may_not_do_is_told_from_a_key_that_is_wrong() {
    let effect = |format, status, body: &str| verdict(format, status, &[], body).effect;
    let body = |code: &str, words: &str| format!(r#"{{"error":{{"code":"{code}","message":"{words}"}}}}"#);
    let invalid = r#"[{"error":{"code":400,"message":"Bad key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#;
    for (format, status, body) in [
        (Format::OpenAiChat, 401, body("invalid_api_key", "Incorrect API key provided: sk-x.")),
        (Format::OpenAiChat, 403, body("", "Your account has been deactivated.")),
        (Format::OpenAiChat, 403, body("", "无效的令牌")),
        (Format::GeminiGenerate, 400, invalid.to_owned()),
        // A vendor of Google's behind OpenAI's format.
        (Format::OpenAiChat, 400, invalid.to_owned()),
        (
            Format::GeminiGenerate,
            403,
            r#"{"error":{"code":403,"message":"Consumer has been suspended.","status":"PERMISSION_DENIED"}}"#
                .to_owned(),
        ),
        (
            Format::BedrockConverse,
            403,
            r#"{"__type":"com.amazon#ExpiredTokenException","message":"expired"}"#.to_owned(),
        ),
    ] {
        assert_eq!(effect(format, status, &body), Effect::Refuse(Extent::Key), "{status} {body}");
    }
    for (format, status, body) in [
        (Format::OpenAiChat, 403, body("model_not_found", "Project `p` does not have access to model `m`")),
        (Format::OpenAiChat, 403, body("unsupported_country_region_territory", "Country, region, or territory not supported")),
        (Format::OpenAiChat, 401, body("", "You have insufficient permissions. Missing scopes: model.request")),
        (
            Format::GeminiGenerate,
            400,
            r#"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#
                .to_owned(),
        ),
        (Format::AnthropicMessages, 403, r#"{"error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#.to_owned()),
        (Format::BedrockConverse, 403, r#"{"__type":"AccessDeniedException","message":"You don't have access to the model."}"#.to_owned()),
    ] {
        assert_eq!(effect(format, status, &body), Effect::Refuse(Extent::Model), "{status} {body}");
    }
}

#[test]
fn an_overloaded_vendor_harms_no_key_whatever_its_status() {
    for (format, status, body) in [
        (Format::AnthropicMessages, 529, r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#),
        (
            Format::GeminiGenerate,
            503,
            r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
        ),
        (
            Format::OpenAiChat,
            429,
            r#"{"error":{"type":"engine_overloaded_error","message":"The engine is currently overloaded"}}"#,
        ),
        (Format::OpenAiChat, 498, r#"{"error":{"message":"Flex tier capacity exceeded"}}"#),
    ] {
        let said = verdict(format, status, &[], body);
        assert_eq!((said.meaning, said.step, said.effect), (Meaning::Failed, Step::NextKey, Effect::None), "{body}");
    }
}
