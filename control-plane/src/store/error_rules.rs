//! The rules for errors that count in every group.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::snapshot::ErrorRule;
use shared::time::now_ms;

use super::change::{Change, Kind, change};
use super::columns::{from_json, json};
use super::schema::global_error_rules;
use super::{Actor, Scope, Store, StoreError};

/// The id of the only row.
const ROW: &str = "global";

/// The rules as they are stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredRules {
    /// The rules, of which the first that fits counts.
    pub rules: Vec<ErrorRule>,
    /// When they were last changed, in epoch milliseconds. None where they never were.
    pub updated_at: Option<i64>,
}

impl StoredRules {
    /// The rules in the rows of the table, each the text of the list and the time.
    pub(super) fn of(rows: Vec<(String, i64)>) -> Result<Self, StoreError> {
        let Some((rules, updated_at)) = rows.into_iter().next() else { return Ok(Self::default()) };
        Ok(Self { rules: from_json("global_error_rules.rules", &rules)?, updated_at: Some(updated_at) })
    }
}

/// Reads the rows within a transaction.
macro_rules! rows {
    ($conn:expr) => {{
        use $crate::store::schema::global_error_rules;
        let columns = (global_error_rules::rules, global_error_rules::updated_at);
        global_error_rules::table.select(columns).load::<(String, i64)>($conn).await?
    }};
}
pub(super) use rows;

/// The rules that count in every group.
///
/// # Errors
/// [`StoreError`].
pub async fn get(store: &Store, scope: &Scope) -> Result<StoredRules, StoreError> {
    let Scope::Everything = scope;
    StoredRules::of(with_conn!(store, conn => Ok(rows!(conn)))?)
}

/// Replaces the rules that count in every group.
///
/// # Errors
/// [`StoreError`].
pub async fn replace(
    store: &Store,
    scope: &Scope,
    rules: Vec<ErrorRule>,
    actor: &Actor,
) -> Result<StoredRules, StoreError> {
    let Scope::Everything = scope;
    let (text, now) = (json(&rules)?, now_ms());
    change!(store, Change::update(Kind::ErrorRules, ROW, ROW, actor), conn => {
        diesel::delete(global_error_rules::table.find(ROW)).execute(conn).await?;
        let row = (
            global_error_rules::id.eq(ROW),
            global_error_rules::rules.eq(&text),
            global_error_rules::updated_at.eq(now),
        );
        diesel::insert_into(global_error_rules::table).values(row).execute(conn).await?;
    })?;
    Ok(StoredRules { rules, updated_at: Some(now) })
}
