use proptest::prelude::*;
use translation::ir::Usage;

use super::*;
use crate::prices::{PricedTier, UnitCounts};

/// Noon of 2026-11-30 by UTC, in epoch milliseconds.
const NOW: i64 = 1_796_040_000_000;

const DAY: i64 = 24 * 60 * 60 * 1_000;

fn bill(input: u64, at_ms: i64) -> Bill {
    let usage = Usage { input, ..Usage::default() };
    Bill { usage, units: UnitCounts::default(), tier: Some(PricedTier::Standard), at_ms }
}

fn shared(rows: &str) -> PriceText {
    PriceText::document(&format!(
        r#"{{"asOf": "2026-11-30", "vendors": [{{"providerTypes": ["openai", "openai_compatible"],
            "lookedUp": "2026-11-30", "source": "https://x.test", "rows": [{rows}]}}]}}"#
    ))
    .expect("a document")
}

fn group(rows: &str, multiplier: &str) -> GroupPricing {
    let prices = PriceText::rows(rows).expect("rows");
    GroupPricing { prices, multiplier: multiplier.parse().expect("a multiplier"), cost_header: false }
}

fn micros(group: &GroupPricing, shared: &PriceText, vendor: &str, model: &str, at_ms: i64) -> Option<u64> {
    Some(Tariff::of(group, shared, vendor, model)?.cost(&bill(1_000_000, at_ms))?.micros())
}

#[test]
fn the_prices_of_a_group_count_before_those_of_all_groups_and_these_before_the_list() {
    let none = PriceText::default();
    let list = group("", "1");
    assert_eq!(micros(&list, &none, "openai", "gpt-4o", NOW), Some(2_500_000));
    let all = shared(r#"{"models": ["gpt-4o", "our-own"], "rates": {"input": 2000000}}"#);
    assert_eq!(micros(&list, &all, "openai", "gpt-4o-2024-11-20", NOW), Some(2_000_000));
    assert_eq!(micros(&list, &all, "openai_compatible", "our-own", NOW), Some(2_000_000));
    assert_eq!(micros(&list, &all, "openai", "gpt-4o-mini", NOW), Some(150_000), "what it does not name stays");
    assert_eq!(micros(&list, &all, "groq", "our-own", NOW), None);
    let own = group(r#"[{"models": ["gpt-4o"], "rates": {"input": 1500000}}]"#, "0.35");
    assert_eq!(micros(&own, &all, "openai", "gpt-4o", NOW), Some(1_500_000), "it is what the group charges");
    assert_eq!(micros(&own, &all, "openai", "our-own", NOW), Some(700_000), "0.35 of what is set for all");
    assert_eq!(micros(&own, &none, "openai", "gpt-4o-mini", NOW), Some(52_500), "0.35 of the list");
}

#[test]
fn a_price_that_is_not_known_for_a_time_leaves_it_to_the_next() {
    let own =
        group(r#"[{"models": ["gpt-4o"], "from": "2026-12-01", "until": "2026-12-01", "rates": {"input": 1}}]"#, "2");
    let tariff = |at_ms| micros(&own, &PriceText::default(), "openai", "gpt-4o", at_ms);
    assert_eq!((tariff(NOW), tariff(NOW + DAY), tariff(NOW + 2 * DAY)), (Some(5_000_000), Some(1), Some(5_000_000)));
}

#[test]
fn what_groups_go_by_is_what_they_charge() {
    let tariff = |multiplier: &str| Tariff::of(&group("", multiplier), &PriceText::default(), "openai", "gpt-4o");
    let effective = |multiplier: &str| tariff(multiplier).and_then(|tariff| tariff.effective_micros(0, NOW));
    assert_eq!((effective("1"), effective("0.5"), effective("0")), (Some(4_375_000), Some(2_187_500), Some(0)));
    assert!(tariff("0.5").is_some_and(|tariff| tariff.favours_cached(NOW)));
}

#[test]
fn pricing_is_stored_as_text_and_read_again() {
    let own = group(r#"[{"models": ["gpt-4o"], "rates": {"input": 1500000}}]"#, "0.35");
    let text = serde_json::to_string(&own).expect("it can be written");
    assert_eq!(serde_json::from_str::<GroupPricing>(&text).expect("it can be read"), own);
    assert_eq!(serde_json::from_str::<GroupPricing>("{}").expect("nothing is said"), GroupPricing::default());
    assert!(serde_json::from_str::<GroupPricing>(r#"{"prices": "[{}]"}"#).is_err());
    assert!(PriceText::rows(&" ".repeat(MOST_PRICE_TEXT + 1)).is_err());
}

proptest! {
    /// The multiplier changes the sum before it is rounded, and nothing else.
    #[test]
    fn a_multiplier_is_exact(thousandths in 0_u32..=100_000, rate in 1_u64..1_000_000, input in 0_u64..2_000_000) {
        let rows = shared(&format!(r#"{{"models": ["m"], "rates": {{"input": {rate}}}}}"#));
        let multiplier = Multiplier::of_thousandths(thousandths).expect("it is within the bounds");
        let group = GroupPricing { multiplier, ..GroupPricing::default() };
        let cost = Tariff::of(&group, &rows, "openai", "m").and_then(|tariff| tariff.cost(&bill(input, NOW)));
        let exact = u128::from(input) * u128::from(rate) * u128::from(thousandths);
        let expected = (exact + 500_000_000) / 1_000_000_000;
        prop_assert_eq!(cost.map(|cost| u128::from(cost.micros())), Some(expected));
    }
}
