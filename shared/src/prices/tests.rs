use proptest::prelude::*;
use translation::vendors;

use super::*;

const TEXT: &str = include_str!("../../data/prices.json");

/// Noon of 2026-11-30 by UTC, in epoch milliseconds.
const NOW: i64 = 1_796_040_000_000;

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Rates that are all different, so that a sum tells which of them were used.
const RATES: Rates = Rates {
    input: 3_000_000,
    cached_input: 300_000,
    cache_write_5m: 3_750_000,
    cache_write_1h: 6_000_000,
    input_audio: 32_000_000,
    input_image: 5_000_000,
    output: 15_000_000,
    reasoning: 12_000_000,
    output_audio: 64_000_000,
    output_image: 30_000_000,
};

fn table() -> Prices {
    Prices::read(TEXT).expect("the table can be read")
}

fn parts(rates: &Rates) -> [u64; 10] {
    [
        rates.input,
        rates.cached_input,
        rates.cache_write_5m,
        rates.cache_write_1h,
        rates.input_audio,
        rates.input_image,
        rates.output,
        rates.reasoning,
        rates.output_audio,
        rates.output_image,
    ]
}

/// Whether each rate of `left` is at most that of `right`.
fn at_most(left: &Rates, right: &Rates) -> bool {
    parts(left).iter().zip(parts(right)).all(|(left, right)| *left <= right)
}

