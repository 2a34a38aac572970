mod routing;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::pb;

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_./:-]{1,12}"
}

fn json_object() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(
        word(),
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
            Just(Value::Null),
        ],
        0..4,
    )
    .prop_map(|entries| entries.into_iter().collect())
}

fn upstream_key() -> impl Strategy<Value = Arc<UpstreamKey>> {
    let routing = routing::upstream_key_routing();
    (any::<u128>(), "[!-~]{1,40}", any::<bool>(), routing, own()).prop_map(|(id, secret, enabled, mut routing, own)| {
        routing.own = own.or_none();
        Arc::new(UpstreamKey {
            id: format!("{id:x}").into(),
            masked: crate::secret::mask(&secret).into(),
            secret: secret.into(),
            enabled,
            routing,
        })
    })
}

/// What a key has of its own, as nodes are told it.
fn own() -> impl Strategy<Value = KeySettings> {
    let headers = btree_map("[a-z-]{1,8}", "[!-~]{0,8}".prop_map(Secret::from), 0..3);
    (option::of(outbound_proxy()), headers, json_object(), json_object()).prop_map(
        |(proxy, headers, defaults, overrides)| KeySettings {
            proxy_enabled: proxy.is_some(),
            outbound_proxy: proxy,
            headers,
            parameter_defaults: defaults,
            parameter_overrides: overrides,
        },
    )
}

fn outbound_proxy() -> impl Strategy<Value = OutboundProxy> {
    let scheme = prop_oneof![Just(ProxyScheme::Http), Just(ProxyScheme::Https), Just(ProxyScheme::Socks5)];
    (scheme, word(), 1..=u16::MAX, ".{0,6}", ".{0,6}", any::<bool>(), vec(word(), 0..3)).prop_map(
        |(scheme, host, port, username, password, bypass_local, bypass_domains)| OutboundProxy {
            scheme,
            host,
            port,
            username,
            password: password.into(),
            bypass_local,
            bypass_domains,
        },
    )
}

fn group() -> impl Strategy<Value = Arc<Group>> {
    let balance =
        prop_oneof![Just(BalancePolicy::RoundRobin), Just(BalancePolicy::Random), Just(BalancePolicy::LeastUsed)];
    let names = (word(), word(), vec(upstream_key(), 0..4), vec(word(), 0..4), btree_map(word(), word(), 0..4));
    let json = (json_object(), json_object(), btree_map("[a-z][a-z-]{0,8}", "[!-~]{0,8}", 0..3), balance);
    let numbers = (any::<u32>(), 1..u64::MAX, any::<u32>(), option::of(word()), any::<i32>());
    let rest = (any::<[bool; 2]>(), option::of(outbound_proxy()), any::<u128>());
    let stream = prop_oneof![Just(UpstreamStream::Auto), Just(UpstreamStream::Always), Just(UpstreamStream::Never)];
    let unsupported = prop_oneof![Just(UnsupportedParameters::Drop), Just(UnsupportedParameters::Reject)];
    let facts = btree_map(word(), json_object().prop_map(Value::Object), 0..3);
    let translation = (stream, unsupported, facts, option::of("[a-zA-Z0-9._-]{1,12}"));
    let routing = routing::group_routing();
    (names, json, numbers, rest, translation, routing).prop_map(|(names, json, numbers, rest, translation, routing)| {
        Arc::new(Group {
            id: format!("{:x}", rest.2).into(),
            name: format!("{}-{:x}", names.0, rest.2).into(),
            provider_type: names.1.into(),
            base_url: "https://provider.example/v1".into(),
            upstream_keys: names.2,
            models: names.3.into_iter().map(Into::into).collect(),
            model_aliases: names.4.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            parameter_defaults: json.0,
            parameter_overrides: json.1,
            headers: json.2.into_iter().map(|(name, value)| (name, value.into())).collect(),
            balance_policy: json.3,
            retry_count: numbers.0,
            timeout: Duration::from_millis(numbers.1),
            rpm_limit: numbers.2,
            test_model: numbers.3.map(Into::into),
            priority: numbers.4,
            enabled: rest.0[0],
            upstream_stream: translation.0,
            unsupported_parameters: translation.1,
            model_facts: translation.2.into_iter().collect(),
            api_version: translation.3.map(Into::into),
            health_check_enabled: rest.0[1],
            outbound_proxy: rest.1,
            routing,
        })
    })
}

