//! What a request costs, by kind of token.
//!
//! All products of counts and rates are added up exactly, in parts of a micro-dollar, and the sum is rounded once, half
//! up. The whole micro-dollars of that sum are then shared out among the kinds, the greatest remainder first, so that
//! the kinds always add up to the cost.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use translation::ir::Usage;

use super::{PER, PricedTier, Rates};

/// How many kinds a cost has.
const KINDS: usize = 9;

/// Parts of a whole, in which a multiplier is given.
const THOUSAND: u128 = 1_000;

/// What money is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostKind {
    /// Tokens in, but for those below.
    Input,
    /// Tokens in that were read from the provider's cache.
    Cached,
    /// Tokens in that were written to the provider's cache and are kept for minutes.
    CacheWrite5m,
    /// Tokens in that were written to the provider's cache and are kept for an hour.
    CacheWrite1h,
    /// Tokens out, but for those below.
    Output,
    /// Tokens out that were spent on reasoning.
    Reasoning,
    /// Tokens in and out that are sound.
    Audio,
    /// Tokens in and out that are images.
    Image,
    /// What is not counted in tokens.
    Units,
}

/// What a request costs, in whole micro-dollars, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    kinds: [u64; KINDS],
}

/// What a provider charges for beside tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitCounts {
    /// Images that were made.
    pub images: u64,
    /// Seconds of sound or film.
    pub seconds: u64,
    /// Searches of the web.
    pub searches: u64,
    /// Units of reranking, as the vendor counts them.
    pub reranks: u64,
}

/// The rates of [`UnitCounts`], in micro-dollars each. None where the vendor does not charge for it apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitRates {
    /// An image.
    pub image: Option<u64>,
    /// A second.
    pub second: Option<u64>,
    /// A search.
    pub search: Option<u64>,
    /// A unit of reranking.
    pub rerank: Option<u64>,
}

/// What a request is charged for.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    /// Its tokens.
    pub usage: Usage,
    /// What else it used.
    pub units: UnitCounts,
    /// The tier of service that it got. None where it is one that no price is known for.
    pub tier: Option<PricedTier>,
    /// When it was made, in epoch milliseconds.
    pub at_ms: i64,
}

/// At which fraction or multiple of the vendor's rates a group sells, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier(u32);

impl Multiplier {
    /// The vendor's own rates.
    pub const ONE: Self = Self(1_000);

    /// The largest: a hundred times the vendor's rates.
    pub const MOST: Self = Self(100_000);

    /// So many thousandths of the vendor's rates. None above [`Self::MOST`].
    pub const fn of_thousandths(thousandths: u32) -> Option<Self> {
        if thousandths <= Self::MOST.0 { Some(Self(thousandths)) } else { None }
    }

    /// The thousandths of the vendor's rates.
    pub const fn thousandths(self) -> u32 {
        self.0
    }
}

impl Default for Multiplier {
    fn default() -> Self {
        Self::ONE
    }
}

/// A decimal number with at most three digits behind the point, such as `0.35`.
impl FromStr for Multiplier {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 3 {
            return Err(());
        }
        let thousandths: u32 = format!("{part:0<3}").parse().map_err(|_| ())?;
        let whole: u32 = whole.parse().map_err(|_| ())?;
        let sum = whole.checked_mul(1_000).and_then(|whole| whole.checked_add(thousandths));
        sum.and_then(Self::of_thousandths).ok_or(())
    }
}

/// The shortest decimal number that says the same.
impl fmt::Display for Multiplier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000, self.0 % 1_000);
        if part == 0 {
            return write!(formatter, "{whole}");
        }
        let digits = format!("{part:03}");
        write!(formatter, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl CostKind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; KINDS] = [
        Self::Input,
        Self::Cached,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::Output,
        Self::Reasoning,
        Self::Audio,
        Self::Image,
        Self::Units,
    ];
}

impl Cost {
    /// The cost of what costs nothing.
    pub const NOTHING: Self = Self { kinds: [0; KINDS] };

