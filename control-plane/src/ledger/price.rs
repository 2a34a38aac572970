//! What a usage record costs. It is counted when the record comes in, from what the record says was used: of an answer
//! that was cut, that is what had been generated.

use shared::pb::UsageRecord;
use shared::pb::usage_record::{Units, UsageSource};
use shared::prices::{Bill, Cost, GroupPricing, PricedTier, Tariff, UnitCounts};
use shared::snapshot::Snapshot;
use translation::ir::Usage;

use crate::store::usage::StoredUsage;

/// What `record` costs by the prices of `config`. A group that is not there any more has none of its own. None where
/// the record is unpriced, which is not the same as free.
pub(crate) fn cost(record: &UsageRecord, config: &Snapshot) -> Option<Cost> {
    let bill = bill(record);
    if record.usage_source() == UsageSource::None && bill.units.is_empty() {
        // No provider was at work: a refusal, an answer from memory, a list.
        return Some(Cost::NOTHING);
    }
    let none = GroupPricing::default();
    let pricing = config.groups.get(record.group_id.as_str()).map_or(&none, |group| &group.routing.pricing);
    Tariff::of(pricing, &config.prices, &record.provider_type, &record.upstream_model)?.cost(&bill)
}

/// What a record of the ledger costs by the prices of `config`, as when it came in.
pub(crate) fn of_stored(stored: &StoredUsage, config: &Snapshot) -> Option<Cost> {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let source = if stored.usage_source == "none" { UsageSource::None } else { UsageSource::Reported };
    let record = UsageRecord {
        group_id: text(&stored.group_id),
        provider_type: text(&stored.provider_type),
        upstream_model: text(&stored.upstream_model),
        service_tier: text(&stored.service_tier),
        usage_source: source.into(),
        input_tokens: count(stored.input_tokens),
        cached_tokens: count(stored.cached_tokens),
        cache_write_tokens: count(stored.cache_write_tokens),
        cache_write_1h_tokens: count(stored.cache_write_1h_tokens),
        input_audio_tokens: count(stored.input_audio_tokens),
        input_image_tokens: count(stored.input_image_tokens),
        output_tokens: count(stored.output_tokens),
        reasoning_tokens: count(stored.reasoning_tokens),
        output_audio_tokens: count(stored.output_audio_tokens),
        output_image_tokens: count(stored.output_image_tokens),
        units: stored.units(),
        started_at_ms: stored.started_at,
        ..UsageRecord::default()
    };
    cost(&record, config)
}

/// What `record` is charged for.
fn bill(record: &UsageRecord) -> Bill {
    let units = record.units.unwrap_or(Units { images: 0, seconds: 0, searches: 0, reranks: 0 });
    Bill {
        usage: Usage {
            input: record.input_tokens,
            cached: record.cached_tokens,
            cache_write: record.cache_write_tokens,
            cache_write_1h: record.cache_write_1h_tokens,
            input_audio: record.input_audio_tokens,
            input_image: record.input_image_tokens,
            output: record.output_tokens,
            reasoning: record.reasoning_tokens,
            output_audio: record.output_audio_tokens,
            output_image: record.output_image_tokens,
            capped: false,
        },
        units: UnitCounts {
            images: units.images,
            seconds: units.seconds,
            searches: units.searches,
            reranks: units.reranks,
        },
        tier: PricedTier::of_word(&record.service_tier),
        at_ms: record.started_at_ms,
    }
}

#[cfg(test)]
mod tests;
