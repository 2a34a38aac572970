//! Sums over usage records.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl};

use super::cost::StoredCost;
use super::{UsageFilter, filtered};
use crate::store::pool::AsyncSqliteConnection;
use crate::store::schema::usage_records;
use crate::store::{Scope, Store, StoreError};

/// Sums over usage records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageSums {
    /// Number of records.
    pub records: i64,
    /// Number of records without a price, whose cost is in no sum.
    pub unpriced: i64,
    /// Tokens in.
    pub input_tokens: i64,
    /// Tokens out.
    pub output_tokens: i64,
    /// The cost of the records that have a price. Nothing in it is null.
    pub cost: StoredCost,
}

/// A connection to a database that adds up.
trait DatabaseSums {
    /// The type of a sum that is a whole number of 64 bits. The databases themselves add up into decimals.
    const WHOLE: &'static str;
}

impl DatabaseSums for AsyncSqliteConnection {
    const WHOLE: &'static str = "BIGINT";
}

impl DatabaseSums for AsyncMysqlConnection {
    const WHOLE: &'static str = "SIGNED";
}

impl DatabaseSums for AsyncPgConnection {
    const WHOLE: &'static str = "BIGINT";
}

const fn whole<C: DatabaseSums>(_connection: &C) -> &'static str {
    C::WHOLE
}

/// The sums of costs, in the order of [`StoredCost`].
type Costs = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);

/// Adds up the records in `scope` for which the conditions hold.
///
/// # Errors
/// [`StoreError`].
pub async fn sums(store: &Store, scope: &Scope, filter: &UsageFilter) -> Result<UsageSums, StoreError> {
    let Scope::Everything = scope;
    let filter = filter.clone();
    with_conn!(store, conn => {
        use usage_records as column;
        let kind = whole(conn);
        let sum = |of: &str| sql::<BigInt>(&format!("CAST(COALESCE(SUM({of}), 0) AS {kind})"));
        let costs = (
            sum("cost_micros"),
            sum("cost_input_micros"),
            sum("cost_cached_micros"),
            sum("cost_cache_write_5m_micros"),
            sum("cost_cache_write_1h_micros"),
            sum("cost_output_micros"),
            sum("cost_reasoning_micros"),
            sum("cost_audio_micros"),
            sum("cost_image_micros"),
            sum("cost_units_micros"),
        );
        let counts = (sum("1"), sum("CASE WHEN cost_micros IS NULL THEN 1 ELSE 0 END"), sum("input_tokens"), sum("output_tokens"));
        let query = filtered!(usage_records::table.select((counts, costs)).into_boxed(), filter, column);
        let ((records, unpriced, input_tokens, output_tokens), costs) =
            query.first::<((i64, i64, i64, i64), Costs)>(conn).await?;
        let cost = StoredCost {
            cost_micros: Some(costs.0),
            cost_input_micros: Some(costs.1),
            cost_cached_micros: Some(costs.2),
            cost_cache_write_5m_micros: Some(costs.3),
            cost_cache_write_1h_micros: Some(costs.4),
            cost_output_micros: Some(costs.5),
            cost_reasoning_micros: Some(costs.6),
            cost_audio_micros: Some(costs.7),
            cost_image_micros: Some(costs.8),
            cost_units_micros: Some(costs.9),
        };
        Ok(UsageSums { records, unpriced, input_tokens, output_tokens, cost })
    })
}
