//! The rows of the ledger, one for each client request.
//!
//! - `cost`: what a record costs.
//! - `sums`: sums over records.

mod cost;
mod sums;

use std::collections::{BTreeMap, HashSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use shared::pb::UsageRecord;
use shared::pb::usage_record::{Outcome, Units, UsageSource};
use shared::prices::Cost;
use shared::time::now_ms;

use super::columns::{signed, some_text};
use super::schema::{ledger_totals, proxy_keys, usage_records};
use super::{Listed, Page, Scope, Store, StoreError};

pub use cost::StoredCost;
pub use sums::{UsageSums, sums};

/// The attempts of a request, which stand in the database as JSON text.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAttempts(pub Value);

impl From<String> for StoredAttempts {
    fn from(text: String) -> Self {
        Self(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

impl From<StoredAttempts> for String {
    fn from(attempts: StoredAttempts) -> Self {
        attempts.0.to_string()
    }
}

/// A usage record as it is stored. The fields are those of [`UsageRecord`]; empty texts are `None`.
#[derive(Clone, Debug, PartialEq, Insertable, Queryable, Selectable)]
#[diesel(table_name = usage_records)]
#[expect(missing_docs, reason = "documented at UsageRecord")]
pub struct StoredUsage {
    pub id: String,
    pub request_id: String,
    pub node_id: String,
    pub snapshot_version: i64,
    pub proxy_key_id: Option<String>,
    pub proxy_key_name: Option<String>,
    pub group_id: Option<String>,
    pub group_name: Option<String>,
    pub provider_type: Option<String>,
    pub upstream_key_id: Option<String>,
    pub upstream_key_masked: Option<String>,
    pub api: String,
    pub method: String,
    pub path: String,
    pub requested_model: Option<String>,
    pub upstream_model: Option<String>,
    pub streamed: bool,
    pub has_tools: bool,
    pub status: i32,
    pub outcome: String,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub input_tokens: i64,
    pub cached_tokens: i64,
    pub cache_write_tokens: i64,
    pub cache_write_1h_tokens: i64,
    pub input_audio_tokens: i64,
    pub output_audio_tokens: i64,
    pub output_tokens: i64,
    pub reasoning_tokens: i64,
    pub usage_source: String,
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub attempts: StoredAttempts,
    pub started_at: i64,
    pub queue_us: i64,
    pub first_byte_us: i64,
    pub total_us: i64,
    pub client_ip: String,
    pub user_agent: String,
    pub request_bytes: i64,
    pub response_bytes: i64,
    /// When the record came in here, in epoch milliseconds.
    pub recorded_at: i64,
    pub affinity: Option<String>,
    pub group_policy: Option<String>,
    pub cache: Option<String>,
    pub service_tier: Option<String>,
    pub input_image_tokens: i64,
    pub output_image_tokens: i64,
    /// The units as JSON, such as `{"images":2}`.
    pub units: Option<String>,
    #[diesel(embed)]
    pub cost: StoredCost,
    /// What the record cost before it was priced again, in micro-dollars. None where it never was, or had no price.
    pub previous_cost_micros: Option<i64>,
    /// When it was last priced again with another result, in epoch milliseconds.
    pub repriced_at: Option<i64>,
}

impl StoredUsage {
    fn of(record: &UsageRecord, cost: Option<Cost>, recorded_at: i64) -> Self {
        let attempt = |attempt: &shared::pb::Attempt| {
            json!({
                "groupId": attempt.group_id,
                "upstreamKeyId": attempt.upstream_key_id,
                "status": attempt.status,
                "error": attempt.error,
                "durationUs": attempt.duration_us,
                "groupName": attempt.group_name,
                "upstreamKeyMasked": attempt.upstream_key_masked,
                "upstreamModel": attempt.upstream_model,
                "startedUs": attempt.started_us,
                "hedged": attempt.hedged,
            })
        };
        Self {
            id: record.id.clone(),
            request_id: record.request_id.clone(),
            node_id: record.node_id.clone(),
            snapshot_version: signed(record.snapshot_version),
            proxy_key_id: some_text(&record.proxy_key_id),
            proxy_key_name: some_text(&record.proxy_key_name),
            group_id: some_text(&record.group_id),
            group_name: some_text(&record.group_name),
            provider_type: some_text(&record.provider_type),
            upstream_key_id: some_text(&record.upstream_key_id),
            upstream_key_masked: some_text(&record.upstream_key_masked),
            api: record.api.clone(),
            method: record.method.clone(),
            path: record.path.clone(),
            requested_model: some_text(&record.requested_model),
            upstream_model: some_text(&record.upstream_model),
            streamed: record.streamed,
            has_tools: record.has_tools,
            status: i32::try_from(record.status).unwrap_or(i32::MAX),
            outcome: outcome(record.outcome()).to_owned(),
            error_code: some_text(&record.error_code),
            error_message: some_text(&record.error_message),
            input_tokens: signed(record.input_tokens),
            cached_tokens: signed(record.cached_tokens),
            cache_write_tokens: signed(record.cache_write_tokens),
            cache_write_1h_tokens: signed(record.cache_write_1h_tokens),
            input_audio_tokens: signed(record.input_audio_tokens),
            output_audio_tokens: signed(record.output_audio_tokens),
            output_tokens: signed(record.output_tokens),
            reasoning_tokens: signed(record.reasoning_tokens),
            usage_source: source(record.usage_source()).to_owned(),
            attempts: StoredAttempts(record.attempts.iter().map(attempt).collect()),
            started_at: record.started_at_ms,
            queue_us: signed(record.queue_us),
            first_byte_us: signed(record.first_byte_us),
            total_us: signed(record.total_us),
            client_ip: record.client_ip.clone(),
            user_agent: record.user_agent.clone(),
            request_bytes: signed(record.request_bytes),
            response_bytes: signed(record.response_bytes),
            recorded_at,
            affinity: some_text(&record.affinity),
            group_policy: some_text(&record.group_policy),
            cache: some_text(&record.cache),
            service_tier: some_text(&record.service_tier),
            input_image_tokens: signed(record.input_image_tokens),
            output_image_tokens: signed(record.output_image_tokens),
            units: record.units.as_ref().and_then(units),
            cost: cost.into(),
            previous_cost_micros: None,
            repriced_at: None,
        }
    }
}

impl StoredUsage {
    /// What was used beside tokens; none where nothing is known of that.
    pub fn units(&self) -> Option<Units> {
        let used: BTreeMap<String, u64> = serde_json::from_str(self.units.as_deref()?).ok()?;
        let of = |name: &str| used.get(name).copied().unwrap_or_default();
        let (images, seconds) = (of("images"), of("seconds"));
        Some(Units { images, seconds, searches: of("searches"), reranks: of("reranks") })
    }
}

/// The units that are not 0, as JSON.
fn units(units: &Units) -> Option<String> {
    let Units { images, seconds, searches, reranks } = *units;
    let all = [("images", images), ("seconds", seconds), ("searches", searches), ("reranks", reranks)];
    let used: BTreeMap<_, _> = all.into_iter().filter(|(_, count)| *count > 0).collect();
    (!used.is_empty()).then(|| json!(used).to_string())
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unspecified => "unknown",
        Outcome::Success => "success",
        Outcome::Refused => "refused",
        Outcome::UpstreamError => "upstream_error",
        Outcome::Timeout => "timeout",
        Outcome::ClientGone => "client_gone",
        Outcome::InternalError => "internal_error",
    }
}

fn source(source: UsageSource) -> &'static str {
    match source {
        UsageSource::None => "none",
        UsageSource::Reported => "reported",
        UsageSource::Estimated => "estimated",
        UsageSource::Partial => "partial",
        UsageSource::Capped => "capped",
    }
}

/// Which records are listed: those for which all the given conditions hold.
#[derive(Clone, Debug, Default)]
pub struct UsageFilter {
    /// Only records of this proxy key.
    pub proxy_key_id: Option<String>,
    /// Only records of this group.
    pub group_id: Option<String>,
    /// Only requests for this model.
    pub model: Option<String>,
    /// Only the record of this request.
    pub request_id: Option<String>,
    /// Only requests that started at this time or later, in epoch milliseconds.
    pub from_ms: Option<i64>,
    /// Only requests that started before this time, in epoch milliseconds.
    pub to_ms: Option<i64>,
    /// Only requests that were answered with this status.
    pub status: Option<i32>,
    /// Only requests to which the response cache was this.
    pub cache: Option<String>,
}

/// Name of the total that says how many records the ledger has.
const RECORDS: &str = "usage_records";

/// Name of the total that says how many records have no price.
pub(super) const UNPRICED: &str = "unpriced_records";

/// Name of the total that says what the others cost, in micro-dollars.
pub(super) const COST: &str = "cost_micros";

/// What is known of the whole ledger without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerTotals {
    /// Number of records.
    pub records: i64,
    /// Number of records without a price.
    pub unpriced: i64,
    /// What the others cost, in micro-dollars.
    pub cost_micros: i64,
}

/// Adds the records that are not there yet, each with its cost by `price`, in one transaction, and counts them for
/// their proxy keys. Returns how many were new.
///
/// # Errors
/// [`StoreError`]; then none of them is added.
pub async fn insert(
    store: &Store,
    records: &[UsageRecord],
    price: impl Fn(&UsageRecord) -> Option<Cost>,
) -> Result<u64, StoreError> {
    let now = now_ms();
    let mut ids = HashSet::with_capacity(records.len());
    let new = records.iter().filter(|record| ids.insert(&record.id));
    let rows: Vec<_> = new.map(|record| StoredUsage::of(record, price(record), now)).collect();
    match insert_new(store, rows.clone()).await {
        // Another stream added one of the records between the look and the insert. This time the look finds it.
        Err(StoreError::Taken { .. }) => insert_new(store, rows).await,
        done => done,
    }
}

async fn insert_new(store: &Store, rows: Vec<StoredUsage>) -> Result<u64, StoreError> {
    with_tx!(store, conn => {
        let wanted: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        let query = usage_records::table.filter(usage_records::id.eq_any(wanted)).select(usage_records::id);
        let there: HashSet<String> = query.load::<String>(conn).await?.into_iter().collect();
        let (mut new, mut unpriced, mut cost) = (0, 0_i64, 0_i64);
        let mut used: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for row in rows.iter().filter(|row| !there.contains(&row.id)) {
            diesel::insert_into(usage_records::table).values(row.clone()).execute(conn).await?;
            new += 1;
            match row.cost.cost_micros {
                Some(micros) => cost = cost.saturating_add(micros),
                None => unpriced += 1,
            }
            if let Some(id) = &row.proxy_key_id {
                let (count, last) = used.entry(id.clone()).or_default();
                *count += 1;
                *last = row.started_at.max(*last);
            }
        }
        for (id, (count, last)) in used {
            let values = (proxy_keys::usage_count.eq(proxy_keys::usage_count + count), proxy_keys::last_used_at.eq(last));
            diesel::update(proxy_keys::table.find(id)).set(values).execute(conn).await?;
        }
        // Last, because the rows are locked until the commit. Each writer takes them in the same order.
        for (name, more) in [(RECORDS, signed(new)), (UNPRICED, unpriced), (COST, cost)] {
            if more != 0 {
                let more = ledger_totals::value.eq(ledger_totals::value + more);
                diesel::update(ledger_totals::table.find(name)).set(more).execute(conn).await?;
            }
        }
        Ok(new)
    })
}

/// The boxed query for records, where the conditions of the filter hold.
macro_rules! filtered {
    ($query:expr, $filter:ident, $column:ident) => {{
        let mut query = $query;
        if let Some(id) = &$filter.proxy_key_id {
            query = query.filter($column::proxy_key_id.eq(id));
        }
        if let Some(id) = &$filter.group_id {
            query = query.filter($column::group_id.eq(id));
        }
        if let Some(model) = &$filter.model {
            query = query.filter($column::requested_model.eq(model));
        }
        if let Some(id) = &$filter.request_id {
            query = query.filter($column::request_id.eq(id));
        }
        if let Some(from) = $filter.from_ms {
            query = query.filter($column::started_at.ge(from));
        }
        if let Some(to) = $filter.to_ms {
            query = query.filter($column::started_at.lt(to));
        }
        if let Some(status) = $filter.status {
            query = query.filter($column::status.eq(status));
        }
        if let Some(cache) = &$filter.cache {
            query = query.filter($column::cache.eq(cache));
        }
        query
    }};
}
use filtered;

/// One page of the records in `scope`, the newest first.
///
/// # Errors
/// [`StoreError::Cursor`] for a cursor that this list did not give out.
pub async fn list(
    store: &Store,
    scope: &Scope,
    page: &Page,
    filter: &UsageFilter,
) -> Result<Listed<StoredUsage>, StoreError> {
    let Scope::Everything = scope;
    let (limit, filter) = (page.limit, filter.clone());
    let before = page.cursor.as_deref().map(cursor).transpose()?;
    let rows = with_conn!(store, conn => {
        use usage_records as column;
        let mut query = usage_records::table.select(StoredUsage::as_select()).into_boxed();
        if let Some((started_at, id)) = &before {
            let same = column::started_at.eq(*started_at).and(column::id.lt(id));
            query = query.filter(column::started_at.lt(*started_at).or(same));
        }
        let query = filtered!(query, filter, column);
        let query = query.order((column::started_at.desc(), column::id.desc())).limit(limit + 1);
        Ok(query.load::<StoredUsage>(conn).await?)
    })?;
    Ok(Listed::of(rows, limit, |row| format!("{}.{}", row.started_at, row.id)))
}

fn cursor(text: &str) -> Result<(i64, String), StoreError> {
    let (started_at, id) = text.split_once('.').ok_or(StoreError::Cursor)?;
    Ok((started_at.parse().map_err(|_| StoreError::Cursor)?, id.to_owned()))
}

/// The totals of the records in `scope`. They are kept beside the ledger, so that they are read in the same time
/// however long the ledger is.
///
/// # Errors
/// [`StoreError`].
pub async fn totals(store: &Store, scope: &Scope) -> Result<LedgerTotals, StoreError> {
    let Scope::Everything = scope;
    let all = ledger_totals::table.select((ledger_totals::name, ledger_totals::value));
    let rows = with_conn!(store, conn => Ok(all.load::<(String, i64)>(conn).await?))?;
    let of = |wanted: &str| rows.iter().find(|(name, _)| name == wanted).map_or(0, |(_, value)| *value);
    Ok(LedgerTotals { records: of(RECORDS), unpriced: of(UNPRICED), cost_micros: of(COST) })
}
