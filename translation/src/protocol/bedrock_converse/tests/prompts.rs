//! Requests (`docs/TRANSLATION.md` section 2).

use serde_json::{Value, json};

use super::{LLAMA, NOVA, OPUS, SONNET, body, dropped, encode, encoded, request};
use crate::format::Format;
use crate::ir::{Field, Message, Part, Role, ServiceTier};
use crate::json::Json;
use crate::protocol::contract::Protocol as _;

#[test]
fn a_conversation_as_bedrock_takes_it() {
    let mut request = request();
    request.messages.insert(0, Message::new(Role::System, vec![Part::text("Be brief.")], 0));
    request.max_output_tokens = Some(100);
    request.temperature = Some(0.5);
    assert_eq!(
        body(&request, SONNET),
        json!({
            "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
            "system": [{"text": "Be brief."}],
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
        })
    );
}

#[test]
fn point_15_every_system_message_goes_where_the_system_speaks() {
    let mut request = request();
    request.messages.push(Message::new(Role::Developer, vec![Part::text("b"), Part::text(" ")], 1));
    request.messages.insert(0, Message::new(Role::System, vec![Part::text("a")], 0));
    assert_eq!(body(&request, SONNET)["system"], json!([{"text": "a"}, {"text": "b"}]));
}

#[test]
fn point_13_the_limit_is_the_models() {
    let mut request = request();
    let limit = |request: &_, model| body(request, model)["inferenceConfig"]["maxTokens"].clone();
    assert_eq!(limit(&request, SONNET), 21_333);
    // Others set their own.
    assert_eq!(limit(&request, NOVA), Value::Null);
    request.stream = true;
    assert_eq!(limit(&request, SONNET), 64_000);
    request.max_output_tokens = Some(1_000_000);
    assert_eq!(limit(&request, SONNET), 64_000);
    request.max_output_tokens = Some(0);
    assert_eq!(encode(&request, SONNET).unwrap_err().param.as_deref(), Some("max_completion_tokens"));
}

#[test]
fn point_14_sampling_is_what_the_model_takes() {
    let mut request = request();
    request.temperature = Some(1.5);
    request.top_p = Some(0.5);
    request.top_k = Some(40);
    let (sonnet, written) = encoded(&request, SONNET);
    assert_eq!(sonnet["inferenceConfig"], json!({"maxTokens": 21_333, "temperature": 1.0}));
    assert_eq!(sonnet["additionalModelRequestFields"], json!({"top_k": 40}));
    assert_eq!(dropped(&written), ["top_p"]);
    let (opus, written) = encoded(&request, OPUS);
    assert_eq!(opus["inferenceConfig"], json!({"maxTokens": 21_333}));
    assert_eq!(dropped(&written), ["temperature", "top_p", "top_k"]);
    let nova = body(&request, NOVA);
    assert_eq!(nova["inferenceConfig"], json!({"temperature": 1.0, "topP": 0.5}));
    assert_eq!(nova["additionalModelRequestFields"], json!({"inferenceConfig": {"topK": 40}}));
    assert_eq!(dropped(&encoded(&request, LLAMA).1), ["top_k"]);
}

#[test]
fn point_16_stop_texts() {
    let mut request = request();
    request.stop = vec!["END".to_owned(), " \n".to_owned()];
    let (whole, written) = encoded(&request, SONNET);
    assert_eq!(whole["inferenceConfig"]["stopSequences"], json!(["END"]));
    assert_eq!(whole["additionalModelResponseFieldPaths"], json!(["/stop_sequence"]));
    assert_eq!(dropped(&written), ["stop"]);
    request.stream = true;
    assert_eq!(body(&request, SONNET)["additionalModelResponseFieldPaths"], json!(["/delta/stop_sequence"]));
    assert_eq!(body(&request, NOVA).get("additionalModelResponseFieldPaths"), None);
}

