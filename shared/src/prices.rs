//! What models cost at their vendors: data with a date (`shared/data/prices.json`) and not code.
//!
//! A rate is in micro-dollars per million tokens: 2.50 dollars for a million tokens are 2,500,000. What a request costs
//! is in micro-dollars. Both are whole numbers, and a cost is rounded once, at the end. A model that the table does not
//! know is *unpriced*: it has no price, which is not the same as a price of 0.

use std::collections::HashMap;
use std::iter;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use translation::ir::Usage;

mod cost;
mod document;
mod tariff;

pub use cost::{Bill, Cost, CostKind, Multiplier, UnitCounts, UnitRates};
pub use tariff::{GroupPricing, MOST_PRICE_TEXT, PriceText, Tariff};

/// Tokens that a rate is for.
const PER: u128 = 1_000_000;

/// Parts of a whole, where a share is given in millionths.
const WHOLE: u128 = 1_000_000;

/// Tokens that go in for each one that comes out, in a typical request.
const TYPICAL_INPUT: u128 = 3;

static BUILT_IN: LazyLock<Prices> = LazyLock::new(|| {
    // The text is part of the program, and a test reads it.
    Prices::read(include_str!("../data/prices.json")).unwrap_or_default()
});

/// What all models cost, by vendor.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    /// The day of the data, in ISO 8601.
    pub as_of: String,
    /// A group's `providerType` → the models that have a price there, in the order of their names.
    vendors: HashMap<String, Arc<[Named]>>,
}

/// The models of one name, and what they cost.
#[derive(Clone, Debug)]
struct Named {
    /// The name in lower case, or its beginning.
    name: String,
    /// Whether every name is meant that begins so. Otherwise only a version of the model may follow.
    is_beginning: bool,
    price: Arc<Price>,
}

/// What a model costs at a vendor.
#[derive(Clone, Debug)]
pub struct Price {
    /// Address of the vendor's own page that has the price.
    pub source: Arc<str>,
    /// The day on which the page had it, in ISO 8601.
    pub looked_up: Arc<str>,
    /// The periods of time in which it is known, the earliest first. They do not overlap.
    periods: Vec<Period>,
}

/// What a model costs in a period of time.
#[derive(Clone, Debug)]
struct Period {
    /// When the period begins, in epoch milliseconds.
    from_ms: i64,
    /// When it is over, in epoch milliseconds.
    until_ms: i64,
    /// The rates of each tier that the vendor offers; the standard one is always there.
    tiers: Vec<(PricedTier, Schedule)>,
    /// Whether tokens are charged for. Otherwise all that the vendor charges for are units.
    by_tokens: bool,
    /// The rates of what is not counted in tokens.
    units: UnitRates,
}

/// The rates of one tier of service, by how much goes in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Schedule {
    base: Rates,
    /// More tokens in than this → the rates for all tokens of the request. In ascending order.
    above: Vec<(u64, Rates)>,
}

/// A tier of service that has rates of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PricedTier {
    /// What a request gets that asks for none.
    Standard,
    /// Slower and cheaper (OpenAI's and Gemini's `flex`).
    Flex,
    /// Faster and dearer (OpenAI's and Gemini's `priority`).
    Priority,
    /// Answered within a day (the batch APIs).
    Batch,
}

/// Rates in micro-dollars per million tokens. Where a vendor has no rate of its own for a part of the tokens, it is
/// that of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Tokens in, but for those below.
    pub input: u64,
    /// Tokens in that are read from the provider's cache.
    pub cached_input: u64,
    /// Tokens in that are written to the provider's cache and kept for minutes.
    pub cache_write_5m: u64,
    /// Tokens in that are written to the provider's cache and kept for an hour.
    pub cache_write_1h: u64,
    /// Tokens in that are sound.
    pub input_audio: u64,
    /// Tokens in that are images.
    pub input_image: u64,
    /// Tokens out, but for those below.
    pub output: u64,
    /// Tokens out that are spent on reasoning.
    pub reasoning: u64,
    /// Tokens out that are sound.
    pub output_audio: u64,
    /// Tokens out that are images.
    pub output_image: u64,
}

impl Prices {
    /// What this build knows.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Reads a document like `shared/data/prices.json`.
    ///
    /// # Errors
    /// When the document has another shape, or says two things of one model at the same time.
    pub fn read(text: &str) -> serde_json::Result<Self> {
        document::read(text)
    }

