use proptest::prelude::*;

use super::*;

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

const UNIT_RATES: UnitRates = UnitRates { image: Some(40_000), second: Some(100), search: Some(10_000), rerank: None };

fn cost(usage: Usage, units: UnitCounts) -> Cost {
    Cost::of(&usage, units, &RATES, UNIT_RATES, Multiplier::ONE)
}

#[test]
fn each_kind_has_its_part() {
    let usage = Usage {
        input: 1_000_000,
        cached: 400_000,
        cache_write: 200_000,
        cache_write_1h: 50_000,
        input_audio: 100_000,
        input_image: 100_000,
        output: 500_000,
        reasoning: 100_000,
        output_audio: 100_000,
        output_image: 100_000,
        capped: false,
    };
    let cost = cost(usage, UnitCounts { images: 2, seconds: 60, searches: 1, reranks: 7 });
    let kinds = CostKind::ALL.map(|kind| cost.of_kind(kind));
    let expected =
        [600_000, 120_000, 562_500, 300_000, 3_000_000, 1_200_000, 3_200_000 + 6_400_000, 500_000 + 3_000_000, 96_000];
    assert_eq!(kinds, expected);
    assert_eq!(cost.micros(), expected.iter().sum::<u64>());
}

#[test]
fn the_sum_is_rounded_once_and_the_kinds_share_it() {
    // 0.3 for the token in the cache, 0.3 and 0.3 of micro-dollars make one, which goes to the first of them.
    let rates = Rates { input: 300_000, cached_input: 300_000, output: 300_000, ..RATES };
    let usage = Usage { input: 2, cached: 1, output: 1, ..Usage::default() };
    let cost = Cost::of(&usage, UnitCounts::default(), &rates, UnitRates::default(), Multiplier::ONE);
    assert_eq!(cost.micros(), 1);
    assert_eq!((cost.of_kind(CostKind::Input), cost.of_kind(CostKind::Cached)), (1, 0));
}

#[test]
fn a_multiplier_is_a_decimal_number_of_three_digits() {
    for (text, thousandths) in [
        ("1", 1_000),
        ("0.35", 350),
        ("0.5", 500),
        ("2", 2_000),
        ("1.001", 1_001),
        ("0", 0),
        ("100", 100_000),
        ("0.000", 0),
    ] {
        assert_eq!(text.parse().map(Multiplier::thousandths), Ok(thousandths), "{text}");
    }
    for text in ["", ".", "0.", ".5", "-1", "+1", "1e3", "0.0005", "100.001", "4294967296", "0,5", " 1", "NaN"] {
        assert_eq!(text.parse::<Multiplier>(), Err(()), "{text}");
    }
    for (thousandths, text) in [(0, "0"), (5, "0.005"), (350, "0.35"), (1_000, "1"), (1_010, "1.01"), (100_000, "100")]
    {
        assert_eq!(Multiplier::of_thousandths(thousandths).map(|it| it.to_string()).as_deref(), Some(text));
    }
    assert_eq!(Multiplier::of_thousandths(100_001), None);
}

#[test]
fn tiers_have_the_words_of_several_vendors() {
    for (word, tier) in [
        ("", Some(PricedTier::Standard)),
        ("default", Some(PricedTier::Standard)),
        ("on_demand", Some(PricedTier::Standard)),
        ("FLEX", Some(PricedTier::Flex)),
        ("fast", Some(PricedTier::Priority)),
        ("batch", Some(PricedTier::Batch)),
        ("scale", None),
    ] {
        assert_eq!(PricedTier::of_word(word), tier, "{word}");
    }
}

/// Any usage, with parts that may be more than their sums.
fn usage() -> impl Strategy<Value = Usage> {
    let count = || 0_u64..2_000_000;
    ((count(), count(), count(), count(), count(), count()), (count(), count(), count(), count())).prop_map(
        |(
            (input, cached, cache_write, cache_write_1h, input_audio, input_image),
            (output, reasoning, sound, drawn),
        )| {
            Usage {
                input,
                cached,
                cache_write,
                cache_write_1h,
                input_audio,
                input_image,
                output,
                reasoning,
                output_audio: sound,
                output_image: drawn,
                capped: false,
            }
        },
    )
}