#[test]
fn point_16_stop_texts_are_left_out_for_models_that_refuse_them() {
    let mut request = request();
    request.stop = vec!["END".to_owned()];
    for model in ["openai.gpt-oss-120b-1:0", "qwen.qwen3-235b-a22b-2507-v1:0", "deepseek.v3-v1:0"] {
        let (body, written) = encoded(&request, model);
        assert_eq!(body.get("inferenceConfig"), None, "{model}");
        assert_eq!(dropped(&written), ["stop"], "{model}");
    }
    for model in ["us.deepseek.r1-v1:0", LLAMA, NOVA] {
        assert_eq!(body(&request, model)["inferenceConfig"]["stopSequences"], json!(["END"]), "{model}");
    }
}

#[test]
fn what_would_mean_something_else_is_refused() {
    let mut two = request();
    two.candidates = Some(2);
    assert_eq!(encode(&two, SONNET).unwrap_err().param.as_deref(), Some("n"));
    let mut audio = request();
    audio.modalities = vec!["text".to_owned(), "audio".to_owned()];
    assert_eq!(encode(&audio, SONNET).unwrap_err().param.as_deref(), Some("modalities"));
    let mut search = request();
    search.extensions.push(("web_search_options".to_owned(), Json::of(&json!({}))));
    assert_eq!(encode(&search, SONNET).unwrap_err().param.as_deref(), Some("web_search_options"));
}

#[test]
fn what_there_is_nothing_like_is_named() {
    let mut request = request();
    request.seed = Some(1);
    request.presence_penalty = Some(0.0);
    request.frequency_penalty = Some(1.0);
    request.logprobs = Some(true);
    request.user = Some("u".to_owned());
    request.extensions.push(("logit_bias".to_owned(), Json::of(&json!({}))));
    let names = ["logit_bias", "seed", "frequency_penalty", "logprobs", "user"];
    assert_eq!(dropped(&encoded(&request, SONNET).1), names);
}

#[test]
fn fields_of_bedrocks_own_pass() {
    let mut request = request();
    let guardrail = json!({"guardrailIdentifier": "g", "guardrailVersion": "1"});
    request.extensions = vec![
        ("guardrailConfig".to_owned(), Json::of(&guardrail)),
        ("additionalModelRequestFields".to_owned(), Json::of(&json!({"a": 1}))),
        ("performanceConfig".to_owned(), Json::of(&json!({"latency": "optimized"}))),
        ("requestMetadata".to_owned(), Json::of(&json!({"team": "t"}))),
        ("additionalModelResponseFieldPaths".to_owned(), Json::of(&json!(["/x"]))),
    ];
    request.top_k = Some(3);
    let (body, written) = encoded(&request, SONNET);
    assert_eq!(body["guardrailConfig"], guardrail);
    assert_eq!(body["additionalModelRequestFields"], json!({"a": 1, "top_k": 3}));
    assert_eq!(body["performanceConfig"], json!({"latency": "optimized"}));
    assert_eq!(body["requestMetadata"], json!({"team": "t"}));
    assert_eq!(body["additionalModelResponseFieldPaths"], json!(["/x"]));
    assert!(written.dropped.is_empty());
    request.extensions[1].1 = Json::of(&json!("no object"));
    let error = encode(&request, SONNET).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("additionalModelRequestFields"));
}

#[test]
fn tiers_are_for_models_other_than_claude() {
    let mut request = request();
    request.service_tier = Some(ServiceTier::Flex);
    assert_eq!(body(&request, NOVA)["serviceTier"], json!({"type": "flex"}));
    let (claude, written) = encoded(&request, SONNET);
    assert_eq!((claude.get("serviceTier"), dropped(&written)), (None, vec!["service_tier"]));
    request.service_tier = Some(ServiceTier::Standard);
    assert!(encoded(&request, NOVA).1.dropped.is_empty());
}

#[test]
fn no_client_speaks_it() {
    let refused = super::BedrockConverse.decode_request(b"{}").unwrap_err();
    assert!(refused.message.contains(Format::BedrockConverse.name()));
    assert_eq!(Field::MaxOutputTokens.name(Format::BedrockConverse), "inferenceConfig.maxTokens");
}
