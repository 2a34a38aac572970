use super::*;

/// Noon of 2026-11-30 by UTC, in epoch milliseconds.
const NOW: i64 = 1_796_040_000_000;

fn record(provider_type: &str, model: &str) -> UsageRecord {
    UsageRecord {
        provider_type: provider_type.to_owned(),
        upstream_model: model.to_owned(),
        usage_source: UsageSource::Reported.into(),
        input_tokens: 1_000,
        cached_tokens: 400,
        output_tokens: 100,
        started_at_ms: NOW,
        ..UsageRecord::default()
    }
}

fn micros(record: &UsageRecord) -> Option<u64> {
    cost(record, &Snapshot::default()).map(|cost| cost.micros())
}

#[test]
fn a_record_costs_what_its_vendor_charges_for_its_model_and_tier() {
    // 2.50 dollars a million in, 1.25 from the cache, 10 out.
    assert_eq!(micros(&record("openai", "gpt-4o")), Some(1_500 + 500 + 1_000));
    let tier = |word: &str| UsageRecord { service_tier: word.to_owned(), ..record("openai", "gpt-6.1-sol") };
    let standard = micros(&tier("default")).expect("a price");
    assert_eq!((micros(&tier("")), micros(&tier("flex"))), (Some(standard), Some(standard / 2)));
    assert_eq!((micros(&tier("priority")), micros(&tier("fast"))), (Some(2 * standard), Some(2 * standard)));
    assert_eq!(micros(&tier("scale")), None, "no price is known for it");
}

#[test]
fn what_has_no_price_is_unpriced_and_what_used_nothing_is_free() {
    assert_eq!(micros(&record("openai", "nobody-knows-it")), None);
    assert_eq!(micros(&record("openai_compatible", "gpt-4o")), None);
    let nothing = UsageRecord { usage_source: UsageSource::None.into(), ..UsageRecord::default() };
    assert_eq!(micros(&nothing), Some(0));
    for source in [UsageSource::Partial, UsageSource::Estimated, UsageSource::Capped] {
        let record = UsageRecord { usage_source: source.into(), ..record("openai", "gpt-4o") };
        assert_eq!(micros(&record), Some(3_000), "{source:?}");
    }
}
