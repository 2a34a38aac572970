//! What the provider of a group has refused of what the gateway adds to requests, by model.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use translation::format::OptionalField;

/// The most models of a group of which refusals are remembered.
const MOST_MODELS: usize = 256;

/// The most fields that are remembered of a model.
const MOST_FIELDS: usize = 16;

type Fields = Arc<[&'static OptionalField]>;

/// What the provider of a group has refused. It is read by each request and seldom written.
#[derive(Debug, Default)]
pub struct Refusals(ArcSwapOption<HashMap<Arc<str>, Fields>>);

impl Refusals {
    /// The fields that the provider has refused for `model`.
    pub fn of(&self, model: &str) -> Option<Fields> {
        self.0.load().as_ref()?.get(model).cloned()
    }

    /// Whether the provider has refused the field `name` for `model`.
    pub fn has(&self, model: &str, name: &str) -> bool {
        self.of(model).is_some_and(|fields| fields.iter().any(|field| field.name == name))
    }

    /// Remembers that the provider has refused `field` for `model`. Gives whether that is new.
    pub fn learn(&self, model: &Arc<str>, field: &'static OptionalField) -> bool {
        if self.has(model, field.name) {
            return false;
        }
        self.0.rcu(|known| {
            let mut known: HashMap<_, _> = known.as_deref().cloned().unwrap_or_default();
            if known.len() >= MOST_MODELS && !known.contains_key(model) {
                // What is forgotten is learnt anew, by one request.
                known.clear();
            }
            let fields: &mut Fields = known.entry(Arc::clone(model)).or_default();
            // A field that was taken in place of another is not taken back for it.
            let before = fields.iter().copied().filter(|before| before.instead != Some(field.name));
            let mut more: Vec<_> = before.take(MOST_FIELDS - 1).collect();
            more.push(field);
            *fields = more.into();
            Some(Arc::new(known))
        });
        true
    }
}

#[cfg(test)]
mod tests;
