//! How what is known by checks is made of what is stored.

use std::collections::HashMap;
use std::sync::Arc;

use shared::snapshot::Group;
use translation::facts::Purpose;

use super::{
    CheckResultView, CheckRunView, CheckedPartView, GroupHealthDetails, GroupHealthView, HealthTotals, LastRunView,
    PartsHealth,
};
use crate::jobs::health_checks::{CheckRun, RunOutcome, checked_models};
use crate::store::health_checks::{CheckKind, CheckedHealth, CheckedSubject, StoredCheck};

/// Summaries, by group, kind, upstream key and model.
pub(in crate::admin::health_checks) struct Subjects<'s>(HashMap<[&'s str; 4], &'s CheckedSubject>);

impl<'s> Subjects<'s> {
    pub(in crate::admin::health_checks) fn of(subjects: &'s [CheckedSubject]) -> Self {
        let named = |subject: &'s CheckedSubject| {
            ([&*subject.group_id, &*subject.kind, &*subject.upstream_key_id, &*subject.model], subject)
        };
        Self(subjects.iter().map(named).collect())
    }

    fn find(&self, group: &str, kind: CheckKind, key: &str, model: &str) -> Option<&'s CheckedSubject> {
        self.0.get(&[group, kind.name(), key, model]).copied()
    }
}

impl HealthTotals {
    pub(in crate::admin::health_checks) fn of(totals: &[(CheckKind, CheckedHealth, i64)]) -> Self {
        let mut counted = Self::default();
        for (kind, health, count) in totals {
            let counts = match kind {
                CheckKind::Provider => &mut counted.providers,
                CheckKind::Key => &mut counted.keys,
                CheckKind::Model => &mut counted.models,
            };
            match health {
                CheckedHealth::Healthy => counts.healthy += count,
                CheckedHealth::Warning => counts.warning += count,
                CheckedHealth::Unhealthy => counts.unhealthy += count,
                CheckedHealth::Unknown => {}
            }
        }
        counted
    }
}

impl CheckedPartView {
    fn of(subject: Option<&CheckedSubject>) -> Self {
        let Some(subject) = subject else {
            return Self { status: CheckedHealth::Unknown.name(), ..Self::default() };
        };
        Self {
            status: subject.health().name(),
            checks: subject.checks,
            last_check_at: subject.last_check_at,
            last_success_at: subject.last_success_at,
            last_failure_at: subject.last_failure_at,
            success_rate: subject.success_rate(),
            average_latency_ms: subject.average_latency_ms(),
            consecutive_failures: subject.failures_in_a_row,
            last_status: subject.last_status,
            last_error: subject.last_error.clone(),
            ..Self::default()
        }
    }
}

impl PartsHealth {
    fn of(parts: &[&CheckedPartView]) -> Self {
        let count = |health: CheckedHealth| parts.iter().filter(|part| part.status == health.name()).count();
        let (healthy, warning) = (count(CheckedHealth::Healthy), count(CheckedHealth::Warning));
        let (unhealthy, unknown) = (count(CheckedHealth::Unhealthy), count(CheckedHealth::Unknown));
        let status = match (healthy, warning, unhealthy) {
            (0, 0, 0) => CheckedHealth::Unknown,
            (_, 0, 0) => CheckedHealth::Healthy,
            (0, 0, _) => CheckedHealth::Unhealthy,
            _ => CheckedHealth::Warning,
        };
        let newest = |at: fn(&CheckedPartView) -> Option<i64>| parts.iter().filter_map(|part| at(part)).max();
        let rates: Vec<_> = parts.iter().filter_map(|part| part.success_rate).collect();
        let times: Vec<_> = parts.iter().filter_map(|part| part.average_latency_ms).collect();
        let number = u32::try_from(rates.len()).unwrap_or(u32::MAX);
        Self {
            status: status.name(),
            total: parts.len(),
            healthy,
            warning,
            unhealthy,
            unknown,
            last_check_at: newest(|part| part.last_check_at),
            last_success_at: newest(|part| part.last_success_at),
            last_failure_at: newest(|part| part.last_failure_at),
            success_rate: (number > 0).then(|| rates.iter().sum::<f64>() / f64::from(number)),
            average_latency_ms: i64::try_from(times.len())
                .ok()
                .and_then(|number| times.iter().sum::<i64>().checked_div(number)),
            consecutive_failures: parts.iter().map(|part| part.consecutive_failures).max().unwrap_or_default(),
        }
    }
}

