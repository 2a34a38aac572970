//! The checks of one group, one after the other: its provider, then each of its keys, then each of its models.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shared::pb;
use shared::pb::command::Command;
use shared::snapshot::{Group, UpstreamKey};
use tracing::debug;
use translation::vendors;

use super::ask::{AskError, NodeAsker, NodeReport};
use super::upkeep::{self, MOST_RESULTS};
use crate::store::health_checks::{CheckKind, CheckedHealth, StoredCheck, record, subjects};
use crate::store::{Scope, Store};

/// The most keys of a group that are checked in one run.
const MOST_KEYS: usize = 500;

/// The most models of a group that are checked in one run.
const MOST_MODELS: usize = 200;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest error that is kept, in characters.
const LONGEST_ERROR: usize = 300;

/// Results of a provider that cannot be reached, or fails: its keys and models would say nothing else.
const DOWN: [&str; 3] = ["connect_error", "timeout", "server_error"];

/// What the checks of a group came to.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) checks: usize,
    pub(super) failures: usize,
    /// Why checks were left out.
    pub(super) problem: Option<String>,
}

/// The checks of one group.
pub(super) struct GroupCheck<'c> {
    store: &'c Store,
    asker: &'c NodeAsker,
    run_id: &'c str,
    group: &'c Group,
    done: Done,
}

/// Why the checks of a group end early.
enum Ended {
    /// The provider is down.
    Down,
    /// They could not be made.
    Problem(String),
}

/// The models of `group` that are checked, by the vendor's names: those that its config names, but no patterns.
pub fn checked_models(group: &Group) -> Vec<Arc<str>> {
    let mut seen = BTreeSet::new();
    let named = group.models.iter().chain(group.model_aliases.values());
    named.filter(|model| !model.ends_with('*') && seen.insert(Arc::clone(model))).map(Arc::clone).collect()
}

impl<'c> GroupCheck<'c> {
    /// Checks of `group`, whose results belong to the run `run_id`.
    pub(super) fn new(store: &'c Store, asker: &'c NodeAsker, run_id: &'c str, group: &'c Group) -> Self {
        Self { store, asker, run_id, group, done: Done::default() }
    }

    /// Makes the checks of `kinds`.
    pub(super) async fn run(mut self, kinds: &[CheckKind]) -> Done {
        let ended = self.check(kinds).await;
        if let Err(Ended::Problem(problem)) = ended {
            self.done.problem = Some(problem);
        }
        if let Err(error) = upkeep::trim(self.store, &self.group.id, MOST_RESULTS).await {
            debug!(%error, "surplus results of health checks were not removed; the next check of the group removes them");
        }
        self.done
    }

    async fn check(&mut self, kinds: &[CheckKind]) -> Result<(), Ended> {
        if kinds.contains(&CheckKind::Provider) {
            self.provider().await?;
        }
        let mut well = Vec::new();
        if kinds.contains(&CheckKind::Key) {
            for key in self.keys() {
                let report = self.probe(CheckKind::Key, &key, "").await?;
                if report.is_some_and(|report| report.ok) {
                    well.push(key);
                }
            }
        } else if kinds.contains(&CheckKind::Model) {
            well = self.known_to_be_well().await;
        }
        if kinds.contains(&CheckKind::Model) {
            for model in checked_models(self.group).into_iter().take(MOST_MODELS) {
                // Without a key that works nothing can be said of a model.
                let Some(key) = well.iter().find(|key| key.routing.serves(&model)).cloned() else { continue };
                self.probe(CheckKind::Model, &key, &model).await?;
            }
        }
        Ok(())
    }

    /// The keys that are switched on.
    fn keys(&self) -> Vec<Arc<UpstreamKey>> {
        self.group.upstream_keys.iter().filter(|key| key.enabled).take(MOST_KEYS).cloned().collect()
    }

