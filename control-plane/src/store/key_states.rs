//! What nodes have learnt about upstream keys, so that a restart of everything forgets nothing of it.
//!
//! There is a row for each key of which something is known, and one for each model behind it. A write adds to what the
//! row says and never replaces newer news by older, so that several control planes can write to one database. Each
//! write has a number, which its rows carry, so that the others read what is new and nothing else. All times are
//! those of the database's clock, which all control planes share.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::marks::{Marks, Outage};

use super::change::audited;
use super::columns::{from_json, json};
use super::schema::{key_states, settings, upstream_keys};
use super::version::{KEY_STATES_VERSION, raise_version};
use super::{Actor, Store, StoreError, audit};

/// The most rows that are written in one transaction. A statement names them all, and databases bound how many it may.
pub const MOST_AT_ONCE: usize = 200;

/// What is known of an upstream key, or of one model behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredKeyState {
    /// Id of the upstream key.
    pub upstream_key_id: String,
    /// The vendor's name of the model that it is about; empty for the whole key.
    pub model: String,
    /// Id of the key's group.
    pub group_id: String,
    /// What is known.
    pub marks: Marks,
    /// What the provider said with each mark.
    pub words: OutageWords,
}

/// The words of a provider that led to each mark of a key; empty where they are not known. They hold no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutageWords {
    guessed: String,
    refused: String,
    paused: String,
    exhausted: String,
}

impl OutageWords {
    /// The words that led to `outage`.
    pub fn of(&self, outage: Outage) -> &str {
        match outage {
            Outage::Guessed => &self.guessed,
            Outage::Refused => &self.refused,
            Outage::Paused => &self.paused,
            Outage::Exhausted => &self.exhausted,
        }
    }

    /// Notes the words that led to `outage`.
    pub fn set(&mut self, outage: Outage, words: &str) {
        let place = match outage {
            Outage::Guessed => &mut self.guessed,
            Outage::Refused => &mut self.refused,
            Outage::Paused => &mut self.paused,
            Outage::Exhausted => &mut self.exhausted,
        };
        words.clone_into(place);
    }
}

impl StoredKeyState {
    /// Adds what `other` knows of the same. Says whether that changed what is known.
    pub fn merge(&mut self, other: &Self) -> bool {
        for outage in Outage::ALL {
            let (theirs, ours) = (other.marks.mark(outage), self.marks.mark(outage));
            if theirs > ours || (theirs == ours && self.words.of(outage).is_empty()) {
                self.words.set(outage, other.words.of(outage));
            }
        }
        self.marks.merge(&other.marks)
    }
}

/// The column `marks`, which is JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct MarksColumn {
    marks: Marks,
    words: OutageWords,
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = key_states)]
struct Row {
    upstream_key_id: String,
    model: String,
    group_id: String,
    marks: String,
    forget_at: i64,
    saved_at: i64,
    version: i64,
}

impl Row {
    fn of(state: &StoredKeyState, now: i64, version: i64) -> Result<Self, StoreError> {
        Ok(Self {
            upstream_key_id: state.upstream_key_id.clone(),
            model: state.model.clone(),
            group_id: state.group_id.clone(),
            marks: json(&MarksColumn { marks: state.marks, words: state.words.clone() })?,
            forget_at: state.marks.over_at(),
            saved_at: now,
            version,
        })
    }

    fn state(self) -> Result<StoredKeyState, StoreError> {
        let MarksColumn { marks, words } = from_json("key_states.marks", &self.marks)?;
        let Self { upstream_key_id, model, group_id, .. } = self;
        Ok(StoredKeyState { upstream_key_id, model, group_id, marks, words })
    }

    /// What the row says, unless it is damaged: a state is not worth more than that it is learnt anew.
    fn readable(self) -> Option<StoredKeyState> {
        let (key, model) = (self.upstream_key_id.clone(), self.model.clone());
        let warn = |error: &StoreError| tracing::warn!(key, model, %error, "the state of an upstream key is forgotten");
        self.state().inspect_err(warn).ok()
    }
}

/// All that is kept.
#[derive(Debug, Default)]
pub struct KeptKeyStates {
    /// What is known, that of the longest duration first.
    pub states: Vec<StoredKeyState>,
    /// When any of it was last written, in epoch milliseconds; 0 where nothing is kept.
    pub saved_at: i64,
    /// Number of a write whose states are among these, as those of all writes before are.
    pub version: i64,
}

/// Reads the number of the newest write. What is read after it has all that it counts.
macro_rules! newest {
    ($conn:expr) => {{
        let text: String = settings::table.find(KEY_STATES_VERSION).select(settings::value).first($conn).await?;
        text.parse::<i64>().map_err(|_| StoreError::Corrupt(format!("settings.{KEY_STATES_VERSION}")))?
    }};
}

/// Reads up to `most` states.
///
/// # Errors
/// [`StoreError`].
pub async fn load(store: &Store, most: usize) -> Result<KeptKeyStates, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let (version, rows) = with_conn!(store, conn => {
        let version = newest!(conn);
        let query = key_states::table.order(key_states::forget_at.desc()).limit(most);
        Ok((version, query.select(Row::as_select()).load::<Row>(conn).await?))
    })?;
    let saved_at = rows.iter().map(|row| row.saved_at).max().unwrap_or_default();
    Ok(KeptKeyStates { states: rows.into_iter().filter_map(Row::readable).collect(), saved_at, version })
}

