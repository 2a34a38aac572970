//! What a request of another format comes to: limits, sampling, the user, what is left out.

use serde_json::json;

use super::{OPUS_55, SONNET_4, SONNET_46, body, chat, encode_for, hello, refused, written};
use crate::format::Format;
use crate::ir::{CacheControl, Effort, ErrorCode, Part, Reasoning, Role, ServiceTier};
use crate::json::Json;

fn extended(name: &str, value: &str) -> crate::ir::Request {
    let mut request = hello();
    request.extensions.push((name.to_owned(), Json::parse(value).unwrap()));
    request
}

#[test]
fn a_plain_request_says_what_it_has_to_and_no_more() {
    assert_eq!(
        body(&hello(), SONNET_4),
        json!({
            "model": SONNET_4,
            "max_tokens": 64000,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
            "stream": true,
        })
    );
}

#[test]
fn point_13_max_tokens_has_the_models_limit_where_none_is_given() {
    assert_eq!(body(&hello(), OPUS_55)["max_tokens"], 128_000);
    assert_eq!(body(&hello(), "claude-3-haiku-20240307")["max_tokens"], 4096);
    let whole = encode_for(&hello(), OPUS_55, false).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&whole.body).unwrap();
    assert_eq!(whole["max_tokens"], 21_333, "an answer in one piece has to come within ten minutes");
    assert!(whole.get("stream").is_none());
}

#[test]
fn point_13_max_tokens_is_clamped_and_never_zero() {
    let mut request = hello();
    request.max_output_tokens = Some(1_000_000);
    assert_eq!(body(&request, SONNET_4)["max_tokens"], 64_000);
    request.max_output_tokens = Some(7);
    assert_eq!(body(&request, SONNET_4)["max_tokens"], 7);
    request.max_output_tokens = Some(0);
    assert_eq!(refused(&request, SONNET_4).param.as_deref(), Some("max_completion_tokens"));
}

#[test]
fn point_14_temperature_is_clamped_to_1() {
    let mut request = hello();
    request.temperature = Some(1.5);
    assert_eq!(body(&request, SONNET_4)["temperature"], 1.0);
    request.temperature = Some(0.3);
    assert_eq!(body(&request, SONNET_4)["temperature"], 0.3);
}

#[test]
fn point_14_sampling_is_left_out_where_the_model_answers_400_to_it() {
    let mut request = hello();
    (request.temperature, request.top_p, request.top_k) = (Some(1.0), Some(0.9), Some(40));
    let (body, dropped) = written(&request, OPUS_55);
    assert!(body.get("temperature").is_none() && body.get("top_p").is_none() && body.get("top_k").is_none());
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
}

#[test]
fn point_14_temperature_goes_before_top_p_where_only_one_is_taken() {
    let mut request = hello();
    (request.temperature, request.top_p) = (Some(0.5), Some(0.9));
    let (body, dropped) = written(&request, SONNET_46);
    assert_eq!((&body["temperature"], body.get("top_p")), (&json!(0.5), None));
    assert_eq!(dropped, ["top_p"]);
    request.temperature = None;
    assert_eq!(super::body(&request, SONNET_46)["top_p"], 0.9);
}

#[test]
fn point_14_a_thinking_model_takes_little_sampling() {
    let mut request = hello();
    request.reasoning = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
    (request.temperature, request.top_p, request.top_k) = (Some(0.2), Some(0.5), Some(40));
    let (body, dropped) = written(&request, SONNET_4);
    assert_eq!(body["thinking"]["type"], "enabled");
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
    (request.temperature, request.top_p, request.top_k) = (Some(1.0), Some(0.97), None);
    let (body, dropped) = written(&request, SONNET_4);
    assert_eq!((&body["temperature"], &body["top_p"]), (&json!(1.0), &json!(0.97)));
    assert!(dropped.is_empty());
}

#[test]
fn point_16_stop_is_a_list_without_white_space() {
    let mut request = hello();
    request.stop = vec!["END".to_owned(), " \n".to_owned()];
    let (body, dropped) = written(&request, SONNET_4);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(dropped, ["stop"]);
    request.stop = vec!["\n\n".to_owned()];
    assert!(super::body(&request, SONNET_4).get("stop_sequences").is_none());
}

#[test]
fn several_answers_are_refused() {
    let mut request = hello();
    request.candidates = Some(2);
    let error = refused(&request, SONNET_4);
    assert_eq!((error.param.as_deref(), error.code), (Some("n"), ErrorCode::UnsupportedValue));
    request.candidates = Some(1);
    assert!(encode_for(&request, SONNET_4, true).is_ok());
}

#[test]
fn sound_is_refused() {
    let mut request = hello();
    request.modalities = vec!["text".to_owned(), "audio".to_owned()];
    assert_eq!(refused(&request, SONNET_4).param.as_deref(), Some("modalities"));
    request.modalities = vec!["text".to_owned()];
    assert!(encode_for(&request, SONNET_4, true).is_ok());
    assert_eq!(refused(&extended("audio", "{}"), SONNET_4).param.as_deref(), Some("audio"));
    let error = refused(&extended("web_search_options", "{}"), SONNET_4);
    assert_eq!(error.code, ErrorCode::UnsupportedParameter);
}

