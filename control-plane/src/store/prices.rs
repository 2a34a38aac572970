//! The prices that the operator has set for all groups.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::prices::PriceText;
use shared::time::now_ms;

use super::change::{Change, Kind, change};
use super::schema::global_prices;
use super::{Actor, Scope, Store, StoreError};

/// The id of the only row.
const ROW: &str = "global";

/// The prices as they are stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredPrices {
    /// The prices. Empty where none are set.
    pub prices: PriceText,
    /// When they were last changed, in epoch milliseconds. None where they never were.
    pub updated_at: Option<i64>,
}

impl StoredPrices {
    /// The prices in the rows of the table, each the text of the document and the time.
    pub(super) fn of(rows: Vec<(String, i64)>) -> Result<Self, StoreError> {
        let Some((text, updated_at)) = rows.into_iter().next() else { return Ok(Self::default()) };
        let bad = |error: serde_json::Error| StoreError::Corrupt(format!("global_prices.document: {error}"));
        Ok(Self { prices: PriceText::document(&text).map_err(bad)?, updated_at: Some(updated_at) })
    }
}

/// Reads the rows within a transaction.
macro_rules! price_rows {
    ($conn:expr) => {{
        use $crate::store::schema::global_prices;
        let columns = (global_prices::document, global_prices::updated_at);
        global_prices::table.select(columns).load::<(String, i64)>($conn).await?
    }};
}
pub(super) use price_rows;

/// The prices that the operator has set for all groups.
///
/// # Errors
/// [`StoreError`].
pub async fn get(store: &Store, scope: &Scope) -> Result<StoredPrices, StoreError> {
    let Scope::Everything = scope;
    StoredPrices::of(with_conn!(store, conn => Ok(price_rows!(conn)))?)
}

/// Replaces the prices that the operator has set for all groups.
///
/// # Errors
/// [`StoreError`].
pub async fn replace(
    store: &Store,
    scope: &Scope,
    prices: PriceText,
    actor: &Actor,
) -> Result<StoredPrices, StoreError> {
    let Scope::Everything = scope;
    let (text, now) = (prices.text().to_string(), now_ms());
    change!(store, Change::update(Kind::Prices, ROW, ROW, actor), conn => {
        diesel::delete(global_prices::table.find(ROW)).execute(conn).await?;
        let row = (global_prices::id.eq(ROW), global_prices::document.eq(&text), global_prices::updated_at.eq(now));
        diesel::insert_into(global_prices::table).values(row).execute(conn).await?;
    })?;
    Ok(StoredPrices { prices, updated_at: Some(now) })
}