/// Reads what was written after the write `version`, up to `most` states, and the number of the newest write. Where
/// there is nothing new that is one look-up by a primary key. A number that the database has not reached is that of
/// another database, or of one from before a backup was restored: then all is new.
///
/// # Errors
/// [`StoreError`].
pub async fn since(store: &Store, version: i64, most: usize) -> Result<(i64, Vec<StoredKeyState>), StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let (newest, rows) = with_conn!(store, conn => {
        let newest = newest!(conn);
        if newest == version {
            return Ok((newest, Vec::new()));
        }
        let after = if version > newest { -1 } else { version };
        let query = key_states::table.filter(key_states::version.gt(after)).order(key_states::version.desc());
        Ok((newest, query.limit(most).select(Row::as_select()).load::<Row>(conn).await?))
    })?;
    Ok((newest, rows.into_iter().filter_map(Row::readable).collect()))
}

/// Adds `given` to what is kept, within a transaction, at `now`. Gives the rows of which more is known than was given.
/// What is about a key that does not exist is left out.
macro_rules! merge {
    ($conn:expr, $given:expr, $now:expr) => {{
        let given: &[StoredKeyState] = $given;
        let ids: HashSet<String> = given.iter().map(|state| state.upstream_key_id.clone()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        // This is the lock, too: what another control plane writes is read after it, and not before.
        let version = raise_version!($conn, KEY_STATES_VERSION);
        let of_keys = key_states::table.filter(key_states::upstream_key_id.eq_any(ids.clone()));
        let there = of_keys.select(Row::as_select()).load::<Row>($conn).await?;
        let there: Vec<_> = there.into_iter().filter_map(Row::readable).collect();
        let known = upstream_keys::table.filter(upstream_keys::id.eq_any(ids)).select(upstream_keys::id);
        let known: HashSet<String> = known.load::<String>($conn).await?.into_iter().collect();
        let mut more = Vec::new();
        for state in given.iter().filter(|state| known.contains(&state.upstream_key_id)) {
            let same =
                |row: &&StoredKeyState| (&row.upstream_key_id, &row.model) == (&state.upstream_key_id, &state.model);
            let mut merged = state.clone();
            if let Some(row) = there.iter().find(same)
                && merged.merge(row)
            {
                more.push(merged.clone());
            }
            let row = Row::of(&merged, $now, version)?;
            diesel::delete(key_states::table.find((&state.upstream_key_id, &state.model))).execute($conn).await?;
            diesel::insert_into(key_states::table).values(row).execute($conn).await?;
        }
        more
    }};
}

/// Adds up to [`MOST_AT_ONCE`] states to what is kept, at `now`. Gives those of which the database knows more than was
/// given, with all of that. What is about a key that does not exist is left out.
///
/// # Errors
/// [`StoreError`]; then none of them is kept.
pub async fn keep(store: &Store, states: &[StoredKeyState], now: i64) -> Result<Vec<StoredKeyState>, StoreError> {
    let states = states.to_vec();
    with_tx!(store, conn => Ok(merge!(conn, &states, now)))
}

/// Keeps `news`, which say at `now` that the upstream key `id` works, and enters in the audit log that `actor` said so.
///
/// # Errors
/// As [`keep`].
pub async fn recover(
    store: &Store,
    actor: &Actor,
    (group_id, id): (&str, &str),
    news: &[StoredKeyState],
    now: i64,
) -> Result<(), StoreError> {
    let news = news.to_vec();
    let detail = json!({ "groupId": group_id, "models": news.iter().map(|state| &state.model).collect::<Vec<_>>() });
    let entry = audit::Row::new(actor, "recover", "upstream_key", Some(id), &detail);
    audited!(store, entry, conn => {
        for part in news.chunks(MOST_AT_ONCE) {
            merge!(conn, part, now);
        }
    })
}

/// Replaces all that is kept by `states`, at `now`. It is for a clock that has gone back: what was kept by it would
/// seem newer than all that comes.
///
/// # Errors
/// [`StoreError`].
pub async fn replace_all(store: &Store, states: &[StoredKeyState], now: i64) -> Result<(), StoreError> {
    let rows = states.iter().map(|state| Row::of(state, now, 0)).collect::<Result<Vec<_>, _>>()?;
    with_tx!(store, conn => {
        let version = raise_version!(conn, KEY_STATES_VERSION);
        diesel::delete(key_states::table).execute(conn).await?;
        for row in &rows {
            let row = Row { version, ..row.clone() };
            diesel::insert_into(key_states::table).values(row).execute(conn).await?;
        }
        Ok(())
    })
}

/// Removes what can be forgotten at `now`, and what is about keys that do not exist any more.
///
/// # Errors
/// [`StoreError`].
pub async fn prune(store: &Store, now: i64) -> Result<(), StoreError> {
    with_tx!(store, conn => {
        // For its lock alone: two that lock the rows of many keys could wait for each other.
        raise_version!(conn, KEY_STATES_VERSION);
        diesel::delete(key_states::table.filter(key_states::forget_at.le(now))).execute(conn).await?;
        let known = key_states::table.select(key_states::upstream_key_id).distinct().load::<String>(conn).await?;
        for part in known.chunks(MOST_AT_ONCE) {
            let there = upstream_keys::table.filter(upstream_keys::id.eq_any(part.to_vec())).select(upstream_keys::id);
            let there: HashSet<String> = there.load::<String>(conn).await?.into_iter().collect();
            let gone: Vec<_> = part.iter().filter(|id| !there.contains(*id)).cloned().collect();
            if !gone.is_empty() {
                diesel::delete(key_states::table.filter(key_states::upstream_key_id.eq_any(gone))).execute(conn).await?;
            }
        }
        Ok(())
    })
}
