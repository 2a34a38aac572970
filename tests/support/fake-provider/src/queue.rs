//! Which script answers which request.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::script::Script;

/// The requests for which a script is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Requests with this upstream key.
    Key(String),
    /// Requests for this model.
    Model(String),
    /// All requests.
    All,
}

/// The scripts that wait for requests.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    rules: Mutex<HashMap<Target, Rule>>,
    /// Whether there is any rule. It spares the benchmark the look-ups.
    used: AtomicBool,
}

#[derive(Debug, Default)]
struct Rule {
    next: VecDeque<Script>,
    always: Option<Script>,
}

impl Queues {
    pub(crate) fn push(&self, target: Target, script: Script) {
        self.rules().entry(target).or_default().next.push_back(script);
        self.used.store(true, Ordering::Release);
    }

    pub(crate) fn set_always(&self, target: Target, script: Script) {
        self.rules().entry(target).or_default().always = Some(script);
        self.used.store(true, Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        self.rules().clear();
        self.used.store(false, Ordering::Release);
    }

    /// Forgets the scripts of one target.
    pub(crate) fn forget(&self, target: &Target) {
        self.rules().remove(target);
    }

    /// The script for a request with `key` for `model`.
    pub(crate) fn take(&self, key: &str, model: &str) -> Option<Script> {
        if !self.used.load(Ordering::Acquire) {
            return None;
        }
        let mut rules = self.rules();
        [Target::Key(key.to_owned()), Target::Model(model.to_owned()), Target::All].into_iter().find_map(|target| {
            let rule = rules.get_mut(&target)?;
            rule.next.pop_front().or_else(|| rule.always.clone())
        })
    }

    fn rules(&self) -> MutexGuard<'_, HashMap<Target, Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