    /// The keys whose last check went well; all that are switched on, where none is known to.
    async fn known_to_be_well(&self) -> Vec<Arc<UpstreamKey>> {
        let known = subjects(self.store, &Scope::Everything, &[self.group.id.to_string()]).await.unwrap_or_default();
        let healthy = |key: &Arc<UpstreamKey>| {
            let of_key = |subject: &&crate::store::health_checks::CheckedSubject| {
                subject.kind == CheckKind::Key.name() && *subject.upstream_key_id == *key.id
            };
            known.iter().find(of_key).is_some_and(|subject| subject.health() == CheckedHealth::Healthy)
        };
        let (well, others): (Vec<_>, Vec<_>) = self.keys().into_iter().partition(healthy);
        if well.is_empty() { others } else { well }
    }

    /// Checks the provider: by its list of models, or where it has none, by the cheapest question to a model.
    async fn provider(&mut self) -> Result<(), Ended> {
        let lists = vendors::by_name(&self.group.provider_type)
            .is_some_and(|vendor| vendor.models(self.group.api_version.as_deref()).is_some());
        if lists {
            let (group_id, upstream_key_id) = (self.group.id.to_string(), String::new());
            let asked = self.ask(Command::ListModels(pb::ListModels { group_id, upstream_key_id })).await?;
            // Servers that are compatible with a vendor may be so without a list.
            if let Some(report) =
                asked.filter(|report| report.ok || !matches!(report.status, 200..300 | 404 | 405 | 501))
            {
                return self.noted(CheckKind::Provider, &report).await;
            }
        }
        let Some(key) = self.keys().into_iter().next() else { return Ok(()) };
        match self.ask(self.question(&key, "")).await? {
            Some(report) => self.noted(CheckKind::Provider, &report).await,
            None => Ok(()),
        }
    }

    fn question(&self, key: &UpstreamKey, model: &str) -> Command {
        Command::ProbeUpstreamKey(pb::ProbeUpstreamKey {
            group_id: self.group.id.to_string(),
            upstream_key_id: key.id.to_string(),
            model: model.to_owned(),
        })
    }

    async fn probe(&mut self, kind: CheckKind, key: &UpstreamKey, model: &str) -> Result<Option<NodeReport>, Ended> {
        let Some(mut report) = self.ask(self.question(key, model)).await? else { return Ok(None) };
        if kind == CheckKind::Model {
            // The subject keeps the name that config has for it, whatever the node asks for.
            model.clone_into(&mut report.model);
        }
        self.note(kind, &report).await?;
        Ok(Some(report))
    }

    /// Has a node carry out `command`. `None` where it could ask nothing: that is no fault of the provider.
    async fn ask(&self, command: Command) -> Result<Option<NodeReport>, Ended> {
        match self.asker.ask(command, PATIENCE).await {
            Ok(report) => Ok(Some(report)),
            Err(AskError::Refused(reason)) => {
                debug!(group = &*self.group.name, reason, "a health check could not be made");
                Ok(None)
            }
            Err(error) => Err(Ended::Problem(error.to_string())),
        }
    }

    /// Notes what a check came to, after which nothing else is checked where the provider is down.
    async fn noted(&mut self, kind: CheckKind, report: &NodeReport) -> Result<(), Ended> {
        self.note(kind, report).await?;
        if !report.ok && DOWN.contains(&report.result.as_str()) { Err(Ended::Down) } else { Ok(()) }
    }

    async fn note(&mut self, kind: CheckKind, report: &NodeReport) -> Result<(), Ended> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let check = StoredCheck {
            upstream_key_id: some(&report.upstream_key_id),
            upstream_key_masked: some(&report.upstream_key_masked),
            model: some(&report.model),
            ok: report.ok,
            status: report.status.into(),
            latency_ms: i64::try_from(report.latency_ms).unwrap_or(i64::MAX),
            error: some(&report.error.chars().take(LONGEST_ERROR).collect::<String>()),
            ..StoredCheck::new(self.run_id, &self.group.id, kind)
        };
        self.done.checks += 1;
        self.done.failures += usize::from(!report.ok);
        record(self.store, &check).await.map_err(|error| Ended::Problem(error.to_string()))
    }
}