    /// The cost of `usage` and `units` at these rates.
    pub(super) fn of(
        usage: &Usage,
        units: UnitCounts,
        rates: &Rates,
        unit_rates: UnitRates,
        multiplier: Multiplier,
    ) -> Self {
        let usage = usage.fitted();
        let fresh = usage.input - usage.cached - usage.cache_write;
        // Each token has one rate: tokens from the cache, and those written to it, are no longer counted as sound or
        // image, nor thoughts as either.
        let sound_in = usage.input_audio.min(fresh);
        let seen = usage.input_image.min(fresh - sound_in);
        let said = usage.output - usage.reasoning;
        let sound_out = usage.output_audio.min(said);
        let drawn = usage.output_image.min(said - sound_out);
        let times = |count: u64, rate: u64| u128::from(count) * u128::from(rate);
        let apart = |count: u64, rate: Option<u64>| times(count, rate.unwrap_or_default()) * PER;
        let kinds = [
            times(fresh - sound_in - seen, rates.input),
            times(usage.cached, rates.cached_input),
            times(usage.cache_write - usage.cache_write_1h, rates.cache_write_5m),
            times(usage.cache_write_1h, rates.cache_write_1h),
            times(said - sound_out - drawn, rates.output),
            times(usage.reasoning, rates.reasoning),
            times(sound_in, rates.input_audio) + times(sound_out, rates.output_audio),
            times(seen, rates.input_image) + times(drawn, rates.output_image),
            apart(units.images, unit_rates.image)
                + apart(units.seconds, unit_rates.second)
                + apart(units.searches, unit_rates.search)
                + apart(units.reranks, unit_rates.rerank),
        ];
        Self::shared_out(kinds.map(|part| part * u128::from(multiplier.thousandths())), PER * THOUSAND)
    }

    /// The cost of parts of which `by` make a micro-dollar.
    fn shared_out(parts: [u128; KINDS], by: u128) -> Self {
        let whole = |part: u128| u64::try_from(part).unwrap_or(u64::MAX);
        let mut kinds = parts.map(|part| whole(part / by));
        let rest: u128 = parts.iter().map(|part| part % by).sum();
        let mut order: [usize; KINDS] = std::array::from_fn(|kind| kind);
        order.sort_by_key(|kind| Reverse(parts[*kind] % by));
        // Rounding half up never gives more than there are remainders.
        let given = usize::try_from((rest + by / 2) / by).unwrap_or_default();
        for kind in order.into_iter().take(given) {
            kinds[kind] = kinds[kind].saturating_add(1);
        }
        Self { kinds }
    }

    /// The cost in micro-dollars: the sum of its kinds.
    pub fn micros(&self) -> u64 {
        self.kinds.iter().fold(0, |sum, kind| sum.saturating_add(*kind))
    }

    /// What is spent on `kind`, in micro-dollars.
    pub fn of_kind(&self, kind: CostKind) -> u64 {
        self.kinds[kind as usize]
    }
}

impl UnitCounts {
    /// Whether nothing of it was used.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something was used that has a rate.
    pub(super) fn any_at(&self, rates: UnitRates) -> bool {
        let used = |count: u64, rate: Option<u64>| count > 0 && rate.is_some();
        used(self.images, rates.image)
            || used(self.seconds, rates.second)
            || used(self.searches, rates.search)
            || used(self.reranks, rates.rerank)
    }
}

impl PricedTier {
    /// The tier that `word` means in an answer or a request; none where it has no price of its own here. No word at
    /// all, and the words of vendors for what is usual, mean the standard tier. OpenAI also calls `priority` `fast`
    /// (`docs/PRICES.md` section 2).
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "" | "default" | "standard" | "standard_only" | "auto" | "on_demand" => Self::Standard,
            "flex" => Self::Flex,
            "priority" | "fast" => Self::Priority,
            "batch" => Self::Batch,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