fn rates() -> impl Strategy<Value = Rates> {
    prop::array::uniform10(0_u64..200_000_000).prop_map(|rates| Rates {
        input: rates[0],
        cached_input: rates[1],
        cache_write_5m: rates[2],
        cache_write_1h: rates[3],
        input_audio: rates[4],
        input_image: rates[5],
        output: rates[6],
        reasoning: rates[7],
        output_audio: rates[8],
        output_image: rates[9],
    })
}

/// The exact cost, in parts of which a billion are a micro-dollar, counted in another way: token by token of each kind.
fn exact(usage: &Usage, units: UnitCounts, rates: &Rates, multiplier: Multiplier) -> u128 {
    let usage = usage.fitted();
    let mut left_in = usage.input;
    let mut left_out = usage.output;
    let mut sum = 0_u128;
    let mut pay = |left: &mut u64, count: u64, rate: u64| {
        let taken = count.min(*left);
        *left -= taken;
        sum += u128::from(taken) * u128::from(rate);
    };
    pay(&mut left_in, usage.cached, rates.cached_input);
    pay(&mut left_in, usage.cache_write_1h, rates.cache_write_1h);
    pay(&mut left_in, usage.cache_write - usage.cache_write_1h, rates.cache_write_5m);
    pay(&mut left_in, usage.input_audio, rates.input_audio);
    pay(&mut left_in, usage.input_image, rates.input_image);
    pay(&mut left_in, u64::MAX, rates.input);
    pay(&mut left_out, usage.reasoning, rates.reasoning);
    pay(&mut left_out, usage.output_audio, rates.output_audio);
    pay(&mut left_out, usage.output_image, rates.output_image);
    pay(&mut left_out, u64::MAX, rates.output);
    sum += u128::from(units.images) * 40_000 * PER + u128::from(units.seconds) * 100 * PER;
    sum * u128::from(multiplier.thousandths())
}

proptest! {
    #[test]
    fn the_sum_of_the_kinds_is_the_cost_rounded_once_and_the_multiplier_is_exact(
        usage in usage(),
        rates in rates(),
        thousandths in 0_u32..=100_000,
        (images, seconds) in (0_u64..50, 0_u64..5_000),
    ) {
        let multiplier = Multiplier::of_thousandths(thousandths).expect("it is within the bounds");
        let units = UnitCounts { images, seconds, ..UnitCounts::default() };
        let cost = Cost::of(&usage, units, &rates, UNIT_RATES, multiplier);
        let by = PER * THOUSAND;
        let rounded = (exact(&usage, units, &rates, multiplier) + by / 2) / by;
        prop_assert_eq!(u128::from(cost.micros()), rounded);
        prop_assert_eq!(CostKind::ALL.into_iter().map(|kind| cost.of_kind(kind)).sum::<u64>(), cost.micros());
    }

    /// No kind is more than a micro-dollar away from what it costs alone.
    #[test]
    fn each_kind_is_within_a_micro_dollar(parts in prop::array::uniform9(0_u64..10_000_000_000), by in 1_u64..1_000_000_000) {
        let cost = Cost::shared_out(parts.map(u128::from), u128::from(by));
        for (kind, part) in CostKind::ALL.into_iter().zip(parts) {
            let (least, shown) = (part / by, cost.of_kind(kind));
            prop_assert!(shown == least || (shown == least + 1 && part % by > 0), "{kind:?}: {shown} of {part}/{by}");
        }
    }

    #[test]
    fn what_a_multiplier_shows_is_read_as_the_same(thousandths in 0_u32..=100_000) {
        let multiplier = Multiplier::of_thousandths(thousandths).expect("it is within the bounds");
        prop_assert_eq!(multiplier.to_string().parse(), Ok(multiplier));
    }
}
