//! What a group says of prices.

use serde_json::Value;
use shared::prices::{GroupPricing, Multiplier, PriceText};

use crate::web::fields::Fields;

/// Longest multiplier, in bytes.
const MULTIPLIER_BYTES: usize = 16;

/// Reads what a group says of prices.
pub(super) fn read_pricing(fields: &mut Fields) -> GroupPricing {
    let rows = fields.list("prices").filter(|rows| !rows.is_empty());
    let prices = rows.map(|rows| PriceText::rows(&Value::Array(rows).to_string())).transpose();
    let multiplier = fields.text("priceMultiplier", MULTIPLIER_BYTES);
    let read = multiplier.as_deref().map_or(Ok(Multiplier::ONE), str::parse);
    if read.is_err() {
        let most = Multiplier::MOST;
        fields.error(
            "priceMultiplier",
            format!("must be a number such as \"0.35\", up to {most}, of at most three digits behind the point"),
        );
    }
    GroupPricing {
        prices: prices
            .unwrap_or_else(|problem| {
                fields.error("prices", format!("cannot be read: {problem}"));
                None
            })
            .unwrap_or_default(),
        multiplier: read.unwrap_or_default(),
        cost_header: fields.boolean("costHeader", false),
    }
}

/// The rows of a group's own prices.
pub(super) fn rows_of(pricing: &GroupPricing) -> Vec<Value> {
    serde_json::from_str(pricing.prices.text()).unwrap_or_default()
}
