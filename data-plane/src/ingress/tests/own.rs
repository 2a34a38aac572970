//! What an upstream key has of its own of what its group may have, too.

use std::sync::Arc;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use serde_json::{Map, Value, json};
use shared::snapshot::{Group, KeySettings, OutboundProxy};

use super::{bench, plain};
use crate::media::tests::fixtures::{Server, answer};
use crate::route::fixtures::proxy;

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// Gives the first key of `group` what is its `own`.
fn set(group: &mut Group, own: KeySettings) {
    Arc::make_mut(&mut group.upstream_keys[0]).routing.own = own.or_none();
}

#[tokio::test]
async fn a_key_with_a_proxy_of_its_own_goes_through_it_and_its_neighbour_does_not() {
    // What comes out of the proxy is no answer, so the other key is asked as well.
    let server = Server::start(|_, _| answer("503 Service Unavailable", "", b"")).await;
    let own = OutboundProxy { host: "127.0.0.1".to_owned(), port: server.address.port(), ..proxy("") };
    let bench = bench(|group| set(group, KeySettings { outbound_proxy: Some(own), ..KeySettings::default() })).await;
    bench.provider.always(Target::All, Script::saying("direct"));
    let (status, body) = bench.chat(&plain("gpt-4o", false)).await;
    assert!(status == 200 && body.contains("direct"), "{status} {body}");
    assert_eq!(bench.keys_used(), ["sk-upstream-g-2"]);
    let asked = server.asked();
    assert!(asked[0].starts_with(&format!("CONNECT {} ", bench.provider.addr)), "{asked:?}");
    assert!(asked[1].contains("Bearer sk-upstream-g-1"), "{asked:?}");
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn headers_and_fields_of_a_key_count_before_those_of_its_group_each_by_its_name() {
    let bench = bench(|group| {
        group.headers = [("x-both", "group"), ("x-group", "group")].map(|(name, v)| (name.to_owned(), v.into())).into();
        group.parameter_defaults = object(json!({ "temperature": 0.5, "top_p": 0.5, "seed": 1 }));
        group.parameter_overrides = object(json!({ "user": "group", "n": 1 }));
        set(
            group,
            KeySettings {
                headers: [("x-both", "key"), ("x-key", "key")].map(|(name, v)| (name.to_owned(), v.into())).into(),
                parameter_defaults: object(json!({ "temperature": 0.1, "model": "no", "seed": 9 })),
                parameter_overrides: object(json!({ "user": "key", "stop": "x" })),
                ..KeySettings::default()
            },
        );
    })
    .await;
    bench.provider.script(Target::All, Script::error(503));
    let mut asked = plain("gpt-4o", false);
    asked["seed"] = json!(5);
    assert_eq!(bench.chat(&asked).await.0, 200);
    let seen: Vec<_> = bench.provider.journal().requests();
    let headers = |at: usize| ["x-both", "x-group", "x-key"].map(|name| seen[at].header(name).to_owned());
    assert_eq!(headers(0), ["key", "group", "key"]);
    assert_eq!(headers(1), ["group", "group", ""]);
    let fields = |at: usize| {
        let body = seen[at].json();
        ["temperature", "top_p", "seed", "user", "n", "stop", "model"].map(|name| body[name].clone())
    };
    assert_eq!(
        fields(0),
        [json!(0.1), json!(0.5), json!(5), json!("key"), json!(1), json!("x"), json!("gpt-4o")],
        "what the client says counts before defaults"
    );
    assert_eq!(fields(1), [json!(0.5), json!(0.5), json!(5), json!("group"), json!(1), Value::Null, json!("gpt-4o")]);
}
