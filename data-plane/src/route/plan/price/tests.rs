use std::sync::Arc;

use shared::prices::{GroupPricing, PriceText};
use shared::snapshot::{Group, GroupPolicy, ProxyKey, Snapshot};
use shared::time::steady_ms;

use super::Pricing;
use crate::route::affinity::SessionKey;
use crate::route::fixtures::{group, key, snapshot};
use crate::route::models::ModelState;
use crate::route::plan::{Home, Plan};
use crate::route::table::RouteTable;

/// A group of another vendor, whose name of the model `m` is `model`.
fn of_vendor(id: &str, provider_type: &str, model: &str) -> Group {
    let mut group = group(id, &[model]);
    group.provider_type = provider_type.into();
    group.model_aliases.insert("m".into(), model.into());
    group
}

fn by_cost() -> ProxyKey {
    let mut key = key("k", "sk");
    key.group_policy = GroupPolicy::Cost;
    key
}

fn table(groups: impl IntoIterator<Item = Group>) -> RouteTable {
    RouteTable::compile(Arc::new(snapshot(groups, [by_cost()])), None)
}

/// The groups in the order of a plan.
fn order(table: &RouteTable, session: Option<SessionKey>) -> Vec<String> {
    let client = table.client(&by_cost().digest).expect("a client");
    let plan = Plan::make(table, client, "m").of_session(session);
    plan.map(|candidate| candidate.group.group.id.to_string()).collect()
}

#[test]
fn groups_are_asked_in_the_order_of_their_prices_and_those_without_one_last() {
    let mut relay = of_vendor("relay", "openai_compatible", "gpt-5");
    relay.priority = 5;
    let table = table([
        of_vendor("other-relay", "openai_compatible", "gpt-5"),
        relay,
        of_vendor("large", "anthropic", "claude-opus-5-5"),
        of_vendor("small", "openai", "gpt-5-nano"),
        of_vendor("middle", "anthropic", "claude-haiku-4-5"),
    ]);
    for _ in 0..50 {
        assert_eq!(order(&table, None), ["small", "middle", "large", "relay", "other-relay"]);
    }
}

/// What is remembered of the model at the group `id`.
fn state(table: &RouteTable, id: &str) -> Arc<ModelState> {
    let routes = table.routes("m");
    let route = routes.iter().find(|route| &*route.group.group.id == id).expect("a route");
    Arc::clone(&route.state)
}

fn price(table: &RouteTable, id: &str) -> Option<u64> {
    let routes = table.routes("m");
    let route = routes.iter().find(|route| &*route.group.group.id == id).expect("a route");
    Pricing::over(&routes).of(route.price.as_ref())
}

#[test]
fn tokens_from_the_cache_make_a_vendor_cheaper_that_charges_less_for_them() {
    // 1 dollar in, 0.05 from the cache, 5 out; and 0.80 in, whether from a cache or not, 4 out.
    let terra = of_vendor("terra", "openai", "gpt-6.1-terra");
    let table = table([of_vendor("groq", "groq", "qwen/qwen3.8-27b"), terra]);
    assert_eq!((price(&table, "terra"), price(&table, "groq")), (Some(2_000_000), Some(1_600_000)));
    assert_eq!(order(&table, None), ["groq", "terra"]);
    state(&table, "terra").cached.reported(1_000_000, 900_000);
    assert_eq!((price(&table, "terra"), price(&table, "groq")), (Some(1_358_750), Some(1_600_000)));
    assert_eq!(order(&table, None), ["terra", "groq"]);
    // A vendor that does not tell tokens from the cache says nothing of the requests.
    state(&table, "groq").cached.reported(1_000_000_000, 0);
    assert_eq!(order(&table, None), ["terra", "groq"]);
}

