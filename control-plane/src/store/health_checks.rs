//! What checks of providers, upstream keys and models came to: each result for a while, and for each thing that is
//! checked a summary that is read in one row, however many results there are.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::ids::new_id;
use shared::time::now_ms;

use super::schema::{health_check_results, health_check_subjects};
use super::{Listed, Page, Scope, Store, StoreError};

/// How many of the latest checks the success rate counts.
const RECENT: i64 = 50;

/// After so many failures in a row something counts as unhealthy.
const UNHEALTHY_AFTER: i64 = 3;

/// By how much one check moves the average of times: an eighth of the difference.
const AVERAGED_OVER: i64 = 8;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckKind {
    /// The provider of a group.
    Provider,
    /// An upstream key.
    Key,
    /// A model at a group.
    Model,
}

impl CheckKind {
    /// All kinds, in the order in which they are checked.
    pub const ALL: [Self; 3] = [Self::Provider, Self::Key, Self::Model];

    /// The name in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Key => "key",
            Self::Model => "model",
        }
    }

    /// The kind of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How something does by its latest checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckedHealth {
    /// It was never checked.
    Unknown,
    /// The last check went well.
    Healthy,
    /// The last check has failed, or the last two.
    Warning,
    /// Three checks or more have failed in a row.
    Unhealthy,
}

impl CheckedHealth {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// How something does that was checked so often, and has failed so often in a row since it last went well.
    pub const fn by(checks: i64, failures_in_a_row: i64) -> Self {
        match failures_in_a_row {
            _ if checks == 0 => Self::Unknown,
            ..=0 => Self::Healthy,
            1..UNHEALTHY_AFTER => Self::Warning,
            _ => Self::Unhealthy,
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Insertable, Queryable, Selectable)]
#[diesel(table_name = health_check_results)]
pub struct StoredCheck {
    /// Id of the result, a UUIDv7.
    pub id: String,
    /// Id of the run that it belongs to.
    pub run_id: String,
    /// Id of the group.
    pub group_id: String,
    /// Name of the [`CheckKind`].
    pub kind: String,
    /// Id of the upstream key that was used.
    pub upstream_key_id: Option<String>,
    /// Mask of that key.
    pub upstream_key_masked: Option<String>,
    /// The vendor's name of the model that was asked.
    pub model: Option<String>,
    /// Whether it went well.
    pub ok: bool,
    /// HTTP status of the provider; 0 where there was none.
    pub status: i32,
    /// From the sending of the request to its answer, in milliseconds.
    pub latency_ms: i64,
    /// Why it failed, without secrets.
    pub error: Option<String>,
    /// When it ended, in epoch milliseconds.
    pub at: i64,
}

impl StoredCheck {
    /// A result that is made now.
    pub fn new(run_id: &str, group_id: &str, kind: CheckKind) -> Self {
        Self {
            id: new_id(),
            run_id: run_id.to_owned(),
            group_id: group_id.to_owned(),
            kind: kind.name().to_owned(),
            upstream_key_id: None,
            upstream_key_masked: None,
            model: None,
            ok: false,
            status: 0,
            latency_ms: 0,
            error: None,
            at: now_ms(),
        }
    }

