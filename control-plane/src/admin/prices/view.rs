//! Prices as they are written and shown.

use serde::Serialize;
use serde_json::Value;
use shared::prices::Prices;
use utoipa::ToSchema;

use crate::store::prices::StoredPrices;

/// The prices that count in all groups, as a document like `shared/data/prices.json`.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct PricesBody {
    /// The day of the prices, in ISO 8601. Today by default.
    pub as_of: Option<String>,
    /// What people note about them.
    pub comment: Option<String>,
    /// Blocks of rows, each with its `providerTypes`, `source` and `lookedUp`.
    #[schema(value_type = Vec<Object>)]
    pub vendors: Vec<Value>,
}

/// The prices that count in all groups, as they are stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PricesView {
    /// The day of the prices; null where none are set.
    pub as_of: Option<String>,
    /// What people note about them.
    pub comment: Option<String>,
    /// Blocks of rows, each with its `providerTypes`, `source` and `lookedUp`.
    #[schema(value_type = Vec<Object>)]
    pub vendors: Value,
    /// The day of the list prices that ship with the program.
    pub built_in_as_of: String,
    /// When the prices were last changed, in epoch milliseconds. Null where they never were.
    pub updated_at: Option<i64>,
}

impl PricesView {
    pub(super) fn of(stored: &StoredPrices) -> Self {
        let mut document: Value = serde_json::from_str(stored.prices.text()).unwrap_or_default();
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let (as_of, comment) = (text("asOf"), text("$comment"));
        let vendors = document.get_mut("vendors").map_or_else(|| Value::Array(Vec::new()), Value::take);
        Self {
            as_of,
            comment,
            vendors,
            built_in_as_of: Prices::built_in().as_of.clone(),
            updated_at: stored.updated_at,
        }
    }
}
