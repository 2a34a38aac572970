//! Where a request belongs, whatever is out or busy there.

use fastrand::Rng;
use shared::ids::Id;

use super::{Plan, key_choice};
use crate::metrics::Affinity;
use crate::route::order::{self, Policy};

/// Where a request belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// Anywhere: there is no choice, or nothing that the request belongs to.
    Anywhere,
    /// At this upstream key, where its conversation stays as long as it can.
    Key(Id),
    /// In the account of the object that it refers to, and nowhere else.
    Account,
}

impl Home {
    /// What has kept the request at `key`, which it was sent with.
    pub fn affinity(&self, key: &Id) -> Affinity {
        match self {
            Self::Anywhere => Affinity::None,
            Self::Key(home) if home == key => Affinity::SoftHit,
            Self::Key(_) => Affinity::SoftMiss,
            Self::Account => Affinity::Hard,
        }
    }
}

impl Plan<'_> {
    /// Where the request belongs.
    pub fn home(&self) -> Home {
        match self.session {
            _ if self.owner.is_some() => Home::Account,
            None => Home::Anywhere,
            Some(_) => self.home_of_session().map_or(Home::Anywhere, Home::Key),
        }
    }

    /// The key that the session goes to where all are well and nothing is busy. None where no group keeps it.
    fn home_of_session(&self) -> Option<Id> {
        // Groups that keep sessions are picked without chance.
        let mut draw = Rng::with_seed(0);
        let serves = |position: usize| {
            let route = &self.routes[position];
            self.includes(route) && route.group.keys.iter().any(|key| Self::may_try(route, key).is_ok())
        };
        let group = |position: usize| self.group_choice(position);
        let route = order::pick(self.policy, self.routes.len(), group, serves, self.session, &mut draw)?;
        let route = Some(&self.routes[route]).filter(|route| route.keeps)?;
        let keys = &route.group.keys;
        let usable = |position: usize| Self::may_try(route, &keys[position]).is_ok();
        let policy = Policy::of_keys(route.group.group.balance_policy, || 0);
        let key = |position: usize| key_choice(route, position);
        let position = order::pick(policy, keys.len(), key, usable, self.session, &mut draw)?;
        Some(keys[position].key.id.clone())
    }
}

#[cfg(test)]
mod tests;