    /// The key and the model of the subject that it is about. Which key served a check of something else does not
    /// matter.
    fn subject(&self) -> (String, String) {
        let named = |kind: CheckKind, value: &Option<String>| {
            value.clone().filter(|_| self.kind == kind.name()).unwrap_or_default()
        };
        (named(CheckKind::Key, &self.upstream_key_id), named(CheckKind::Model, &self.model))
    }
}

/// What is known of one thing that is checked.
#[derive(Clone, Debug, PartialEq, Insertable, AsChangeset, Queryable, Selectable)]
#[diesel(table_name = health_check_subjects)]
#[diesel(primary_key(group_id, kind, upstream_key_id, model))]
#[diesel(treat_none_as_null = true)]
pub struct CheckedSubject {
    /// Id of the group.
    pub group_id: String,
    /// Name of the [`CheckKind`].
    pub kind: String,
    /// Id of the upstream key, where it is one.
    pub upstream_key_id: String,
    /// The vendor's name of the model, where it is one.
    pub model: String,
    /// How often it was checked.
    pub checks: i64,
    /// How often it has failed since it last went well.
    pub failures_in_a_row: i64,
    /// How the latest checks went, one bit for each, the newest lowest: 1 is well.
    recent: i64,
    /// The average time of checks that went well, in microseconds; the newer ones count more.
    average_us: i64,
    /// When it was last checked, in epoch milliseconds.
    pub last_check_at: Option<i64>,
    /// When a check last went well.
    pub last_success_at: Option<i64>,
    /// When a check last failed.
    pub last_failure_at: Option<i64>,
    /// HTTP status of the last check; 0 where there was none.
    pub last_status: i32,
    /// Why the last check has failed; `None` where it went well.
    pub last_error: Option<String>,
    /// When somebody last began to check the whole group.
    claimed_at: i64,
}

impl CheckedSubject {
    fn new(group_id: &str, kind: CheckKind, (upstream_key_id, model): (String, String)) -> Self {
        Self {
            group_id: group_id.to_owned(),
            kind: kind.name().to_owned(),
            upstream_key_id,
            model,
            checks: 0,
            failures_in_a_row: 0,
            recent: 0,
            average_us: 0,
            last_check_at: None,
            last_success_at: None,
            last_failure_at: None,
            last_status: 0,
            last_error: None,
            claimed_at: 0,
        }
    }

    /// How it does.
    pub fn health(&self) -> CheckedHealth {
        CheckedHealth::by(self.checks, self.failures_in_a_row)
    }

    /// Which part of the latest checks went well, from 0 to 1. `None` where it was never checked.
    pub fn success_rate(&self) -> Option<f64> {
        let seen = u32::try_from(self.checks.min(RECENT)).ok().filter(|seen| *seen > 0)?;
        Some(f64::from(self.recent.count_ones()) / f64::from(seen))
    }

    /// The average time of checks that went well, in milliseconds. `None` where none did.
    pub fn average_latency_ms(&self) -> Option<i64> {
        self.last_success_at.map(|_| self.average_us / 1_000)
    }

