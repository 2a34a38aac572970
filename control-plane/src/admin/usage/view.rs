//! The query for sums over usage records, and the sums as they are shown.

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::store::usage::{StoredCost, UsageSums};

/// Which usage records are added up: those for which all the given conditions hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct UsageQuery {
    /// Only requests with this proxy key, by its id.
    pub proxy_key_id: Option<String>,
    /// Only requests whose last attempt was at this group, by its id.
    pub group_id: Option<String>,
    /// Only requests for this model, as the client named it.
    pub model: Option<String>,
    /// Only requests that started at this time or later: epoch milliseconds or RFC 3339. A day before `to` by default.
    pub from: Option<String>,
    /// Only requests that started before this time, at most 31 days after `from`. Now by default.
    pub to: Option<String>,
}

/// Sums over usage records.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// The beginning of the time, in epoch milliseconds.
    pub from: i64,
    /// The end of the time, in epoch milliseconds.
    pub to: i64,
    /// Number of usage records.
    pub records: i64,
    /// Number of records without a price. Their cost is not known, and in no sum.
    pub unpriced_records: i64,
    /// Tokens of the requests.
    pub input_tokens: i64,
    /// Tokens of the answers.
    pub output_tokens: i64,
    /// Cost in micro-dollars of the records that have a price.
    pub cost_micros: i64,
    /// That cost by kind.
    pub costs: CostView,
}

/// A cost by kind, in micro-dollars. The kinds add up to the whole.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostView {
    /// Input tokens, but for those below.
    pub input: i64,
    /// Input tokens that were read from the provider's cache.
    pub cached: i64,
    /// Input tokens that were written to the provider's cache and are kept for minutes.
    #[serde(rename = "cacheWrite5m")]
    pub cache_write_5m: i64,
    /// Input tokens that were written to the provider's cache and are kept for an hour.
    #[serde(rename = "cacheWrite1h")]
    pub cache_write_1h: i64,
    /// Output tokens, but for those below.
    pub output: i64,
    /// Output tokens that were spent on reasoning.
    pub reasoning: i64,
    /// Tokens that are sound, of the request and the answer.
    pub audio: i64,
    /// Tokens that are images, of the request and the answer.
    pub image: i64,
    /// What is charged for by the image, second, search or unit of reranking.
    pub units: i64,
}

impl CostView {
    /// The view of a cost; none where there is none.
    pub(in crate::admin) fn of(cost: &StoredCost) -> Option<Self> {
        cost.cost_micros.map(|_| Self::of_kinds(cost))
    }

    fn of_kinds(cost: &StoredCost) -> Self {
        let of = Option::unwrap_or_default;
        Self {
            input: of(cost.cost_input_micros),
            cached: of(cost.cost_cached_micros),
            cache_write_5m: of(cost.cost_cache_write_5m_micros),
            cache_write_1h: of(cost.cost_cache_write_1h_micros),
            output: of(cost.cost_output_micros),
            reasoning: of(cost.cost_reasoning_micros),
            audio: of(cost.cost_audio_micros),
            image: of(cost.cost_image_micros),
            units: of(cost.cost_units_micros),
        }
    }
}

impl UsageView {
    pub(super) fn of(from: i64, to: i64, sums: &UsageSums) -> Self {
        Self {
            from,
            to,
            records: sums.records,
            unpriced_records: sums.unpriced,
            input_tokens: sums.input_tokens,
            output_tokens: sums.output_tokens,
            cost_micros: sums.cost.cost_micros.unwrap_or_default(),
            costs: CostView::of_kinds(&sums.cost),
        }
    }
}
