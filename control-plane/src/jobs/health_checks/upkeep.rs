//! Removes results of checks that are too old or too many, in small pieces, so that no other writer has to wait long.

use shared::snapshot::{Group, Snapshot};

use super::group::checked_models;
use crate::store::health_checks::{checked_groups, keep_subjects, remove_old, remove_surplus};
use crate::store::{Store, StoreError};

/// The most results of a group that are kept.
pub(super) const MOST_RESULTS: i64 = 5_000;

/// The most results that are removed in one transaction.
const PIECE: i64 = 200;

/// The most transactions of one kind in a row.
const PIECES: usize = 500;

/// Removes the results from before `before` (epoch milliseconds), those of which a group has too many, and all of what
/// is not in `snapshot`.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn tidy(store: &Store, snapshot: &Snapshot, before: i64) -> Result<(), StoreError> {
    for _ in 0..PIECES {
        if remove_old(store, before, PIECE).await? == 0 {
            break;
        }
    }
    for id in checked_groups(store).await? {
        let group = snapshot.groups.get(id.as_str());
        trim(store, &id, if group.is_some() { MOST_RESULTS } else { 0 }).await?;
        keep_subjects(store, &id, group.map(|group| there(group))).await?;
    }
    Ok(())
}

/// Removes the results of a group beyond its `keep` newest.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn trim(store: &Store, group_id: &str, keep: i64) -> Result<(), StoreError> {
    for _ in 0..PIECES {
        if remove_surplus(store, group_id, keep, PIECE).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// The ids of the keys, and the models, that there are to check.
pub(super) fn there(group: &Group) -> (Vec<String>, Vec<String>) {
    let keys = group.upstream_keys.iter().map(|key| key.id.to_string()).collect();
    (keys, checked_models(group).into_iter().map(|model| model.to_string()).collect())
}