#[test]
fn groups_of_the_same_rates_cost_the_same_whatever_their_caches_do() {
    let table = table([of_vendor("one", "openai", "gpt-6.1-sol"), of_vendor("two", "openai_responses", "gpt-6.1-sol")]);
    state(&table, "one").cached.reported(1_000_000, 1_000_000);
    state(&table, "two").cached.reported(1_000_000, 0);
    assert_eq!((price(&table, "one"), price(&table, "two")), (Some(3_287_500), Some(3_287_500)), "half is cached");
    let begins = |id: &str| (0..1_000).filter(|_| order(&table, None)[0] == id).count();
    assert!((400..600).contains(&begins("one")), "equals share");
}

#[test]
fn a_session_stays_with_the_cheapest_while_they_are_well() {
    let groups = || ["one", "two"].map(|id| of_vendor(id, "openai", "gpt-5-nano"));
    let dear = || {
        let mut dear = of_vendor("dear", "openai", "gpt-5-pro");
        dear.priority = 9;
        dear
    };
    let kept = |mut group: Group| {
        group.routing.affinity = true;
        group
    };
    let table = table(groups().into_iter().chain([dear()]).map(kept));
    let client = table.client(&by_cost().digest).expect("a client");
    let mut at_one = 0;
    for number in 0..200 {
        let session = Some(SessionKey::named(number));
        let first = order(&table, session);
        assert_eq!((order(&table, session), &*first[2]), (first.clone(), "dear"));
        let plan = Plan::make(&table, client, "m").of_session(session);
        assert_eq!(plan.home(), Home::Key(format!("{}-1", first[0]).into()));
        at_one += usize::from(first[0] == "one");
    }
    assert!((60..140).contains(&at_one), "{at_one} of 200");
    // When its home is left alone, it goes to what costs the same, and not to what the operator likes best.
    let session =
        (0..1000).map(|number| Some(SessionKey::named(number))).find(|session| order(&table, *session)[0] == "one");
    let breaker = &state(&table, "one").breaker;
    while !breaker.failed(steady_ms(), steady_ms()) {}
    assert_eq!(order(&table, session.flatten()), ["two", "dear"]);
}

#[test]
fn only_a_policy_that_goes_by_prices_asks_for_them() {
    let table = table([of_vendor("one", "openai", "gpt-5-nano")]);
    let routes = table.routes("m");
    assert!(Pricing::asked(GroupPolicy::Failover, &routes).is_none());
    assert!(Pricing::asked(GroupPolicy::Cost, &routes).is_some());
    assert_eq!(Pricing::over(&[]).of(None), None);
}

#[test]
fn what_a_group_charges_counts_and_what_the_operator_has_set_for_all() {
    let of = |id: &str, multiplier: &str, rows: &str| {
        let mut group = of_vendor(id, "openai", "gpt-5-nano");
        let prices = PriceText::rows(rows).expect("rows");
        group.routing.pricing =
            GroupPricing { prices, multiplier: multiplier.parse().expect("a multiplier"), cost_header: false };
        group
    };
    let own = r#"[{"models": ["gpt-5-nano"], "rates": {"input": 1, "output": 1}}]"#;
    let groups = || [of("list", "1", ""), of("relay", "0.5", ""), of("own", "1", own)];
    let before = table(groups());
    assert_eq!(order(&before, None), ["own", "relay", "list"]);
    assert_eq!(price(&before, "list"), price(&before, "relay").map(|half| 2 * half));
    let document = r#"{"asOf": "2026-11-30", "vendors": [{"providerTypes": ["openai"], "lookedUp": "2026-11-30",
        "source": "https://x.test", "rows": [{"models": ["gpt-5-nano"], "rates": {"input": 4000000}}]}]}"#;
    let prices = Arc::new(PriceText::document(document).expect("a document"));
    let after =
        RouteTable::compile(Arc::new(Snapshot { prices, ..snapshot(groups(), [by_cost()]) }), Some(&before.kept));
    assert_eq!((price(&after, "list"), price(&after, "relay")), (Some(3_000_000), Some(1_500_000)));
    assert_eq!(price(&after, "own"), Some(1));
}
