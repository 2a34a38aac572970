//! Reads public lists of prices, and compares them with what is in force.
//!
//! - `decimal`: prices as whole numbers, without a floating point between.
//! - `models_dev`: `api.json` of models.dev.
//! - `litellm`: `model_prices_and_context_window.json` of LiteLLM.
//! - `row`: a row of ours, from what a list says of a model.

mod decimal;
mod litellm;
mod models_dev;
mod row;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared::prices::{Price, PriceText, PricedTier, Prices};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;

/// The most entries of each list of differences that are shown.
const MOST_SHOWN: usize = 500;

/// The entries of an object, as they stand in the text.
type RawObject<'a> = BTreeMap<&'a str, &'a RawValue>;

/// Whether an import changes anything.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct ImportQuery {
    /// Whether the list comes into force. Without it, it is only said what it would change.
    #[param(default = false)]
    pub apply: Option<bool>,
}

/// What a list of prices changes.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportView {
    /// The list: `models.dev` or `litellm`.
    pub format: &'static str,
    /// Whether it is in force now.
    pub applied: bool,
    /// How many models of vendors that are known here have the price that they had.
    pub unchanged: usize,
    /// Numbers of all differences. Of each kind, 500 are shown.
    pub counts: ImportCounts,
    /// Models that had no price.
    pub added: Vec<PriceDifference>,
    /// Models that had another price.
    pub changed: Vec<PriceDifference>,
    /// Models that have a price set for all groups, and are not in the list.
    pub removed: Vec<PriceDifference>,
    /// Models whose price cannot be read.
    pub unreadable: Vec<UnreadablePrice>,
    /// Vendors of the list that are not known here.
    pub unknown_vendors: BTreeSet<String>,
}

/// How many differences there are of each kind.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportCounts {
    /// Models that had no price.
    pub added: usize,
    /// Models that had another price.
    pub changed: usize,
    /// Models that have a price set for all groups, and are not in the list.
    pub removed: usize,
    /// Models whose price cannot be read.
    pub unreadable: usize,
}

/// A price that differs. The rates are those of the standard tier, in micro-dollars per million tokens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceDifference {
    /// The vendor.
    pub provider_type: String,
    /// The model.
    pub model: String,
    /// The rates before; null where there was no price.
    pub before: Option<StandardRates>,
    /// The rates of the list; null where it has none.
    pub after: Option<StandardRates>,
}

/// Rates in micro-dollars per million tokens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StandardRates {
    /// Tokens in.
    pub input: u64,
    /// Tokens in from the provider's cache.
    pub cached_input: u64,
    /// Tokens out.
    pub output: u64,
}

/// A price of the list that cannot be read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadablePrice {
    /// The vendor.
    pub provider_type: String,
    /// The model.
    pub model: String,
    /// Why it cannot be read.
    pub reason: String,
}

/// What a list says.
#[derive(Debug)]
pub(super) struct ReadList {
    format: &'static str,
    source: &'static str,
    /// Vendor and model → a row without the name, or why there is none.
    rows: BTreeMap<(&'static str, String), Result<Value, String>>,
    unknown_vendors: BTreeSet<String>,
}

/// A list that was compared with what is in force.
pub(super) struct Compared {
    pub(super) view: ImportView,
    /// What is to be set for all groups.
    pub(super) prices: PriceText,
}

impl ReadList {
    fn new(format: &'static str, source: &'static str) -> Self {
        Self { format, source, rows: BTreeMap::new(), unknown_vendors: BTreeSet::new() }
    }

    /// Takes what the list says of `model` at `vendors`. Of two that contradict each other, the first counts.
    fn take(&mut self, vendors: &[&'static str], model: &str, row: &Result<Value, String>) {
        for vendor in vendors {
            let place = (*vendor, model.to_ascii_lowercase());
            match self.rows.get(&place) {
                Some(Ok(_)) => {}
                _ => drop(self.rows.insert(place, row.clone())),
            }
        }
    }
}

/// Reads `body`, which is one of the lists that are known.
pub(super) fn read(body: &[u8], day: &str) -> Result<ReadList, ApiError> {
    let malformed = |error: serde_json::Error| {
        ApiError::Malformed(format!("the body is not JSON at line {}, column {}", error.line(), error.column()))
    };
    let entries: BTreeMap<String, &RawValue> = serde_json::from_slice(body).map_err(malformed)?;
    let read = models_dev::read(&entries).or_else(|| litellm::read(&entries));
    let mut read = read.ok_or_else(|| {
        ApiError::Malformed("the body is neither api.json of models.dev nor LiteLLM's list of model prices".to_owned())
    })?;
    for ((_, model), row) in &mut read.rows {
        let problem =
            row.as_ref().ok().and_then(|found| document(read.source, day, "openai", [(&**model, found)]).err());
        if let Some(problem) = problem {
            *row = Err(problem.to_string());
        }
    }
    Ok(read)
}

/// A document with rows of one vendor.
fn document<'r>(
    source: &str,
    day: &str,
    vendor: &str,
    rows: impl IntoIterator<Item = (&'r str, &'r Value)>,
) -> serde_json::Result<PriceText> {
    PriceText::document(&json!({ "asOf": day, "vendors": [block(source, day, vendor, rows)] }).to_string())
}

fn block<'r>(source: &str, day: &str, vendor: &str, rows: impl IntoIterator<Item = (&'r str, &'r Value)>) -> Value {
    let named = |(model, row): (&str, &Value)| {
        let mut row = row.clone();
        row["models"] = json!([model]);
        row
    };
    let rows: Vec<Value> = rows.into_iter().map(named).collect();
    json!({ "providerTypes": [vendor], "lookedUp": day, "source": source, "rows": rows })
}

