//! Which models are asked when another fails, as it is written for a group or a proxy key.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::snapshot::{FallbackOn, Fallbacks};

use super::bounds::MODEL_BYTES;
use crate::web::fields::{Fields, kind, text_problem};

/// The most models that are asked after another.
const LONGEST_CHAIN: usize = 8;

/// Reads `modelFallbacks` and `fallbackOn`.
pub(super) fn read_fallbacks(fields: &mut Fields) -> Fallbacks {
    let mut models = BTreeMap::new();
    for (model, chain) in fields.object("modelFallbacks").unwrap_or_default() {
        let place = format!("modelFallbacks[{model}]");
        // One model is a chain, too.
        let chain = if chain.is_string() { vec![chain] } else { chain.as_array().cloned().unwrap_or_default() };
        let names: Vec<Arc<str>> = chain.iter().filter_map(|name| Some(name.as_str()?.trim().into())).collect();
        let problem = text_problem(&model, MODEL_BYTES).or_else(|| {
            if names.len() != chain.len() || names.is_empty() {
                return Some("must be a list of names of models, at least one".to_owned());
            }
            if names.len() > LONGEST_CHAIN {
                return Some(format!("must not name more than {LONGEST_CHAIN} models"));
            }
            if names.iter().any(|name| name.is_empty() || name.contains('*') || **name == *model.trim()) {
                return Some("must hold names of other models, without * and not empty".to_owned());
            }
            names.iter().find_map(|name| text_problem(name, MODEL_BYTES))
        });
        match problem {
            Some(problem) => fields.error(&place, problem),
            None => drop(models.insert(model.trim().into(), names)),
        }
    }
    let mut on = Vec::new();
    for (index, name) in fields.list("fallbackOn").unwrap_or_default().iter().enumerate() {
        let place = format!("fallbackOn[{index}]");
        match name.as_str().map(FallbackOn::from_name) {
            Some(Some(name)) if !on.contains(&name) => on.push(name),
            Some(Some(_)) => {}
            Some(None) => fields.error(&place, format!("must be one of {}", FallbackOn::NAMES.join(", "))),
            None => fields.error(&place, format!("must be a text, not {}", kind(name))),
        }
    }
    Fallbacks { models, on }
}

/// `modelFallbacks` as it is shown.
pub(super) fn models_of(fallbacks: &Fallbacks) -> BTreeMap<String, Vec<String>> {
    let chain = |(model, names): (&Arc<str>, &Vec<Arc<str>>)| {
        (model.to_string(), names.iter().map(ToString::to_string).collect())
    };
    fallbacks.models.iter().map(chain).collect()
}

/// `fallbackOn` as it is shown.
pub(super) fn faults_of(fallbacks: &Fallbacks) -> Vec<&'static str> {
    fallbacks.on.iter().map(|on| on.as_str()).collect()
}
