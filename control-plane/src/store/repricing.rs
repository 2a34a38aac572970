//! Runs that price usage records again. What a run has done stands in one row, which is written together with the
//! records of each batch: a run that is cut short goes on where it was, and does nothing twice.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;
use shared::ids::new_id;
use shared::prices::Cost;
use shared::time::now_ms;

use super::change::audited;
use super::schema::{ledger_totals, reprice_runs, usage_records};
use super::usage::{COST, StoredCost, StoredUsage, UNPRICED};
use super::{Actor, Scope, Store, StoreError, audit};

/// The most records of one transaction.
const BATCH: i64 = 200;

/// The most runs that are shown.
const SHOWN: i64 = 50;

/// What is to be priced again.
#[derive(Clone, Debug)]
pub struct RepriceOrder {
    /// Requests that started at this time or later, in epoch milliseconds.
    pub from_ms: i64,
    /// Requests that started before this time, in epoch milliseconds.
    pub until_ms: i64,
    /// Only records of this group.
    pub group_id: Option<String>,
    /// Only requests for this model, as the client named it or as the vendor was asked for it.
    pub model: Option<String>,
}

/// A run, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = reprice_runs)]
pub struct RepriceRun {
    /// Id of the run, a UUIDv7.
    pub id: String,
    /// As in [`RepriceOrder`].
    pub from_ms: i64,
    /// As in [`RepriceOrder`].
    pub until_ms: i64,
    /// As in [`RepriceOrder`].
    pub group_id: Option<String>,
    /// As in [`RepriceOrder`].
    pub model: Option<String>,
    /// Time of the last record that was priced, in epoch milliseconds.
    pub reached_ms: i64,
    /// Id of the last record that was priced; empty at the beginning.
    pub reached_id: String,
    /// Number of records that were looked at.
    pub records: i64,
    /// Number of those whose cost has changed.
    pub changed: i64,
    /// What the records cost before, in micro-dollars.
    pub cost_before: i64,
    /// What they cost now, in micro-dollars.
    pub cost_after: i64,
    /// Number of records that had no price before.
    pub unpriced_before: i64,
    /// Number of records that have none now.
    pub unpriced_after: i64,
    /// When the run was asked for, in epoch milliseconds.
    pub asked_at: i64,
    /// When it was over, in epoch milliseconds. None as long as it is not.
    pub finished_at: Option<i64>,
}

/// Notes a run that is to be made, and enters it in the audit log.
///
/// # Errors
/// [`StoreError`].
pub async fn order(
    store: &Store,
    scope: &Scope,
    order: &RepriceOrder,
    actor: &Actor,
) -> Result<RepriceRun, StoreError> {
    let Scope::Everything = scope;
    let run = RepriceRun {
        id: new_id(),
        from_ms: order.from_ms,
        until_ms: order.until_ms,
        group_id: order.group_id.clone(),
        model: order.model.clone(),
        reached_ms: order.from_ms,
        reached_id: String::new(),
        records: 0,
        changed: 0,
        cost_before: 0,
        cost_after: 0,
        unpriced_before: 0,
        unpriced_after: 0,
        asked_at: now_ms(),
        finished_at: None,
    };
    let detail = json!({
        "from": order.from_ms, "until": order.until_ms, "groupId": order.group_id, "model": order.model,
    });
    let row = run.clone();
    audited!(store, audit::Row::new(actor, "reprice", "usage", Some(&run.id), &detail), conn => {
        diesel::insert_into(reprice_runs::table).values(row.clone()).execute(conn).await?;
    })?;
    Ok(run)
}

/// The latest runs, the newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(store: &Store, scope: &Scope) -> Result<Vec<RepriceRun>, StoreError> {
    let Scope::Everything = scope;
    with_conn!(store, conn => {
        let query = reprice_runs::table.order((reprice_runs::asked_at.desc(), reprice_runs::id.desc())).limit(SHOWN);
        Ok(query.select(RepriceRun::as_select()).load::<RepriceRun>(conn).await?)
    })
}

