//! What is noted of attempts beyond the first, and of what prices depend on beside tokens.

use std::sync::atomic::Ordering;

use http::HeaderValue;
use shared::pb::usage_record::Units;
use shared::prices::{Bill, Cost, PricedTier, Tariff};

use super::Meter;
use crate::metrics::HedgeResult;
use crate::usage::attempts::cut;

impl Meter {
    /// Notes that the request was not tried again because the retries of its group are spent.
    pub fn retries_are_spent(&self) {
        self.retries_spent.store(true, Ordering::Relaxed);
    }

    /// Whether the request was not tried again because the retries of its group are spent. Then the client is not to
    /// send it again by itself.
    pub fn has_no_retry(&self) -> bool {
        self.retries_spent.load(Ordering::Relaxed)
    }

    /// Whether an attempt was made because another one was late.
    pub fn has_hedged(&self) -> bool {
        self.attempts.iter().any(|record| record.hedged)
    }

    /// Notes what became of an attempt that was made because another one was late.
    pub fn hedged(&self, result: HedgeResult) {
        self.recorder.metrics.hedged(result);
    }

    /// Notes the tier of service that the answer says it was given. It counts more than what was asked for.
    pub fn served_by(&mut self, tier: Option<String>) {
        if let Some(tier) = tier {
            self.tier = Some(cut(&tier).to_owned());
        }
    }

    /// What the provider charges for beside tokens, as the record has it.
    pub(super) fn charged_units(&self) -> Option<Units> {
        let counts = self.units;
        (!self.free && !counts.is_empty()).then_some(Units {
            images: counts.images,
            seconds: counts.seconds,
            searches: counts.searches,
            reranks: counts.reranks,
        })
    }

    /// What the answer costs, as far as its provider has reported what it used. None where it has not, and where no
    /// price is known.
    pub fn cost(&self) -> Option<Cost> {
        let (tried, prices, usage) = (self.last_tried()?, self.prices.as_ref()?, self.usage?);
        let group = &tried.group;
        let bill = Bill {
            usage,
            units: self.units,
            tier: PricedTier::of_word(self.tier.as_deref().unwrap_or_default()),
            at_ms: self.started_at_ms,
        };
        Tariff::of(&group.routing.pricing, prices, &group.provider_type, &tried.model)?.cost(&bill)
    }

    /// The cost for the client, in dollars with six digits behind the point, where the group has clients told.
    pub fn shown_cost(&self) -> Option<HeaderValue> {
        if !self.last_tried()?.group.routing.pricing.cost_header || self.free {
            return None;
        }
        let micros = self.cost()?.micros();
        HeaderValue::try_from(format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)).ok()
    }
}
