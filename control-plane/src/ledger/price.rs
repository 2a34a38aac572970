//! What a usage record costs. It is counted when the record comes in, from what the record says was used: of an answer
//! that was cut, that is what had been generated.

use shared::pb::UsageRecord;
use shared::pb::usage_record::{Units, UsageSource};
use shared::prices::{Bill, Cost, GroupPricing, PricedTier, Tariff, UnitCounts};
use shared::snapshot::Snapshot;
use translation::ir::Usage;

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
