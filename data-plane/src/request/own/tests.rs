use super::{OwnListing, OwnQuestion};
use crate::request::Outbound as _;
use crate::route::candidate::Candidate;
use crate::route::fixtures::{candidate, group, snapshot};
use crate::route::single::AskedModel;
use crate::route::table::RouteTable;
use serde_json::Value;
use std::sync::Arc;

/// The first key of a group of this vendor, to be asked for `model`.
fn of(vendor: &str, model: &str, secret: &str) -> Candidate {
    let mut group = group("g", &[model]);
    group.provider_type = vendor.into();
    let mut key = shared::snapshot::UpstreamKey::clone(&group.upstream_keys[0]);
    key.secret = secret.into();
    group.upstream_keys = vec![Arc::new(key)];
    let table = RouteTable::compile(Arc::new(snapshot([group], [])), None);
    table.single("g", None, AskedModel::Named(model)).unwrap()
}

#[test]
fn bedrock_is_asked_in_its_own_format() {
    let candidate = of("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", "bedrock-api-key-x");
    let outgoing = OwnQuestion::cheapest().write(&candidate).unwrap();
    assert!(outgoing.uri.path().ends_with("/converse"), "{}", outgoing.uri);
    let body: Value = serde_json::from_slice(&outgoing.body).unwrap();
    assert_eq!(body["inferenceConfig"]["maxTokens"], 1);
    assert_eq!(body["messages"][0]["content"][0]["text"], "Hi");
}

#[test]
fn every_vendor_can_be_asked_for_the_least() {
    for vendor in translation::vendors::all() {
        for model in ["gpt-4o", "gpt-5", "o3", "claude-opus-4-1", "claude-x", "gemini-3-pro", "unheard-of"] {
            let mut candidate = candidate();
            let mut group = group("g", &[model]);
            group.provider_type = vendor.name.into();
            let table = RouteTable::compile(Arc::new(snapshot([group.clone()], [])), None);
            let Some(routed) = table.groups().first() else { continue };
            candidate.group = Arc::clone(routed);
            candidate.upstream_model = model.into();
            candidate.facts = Arc::new(translation::facts::Facts::built_in().of(model).clone());
            let outgoing = OwnQuestion::cheapest()
                .write(&candidate)
                .unwrap_or_else(|error| panic!("{} {model}: {error}", vendor.name));
            let body: Value = serde_json::from_slice(&outgoing.body).unwrap();
            let limits = [
                "/max_tokens",
                "/max_completion_tokens",
                "/max_output_tokens",
                "/generationConfig/maxOutputTokens",
                "/inferenceConfig/maxTokens",
            ];
            let limit = limits.iter().find_map(|limit| body.pointer(limit)).and_then(Value::as_u64);
            assert!(limit.is_some_and(|limit| limit <= 16), "{} {model}: {body}", vendor.name);
        }
    }
}

#[test]
fn a_list_of_models_has_an_address_where_the_vendor_has_one() {
    let listing = OwnListing { page: Some(("after_id", "a b".to_owned())) };
    let outgoing = listing.write(&of("anthropic", "m", "sk-ant")).unwrap();
    assert_eq!(outgoing.uri.path_and_query().unwrap().as_str(), "/v1/models?limit=1000&after_id=a%20b");
    let outgoing = OwnListing::default().write(&candidate()).unwrap();
    assert_eq!(outgoing.uri.path_and_query().unwrap().as_str(), "/v1/models");
    assert!(OwnListing::default().write(&of("bedrock", "m", "bedrock-api-key-x")).is_err());
}
