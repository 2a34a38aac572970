//! What a request would cost at each group, to compare them by.

use shared::prices::Tariff;
use shared::snapshot::GroupPolicy;
use shared::time::now_ms;

use crate::route::table::Route;

/// What effective prices depend on beside the rates: the same for all groups of a plan, so that those of the same rates
/// have the same price.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pricing {
    /// How many of a million tokens in are read from a cache.
    cached_ppm: u32,
    /// Which rates count, in epoch milliseconds.
    now_ms: i64,
}

impl Pricing {
    /// The pricing of a request to one of `routes`, where groups go by it.
    pub(super) fn asked(policy: GroupPolicy, routes: &[Route]) -> Option<Self> {
        (policy == GroupPolicy::Cost).then(|| Self::over(routes))
    }

    /// The pricing of a request that goes to one of `routes`: as much of it is taken to come from a cache as of late,
    /// at the groups whose vendor charges less for that. Others need not have a cache, and say nothing of the requests.
    pub(super) fn over(routes: &[Route]) -> Self {
        let now_ms = now_ms();
        let favours = |route: &&Route| route.price.as_ref().is_some_and(|price| price.favours_cached(now_ms));
        let counts = routes.iter().filter(favours).map(|route| route.state.cached.counts());
        let (input, cached) =
            counts.fold((0, 0), |(input, cached), more| (input + u128::from(more.0), cached + u128::from(more.1)));
        let cached_ppm = (cached * 1_000_000).checked_div(input).unwrap_or_default();
        Self { cached_ppm: u32::try_from(cached_ppm).unwrap_or_default(), now_ms }
    }

    /// The effective price, in micro-dollars per million tokens; none where it is not known.
    pub(super) fn of(self, price: Option<&Tariff>) -> Option<u64> {
        price?.effective_micros(self.cached_ppm, self.now_ms)
    }
}

#[cfg(test)]
mod tests;
