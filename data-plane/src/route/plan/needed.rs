//! What a request needs of the models of a plan.

use super::Plan;
use crate::error::GatewayError;
use crate::route::needs::{Bounds, Lack, Needs};

impl Plan<'_> {
    /// What all models of the plan may have: only of the rest does it matter whether the request needs it.
    pub fn bounds(&self) -> Bounds {
        let all = self.routes.iter().fold(Bounds::UNKNOWN, |all, route| all.and(route.bounds));
        if all.tools && all.vision {
            // What is left is found out by the length of the request, whichever groups the client may use.
            return all;
        }
        let included = self.routes.iter().filter(|route| self.includes(route));
        included.fold(Bounds::UNKNOWN, |all, route| all.and(route.bounds))
    }

    /// The plan for `model` of a request with these `needs`. Groups whose model certainly lacks one of them are left
    /// out.
    ///
    /// # Errors
    /// [`GatewayError::TooLong`] or [`GatewayError::Unable`] where that leaves none of several groups, or of one.
    pub fn needing(mut self, needs: Needs, model: &str) -> Result<Self, GatewayError> {
        if needs.are_none() || self.is_empty() {
            return Ok(self);
        }
        let without = std::mem::replace(&mut self.needs, needs);
        if !self.is_empty() {
            return Ok(self);
        }
        // What could be asked if nothing were needed.
        self.needs = without;
        let lacks = self.keys().filter_map(|(route, _)| route.bounds.lack(&needs));
        // A model with more room may be found among others, so that counts first.
        let (mut room, mut ability) = (None, None);
        for lack in lacks {
            match lack {
                Lack::Room(context) => room = room.max(Some(context)),
                lack => drop(ability.get_or_insert(lack)),
            }
        }
        let model = model.to_owned();
        Err(match (room, ability) {
            (Some(most), _) => GatewayError::TooLong { tokens: needs.tokens, most },
            (None, Some(Lack::Vision)) => GatewayError::Unable { model, what: "take pictures" },
            (None, _) => GatewayError::Unable { model, what: "call tools" },
        })
    }
}

#[cfg(test)]
mod tests;
