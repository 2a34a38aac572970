//! What one group charges for its models: its own prices before those that the operator has set for all groups, and
//! these before the vendor's list prices.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Bill, Cost, Multiplier, Price, Prices, document};

/// Longest text of prices, in bytes.
pub const MOST_PRICE_TEXT: usize = 1024 * 1024;

/// Prices that an operator has set, with the text that they were read from. Without any, the text is empty.
#[derive(Clone, Debug, Default)]
pub struct PriceText {
    text: Arc<str>,
    prices: Prices,
}

/// What a group says of prices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupPricing {
    /// Prices of models by the vendor's names, as rows. They count as they are, whatever the multiplier.
    pub prices: PriceText,
    /// At which part of the prices that are not its own the group sells.
    pub multiplier: Multiplier,
    /// Whether clients are told what their answers cost.
    pub cost_header: bool,
}

/// What one model costs at one group. It names up to three prices, of which the first counts that is known for a time.
#[derive(Clone, Debug)]
pub struct Tariff {
    own: Option<Arc<Price>>,
    shared: Option<Arc<Price>>,
    list: Option<Arc<Price>>,
    multiplier: Multiplier,
}

impl PriceText {
    /// Reads a document like `shared/data/prices.json`.
    ///
    /// # Errors
    /// When it is no such document, contradicts itself, or is longer than [`MOST_PRICE_TEXT`].
    pub fn document(text: &str) -> serde_json::Result<Self> {
        Self::read(text, document::read)
    }

    /// Reads a list of rows like those of `shared/data/prices.json`, for one group.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn rows(text: &str) -> serde_json::Result<Self> {
        Self::read(text, document::read_rows)
    }

    fn read(text: &str, prices: impl Fn(&str) -> serde_json::Result<Prices>) -> serde_json::Result<Self> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > MOST_PRICE_TEXT {
            return Err(document::wrong("the prices", "are longer than a mebibyte"));
        }
        Ok(Self { text: text.into(), prices: prices(text)? })
    }

    /// The text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// What was read from it.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }
}

/// Prices of the same text are the same.
impl PartialEq for PriceText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PriceText {}

/// The text.
impl Serialize for PriceText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

/// Rows, since documents are stored by themselves.
impl<'de> Deserialize<'de> for PriceText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::rows(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The thousandths.
impl Serialize for Multiplier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.thousandths().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Multiplier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let thousandths = u32::deserialize(deserializer)?;
        Self::of_thousandths(thousandths).ok_or_else(|| serde::de::Error::custom("the multiplier is too high"))
    }
}

impl Tariff {
    /// What `model`, in the vendor's words, costs at a group of this `provider_type` that says `group` of prices, where
    /// the operator has set `shared` for all groups. None where no price is known.
    pub fn of(group: &GroupPricing, shared: &PriceText, provider_type: &str, model: &str) -> Option<Self> {
        let tariff = Self {
            own: group.prices.prices.find(document::OWN, model).cloned(),
            shared: shared.prices.find(provider_type, model).cloned(),
            list: Prices::built_in().find(provider_type, model).cloned(),
            multiplier: group.multiplier,
        };
        (tariff.own.is_some() || tariff.shared.is_some() || tariff.list.is_some()).then_some(tariff)
    }

    /// The price that counts at `at_ms`, in epoch milliseconds, and the part of it that the group asks for.
    fn at(&self, at_ms: i64) -> Option<(&Price, Multiplier)> {
        let own = self.own.iter().map(|price| (&**price, Multiplier::ONE));
        let others = self.shared.iter().chain(&self.list).map(|price| (&**price, self.multiplier));
        own.chain(others).find(|(price, _)| price.is_known_at(at_ms))
    }

    /// What is charged with `bill`. None where it is unpriced.
    pub fn cost(&self, bill: &Bill) -> Option<Cost> {
        let (price, multiplier) = self.at(bill.at_ms)?;
        price.cost(bill, multiplier)
    }

    /// The price of a typical request, as [`Price::effective_micros`], at the part of it that the group asks for.
    pub fn effective_micros(&self, cached_ppm: u32, at_ms: i64) -> Option<u64> {
        let (price, multiplier) = self.at(at_ms)?;
        let micros = u128::from(price.effective_micros(cached_ppm, at_ms)?) * u128::from(multiplier.thousandths());
        u64::try_from((micros + 500) / 1_000).ok()
    }

    /// Whether tokens from the cache cost less than others at `at_ms`, in epoch milliseconds.
    pub fn favours_cached(&self, at_ms: i64) -> bool {
        self.at(at_ms).is_some_and(|(price, _)| price.favours_cached(at_ms))
    }
}

#[cfg(test)]
mod tests;