    /// What `model` costs at a vendor of this `providerType`; none where it is not known. The longest name counts that
    /// the model's name is, or begins with. A version may follow (`-20250929`, `@default`, `-v1:0`, `-latest`), and a
    /// prefix of a vendor or region may stand before it (`models/gemini-…`, `us.anthropic.claude-…`).
    pub fn of(&self, provider_type: &str, model: &str) -> Option<&Price> {
        self.find(provider_type, model).map(|price| &**price)
    }

    /// Each price with its vendor and the name that it is for, which ends in `*` where it is the beginning of names.
    pub fn all(&self) -> impl Iterator<Item = (&str, String, &Price)> {
        self.vendors.iter().flat_map(|(vendor, models)| {
            models.iter().map(move |named| {
                let mark = if named.is_beginning { "*" } else { "" };
                (&**vendor, format!("{}{mark}", named.name), &*named.price)
            })
        })
    }

    fn find(&self, provider_type: &str, model: &str) -> Option<&Arc<Price>> {
        let vendor = self.vendors.get(provider_type)?;
        let model = model.to_ascii_lowercase();
        let starts = iter::once(0).chain(model.match_indices(['/', '.']).map(|(at, _)| at + 1));
        let found = starts.filter_map(|start| longest(vendor, model.get(start..)?));
        found.max_by_key(|named| named.name.len()).map(|named| &named.price)
    }
}

/// The longest name of those in `vendor`, which are sorted, that `model` is of.
fn longest<'v>(vendor: &'v [Named], model: &str) -> Option<&'v Named> {
    // No name that `model` begins with is greater than it, and none stands between the greatest that is not and what
    // both have in common.
    let mut most = model.len();
    loop {
        let beginning = model.get(..most)?;
        let after = vendor.partition_point(|named| *named.name <= *beginning);
        let named = vendor.get(after.checked_sub(1)?)?;
        let common = common(&named.name, beginning);
        if common == named.name.len() && named.means(model.get(common..)?) {
            return Some(named);
        }
        let shorter = if common == named.name.len() { common.checked_sub(1)? } else { common };
        most = model.floor_char_boundary(shorter);
        if most == 0 {
            return None;
        }
    }
}

/// How many bytes `left` and `right` begin with alike.
fn common(left: &str, right: &str) -> usize {
    left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count()
}

impl Named {
    /// Whether a model is meant whose name goes on with `rest`.
    fn means(&self, rest: &str) -> bool {
        self.is_beginning || is_version(rest)
    }
}

/// Whether `rest` of a model's name says only which version of the model it is.
fn is_version(rest: &str) -> bool {
    let mut rest = rest;
    while let Some(mark) = rest.chars().next() {
        if !matches!(mark, '-' | '@' | ':') {
            return false;
        }
        let part = &rest[1..];
        let end = part.find(['-', '@', ':']).unwrap_or(part.len());
        let (word, after) = part.split_at(end);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A single digit is another model (`claude-opus-4-1`), but for the last part of Amazon's names (`v1:0`).
        let is_date = is_number(word) && (word.len() > 1 || mark == ':');
        if !(is_date || matches!(word, "latest" | "default") || word.strip_prefix('v').is_some_and(is_number)) {
            return false;
        }
        rest = after;
    }
    true
}

impl Price {
    /// The rates at `at_ms`, in epoch milliseconds, for a request with so many tokens in. None where the price is not
    /// known for that time, or the vendor has none for the tier.
    pub fn rates(&self, tier: PricedTier, input_tokens: u64, at_ms: i64) -> Option<&Rates> {
        self.period(at_ms)?.rates(tier, input_tokens)
    }

    /// What is charged with `bill`, at a fraction or multiple of the rates. None where it is unpriced: the price is not
    /// known for the time or the tier, or the vendor charges for units and it is not known how many there were.
    pub fn cost(&self, bill: &Bill, multiplier: Multiplier) -> Option<Cost> {
        let period = self.period(bill.at_ms)?;
        if !period.by_tokens && !bill.units.any_at(period.units) {
            return None;
        }
        let rates = period.rates(bill.tier?, bill.usage.fitted().input)?;
        Some(Cost::of(&bill.usage, bill.units, rates, period.units, multiplier))
    }

