//! What may answer a request: one upstream key of one group, asked for the model by the vendor's name.

use std::sync::Arc;

use shared::prices::Tariff;
use translation::facts::ModelFacts;

use super::extras::Extras;
use super::models::ModelState;
use super::table::{Route, RoutedGroup, RoutedKey};
use crate::error::{GatewayError, LimitReached};
use crate::provider::Endpoint;

/// One upstream key of one group that may answer the request.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The group.
    pub group: Arc<RoutedGroup>,
    /// The key.
    pub key: Arc<RoutedKey>,
    /// The vendor's name of the model; empty where the request names none.
    pub upstream_model: Arc<str>,
    /// What is known of the model.
    pub facts: Arc<ModelFacts>,
    /// What is remembered of the model at the group.
    pub state: Arc<ModelState>,
    /// What the model costs at the group, where that is known.
    pub price: Option<Tariff>,
    /// The tokens of the request, by an estimate.
    pub tokens: u64,
}

impl Candidate {
    /// `key` of the group of `route`.
    pub(super) fn new(route: &Route, key: &Arc<RoutedKey>) -> Self {
        Self {
            group: Arc::clone(&route.group),
            key: Arc::clone(key),
            upstream_model: Arc::clone(&route.upstream_model),
            facts: Arc::clone(&route.facts),
            state: Arc::clone(&route.state),
            price: route.price.clone(),
            tokens: 0,
        }
    }

    /// The limit of its group or its key that leaves no room for the request now.
    pub fn full(&self) -> Option<LimitReached> {
        let limits = [&self.group.limits, &self.key.limits];
        limits.into_iter().flatten().find_map(|limits| limits.full(self.tokens))
    }

    /// Whether a guess has it rest, or its provider has stated that it is out, when this node's own clock says `now`.
    pub fn is_out(&self, now: i64) -> bool {
        let rests = self.group.rest.is_on(now) || self.state.rest.is_on(now);
        rests || self.key.health.at(now, &self.upstream_model).is_err()
    }

    /// Whether it has answered well since anything failed there or a limit was reached.
    pub fn is_untroubled(&self) -> bool {
        self.key.breaker.is_untroubled() && self.state.breaker.is_untroubled()
    }

    /// What goes with each request: what the group says, or the key.
    pub fn extras(&self) -> &Extras {
        self.key.extras.as_deref().unwrap_or(&self.group.extras)
    }

    /// The vendor's endpoint of the group.
    ///
    /// # Errors
    /// Where the group has none; no plan holds such a candidate.
    pub fn endpoint(&self) -> Result<&Endpoint, GatewayError> {
        self.group.endpoint.as_ref().ok_or(GatewayError::Internal("the group has no provider"))
    }
}
