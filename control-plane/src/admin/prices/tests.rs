use serde_json::json;
use shared::prices::PricedTier;

use super::*;

/// Noon of 2026-11-30 by UTC, in epoch milliseconds.
const NOW: i64 = 1_796_040_000_000;

const DAY: &str = "2026-11-30";

fn compared(body: &Value, before: &PriceText) -> import::Compared {
    let read = import::read(body.to_string().as_bytes(), DAY).expect("a list");
    import::compare(read, before, NOW, DAY).expect("it can be kept")
}

fn names(differences: &[PriceDifference]) -> Vec<(&str, &str)> {
    differences.iter().map(|one| (&*one.provider_type, &*one.model)).collect()
}

#[test]
fn the_list_of_models_dev_is_read_with_its_steps() {
    let list = json!({
        "openai": {"id": "openai", "models": {
            "gpt-4o": {"id": "gpt-4o", "cost": {"input": 2.5, "output": 10, "cache_read": 1.25}},
            "brand-new": {"cost": {"input": 0.15, "output": 0.6, "cache_read": 0.075,
                "context_over_200k": {"input": 0.3, "output": 0.9}}},
            "tiered": {"cost": {"input": 5, "output": 30,
                "tiers": [{"input": 10, "output": 45, "tier": {"type": "context", "size": 272_000}}],
                "context_over_200k": {"input": 10, "output": 45}}},
            "free-or-unknown": {"cost": {"input": 0, "output": 0}},
            "odd": {"cost": {"input": "much"}},
            "unpriced": {"limit": {"context": 1}}
        }},
        "anthropic": {"models": {"claude-haiku-4-5": {"cost": {"input": 2, "output": 5}}}},
        "some-relay": {"models": {}}
    });
    let import::Compared { view, prices } = compared(&list, &PriceText::default());
    assert_eq!((view.format, view.applied, view.unchanged), ("models.dev", false, 2), "gpt-4o at two vendors");
    assert_eq!(
        names(&view.added),
        [
            ("openai", "brand-new"),
            ("openai", "tiered"),
            ("openai_responses", "brand-new"),
            ("openai_responses", "tiered")
        ]
    );
    assert_eq!(names(&view.changed), [("anthropic", "claude-haiku-4-5")]);
    let reasons: Vec<_> = view.unreadable.iter().map(|one| (&*one.model, &*one.reason)).collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(reasons[0].1.contains("free or not known") && reasons[1].1.contains("no price"), "{reasons:?}");
    assert!(view.unknown_vendors.contains("some-relay"));
    let rates = |model: &str, input| {
        let price = prices.prices().of("openai", model)?;
        price.rates(PricedTier::Standard, input, NOW).map(|rates| (rates.input, rates.cached_input, rates.output))
    };
    assert_eq!(rates("brand-new", 200_000), Some((150_000, 75_000, 600_000)));
    assert_eq!(rates("brand-new", 200_001), Some((300_000, 75_000, 900_000)), "what a step leaves out stays");
    assert_eq!(rates("tiered", 200_001), Some((5_000_000, 5_000_000, 30_000_000)));
    assert_eq!(rates("tiered", 272_001), Some((10_000_000, 10_000_000, 45_000_000)));
    assert_eq!(rates("gpt-4o", 0), None, "what ships with the program goes on by itself");
}