    /// The summary with `check` in it.
    fn after(mut self, check: &StoredCheck) -> Self {
        let first = self.last_success_at.is_none();
        self.checks += 1;
        self.recent = ((self.recent << 1) | i64::from(check.ok)) & ((1 << RECENT) - 1);
        self.last_check_at = Some(check.at);
        self.last_status = check.status;
        self.last_error.clone_from(&check.error);
        if check.ok {
            self.failures_in_a_row = 0;
            self.last_success_at = Some(check.at);
            let took = check.latency_ms.saturating_mul(1_000);
            self.average_us = if first { took } else { self.average_us + (took - self.average_us) / AVERAGED_OVER };
        } else {
            self.failures_in_a_row += 1;
            self.last_failure_at = Some(check.at);
        }
        self
    }
}

/// Adds `check`, and brings the summary of its subject up to date.
///
/// # Errors
/// [`StoreError`].
pub async fn record(store: &Store, check: &StoredCheck) -> Result<(), StoreError> {
    match record_once(store, check).await {
        // Another control plane has made the summary meanwhile. This time it is found.
        Err(StoreError::Taken { .. }) => record_once(store, check).await,
        done => done,
    }
}

async fn record_once(store: &Store, check: &StoredCheck) -> Result<(), StoreError> {
    let (check, names) = (check.clone(), check.subject());
    let kind = CheckKind::of(&check.kind).unwrap_or(CheckKind::Provider);
    with_tx!(store, conn => {
        diesel::insert_into(health_check_results::table).values(check.clone()).execute(conn).await?;
        let subject = || health_check_subjects::table.find((&check.group_id, kind.name(), &names.0, &names.1));
        let known = subject().select(CheckedSubject::as_select()).first::<CheckedSubject>(conn).await.optional()?;
        if let Some(known) = known {
            diesel::update(subject()).set(known.after(&check)).execute(conn).await?;
        } else {
            let fresh = CheckedSubject::new(&check.group_id, kind, names.clone()).after(&check);
            diesel::insert_into(health_check_subjects::table).values(fresh).execute(conn).await?;
        }
        Ok(())
    })
}

/// Claims the check of the group `group_id` for the caller, unless somebody has begun one after `since` (epoch
/// milliseconds). Of several control planes one gets it.
///
/// # Errors
/// [`StoreError`].
pub async fn claim(store: &Store, group_id: &str, since: i64) -> Result<bool, StoreError> {
    let group_id = group_id.to_owned();
    let claimed = with_tx!(store, conn => {
        use health_check_subjects as column;
        let row = || column::table.find((&group_id, CheckKind::Provider.name(), "", ""));
        let now = now_ms();
        // A look takes no lock. After an update of a row that is not there, MySQL would let neither of two insert it.
        if row().select(column::claimed_at).first::<i64>(conn).await.optional()?.is_some() {
            let free = row().filter(column::claimed_at.le(since));
            return Ok(diesel::update(free).set(column::claimed_at.eq(now)).execute(conn).await? > 0);
        }
        let fresh = CheckedSubject::new(&group_id, CheckKind::Provider, (String::new(), String::new()));
        let fresh = CheckedSubject { claimed_at: now, ..fresh };
        diesel::insert_into(column::table).values(fresh).execute(conn).await?;
        Ok(true)
    });
    match claimed {
        Err(StoreError::Taken { .. }) => Ok(false),
        claimed => claimed,
    }
}

/// What is known of the things that were checked in these groups.
///
/// # Errors
/// [`StoreError`].
pub async fn subjects(store: &Store, scope: &Scope, group_ids: &[String]) -> Result<Vec<CheckedSubject>, StoreError> {
    let Scope::Everything = scope;
    let ids = group_ids.to_vec();
    with_conn!(store, conn => {
        let query = health_check_subjects::table.filter(health_check_subjects::group_id.eq_any(ids.clone()));
        Ok(query.select(CheckedSubject::as_select()).load::<CheckedSubject>(conn).await?)
    })
}

/// How many of the things that were checked do how, in all groups.
///
/// # Errors
/// [`StoreError`].
pub async fn totals(store: &Store, scope: &Scope) -> Result<Vec<(CheckKind, CheckedHealth, i64)>, StoreError> {
    let Scope::Everything = scope;
    let rows = with_conn!(store, conn => {
        use health_check_subjects as column;
        let query = column::table
            .filter(column::checks.gt(0))
            .group_by((column::kind, column::failures_in_a_row))
            .select((column::kind, column::failures_in_a_row, diesel::dsl::count_star()));
        Ok(query.load::<(String, i64, i64)>(conn).await?)
    })?;
    let counted = |(kind, failures, count): (String, i64, i64)| {
        Some((CheckKind::of(&kind)?, CheckedHealth::by(1, failures), count))
    };
    Ok(rows.into_iter().filter_map(counted).collect())
}

/// Which results are listed: those for which all the given conditions hold.
#[derive(Clone, Debug, Default)]
pub struct CheckFilter {
    /// Only checks of this kind.
    pub kind: Option<CheckKind>,
    /// Only checks with this upstream key.
    pub upstream_key_id: Option<String>,
    /// Only checks of this model.
    pub model: Option<String>,
    /// Only checks of this run.
    pub run_id: Option<String>,
}

/// One page of the results of a group, the newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn results(
    store: &Store,
    scope: &Scope,
    group_id: &str,
    page: &Page,
    filter: &CheckFilter,
) -> Result<Listed<StoredCheck>, StoreError> {
    let Scope::Everything = scope;
    let (limit, before, filter, group_id) = (page.limit, page.cursor.clone(), filter.clone(), group_id.to_owned());
    let rows = with_conn!(store, conn => {
        use health_check_results as column;
        let mut query = column::table.filter(column::group_id.eq(&group_id)).select(StoredCheck::as_select()).into_boxed();
        if let Some(before) = &before {
            query = query.filter(column::id.lt(before));
        }
        if let Some(kind) = filter.kind {
            query = query.filter(column::kind.eq(kind.name()));
        }
        if let Some(key) = &filter.upstream_key_id {
            query = query.filter(column::upstream_key_id.eq(key));
        }
        if let Some(model) = &filter.model {
            query = query.filter(column::model.eq(model));
        }
        if let Some(run) = &filter.run_id {
            query = query.filter(column::run_id.eq(run));
        }
        Ok(query.order(column::id.desc()).limit(limit + 1).load::<StoredCheck>(conn).await?)
    })?;
    Ok(Listed::of(rows, limit, |row| row.id.clone()))
}

