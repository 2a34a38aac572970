//! The document that prices are read from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde::de::Error as _;

use super::{Named, Period, Price, PricedTier, Prices, Rates, Schedule, UnitRates};

/// What stands for the vendor of prices that belong to one group.
pub(super) const OWN: &str = "";

/// The highest rate: 10,000 dollars for a million tokens, or for a unit. Sums of costs stay within 64 bits.
const MOST_RATE: u64 = 10_000_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "$comment")]
    _comment: Option<String>,
    as_of: Date,
    vendors: Vec<Block>,
}

/// The prices of one vendor.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Block {
    provider_types: Vec<String>,
    /// The day on which the page had the prices.
    looked_up: Date,
    source: String,
    /// For people.
    #[serde(rename = "note")]
    _note: Option<String>,
    /// A `providerType` whose prices these are too.
    same_as: Option<String>,
    #[serde(default)]
    rows: Vec<Row>,
}

/// The models of one price.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    /// Names of models. One that ends in `*` is the beginning of names.
    models: Vec<String>,
    /// The first day on which the price counts, by UTC.
    from: Option<Date>,
    /// The last one.
    until: Option<Date>,
    /// Whether the vendor asks for nothing. No other row has a rate of 0.
    #[serde(default)]
    free: bool,
    /// The rates of tokens. They may be left out where the vendor charges for units alone.
    rates: Option<RateRow>,
    #[serde(default)]
    above: Vec<StepRow>,
    #[serde(default)]
    tiers: BTreeMap<PricedTier, TierRow>,
    #[serde(default)]
    units: UnitRow,
}

/// Rates of what is not counted in tokens, in micro-dollars each.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UnitRow {
    image: Option<u64>,
    second: Option<u64>,
    search: Option<u64>,
    rerank: Option<u64>,
}

/// Rates, in micro-dollars per million tokens. What is left out costs as the whole that it is a part of.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RateRow {
    input: u64,
    cached_input: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    input_audio: Option<u64>,
    input_image: Option<u64>,
    /// None where the model gives no tokens out.
    output: Option<u64>,
    reasoning: Option<u64>,
    output_audio: Option<u64>,
    output_image: Option<u64>,
}

/// The rates of requests with more tokens in than this.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepRow {
    tokens: u64,
    rates: RateRow,
}

/// The rates of a tier of service.
#[derive(Deserialize)]
#[serde(untagged)]
enum TierRow {
    /// So many hundredths of all rates of the standard tier.
    Percent(u64),
    Own(OwnRow),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnRow {
    rates: RateRow,
    #[serde(default)]
    above: Vec<StepRow>,
}

/// Reads a document.
pub(super) fn read(text: &str) -> serde_json::Result<Prices> {
    let document: Document = serde_json::from_str(text)?;
    let rows_of: HashMap<&str, &[Row]> = document
        .vendors
        .iter()
        .filter(|block| block.same_as.is_none())
        .flat_map(|block| block.provider_types.iter().map(move |name| (&**name, &*block.rows)))
        .collect();
    let mut vendors = HashMap::new();
    for block in &document.vendors {
        let rows = match &block.same_as {
            Some(other) if block.rows.is_empty() => rows_of.get(&**other).copied(),
            Some(_) => None,
            None => Some(&*block.rows),
        };
        let rows =
            rows.ok_or_else(|| wrong(&block.source, "sameAs names no block with rows, or has rows beside it"))?;
        let models = models((&block.source, &block.looked_up.to_string()), rows)?;
        for name in &block.provider_types {
            if vendors.insert(name.clone(), Arc::clone(&models)).is_some() {
                return Err(wrong(name, "has two blocks"));
            }
        }
    }
    Ok(Prices { as_of: document.as_of.to_string(), vendors })
}

/// Reads rows that belong to one group.
pub(super) fn read_rows(text: &str) -> serde_json::Result<Prices> {
    let rows: Vec<Row> = serde_json::from_str(text)?;
    let models = models(("", ""), &rows)?;
    Ok(Prices { as_of: String::new(), vendors: HashMap::from([(OWN.to_owned(), models)]) })
}

/// The models of `rows`, whose prices a page had on a day, in the order of their names.
fn models((source, looked_up): (&str, &str), rows: &[Row]) -> serde_json::Result<Arc<[Named]>> {
    let (source, looked_up): (Arc<str>, Arc<str>) = (source.into(), looked_up.into());
    let mut models: BTreeMap<String, (bool, Price)> = BTreeMap::new();
    for row in rows {
        let period = row.period()?;
        for model in &row.models {
            let name = model.strip_suffix('*').unwrap_or(model).to_ascii_lowercase();
            let is_beginning = model.ends_with('*');
            let (known_beginning, price) = models.entry(name).or_insert_with(|| {
                let (source, looked_up) = (Arc::clone(&source), Arc::clone(&looked_up));
                (is_beginning, Price { source, looked_up, periods: Vec::new() })
            });
            let periods = &mut price.periods;
            if *known_beginning != is_beginning || periods.iter().any(|other| period.overlaps(other)) {
                return Err(wrong(model, "has two prices at the same time"));
            }
            periods.push(period.clone());
            periods.sort_by_key(|period| period.from_ms);
        }
    }
    let named = |(name, (is_beginning, price))| Named { name, is_beginning, price: Arc::new(price) };
    Ok(models.into_iter().map(named).collect())
}

impl Period {
    fn overlaps(&self, other: &Self) -> bool {
        self.from_ms < other.until_ms && other.from_ms < self.until_ms
    }
}

impl Row {
    fn period(&self) -> serde_json::Result<Period> {
        let name = self.name();
        let (units, standard) = (self.units()?, self.standard()?);
        let mut tiers = vec![(PricedTier::Standard, standard.clone())];
        for (tier, row) in &self.tiers {
            if *tier == PricedTier::Standard {
                return Err(wrong(name, "has two standard tiers"));
            }
            let schedule = match row {
                TierRow::Percent(percent) => standard.scaled(*percent),
                TierRow::Own(own) => Some(self.schedule(own.rates, &own.above)?),
            };
            tiers.push((*tier, schedule.ok_or_else(|| wrong(name, "has a share that is no whole number"))?));
        }
        let from_ms = self.from.map_or(Some(i64::MIN), begins);
        let until_ms = self.until.map_or(Some(i64::MAX), |last| begins(last.checked_add(1.day()).ok()?));
        let (from_ms, until_ms) = from_ms.zip(until_ms).ok_or_else(|| wrong(name, "has a day out of range"))?;
        if from_ms >= until_ms {
            return Err(wrong(name, "ends before it begins"));
        }
        Ok(Period { from_ms, until_ms, tiers, by_tokens: self.rates.is_some(), units })
    }