    /// What `usage` at `at_ms`, in epoch milliseconds, costs in micro-dollars. None where it is unpriced.
    pub fn cost_micros(&self, usage: &Usage, tier: PricedTier, at_ms: i64) -> Option<u64> {
        Some(self.rates(tier, usage.fitted().input, at_ms)?.cost_micros(usage))
    }

    /// Whether `other` has all that this price says of `at_ms`, in epoch milliseconds: it may know more tiers.
    pub fn is_within(&self, other: &Self, at_ms: i64) -> bool {
        let (Some(mine), Some(theirs)) = (self.period(at_ms), other.period(at_ms)) else { return false };
        let has = |tier: &(PricedTier, Schedule)| theirs.tiers.contains(tier);
        mine.tiers.iter().all(has) && (mine.by_tokens, mine.units) == (theirs.by_tokens, theirs.units)
    }

    /// Whether it is known what the model costs at `at_ms`, in epoch milliseconds.
    pub fn is_known_at(&self, at_ms: i64) -> bool {
        self.period(at_ms).is_some()
    }

    /// The period that `at_ms` is in. None where it is not known what the model costs then.
    fn period(&self, at_ms: i64) -> Option<&Period> {
        self.periods.iter().find(|period| (period.from_ms..period.until_ms).contains(&at_ms))
    }

    /// The price of a typical request at `at_ms`, in epoch milliseconds: see [`Rates::effective_micros`]. None where it
    /// is not known for that time.
    pub fn effective_micros(&self, cached_ppm: u32, at_ms: i64) -> Option<u64> {
        Some(self.rates(PricedTier::Standard, 0, at_ms)?.effective_micros(cached_ppm))
    }

    /// Whether tokens from the cache cost less than others at `at_ms`, in epoch milliseconds.
    pub fn favours_cached(&self, at_ms: i64) -> bool {
        self.rates(PricedTier::Standard, 0, at_ms).is_some_and(|rates| rates.cached_input < rates.input)
    }
}

impl Period {
    fn rates(&self, tier: PricedTier, input_tokens: u64) -> Option<&Rates> {
        let (_, schedule) = self.tiers.iter().find(|(known, _)| *known == tier)?;
        let step = schedule.above.iter().rev().find(|(tokens, _)| input_tokens > *tokens);
        Some(step.map_or(&schedule.base, |(_, rates)| rates))
    }
}

impl Rates {
    /// What `usage` costs in micro-dollars, rounded to the nearest one. Each token has one rate.
    pub fn cost_micros(&self, usage: &Usage) -> u64 {
        Cost::of(usage, UnitCounts::default(), self, UnitRates::default(), Multiplier::ONE).micros()
    }

    /// The price of a typical request, to compare vendors by, in micro-dollars per million tokens: of three tokens in
    /// and one out, where so many of a million tokens in are read from the cache. Writing to a cache and long contexts
    /// are left out.
    pub fn effective_micros(&self, cached_ppm: u32) -> u64 {
        let cached = u128::from(cached_ppm).min(WHOLE);
        let input = u128::from(self.input) * (WHOLE - cached) + u128::from(self.cached_input) * cached;
        rounded(TYPICAL_INPUT * input + u128::from(self.output) * WHOLE, WHOLE * (TYPICAL_INPUT + 1))
    }

    /// So many hundredths of these rates. None where one of them would be no whole number.
    fn scaled(&self, percent: u64) -> Option<Self> {
        let scaled = |rate: u64| {
            let product = rate.checked_mul(percent)?;
            (product % 100 == 0).then_some(product / 100)
        };
        Some(Self {
            input: scaled(self.input)?,
            cached_input: scaled(self.cached_input)?,
            cache_write_5m: scaled(self.cache_write_5m)?,
            cache_write_1h: scaled(self.cache_write_1h)?,
            input_audio: scaled(self.input_audio)?,
            input_image: scaled(self.input_image)?,
            output: scaled(self.output)?,
            reasoning: scaled(self.reasoning)?,
            output_audio: scaled(self.output_audio)?,
            output_image: scaled(self.output_image)?,
        })
    }
}

/// `sum` divided by `by`, rounded half up.
fn rounded(sum: u128, by: u128) -> u64 {
    u64::try_from((sum + by / 2) / by).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