#[test]
fn the_list_of_litellm_is_read_with_its_tiers_and_pieces() {
    let list = json!({
        "sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 0.0},
        "fallback_generalizations": {"rules": []},
        "brand-new": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2e-6,
            "output_cost_per_token": 1e-5, "cache_read_input_token_cost": 2e-7, "output_cost_per_image": 0.04,
            "cache_creation_input_token_cost": 2.5e-6, "cache_creation_input_token_cost_above_1hr": 4e-6,
            "input_cost_per_token_above_200k_tokens": 4e-6, "output_cost_per_token_above_200k_tokens": 1.5e-5,
            "input_cost_per_token_flex": 1e-6, "output_cost_per_token_flex": 5e-6},
        "aliased/painter": {"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04},
        "gemini/gemini-x": {"litellm_provider": "gemini", "input_cost_per_token": 1e-7, "output_cost_per_token": 0.0},
        "vertex_ai/gemini-x": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 3e-7},
        "per-pixel": {"litellm_provider": "openai", "input_cost_per_pixel": 1.9e-8},
        "elsewhere/m": {"litellm_provider": "elsewhere", "input_cost_per_token": 1e-7}
    });
    let import::Compared { view, prices } = compared(&list, &PriceText::default());
    assert_eq!((view.format, view.counts.unreadable), ("litellm", 2), "{:?}", view.unreadable);
    assert!(view.unknown_vendors.contains("elsewhere"));
    let price = prices.prices().of("openai", "brand-new").expect("a price");
    let rates = |tier, input| *price.rates(tier, input, NOW).expect("rates");
    let standard = rates(PricedTier::Standard, 0);
    assert_eq!((standard.input, standard.cached_input, standard.output), (2_000_000, 200_000, 10_000_000));
    assert_eq!((standard.cache_write_5m, standard.cache_write_1h), (2_500_000, 4_000_000));
    assert_eq!(rates(PricedTier::Standard, 200_001).input, 4_000_000);
    assert_eq!((rates(PricedTier::Flex, 0).input, rates(PricedTier::Flex, 0).cached_input), (1_000_000, 200_000));
    let painter = prices.prices().of("openai", "aliased/painter").expect("a price");
    assert_eq!(painter.rates(PricedTier::Standard, 0, NOW).map(|rates| rates.input), Some(0), "by the piece");
    for vendor in ["gemini", "vertex"] {
        assert!(prices.prices().of(vendor, "gemini-x").is_some(), "{vendor}");
    }
}

#[test]
fn what_was_set_and_is_not_in_the_list_is_removed_by_it() {
    let list = |input: f64| json!({"openai": {"models": {"m": {"cost": {"input": input, "output": 2}}}}});
    let first = compared(&list(1.0), &PriceText::default()).prices;
    let again = compared(&list(1.0), &first).view;
    assert_eq!((again.unchanged, again.counts.added, again.counts.changed, again.counts.removed), (2, 0, 0, 0));
    let dearer = compared(&list(1.5), &first).view;
    assert_eq!(names(&dearer.changed), [("openai", "m"), ("openai_responses", "m")]);
    let before = dearer.changed[0].before.as_ref().map(|rates| rates.input);
    assert_eq!((before, dearer.changed[0].after.as_ref().map(|rates| rates.input)), (Some(1_000_000), Some(1_500_000)));
    let gone = compared(&json!({"openai": {"models": {}}}), &first).view;
    assert_eq!(names(&gone.removed), [("openai", "m"), ("openai_responses", "m")]);
}

#[test]
fn what_is_no_list_of_prices_is_refused() {
    for body in ["{}", "[]", "{\"a\": 1}", "{\"a\": {\"b\": 1}}", "{", "1"] {
        assert!(import::read(body.as_bytes(), DAY).is_err(), "{body}");
    }
}

#[test]
fn a_document_is_checked_and_kept() {
    let read = |body: Value| Fields::of(body, FIELDS).and_then(read_document);
    let rows = json!([{"models": ["m"], "rates": {"input": 5}}]);
    let vendors = |name: &str, rows: &Value| json!([{"providerTypes": [name], "source": "https://x.test", "lookedUp": DAY, "rows": rows}]);
    let prices = read(json!({"asOf": DAY, "vendors": vendors("openai", &rows), "updatedAt": null})).expect("prices");
    assert!(prices.prices().of("openai", "m").is_some());
    assert_eq!(read(json!({"vendors": []})).expect("none"), PriceText::default());
    for bad in [
        json!({}),
        json!({"vendors": vendors("nobody", &rows)}),
        json!({"vendors": vendors("openai", &json!([{"models": ["m"]}]))}),
        json!({"vendors": vendors("openai", &rows), "asOf": "yesterday"}),
        json!({"vendors": vendors("openai", &rows), "prices": 1}),
    ] {
        assert!(read(bad.clone()).is_err(), "{bad}");
    }
}