#[test]
fn every_price_has_its_source_and_every_rate_is_one_that_can_be() {
    let table = table();
    assert_eq!(table.as_of, Prices::built_in().as_of);
    assert!(table.vendors.len() >= 18, "{}", table.vendors.len());
    for (provider_type, models) in &table.vendors {
        assert!(vendors::by_name(provider_type).is_some(), "{provider_type} is no vendor of this build");
        assert!(models.is_sorted_by(|left, right| left.name < right.name));
        for named in models.iter() {
            let about = format!("{} of {provider_type}", named.name);
            let price = &named.price;
            assert!(price.source.starts_with("https://"), "{about}");
            assert!(*price.looked_up <= *table.as_of && price.looked_up.starts_with("20"), "{about}");
            assert!(!price.periods.is_empty(), "{about}");
            for (tier, schedule) in price.periods.iter().flat_map(|period| &period.tiers) {
                let steps: Vec<&Rates> =
                    [&schedule.base].into_iter().chain(schedule.above.iter().map(|(_, rates)| rates)).collect();
                for rates in &steps {
                    assert!(rates.cached_input <= rates.input, "the cache saves nothing: {about}, {tier:?}");
                    assert!(rates.input <= rates.cache_write_5m, "{about}, {tier:?}");
                    assert!(rates.cache_write_5m <= rates.cache_write_1h, "{about}, {tier:?}");
                    let dearest = parts(rates).into_iter().max();
                    assert!(dearest <= Some(1_000_000_000), "over 1,000 dollars a million tokens: {about}");
                }
                assert!(steps.is_sorted_by(|left, right| at_most(left, right)), "long contexts cost less: {about}");
            }
            for period in &price.periods {
                let base = |(tier, schedule): &(PricedTier, Schedule)| (*tier, schedule.base);
                let tiers: HashMap<PricedTier, Rates> = period.tiers.iter().map(base).collect();
                let standard = &tiers[&PricedTier::Standard];
                for (tier, rates) in &tiers {
                    match tier {
                        PricedTier::Standard => {}
                        PricedTier::Flex | PricedTier::Batch => assert!(at_most(rates, standard), "{about}, {tier:?}"),
                        PricedTier::Priority => assert!(at_most(standard, rates), "{about}, {tier:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_model_is_found_by_its_name_a_version_of_it_or_the_beginning() {
    let input = |provider_type: &str, model: &str| {
        let price = Prices::built_in().of(provider_type, model)?;
        Some(price.rates(PricedTier::Standard, 0, NOW)?.input)
    };
    for (provider_type, model, expected) in [
        ("openai", "gpt-4o", Some(2_500_000)),
        ("openai", "GPT-4o-2024-11-20", Some(2_500_000)),
        ("openai", "gpt-4o-2024-05-13", Some(5_000_000)),
        ("openai", "gpt-4o-mini", Some(150_000)),
        ("openai", "gpt-4o-realtime-preview", None),
        ("openai", "gpt-5-chat-latest", Some(1_250_000)),
        ("openai", "ft:gpt-4.1-mini-2025-04-14:acme::8f", Some(800_000)),
        ("openai_responses", "gpt-6.1-sol", Some(2_000_000)),
        ("azure_openai", "gpt-4.1", Some(2_000_000)),
        ("azure_openai", "our-deployment", None),
        ("anthropic", "claude-opus-4-5-20251101", Some(5_000_000)),
        ("anthropic", "claude-opus-4-1", Some(15_000_000)),
        ("anthropic", "claude-opus-4-20250514", Some(15_000_000)),
        ("anthropic", "claude-opus-4-9", None),
        ("anthropic", "claude-sonnet-5-5", Some(2_000_000)),
        ("anthropic", "gpt-4o", None),
        ("gemini", "models/gemini-2.5-pro", Some(1_250_000)),
        ("gemini", "gemini-2.5-flash-lite-preview-09-2025", Some(100_000)),
        ("vertex", "claude-opus-5-5@default", Some(4_000_000)),
        ("vertex", "google/gemini-2.5-flash-001", Some(300_000)),
        ("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", Some(1_100_000)),
        ("bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", Some(1_100_000)),
        ("bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0", Some(1_000_000)),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1", Some(5_500_000)),
        ("groq", "openai/gpt-oss-120b", Some(150_000)),
        ("fireworks", "accounts/fireworks/models/glm-5p3", Some(1_400_000)),
        ("together", "moonshotai/Kimi-K3", Some(3_000_000)),
        ("zhipu", "glm-4.7-flash", Some(0)),
        ("openai_compatible", "gpt-4o", None),
        ("openrouter", "openai/gpt-4o", None),
        ("openai", "", None),
        ("openai", "ü", None),
        ("", "", None),
    ] {
        assert_eq!(input(provider_type, model), expected, "{model} of {provider_type}");
    }
}

#[test]
fn what_follows_a_name_is_a_version_or_another_model() {
    for version in
        ["", "-20250929", "-2025-04-14", "@20251001", "@default", "-v1:0", "-20251001-v1:0", "-001", "-latest"]
    {
        assert!(is_version(version), "{version}");
    }
    for other in ["-1", "-mini", "-4-mini", ".5", "o", "-", "--", "-preview", "-v", "-32k", "@", "-latest-mini", "-ü"]
    {
        assert!(!is_version(other), "{other}");
    }
}

#[test]
fn a_price_counts_in_its_time() {
    let argon = Prices::built_in().of("gemini", "gemini-4-argon").expect("a price");
    let rates = |at_ms| *argon.rates(PricedTier::Standard, 0, at_ms).expect("a price at that time");
    let midnight = NOW + DAY / 2;
    assert_eq!((rates(midnight - 1).input, rates(midnight).input), (2_000_000, 4_000_000));
    assert_eq!(
        (argon.effective_micros(0, midnight - 1), argon.effective_micros(0, midnight)),
        (Some(4_000_000), Some(8_000_000))
    );
    let large = Prices::built_in().of("mistral", "mistral-large-4").expect("a price");
    assert!(large.rates(PricedTier::Standard, 0, 0).is_none(), "it is not known what it cost before");
}

#[test]
fn each_token_is_paid_for_once_at_the_rate_of_its_kind() {
    let usage = Usage {
        input: 1_000_000,
        cached: 400_000,
        cache_write: 200_000,
        cache_write_1h: 50_000,
        input_audio: 100_000,
        output: 500_000,
        reasoning: 200_000,
        output_audio: 100_000,
        capped: false,
        ..Usage::default()
    };
    // 300,000 read as text, 400,000 from the cache, 150,000 and 50,000 into it, 100,000 heard; 200,000 said in words,
    // 200,000 thought, 100,000 spoken.
    let expected = 900_000 + 120_000 + 562_500 + 300_000 + 3_200_000 + 3_000_000 + 2_400_000 + 6_400_000;
    assert_eq!(RATES.cost_micros(&usage), expected);
    assert_eq!(RATES.cost_micros(&Usage::default()), 0);
    // Counts that cannot be are made to fit, as everywhere.
    assert_eq!(RATES.cost_micros(&Usage { input: 10, cached: 50, ..Usage::default() }), 3);
}

#[test]
fn a_cost_is_rounded_once_and_half_up() {
    let rates = |input| Rates { input, cached_input: input, ..RATES };
    let tokens = |input, cached| Usage { input, cached, ..Usage::default() };
    assert_eq!(rates(500_000).cost_micros(&tokens(1, 0)), 1);
    assert_eq!(rates(499_999).cost_micros(&tokens(1, 0)), 0);
    assert_eq!(rates(400_000).cost_micros(&tokens(2, 1)), 1, "0.4 and 0.4 are 0.8");
}

#[test]
fn tiers_and_long_contexts_have_rates_of_their_own() {
    let price = Prices::built_in().of("openai", "gpt-6.1-sol").expect("a price");
    let million = |input| Usage { input, output: 100_000, ..Usage::default() };
    let cost = |input, tier| price.cost_micros(&million(input), tier, NOW);
    assert_eq!(cost(272_000, PricedTier::Standard), Some(544_000 + 1_000_000));
    assert_eq!(cost(272_001, PricedTier::Standard), Some(1_088_004 + 1_500_000));
    assert_eq!(cost(272_000, PricedTier::Flex), Some(272_000 + 500_000));
    assert_eq!(cost(272_000, PricedTier::Priority), Some(1_088_000 + 2_000_000));
    assert_eq!(cost(272_001, PricedTier::Batch), Some(544_002 + 750_000));
    let haiku = Prices::built_in().of("anthropic", "claude-haiku-5-5").expect("a price");
    assert_eq!(haiku.cost_micros(&million(0), PricedTier::Flex, NOW), None, "the vendor has no such tier");
}

#[test]
fn the_effective_price_is_that_of_three_tokens_in_and_one_out() {
    assert_eq!(RATES.effective_micros(0), 6_000_000);
    assert_eq!(RATES.effective_micros(1_000_000), 3_975_000);
    assert_eq!(RATES.effective_micros(500_000), 4_987_500);
    assert_eq!(RATES.effective_micros(u32::MAX), 3_975_000);
    let price = Prices::built_in().of("groq", "llama-3.1-8b-instant").expect("a price");
    assert!(
        !price.favours_cached(NOW) && Prices::built_in().of("openai", "gpt-5").is_some_and(|it| it.favours_cached(NOW))
    );
}

#[test]
fn a_document_that_contradicts_itself_is_refused() {
    let block = |block: &str| Prices::read(&format!(r#"{{"asOf": "2026-11-30", "vendors": [{block}]}}"#));
    let of = |rows: &str| {
        block(&format!(
            r#"{{"providerTypes": ["openai"], "lookedUp": "2026-11-30", "source": "https://x.test", "rows": [{rows}]}}"#
        ))
    };
    assert!(of(r#"{"models": ["m"], "rates": {"input": 1, "output": 2}}"#).is_ok());
    for (rows, problem) in [
        (r#"{"models": ["m"], "rates": {"input": 1, "outptu": 2}}"#, "unknown field"),
        (r#"{"models": ["m"], "rates": {"input": 1}, "tier": {}}"#, "unknown field"),
        (r#"{"models": ["m"], "rates": {"output": 1}}"#, "missing field `input`"),
        (r#"{"models": ["m"], "rates": {"input": 2.5}}"#, "invalid type"),
        (r#"{"models": ["m"], "rates": {"input": 0}}"#, "costs nothing and is not free"),
        (r#"{"models": ["m"], "free": true, "rates": {"input": 0, "output": 1}}"#, "costs nothing and is not free"),
        (r#"{"models": ["m"], "rates": {"input": 1}, "tiers": {"batch": 50}}"#, "no whole number"),
        (r#"{"models": ["m"], "rates": {"input": 2}, "tiers": {"slow": 50}}"#, "unknown variant"),
        (r#"{"models": ["m"], "rates": {"input": 2}, "tiers": {"standard": 50}}"#, "two standard tiers"),
        (r#"{"models": ["m"], "from": "2026-02-30", "rates": {"input": 1}}"#, "date is not valid"),
        (r#"{"models": ["m"], "from": "2026-02-02", "until": "2026-02-01", "rates": {"input": 1}}"#, "ends before"),
        (r#"{"models": ["m"], "rates": {"input": 1}}, {"models": ["M"], "rates": {"input": 2}}"#, "two prices"),
        (
            r#"{"models": ["m"], "until": "2026-02-01", "rates": {"input": 1}},
               {"models": ["m"], "from": "2026-02-01", "rates": {"input": 2}}"#,
            "two prices",
        ),
        (
            r#"{"models": ["m*"], "until": "2026-02-01", "rates": {"input": 1}}, {"models": ["m"], "rates": {"input": 1}}"#,
            "two prices",
        ),
        (
            r#"{"models": ["m"], "rates": {"input": 1},
                "above": [{"tokens": 9, "rates": {"input": 2}}, {"tokens": 8, "rates": {"input": 3}}]}"#,
            "out of order",
        ),
    ] {
        let error = of(rows).expect_err(rows).to_string();
        assert!(error.contains(problem), "{rows}: {error}");
    }
    let open = r#"{"providerTypes": ["openai"], "lookedUp": "2026-11-30", "source": "https://x.test", "rows": []}"#;
    let same = open.replace(r#""rows": []"#, r#""sameAs": "nobody""#);
    assert!(block(&same).expect_err("nobody").to_string().contains("sameAs"));
    assert!(block(&format!("{open}, {open}")).expect_err("twice").to_string().contains("two blocks"));
    assert!(block(&open.replace(r#""source": "https://x.test","#, "")).is_err(), "each block has its source");
}

/// Counts of which each is a part of its sum, and the parts of one sum do not overlap.
fn usage() -> impl Strategy<Value = Usage> {
    let part = || 0_u64..300_000;
    ((part(), part(), part(), part(), part()), (part(), part(), part())).prop_map(
        |((fresh, sound, cached, written, written_1h), (said, reasoning, output_audio))| Usage {
            input: fresh + sound + cached + written + written_1h,
            cached,
            cache_write: written + written_1h,
            cache_write_1h: written_1h,
            input_audio: sound,
            output: said + reasoning + output_audio,
            reasoning,
            output_audio,
            capped: false,
            ..Usage::default()
        },
    )
}

fn sum(left: Usage, right: Usage) -> Usage {
    Usage {
        input: left.input + right.input,
        cached: left.cached + right.cached,
        cache_write: left.cache_write + right.cache_write,
        cache_write_1h: left.cache_write_1h + right.cache_write_1h,
        input_audio: left.input_audio + right.input_audio,
        output: left.output + right.output,
        reasoning: left.reasoning + right.reasoning,
        output_audio: left.output_audio + right.output_audio,
        capped: false,
        ..Usage::default()
    }
}

/// The beginning of the name of any model of the table.
fn beginning() -> impl Strategy<Value = String> {
    let table = table();
    let names: Vec<String> =
        table.vendors.values().flat_map(|models| models.iter()).map(|named| named.name.clone()).collect();
    (prop::sample::select(names), 0_usize..50).prop_map(|(name, length)| name.chars().take(length).collect())
}

/// Rates of any model of the table.
fn rates() -> impl Strategy<Value = Rates> {
    let table = table();
    let schedules = table.vendors.values().flat_map(|models| models.iter()).flat_map(|named| &named.price.periods);
    let all = schedules.flat_map(|period| &period.tiers).map(|(_, schedule)| schedule.base).collect::<Vec<_>>();
    prop::sample::select(all)
}

proptest! {
    /// Each of two costs is rounded by half a micro-dollar at most, and so is that of both.
    #[test]
    fn two_requests_cost_what_both_cost_together(rates in rates(), left in usage(), right in usage()) {
        let apart = rates.cost_micros(&left) + rates.cost_micros(&right);
        prop_assert!(apart.abs_diff(rates.cost_micros(&sum(left, right))) <= 1);
    }

    #[test]
    fn more_tokens_never_cost_less(rates in rates(), less in usage(), more in usage()) {
        prop_assert!(rates.cost_micros(&less) <= rates.cost_micros(&sum(less, more)));
    }

    #[test]
    fn a_cost_is_exact_but_for_the_rounding(input in 0_u64..20_000_000, output in 0_u64..20_000_000, rate in 1_u64..1_000_000_000) {
        let rates = Rates { input: rate, output: rate, ..RATES };
        let exact = (u128::from(input) + u128::from(output)) * u128::from(rate);
        let cost = u128::from(rates.cost_micros(&Usage { input, output, ..Usage::default() }));
        prop_assert!((cost * 1_000_000).abs_diff(exact) <= 500_000);
    }

    #[test]
    fn tokens_from_the_cache_never_make_it_dearer(rates in rates(), usage in usage(), moved in 0_u64..300_000) {
        let fresh = usage.input - usage.cached - usage.cache_write - usage.input_audio;
        let cached = usage.cached + moved.min(fresh);
        let warmer = Usage { cached, ..usage };
        prop_assert!(rates.cost_micros(&warmer) <= rates.cost_micros(&usage));
        let (cold, warm) = (rates.effective_micros(0), rates.effective_micros(u32::try_from(moved).unwrap_or_default()));
        prop_assert!(warm <= cold);
    }

    #[test]
    fn the_longest_name_is_found_whatever_is_asked_for(start in beginning(), rest in "(-[a-z0-9.]{0,8}){0,2}|\\PC{0,9}") {
        let asked = format!("{start}{rest}").to_ascii_lowercase();
        for models in Prices::built_in().vendors.values() {
            let fits = |named: &&Named| asked.strip_prefix(&*named.name).is_some_and(|rest| named.means(rest));
            let expected = models.iter().filter(fits).max_by_key(|named| named.name.len());
            prop_assert_eq!(longest(models, &asked).map(|named| &named.name), expected.map(|named| &named.name));
        }
    }
}