    /// The rates of the standard tier; rates of 0 where nothing is charged for tokens.
    fn standard(&self) -> serde_json::Result<Schedule> {
        match self.rates {
            Some(rates) => self.schedule(rates, &self.above),
            None if self.above.is_empty() && self.tiers.is_empty() && self.units()? != UnitRates::default() => {
                Ok(Schedule { base: RateRow::NOTHING.filled(), above: Vec::new() })
            }
            None => Err(wrong(self.name(), "has no rates")),
        }
    }

    fn units(&self) -> serde_json::Result<UnitRates> {
        let UnitRow { image, second, search, rerank } = self.units;
        if [image, second, search, rerank].into_iter().flatten().any(|rate| rate == 0 || rate > MOST_RATE) {
            return Err(wrong(self.name(), "has a rate of a unit that is 0 or too high"));
        }
        Ok(UnitRates { image, second, search, rerank })
    }

    fn name(&self) -> &str {
        self.models.first().map(String::as_str).unwrap_or_default()
    }

    fn schedule(&self, rates: RateRow, above: &[StepRow]) -> serde_json::Result<Schedule> {
        let name = self.name();
        let above: Vec<_> = above.iter().map(|step| (step.tokens, step.rates)).collect();
        if !above.is_sorted_by(|(left, _), (right, _)| left < right) {
            return Err(wrong(name, "has steps out of order"));
        }
        let all = [rates].into_iter().chain(above.iter().map(|(_, rates)| *rates));
        let given: Vec<_> = all.flat_map(RateRow::given).collect();
        if given.iter().any(|rate| *rate > MOST_RATE) {
            return Err(wrong(name, "has a rate that is too high"));
        }
        if given.iter().any(|rate| (*rate == 0) != self.free) {
            return Err(wrong(name, "costs nothing and is not free, or the other way round"));
        }
        let above = above.into_iter().map(|(tokens, rates)| (tokens, rates.filled())).collect();
        Ok(Schedule { base: rates.filled(), above })
    }
}

/// When `day` begins by UTC, in epoch milliseconds.
fn begins(day: Date) -> Option<i64> {
    Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok().map(Timestamp::as_millisecond)
}

impl Schedule {
    fn scaled(&self, percent: u64) -> Option<Self> {
        let above = self.above.iter().map(|(tokens, rates)| Some((*tokens, rates.scaled(percent)?)));
        Some(Self { base: self.base.scaled(percent)?, above: above.collect::<Option<_>>()? })
    }
}

impl RateRow {
    const NOTHING: Self = Self {
        input: 0,
        cached_input: None,
        cache_write_5m: None,
        cache_write_1h: None,
        input_audio: None,
        input_image: None,
        output: None,
        reasoning: None,
        output_audio: None,
        output_image: None,
    };

    /// The rates that are given.
    fn given(self) -> impl Iterator<Item = u64> {
        let cache = [self.cached_input, self.cache_write_5m, self.cache_write_1h];
        let input = [Some(self.input), self.input_audio, self.input_image];
        let output = [self.output, self.reasoning, self.output_audio, self.output_image];
        input.into_iter().chain(cache).chain(output).flatten()
    }

    /// The rates, with those that are not given.
    fn filled(self) -> Rates {
        let written = self.cache_write_5m.unwrap_or(self.input);
        let output = self.output.unwrap_or_default();
        Rates {
            input: self.input,
            cached_input: self.cached_input.unwrap_or(self.input),
            cache_write_5m: written,
            cache_write_1h: self.cache_write_1h.unwrap_or(written),
            input_audio: self.input_audio.unwrap_or(self.input),
            input_image: self.input_image.unwrap_or(self.input),
            output,
            reasoning: self.reasoning.unwrap_or(output),
            output_audio: self.output_audio.unwrap_or(output),
            output_image: self.output_image.unwrap_or(output),
        }
    }
}

pub(super) fn wrong(what: &str, why: &str) -> serde_json::Error {
    serde_json::Error::custom(format_args!("{what}: {why}"))
}
