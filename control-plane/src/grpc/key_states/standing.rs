//! What is shown of an upstream key: whether it may be used now, and why not.

use shared::marks::{Mark, Outage};
use shared::snapshot::UpstreamKey;

use crate::store::key_states::StoredKeyState;

/// Whether an upstream key may be used, in the words of the admin API and of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyCondition {
    /// It may be used.
    Ok,
    /// Its provider has asked for a pause.
    Cooling,
    /// Its money or quota is spent.
    Exhausted,
    /// Its provider refuses it.
    Invalid,
    /// It is switched off.
    Disabled,
    /// Its time is over.
    Expired,
}

impl KeyCondition {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Ok, Self::Cooling, Self::Exhausted, Self::Invalid, Self::Disabled, Self::Expired];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cooling => "cooling",
            Self::Exhausted => "exhausted",
            Self::Invalid => "invalid",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
        }
    }

    const fn of(outage: Outage) -> Self {
        match outage {
            Outage::Guessed | Outage::Paused => Self::Cooling,
            Outage::Refused => Self::Invalid,
            Outage::Exhausted => Self::Exhausted,
        }
    }
}

/// What is shown of an upstream key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStanding {
    /// Whether it may be used.
    pub condition: KeyCondition,
    /// When that ends by itself, in epoch milliseconds.
    pub until: Option<i64>,
    /// The status that led to it, and the provider's words.
    pub reason: Option<String>,
    /// When anything was last observed of the key as a whole, in epoch milliseconds.
    pub observed_at: Option<i64>,
    /// The models behind it that it may not be used for, by name.
    pub models: Vec<ModelStanding>,
}

/// What is shown of a model for which an upstream key may not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStanding {
    /// The model, as the vendor names it.
    pub model: String,
    /// Why.
    pub condition: KeyCondition,
    /// When that ends by itself, in epoch milliseconds.
    pub until: i64,
    /// The status that led to it, and the provider's words.
    pub reason: Option<String>,
    /// When it was observed, in epoch milliseconds.
    pub observed_at: i64,
}

impl KeyStanding {
    /// What is shown of `key` at `now`, where `known` is what nodes have learnt of it. What config says counts before
    /// that.
    pub fn at(now: i64, key: &UpstreamKey, known: &[StoredKeyState]) -> Self {
        let whole = known.iter().find(|state| state.model.is_empty());
        let outage = whole.and_then(|state| Some((state, state.marks.outage(now)?)));
        let mut models: Vec<_> = known.iter().filter_map(|state| ModelStanding::at(now, state)).collect();
        models.sort_by(|left, right| left.model.cmp(&right.model));
        let expired = key.routing.expires_at_ms.is_some_and(|at| at <= now);
        let (condition, until, reason) = match outage {
            _ if !key.enabled => (KeyCondition::Disabled, None, None),
            _ if expired => (KeyCondition::Expired, None, None),
            Some((state, (outage, mark))) => {
                (KeyCondition::of(outage), Some(mark.until), reason(mark, state.words.of(outage)))
            }
            None => (KeyCondition::Ok, None, None),
        };
        Self { condition, until, reason, observed_at: whole.map(|state| state.marks.newest()), models }
    }
}

impl ModelStanding {
    fn at(now: i64, state: &StoredKeyState) -> Option<Self> {
        let (outage, mark) = state.marks.outage(now).filter(|_| !state.model.is_empty())?;
        Some(Self {
            model: state.model.clone(),
            condition: KeyCondition::of(outage),
            until: mark.until,
            reason: reason(mark, state.words.of(outage)),
            observed_at: mark.at,
        })
    }
}

/// The status that led to `mark`, and the words of the provider.
fn reason(mark: Mark, words: &str) -> Option<String> {
    match (mark.status, words) {
        (0, "") => None,
        (0, words) => Some(words.to_owned()),
        (status, "") => Some(status.to_string()),
        (status, words) => Some(format!("{status}: {words}")),
    }
}

#[cfg(test)]
mod tests;