/// The runs that are not over, the oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn unfinished(store: &Store) -> Result<Vec<RepriceRun>, StoreError> {
    with_conn!(store, conn => {
        let query = reprice_runs::table.filter(reprice_runs::finished_at.is_null());
        let query = query.order((reprice_runs::asked_at, reprice_runs::id)).select(RepriceRun::as_select());
        Ok(query.load::<RepriceRun>(conn).await?)
    })
}

/// Prices the next records of the run `id` by `price`, 200 at most, in one transaction. Where a cost changes, the one
/// before is kept beside it. Gives the run as it is then.
///
/// # Errors
/// [`StoreError`]; then nothing has changed.
pub async fn batch(
    store: &Store,
    id: &str,
    price: impl Fn(&StoredUsage) -> Option<Cost> + Send + Sync + 'static,
) -> Result<RepriceRun, StoreError> {
    let (id, now) = (id.to_owned(), now_ms());
    with_tx!(store, conn => {
        use usage_records as column;
        let mut run = reprice_runs::table.find(&id).select(RepriceRun::as_select()).first::<RepriceRun>(conn).await?;
        if run.finished_at.is_some() {
            return Ok(run);
        }
        let later = column::started_at.gt(run.reached_ms);
        let same = column::started_at.eq(run.reached_ms).and(column::id.gt(run.reached_id.clone()));
        let mut query = usage_records::table.select(StoredUsage::as_select()).into_boxed();
        query = query.filter(later.or(same)).filter(column::started_at.lt(run.until_ms));
        if let Some(group_id) = run.group_id.clone() {
            query = query.filter(column::group_id.eq(group_id));
        }
        if let Some(model) = run.model.clone() {
            query = query.filter(column::requested_model.eq(model.clone()).or(column::upstream_model.eq(model)));
        }
        let rows = query.order((column::started_at, column::id)).limit(BATCH).load::<StoredUsage>(conn).await?;
        let (mut more_unpriced, mut more_cost) = (0_i64, 0_i64);
        for row in &rows {
            let (old, new) = (row.cost, StoredCost::from(price(row)));
            let micros = |cost: StoredCost| cost.cost_micros.unwrap_or_default();
            let unpriced = |cost: StoredCost| i64::from(cost.cost_micros.is_none());
            run.cost_before = run.cost_before.saturating_add(micros(old));
            run.cost_after = run.cost_after.saturating_add(micros(new));
            run.unpriced_before += unpriced(old);
            run.unpriced_after += unpriced(new);
            if old != new {
                run.changed += 1;
                more_cost = more_cost.saturating_add(micros(new) - micros(old));
                more_unpriced += unpriced(new) - unpriced(old);
                let kept = (column::previous_cost_micros.eq(old.cost_micros), column::repriced_at.eq(now));
                diesel::update(usage_records::table.find(&row.id)).set((new, kept)).execute(conn).await?;
            }
            (run.reached_ms, run.reached_id) = (row.started_at, row.id.clone());
            run.records += 1;
        }
        if rows.len() < usize::try_from(BATCH).unwrap_or_default() {
            run.finished_at = Some(now);
        }
        let values = (
            reprice_runs::reached_ms.eq(run.reached_ms),
            reprice_runs::reached_id.eq(run.reached_id.clone()),
            reprice_runs::records.eq(run.records),
            reprice_runs::changed.eq(run.changed),
            reprice_runs::cost_before.eq(run.cost_before),
            reprice_runs::cost_after.eq(run.cost_after),
            reprice_runs::unpriced_before.eq(run.unpriced_before),
            reprice_runs::unpriced_after.eq(run.unpriced_after),
            reprice_runs::finished_at.eq(run.finished_at),
        );
        diesel::update(reprice_runs::table.find(&id)).set(values).execute(conn).await?;
        for (name, more) in [(UNPRICED, more_unpriced), (COST, more_cost)] {
            if more != 0 {
                let more = ledger_totals::value.eq(ledger_totals::value + more);
                diesel::update(ledger_totals::table.find(name)).set(more).execute(conn).await?;
            }
        }
        Ok(run)
    })
}
