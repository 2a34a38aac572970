//! A row of ours, from what a list says of a model.

use serde_json::{Map, Value, json};

use super::{RawObject, decimal};

/// The names of rates in a list, and in our rows.
pub(super) type RateNames = &'static [(&'static str, &'static str)];

/// The rates of `entry` whose names end in `suffix`, with `shift` as the power of ten from the list's unit to ours.
/// Rates of 0 are left out. None where there is no rate of that suffix.
pub(super) fn rates(
    entry: &RawObject<'_>,
    names: RateNames,
    suffix: &str,
    shift: i32,
) -> Result<Map<String, Value>, String> {
    let mut rates = Map::new();
    for (theirs, ours) in names {
        let name = format!("{theirs}{suffix}");
        let Some(text) = entry.get(&*name).map(|value| value.get()).filter(|text| *text != "null") else { continue };
        let rate = decimal::shifted(text, shift).ok_or_else(|| format!("{name} is no price: {text:.40}"))?;
        rates.insert((*ours).to_owned(), json!(rate));
    }
    Ok(rates)
}

/// The rates as our rows have them: those of 0 are left out where that says the same, and refused where it does not.
pub(super) fn checked(mut rates: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let is_nothing = |rate: &Value| *rate == json!(0);
    let Some(input) = rates.get("input") else { return Err("has no price of tokens in".to_owned()) };
    if rates.values().all(is_nothing) {
        return Err("has a price of 0, which does not say whether it is free or not known".to_owned());
    }
    if is_nothing(input) {
        return Err("has a price of 0 for tokens in, and another for others".to_owned());
    }
    if rates.get("cachedInput").is_some_and(is_nothing) {
        return Err("has a price of 0 for tokens from the cache".to_owned());
    }
    rates.retain(|_, rate| !is_nothing(rate));
    Ok(rates)
}

/// `rates` of a step or tier, where those that are left out are as in `base`.
pub(super) fn filled(mut rates: Map<String, Value>, base: &Map<String, Value>) -> Map<String, Value> {
    for (name, rate) in base {
        rates.entry(name.clone()).or_insert_with(|| rate.clone());
    }
    rates
}