/// Removes at most `most` results from before `before` (epoch milliseconds). Says how many.
///
/// # Errors
/// [`StoreError`].
pub async fn remove_old(store: &Store, before: i64, most: i64) -> Result<usize, StoreError> {
    with_tx!(store, conn => {
        use health_check_results as column;
        let old = column::table.filter(column::at.lt(before)).order(column::at).limit(most).select(column::id);
        let ids = old.load::<String>(conn).await?;
        Ok(diesel::delete(column::table.filter(column::id.eq_any(ids))).execute(conn).await?)
    })
}

/// Removes at most `most` results of a group, of those that are older than its `keep` newest. Says how many.
///
/// # Errors
/// [`StoreError`].
pub async fn remove_surplus(store: &Store, group_id: &str, keep: i64, most: i64) -> Result<usize, StoreError> {
    let group_id = group_id.to_owned();
    with_tx!(store, conn => {
        use health_check_results as column;
        let of_group = column::table.filter(column::group_id.eq(&group_id)).order(column::id.desc());
        let ids = of_group.offset(keep).limit(most).select(column::id).load::<String>(conn).await?;
        Ok(diesel::delete(column::table.filter(column::id.eq_any(ids))).execute(conn).await?)
    })
}

/// The groups of which there is a summary.
///
/// # Errors
/// [`StoreError`].
pub async fn checked_groups(store: &Store) -> Result<Vec<String>, StoreError> {
    with_conn!(store, conn => {
        let ids = health_check_subjects::table.select(health_check_subjects::group_id).distinct();
        Ok(ids.load::<String>(conn).await?)
    })
}

/// Removes the summaries of what is no longer in the group: keys and models that are not among these. A group that is
/// gone has neither, and `None` of it is kept.
///
/// # Errors
/// [`StoreError`].
pub async fn keep_subjects(
    store: &Store,
    group_id: &str,
    there: Option<(Vec<String>, Vec<String>)>,
) -> Result<usize, StoreError> {
    let group_id = group_id.to_owned();
    with_tx!(store, conn => {
        use health_check_subjects as column;
        let of_group = || column::table.filter(column::group_id.eq(&group_id));
        let Some((keys, models)) = &there else { return Ok(diesel::delete(of_group()).execute(conn).await?) };
        let keys = of_group()
            .filter(column::kind.eq(CheckKind::Key.name()))
            .filter(column::upstream_key_id.ne_all(keys.clone()));
        let removed = diesel::delete(keys).execute(conn).await?;
        let models =
            of_group().filter(column::kind.eq(CheckKind::Model.name())).filter(column::model.ne_all(models.clone()));
        Ok(removed + diesel::delete(models).execute(conn).await?)
    })
}
