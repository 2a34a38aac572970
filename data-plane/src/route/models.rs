//! What is remembered of the models of a group, by the vendor's names.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::breaker::Breaker;
use super::load::Load;
use super::rest::Rest;

/// The most models of a group that are remembered beside those in its config: names that a pattern fits.
const MOST_FURTHER: usize = 1_000;

/// What is remembered of one model of a group.
#[derive(Debug, Default)]
pub struct ModelState {
    /// How busy and fast it is.
    pub load: Arc<Load>,
    /// Whether it fails.
    pub breaker: Breaker,
    /// Whether it rests, because the keys of the group fail alike for it.
    pub rest: Rest,
}

/// What is remembered of the models of a group. It is read by each request and seldom written.
#[derive(Debug, Default)]
pub struct Models(ArcSwap<HashMap<Arc<str>, Arc<ModelState>>>);

impl Models {
    /// What is remembered of `model`. What was not known is remembered from now on.
    pub fn of(&self, model: &Arc<str>) -> Arc<ModelState> {
        if let Some(state) = self.0.load().get(model) {
            return Arc::clone(state);
        }
        self.know([model], MOST_FURTHER);
        self.0.load().get(model).map(Arc::clone).unwrap_or_default()
    }

    /// Remembers `names`, which stand in the config.
    pub fn configure<'n>(&self, names: impl IntoIterator<Item = &'n Arc<str>> + Clone) {
        self.know(names, usize::MAX);
    }

    fn know<'n>(&self, names: impl IntoIterator<Item = &'n Arc<str>> + Clone, most: usize) {
        self.0.rcu(|known| {
            let mut known = HashMap::clone(known);
            if known.len() >= most {
                // What is forgotten is learnt anew. Whoever holds it still counts for itself.
                known.clear();
            }
            for name in names.clone() {
                known.entry(Arc::clone(name)).or_default();
            }
            known
        });
    }
}