/// Compares the list with `before`, which is set for all groups, and with what ships with the program.
pub(super) fn compare(read: ReadList, before: &PriceText, now: i64, day: &str) -> Result<Compared, ApiError> {
    let mut view = ImportView { format: read.format, unknown_vendors: read.unknown_vendors, ..ImportView::default() };
    let mut blocks: BTreeMap<&str, Vec<(String, Value)>> = BTreeMap::new();
    let (mut added, mut changed, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    let mut named = BTreeSet::new();
    for ((vendor, model), row) in read.rows {
        named.insert((vendor.to_owned(), model.clone()));
        let difference = |before: Option<&Price>, after: Option<&Price>| PriceDifference {
            provider_type: vendor.to_owned(),
            model: model.clone(),
            before: before.and_then(|price| StandardRates::of(price, now)),
            after: after.and_then(|price| StandardRates::of(price, now)),
        };
        let read = row.and_then(|row| {
            let text = document(read.source, day, vendor, [(&*model, &row)]).map_err(|error| error.to_string())?;
            Ok((row, text))
        });
        let (row, text) = match read {
            Ok(read) => read,
            Err(reason) => {
                unreadable.push(UnreadablePrice { provider_type: vendor.to_owned(), model, reason });
                continue;
            }
        };
        let Some(after) = text.prices().of(vendor, &model) else { continue };
        let list = Prices::built_in().of(vendor, &model);
        let was = before.prices().of(vendor, &model).filter(|price| price.is_known_at(now)).or(list);
        match was {
            Some(was) if after.is_within(was, now) => view.unchanged += 1,
            Some(was) => changed.push(difference(Some(was), Some(after))),
            None => added.push(difference(None, Some(after))),
        }
        // What ships with the program goes on by itself, and may know more tiers.
        if !list.is_some_and(|list| after.is_within(list, now)) {
            blocks.entry(vendor).or_default().push((model, row));
        }
    }
    let gone =
        before.prices().all().filter(|(vendor, model, _)| !named.contains(&((*vendor).to_owned(), model.clone())));
    let mut removed: Vec<_> = gone
        .map(|(vendor, model, price)| PriceDifference {
            provider_type: vendor.to_owned(),
            model,
            before: StandardRates::of(price, now),
            after: None,
        })
        .collect();
    // What is known stands in no order.
    removed
        .sort_unstable_by(|left, right| (&left.provider_type, &left.model).cmp(&(&right.provider_type, &right.model)));
    view.counts = ImportCounts {
        added: added.len(),
        changed: changed.len(),
        removed: removed.len(),
        unreadable: unreadable.len(),
    };
    (view.added, view.changed) = (shown(added), shown(changed));
    (view.removed, view.unreadable) = (shown(removed), shown(unreadable));
    let blocks: Vec<Value> = blocks
        .iter()
        .map(|(vendor, rows)| block(read.source, day, vendor, rows.iter().map(|(model, row)| (&**model, row))))
        .collect();
    let text = if blocks.is_empty() { String::new() } else { json!({ "asOf": day, "vendors": blocks }).to_string() };
    let prices = PriceText::document(&text);
    let prices = prices.map_err(|problem| ApiError::Malformed(format!("the list cannot be kept: {problem}")))?;
    Ok(Compared { view, prices })
}

fn shown<T>(mut differences: Vec<T>) -> Vec<T> {
    differences.truncate(MOST_SHOWN);
    differences
}

impl StandardRates {
    fn of(price: &Price, now: i64) -> Option<Self> {
        let rates = price.rates(PricedTier::Standard, 0, now)?;
        Some(Self { input: rates.input, cached_input: rates.cached_input, output: rates.output })
    }
}