fn proxy_key() -> impl Strategy<Value = Arc<ProxyKey>> {
    let policy = prop_oneof![
        Just(GroupPolicy::Failover),
        Just(GroupPolicy::RoundRobin),
        Just(GroupPolicy::Weighted),
        Just(GroupPolicy::Random),
        Just(GroupPolicy::LeastUsed)
    ];
    let lists = (vec(word(), 0..4), vec(word(), 0..4), btree_map(word(), any::<u32>(), 0..4));
    let limits = (any::<u32>(), any::<u64>(), any::<u32>(), option::of(1..i64::MAX));
    let routing = routing::proxy_key_routing();
    (any::<u128>(), word(), any::<bool>(), policy, lists, limits, routing).prop_map(
        |(id, name, enabled, group_policy, lists, limits, routing)| {
            Arc::new(ProxyKey {
                id: format!("{id:x}").into(),
                name: name.into(),
                digest: crate::crypto::sha256(&id.to_be_bytes()),
                enabled,
                allowed_groups: lists.0.into_iter().map(Into::into).collect(),
                allowed_models: lists.1.into_iter().map(Into::into).collect(),
                group_policy,
                group_weights: lists.2.into_iter().map(|(id, weight)| (id.into(), weight)).collect(),
                rpm_limit: limits.0,
                tpm_limit: limits.1,
                concurrency_limit: limits.2,
                expires_at_ms: limits.3,
                routing,
            })
        },
    )
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let rules = vec(routing::error_rule(), 0..3);
    let all = (1..u64::MAX / 2, word(), vec(group(), 0..4), vec(proxy_key(), 0..4), rules);
    all.prop_map(|(version, epoch, groups, keys, rules)| Snapshot {
        version,
        epoch: epoch.into(),
        lineage: format!("of {version}").into(),
        groups: groups.into_iter().map(|group| (Arc::clone(&group.id), group)).collect(),
        proxy_keys: keys.into_iter().map(|key| (Arc::clone(&key.id), key)).collect(),
        error_rules: rules.into(),
        prices: Arc::new(PriceText::document(if version.is_multiple_of(2) { PRICES } else { "" }).unwrap()),
    })
}

const PRICES: &str = r#"{"asOf": "2026-11-30", "vendors": []}"#;

/// The snapshot after a way over the wire, as bytes.
fn sent<M: prost::Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_snapshot_survives_the_wire(snapshot in snapshot()) {
        let received = Snapshot::try_from(sent(&pb::Snapshot::from(&snapshot)));
        prop_assert_eq!(received, Ok(snapshot));
    }

    #[test]
    fn a_delta_survives_the_wire_and_leads_to_the_target(old in snapshot(), new in snapshot()) {
        let delta = Delta {
            from_version: old.version,
            version: old.version + 1,
            epoch: Arc::clone(&old.epoch),
            lineage: Arc::clone(&new.lineage),
            groups: new.groups.values().cloned().collect(),
            removed_groups: old.groups.keys().cloned().collect(),
            proxy_keys: new.proxy_keys.values().cloned().collect(),
            removed_proxy_keys: old.proxy_keys.keys().cloned().collect(),
            error_rules: Some(Arc::clone(&new.error_rules)),
            prices: Some(Arc::clone(&new.prices)),
        };
        let received = Delta::try_from(sent(&pb::Delta::from(&delta)));
        prop_assert_eq!(received.as_ref(), Ok(&delta));
        let target = Snapshot { version: old.version + 1, epoch: Arc::clone(&old.epoch), ..new };
        prop_assert_eq!(old.apply(&delta), Ok(target));
    }

    #[test]
    fn fields_of_a_newer_minor_version_are_ignored(snapshot in snapshot(), noise in vec(any::<u8>(), 0..32)) {
        let mut bytes = pb::Snapshot::from(&snapshot).encode_to_vec();
        // Field 1000, length-delimited: tag, length, payload.
        bytes.extend([0xc2, 0x3e, u8::try_from(noise.len()).unwrap()]);
        bytes.extend(&noise);
        let received = pb::Snapshot::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(Snapshot::try_from(received), Ok(snapshot));
    }

    #[test]
    fn any_bytes_are_refused_or_valid_never_a_panic(bytes in vec(any::<u8>(), 0..256)) {
        if let Ok(message) = pb::Snapshot::decode(bytes.as_slice())
            && let Ok(snapshot) = Snapshot::try_from(message)
        {
            prop_assert_eq!(snapshot.validate(), Ok(()));
        }
    }
}

fn valid() -> pb::Snapshot {
    let group = pb::Group {
        id: "g1".into(),
        name: "openai-primary".into(),
        provider_type: "openai".into(),
        base_url: "https://provider.example/v1".into(),
        upstream_keys: vec![pb::UpstreamKey { id: "k1".into(), secret: "sk-1".into(), ..Default::default() }],
        balance_policy: "round_robin".into(),
        timeout_ms: 1000,
        ..Default::default()
    };
    let key = pb::ProxyKey {
        id: "p1".into(),
        name: "app".into(),
        digest: vec![1; 32],
        group_policy: "failover".into(),
        ..Default::default()
    };
    let (groups, proxy_keys) = (vec![group], vec![key]);
    pb::Snapshot { version: 1, epoch: "e".into(), min_schema: 1, groups, proxy_keys, ..pb::Snapshot::default() }
}

