//! The limits of groups and upstream keys, which all clients share.

use std::sync::Arc;

use shared::snapshot::{Group, UpstreamKey};

use crate::error::LimitSubject;
use crate::limit::client::KeptLimits;
use crate::limit::subject::LimitedSubject;

/// The limits of `group`, where it has any. What it has taken before is in `kept`, and goes to `keeps`.
pub(super) fn limits_of_group(
    group: &Group,
    kept: Option<&KeptLimits>,
    keeps: &mut KeptLimits,
) -> Option<Arc<LimitedSubject>> {
    let limits = group.routing.limits.as_deref();
    let concurrency = limits.map_or(0, |limits| limits.concurrency);
    let known = kept.and_then(|kept| kept.get(&group.id));
    let compiled = LimitedSubject::compile(LimitSubject::Group, group.limit_windows(), concurrency, limits, known)?;
    keeps.insert(Arc::clone(&group.id), Arc::clone(&compiled));
    Some(compiled)
}

/// The limits of `key`, likewise.
pub(super) fn limits_of_key(
    key: &UpstreamKey,
    kept: Option<&KeptLimits>,
    keeps: &mut KeptLimits,
) -> Option<Arc<LimitedSubject>> {
    let limits = key.routing.limits.as_deref();
    let concurrency = limits.map_or(0, |limits| limits.concurrency);
    let known = kept.and_then(|kept| kept.get(&key.id));
    let compiled = LimitedSubject::compile(LimitSubject::UpstreamKey, key.limit_windows(), concurrency, limits, known)?;
    keeps.insert(Arc::clone(&key.id), Arc::clone(&compiled));
    Some(compiled)
}
