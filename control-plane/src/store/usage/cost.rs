//! What a usage record costs, as it is stored.

use diesel::prelude::*;
use shared::prices::{Cost, CostKind};

use crate::store::columns::signed;
use crate::store::schema::usage_records;

/// A cost in micro-dollars, by kind. The kinds add up to the whole. All of them are null where the record is unpriced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = usage_records, treat_none_as_null = true)]
#[expect(missing_docs, reason = "documented at CostKind")]
pub struct StoredCost {
    pub cost_micros: Option<i64>,
    pub cost_input_micros: Option<i64>,
    pub cost_cached_micros: Option<i64>,
    pub cost_cache_write_5m_micros: Option<i64>,
    pub cost_cache_write_1h_micros: Option<i64>,
    pub cost_output_micros: Option<i64>,
    pub cost_reasoning_micros: Option<i64>,
    pub cost_audio_micros: Option<i64>,
    pub cost_image_micros: Option<i64>,
    pub cost_units_micros: Option<i64>,
}

impl From<Option<Cost>> for StoredCost {
    fn from(cost: Option<Cost>) -> Self {
        let kind = |kind: CostKind| cost.map(|cost| signed(cost.of_kind(kind)));
        Self {
            cost_micros: cost.map(|cost| signed(cost.micros())),
            cost_input_micros: kind(CostKind::Input),
            cost_cached_micros: kind(CostKind::Cached),
            cost_cache_write_5m_micros: kind(CostKind::CacheWrite5m),
            cost_cache_write_1h_micros: kind(CostKind::CacheWrite1h),
            cost_output_micros: kind(CostKind::Output),
            cost_reasoning_micros: kind(CostKind::Reasoning),
            cost_audio_micros: kind(CostKind::Audio),
            cost_image_micros: kind(CostKind::Image),
            cost_units_micros: kind(CostKind::Units),
        }
    }
}