#[test]
fn what_a_node_must_not_ignore_is_refused_with_its_place() {
    type Change = fn(&mut pb::Snapshot);
    let cases: [(Change, &str); 19] = [
        (|s| s.min_schema = SCHEMA + 1, "upgrade the node"),
        (|s| s.groups[0].balance_policy = "by_moon_phase".into(), "groups[g1].balance_policy"),
        (|s| s.proxy_keys[0].group_policy = String::new(), "proxy_keys[p1].group_policy"),
        (|s| s.proxy_keys[0].digest.truncate(31), "proxy_keys[p1].digest: has 31 bytes"),
        (|s| s.groups[0].parameter_defaults_json = "[1]".into(), "groups[g1].parameter_defaults"),
        (|s| s.groups[0].upstream_stream = "sometimes".into(), "groups[g1].upstream_stream"),
        (|s| s.groups[0].unsupported_parameters = "guess".into(), "groups[g1].unsupported_parameters"),
        (|s| s.groups[0].model_facts_json = "[]".into(), "groups[g1].model_facts"),
        (|s| s.groups[0].model_facts_json = r#"{"gpt-4o":1}"#.into(), "groups[g1].model_facts[gpt-4o]"),
        (|s| s.groups[0].api_version = "a&b".into(), "groups[g1].api_version"),
        (|s| s.groups[0].base_url = "ftp://x".into(), "groups[g1].base_url"),
        (|s| s.groups[0].timeout_ms = 0, "groups[g1].timeout"),
        (|s| s.groups[0].name = " ".into(), "groups[g1].name"),
        (|s| s.groups[0].upstream_keys[0].secret = "a\nb".into(), "groups[g1].upstream_keys[0].secret"),
        (|s| s.groups.push(s.groups[0].clone()), "two groups have the same id"),
        (|s| s.groups.push(pb::Group { id: "g2".into(), ..s.groups[0].clone() }), "the name of two groups"),
        (|s| s.proxy_keys.push(pb::ProxyKey { id: "p2".into(), ..s.proxy_keys[0].clone() }), "of two proxy keys"),
        (|s| s.version = 0, "version"),
        (|s| s.epoch = String::new(), "epoch"),
    ];
    assert!(Snapshot::try_from(valid()).is_ok());
    for (change, expected) in cases {
        let mut message = valid();
        change(&mut message);
        let error = Snapshot::try_from(message).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
        assert!(!error.contains("sk-1"), "{error:?} holds a secret");
    }
}

#[test]
fn a_control_plane_that_knows_fake_streaming_only_is_understood() {
    let mut message = valid();
    let stream_of = |message: &pb::Snapshot| {
        Snapshot::try_from(message.clone()).unwrap().groups.values().next().unwrap().upstream_stream
    };
    assert_eq!(stream_of(&message), UpstreamStream::Auto);
    message.groups[0].fake_streaming = true;
    assert_eq!(stream_of(&message), UpstreamStream::Never);
    message.groups[0].upstream_stream = "always".into();
    assert_eq!(stream_of(&message), UpstreamStream::Always, "the newer field counts");
}

#[test]
fn a_node_that_knows_fake_streaming_only_is_told_of_it() {
    for (stream, fake) in [("auto", false), ("always", false), ("never", true)] {
        let mut message = valid();
        message.groups[0].upstream_stream = stream.into();
        let sent = pb::Snapshot::from(&Snapshot::try_from(message).unwrap());
        assert_eq!((sent.groups[0].upstream_stream.as_str(), sent.groups[0].fake_streaming), (stream, fake));
        assert_eq!((sent.min_schema, sent.groups[0].unsupported_parameters.as_str()), (SCHEMA, "drop"));
    }
}

#[test]
fn a_delta_for_another_version_or_history_is_refused() {
    let snapshot = Snapshot::try_from(valid()).unwrap();
    let delta = Delta { from_version: 1, version: 2, epoch: "e".into(), ..Delta::default() };
    assert_eq!(snapshot.apply(&delta).unwrap().version, 2);
    let rules: Arc<[_]> = [ErrorRule::default()].into();
    let with_rules = Snapshot { error_rules: Arc::clone(&rules), ..snapshot.clone() };
    assert_eq!(with_rules.apply(&delta).unwrap().error_rules, rules, "what a delta does not say stays");
    let other_version = Delta { from_version: 2, version: 3, ..delta.clone() };
    let other_epoch = Delta { epoch: "f".into(), ..delta.clone() };
    let backwards = Delta { version: 1, ..delta };
    assert!(matches!(snapshot.apply(&other_version), Err(SnapshotError::WrongBase { have: 1, .. })));
    assert!(matches!(snapshot.apply(&other_epoch), Err(SnapshotError::WrongBase { .. })));
    assert!(matches!(snapshot.apply(&backwards), Err(SnapshotError::Invalid { .. })));
}