impl GroupHealthDetails {
    pub(in crate::admin::health_checks) fn of(group: &Group, subjects: &Subjects<'_>) -> Self {
        let find = |kind: CheckKind, key: &str, model: &str| subjects.find(&group.id, kind, key, model);
        let provider = CheckedPartView::of(find(CheckKind::Provider, "", ""));
        let key_checks: Vec<_> = group
            .upstream_keys
            .iter()
            .map(|key| CheckedPartView {
                upstream_key_id: Some(key.id.to_string()),
                upstream_key_masked: Some(key.masked.to_string()),
                enabled: Some(key.enabled),
                ..CheckedPartView::of(find(CheckKind::Key, &key.id, ""))
            })
            .collect();
        let of_model = |model: Arc<str>| CheckedPartView {
            model: Some(model.to_string()),
            checked_by: Some(checked_by(&model)),
            ..CheckedPartView::of(find(CheckKind::Model, "", &model))
        };
        let model_checks: Vec<_> = checked_models(group).into_iter().map(of_model).collect();
        let on: Vec<_> = key_checks.iter().filter(|key| key.enabled == Some(true)).collect();
        let view = GroupHealthView {
            group_id: group.id.to_string(),
            group_name: group.name.to_string(),
            provider_type: group.provider_type.to_string(),
            base_url: group.base_url.to_string(),
            enabled: group.enabled,
            health_check_enabled: group.health_check_enabled,
            provider,
            keys: PartsHealth::of(&on),
            models: PartsHealth::of(&model_checks.iter().collect::<Vec<_>>()),
        };
        Self { group: view, key_checks, model_checks }
    }
}

/// How a node checks `model`.
fn checked_by(model: &str) -> &'static str {
    match Purpose::of(model) {
        Purpose::Chat => "question",
        Purpose::Embeddings => "embedding",
        Purpose::Reranking => "reranking",
        Purpose::Other => "list",
    }
}

impl GroupHealthView {
    pub(in crate::admin::health_checks) fn of(group: &Group, subjects: &Subjects<'_>) -> Self {
        GroupHealthDetails::of(group, subjects).group
    }
}

impl CheckResultView {
    pub(in crate::admin::health_checks) fn of(check: StoredCheck) -> Self {
        let StoredCheck {
            id,
            run_id,
            group_id,
            kind,
            upstream_key_id,
            upstream_key_masked,
            model,
            ok,
            status,
            latency_ms,
            error,
            at,
        } = check;
        Self {
            id,
            run_id,
            group_id,
            kind,
            upstream_key_id,
            upstream_key_masked,
            model,
            ok,
            status,
            latency_ms,
            error,
            at,
        }
    }
}

impl CheckRunView {
    pub(in crate::admin::health_checks) fn of(run: &CheckRun) -> Self {
        Self {
            id: run.id.clone(),
            group_ids: run.groups.iter().map(|group| group.id.to_string()).collect(),
            kinds: run.kinds.iter().map(|kind| kind.name()).collect(),
            asked_at: run.asked_at,
        }
    }
}

impl LastRunView {
    pub(in crate::admin::health_checks) fn of(run: RunOutcome) -> Self {
        let RunOutcome { id, started_at, finished_at, groups, checks, failures, problem } = run;
        Self { id, started_at, finished_at, groups, checks, failures, problem }
    }
}
