//! Any config of routing, for the tests of the whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::word;
use crate::prices::{GroupPricing, Multiplier, PriceText};
use crate::snapshot::{
    ErrorRule, FallbackOn, Fallbacks, GroupRouting, LARGEST_AMOUNT, LimitMode, LimitQueue, LimitRaise, LimitSpan,
    LimitUnit, LimitWindow, ModelLimits, ProxyKeyRouting, RuleEffect, RuleScope, RuleStep, SubjectLimits, TokenWeights,
    UpstreamKeyRouting,
};

/// A root certificate.
const ROOT: &str = include_str!("../../../../tests/fixtures/tls/root.pem");

fn names() -> impl Strategy<Value = Vec<Arc<str>>> {
    vec(word().prop_map(Arc::from), 0..3)
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..u64::MAX).prop_map(Duration::from_millis)
}

fn some_duration() -> impl Strategy<Value = Option<Duration>> {
    option::of((1..u64::MAX).prop_map(Duration::from_millis))
}

/// Any value of a closed list.
fn one_of<T: Copy + std::fmt::Debug>(
    names: &'static [&'static str],
    read: fn(&str) -> Option<T>,
) -> impl Strategy<Value = T> {
    (0..names.len()).prop_map(move |index| read(names[index]).expect("a name of the list"))
}

fn fallbacks() -> impl Strategy<Value = Fallbacks> {
    let models = btree_map(word().prop_map(Arc::from), names(), 0..3);
    let on = vec(one_of(FallbackOn::NAMES, FallbackOn::from_name), 0..2);
    (models, on).prop_map(|(models, on): (BTreeMap<Arc<str>, _>, _)| Fallbacks { models, on })
}

pub(super) fn error_rule() -> impl Strategy<Value = ErrorRule> {
    (
        vec(any::<u16>(), 0..3),
        vec(word(), 0..3),
        option::of(one_of(RuleStep::NAMES, RuleStep::from_name)),
        option::of(one_of(RuleEffect::NAMES, RuleEffect::from_name)),
        one_of(RuleScope::NAMES, RuleScope::from_name),
        any::<u32>(),
    )
        .prop_map(|(statuses, words, step, effect, scope, seconds)| ErrorRule {
            statuses,
            words,
            step,
            effect,
            scope,
            seconds,
        })
}

fn windows() -> impl Strategy<Value = Vec<LimitWindow>> {
    let spans = prop_oneof![Just(LimitSpan::Minute), Just(LimitSpan::Hour), Just(LimitSpan::Day)];
    let units = prop_oneof![Just(LimitUnit::Requests), Just(LimitUnit::Tokens)];
    (option::of((units, spans)), 1..=LARGEST_AMOUNT).prop_map(|(kind, amount)| {
        kind.map(|(unit, window)| LimitWindow { unit, window, amount }).into_iter().collect()
    })
}

fn limits() -> impl Strategy<Value = Option<Box<SubjectLimits>>> {
    let mode = prop_oneof![Just(LimitMode::Enforce), Just(LimitMode::Shadow)];
    let raise = option::of((100..1_000_u32, 1..i64::MAX));
    let models = btree_map("[a-z]{1,8}", (windows(), any::<u32>()), 0..3);
    (windows(), 0..9_u32, mode, 0..5_000_u32, raise, models).prop_map(
        |(windows, number, mode, weight, raise, models)| {
            SubjectLimits {
                windows,
                concurrency: number,
                mode,
                weights: TokenWeights { cached: weight, output: 2 * weight, reasoning: 1_000 },
                queue: LimitQueue { length: number, wait_ms: weight },
                raise: raise.map(|(percent, until_ms)| LimitRaise { percent, until_ms }),
                models: models
                    .into_iter()
                    .map(|(model, (windows, concurrency))| (model.into(), ModelLimits { windows, concurrency }))
                    .collect(),
            }
            .or_none()
        },
    )
}

/// Any of a few prices.
fn pricing(number: u32) -> GroupPricing {
    let rows = if number.is_multiple_of(2) { "" } else { r#"[{"models": ["m"], "rates": {"input": 1}}]"# };
    GroupPricing {
        prices: PriceText::rows(rows).expect("rows"),
        multiplier: Multiplier::of_thousandths(number % 100_001).expect("it is within the bounds"),
        cost_header: number.is_multiple_of(3),
    }
}

pub(super) fn group_routing() -> impl Strategy<Value = GroupRouting> {
    let times = (some_duration(), some_duration(), some_duration(), duration(), duration());
    let roots = prop_oneof![Just(""), Just(ROOT)];
    let rest = (any::<u32>(), names(), any::<[bool; 4]>(), fallbacks(), vec(error_rule(), 0..3), roots, limits());
    (times, rest).prop_map(|(times, rest)| GroupRouting {
        weight: rest.0,
        tags: rest.1,
        affinity: rest.2[0],
        connect_timeout: times.0,
        chunk_timeout: times.1,
        total_timeout: times.2,
        queue_timeout: times.3,
        hedging: rest.2[1],
        retry_unsafe_requests: rest.2[2],
        retry_empty_answers: rest.2[3],
        cache: times.4,
        fallbacks: rest.3,
        error_rules: rest.4,
        tls_roots: rest.5.into(),
        limits: rest.6,
        pricing: pricing(rest.0),
    })
}

pub(super) fn upstream_key_routing() -> impl Strategy<Value = UpstreamKeyRouting> {
    let lists = (names(), names(), names());
    (lists, any::<u32>(), ".{0,8}", word(), option::of(1..i64::MAX), limits()).prop_map(
        |(lists, weight, note, account, expires_at_ms, limits)| UpstreamKeyRouting {
            models: lists.0,
            denied_models: lists.1,
            tags: lists.2,
            weight,
            note,
            account: account.into(),
            expires_at_ms,
            own: None,
            limits,
        },
    )
}

pub(super) fn proxy_key_routing() -> impl Strategy<Value = ProxyKeyRouting> {
    (fallbacks(), any::<bool>(), duration(), limits())
        .prop_map(|(fallbacks, client_hints, cache, limits)| ProxyKeyRouting { fallbacks, client_hints, cache, limits })
}

proptest! {
    /// It stands in the database as JSON.
    #[test]
    fn routing_is_the_same_after_a_way_through_json(
        group in group_routing(), key in upstream_key_routing(), proxy_key in proxy_key_routing()
    ) {
        let text = serde_json::to_string(&group).unwrap();
        prop_assert_eq!(serde_json::from_str::<GroupRouting>(&text).unwrap(), group);
        let text = serde_json::to_string(&key).unwrap();
        prop_assert_eq!(serde_json::from_str::<UpstreamKeyRouting>(&text).unwrap(), key);
        let text = serde_json::to_string(&proxy_key).unwrap();
        prop_assert_eq!(serde_json::from_str::<ProxyKeyRouting>(&text).unwrap(), proxy_key);
    }
}

#[test]
fn an_upstream_key_serves_the_models_that_it_is_for() {
    let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    let key = |models: &[&str], denied: &[&str]| UpstreamKeyRouting {
        models: names(models),
        denied_models: names(denied),
        ..UpstreamKeyRouting::default()
    };
    assert!(key(&[], &[]).serves("m") && key(&["n"], &[]).serves(""));
    assert!(key(&["gpt-4*"], &[]).serves("gpt-4o") && !key(&["gpt-4*"], &[]).serves("gpt-5"));
    assert!(!key(&["gpt-4*"], &["gpt-4o"]).serves("gpt-4o") && !key(&[], &["*"]).serves("m"));
}