#[test]
fn what_only_tunes_is_left_out_and_named() {
    let mut request = extended("logit_bias", r#"{"50256":-100}"#);
    request.seed = Some(7);
    request.presence_penalty = Some(0.5);
    request.frequency_penalty = Some(0.5);
    request.logprobs = Some(true);
    request.top_logprobs = Some(3);
    request.verbosity = Some("low".to_owned());
    let (body, mut dropped) = written(&request, SONNET_4);
    dropped.sort();
    let names =
        ["frequency_penalty", "logit_bias", "logprobs", "presence_penalty", "seed", "top_logprobs", "verbosity"];
    assert_eq!(dropped, names);
    assert_eq!(body.as_object().unwrap().len(), 4);
}

#[test]
fn the_user_is_the_first_that_is_given_and_no_person() {
    let mut request = hello();
    request.user = Some("u".repeat(300));
    assert_eq!(body(&request, SONNET_4)["metadata"]["user_id"].as_str().unwrap().len(), 256);
    request.extensions.push(("metadata".to_owned(), Json::parse(r#"{"user_id":"42","team":"x"}"#).unwrap()));
    let (body, dropped) = written(&request, SONNET_4);
    assert_eq!(body["metadata"], json!({"user_id": "42"}));
    assert_eq!(dropped, ["metadata"]);
    assert_eq!(super::body(&extended("safety_identifier", "\"s-1\""), SONNET_4)["metadata"]["user_id"], "s-1");
    for person in ["ann@example.org", "+44 20 7946 0958", "020-7946-0958"] {
        let mut request = hello();
        request.user = Some(person.to_owned());
        let (body, dropped) = written(&request, SONNET_4);
        assert!(body.get("metadata").is_none(), "{person}");
        assert_eq!(dropped, ["user"]);
    }
    let mut request = hello();
    request.user = Some("1234567890".to_owned());
    assert_eq!(super::body(&request, SONNET_4)["metadata"]["user_id"], "1234567890", "a number is not a telephone's");
}

#[test]
fn the_service_tier_is_said_in_anthropics_words() {
    let tier = |tier: ServiceTier| {
        let mut request = hello();
        request.service_tier = Some(tier);
        let (body, dropped) = written(&request, SONNET_4);
        (body.get("service_tier").and_then(|tier| tier.as_str().map(str::to_owned)), dropped.len())
    };
    assert_eq!(tier(ServiceTier::Auto), (None, 0));
    assert_eq!(tier(ServiceTier::Standard), (Some("standard_only".to_owned()), 0));
    assert_eq!(tier(ServiceTier::Priority), (Some("auto".to_owned()), 0));
    assert_eq!(tier(ServiceTier::Other("fast".to_owned())), (Some("auto".to_owned()), 0));
    assert_eq!(tier(ServiceTier::Flex), (None, 1));
    assert_eq!(tier(ServiceTier::Other("scale".to_owned())), (None, 1));
}

#[test]
fn the_last_four_cache_breakpoints_stay_with_their_time_to_live() {
    let marked = |text: &str, ttl: &str| Part::Text {
        text: text.to_owned(),
        cache: Some(CacheControl { ttl: Some(ttl.to_owned()) }),
        citations: Vec::new(),
        signature: None,
    };
    let parts = ["a", "b", "c", "d", "e"].map(|text| marked(text, "1h")).to_vec();
    let request = chat([(Role::System, vec![marked("rules", "5m")]), (Role::User, parts)]);
    let (body, dropped) = written(&request, SONNET_4);
    let marks: Vec<_> =
        body["messages"][0]["content"].as_array().unwrap().iter().map(|b| b.get("cache_control").is_some()).collect();
    assert_eq!(marks, [false, true, true, true, true]);
    assert_eq!(body["messages"][0]["content"][4]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
    assert_eq!(body["system"], "rules");
    assert_eq!(dropped, ["cache_control"]);
}

#[test]
fn a_breakpoint_for_all_passes() {
    let mut request = hello();
    request.cache = Some(CacheControl::default());
    assert_eq!(body(&request, SONNET_4)["cache_control"], json!({"type": "ephemeral"}));
}

#[test]
fn fields_of_anthropics_own_pass_to_anthropic() {
    let mut request = extended("context_management", r#"{"edits":[]}"#);
    request.origin = Format::AnthropicMessages;
    request.extensions.push(("output_config.task_budget".to_owned(), Json::parse(r#"{"tokens":5}"#).unwrap()));
    let (body, dropped) = written(&request, SONNET_4);
    assert_eq!(body["context_management"], json!({"edits": []}));
    assert_eq!(body["output_config"], json!({"task_budget": {"tokens": 5}}));
    assert!(dropped.is_empty());
}
