//! When a plan has a candidate again that has none now, because keys rest and too much has failed of late.

use std::time::Duration;

use shared::time::steady_ms;

use super::Plan;
use crate::error::LimitReached;
use crate::route::health::Unhealthy;

/// How soon what another request tests is looked at again, in milliseconds.
const SOON_MS: i64 = 250;

/// That nothing of a plan may be tried now. Times are milliseconds of this node's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllOut {
    /// When the first of them returns.
    pub until: i64,
    /// When the first returns of those that return within the time for which requests to their group wait; none where
    /// no one does.
    pub awaited: Option<i64>,
    /// Whether all of them only rest because their providers asked for it, or have reached a limit that is set for
    /// them.
    pub limited: bool,
    /// The limit that is set for one of them and leaves room again first.
    pub own: Option<LimitReached>,
}

impl Plan<'_> {
    /// Looks at what is out as it is now.
    pub fn renew(&mut self) {
        self.now = steady_ms();
    }

    /// When the plan was made or renewed, by this node's own clock in milliseconds.
    pub fn time(&self) -> i64 {
        self.now
    }

    /// How long nothing may be tried, for a request that has waited since `begun`. None where there is something to
    /// try, which may be keys that rest by a guess or that were all refused, and where there is no key at all.
    pub fn all_out(&self, begun: i64) -> Option<AllOut> {
        let mut out: Option<AllOut> = None;
        let (mut limited, mut own) = (true, None::<LimitReached>);
        for (route, key) in self.keys() {
            self.against(route, key)?;
            if self.may_test(route, key) {
                return None;
            }
            // What another request tests may be well as soon as that has ended.
            let tested = |until: i64| until.min(self.now + SOON_MS);
            let health = key.health.at(self.now, &route.upstream_model);
            let full = self.limited(route, key).filter(|_| health.is_ok());
            limited &= full.is_some()
                || health.is_err_and(|out| matches!(out.why, Unhealthy::CoolingDown | Unhealthy::Guessed));
            let room = full.map(|full| self.now.saturating_add(milliseconds(full.pause)));
            own = own.into_iter().chain(full).min_by_key(|full| full.pause);
            let rests = match health {
                Ok(()) => None,
                Err(out) => match out.why {
                    Unhealthy::CoolingDown | Unhealthy::Exhausted => Some(out.until),
                    Unhealthy::Guessed | Unhealthy::Doubted => {
                        key.health.is_tested(self.now).then(|| tested(out.until))
                    }
                    Unhealthy::Invalid => continue,
                },
            };
            let rests = rests.max(route.is_tested(self.now).then(|| tested(route.rests_until())));
            let breakers = [&route.state.breaker, &key.breaker].map(|breaker| breaker.closed_until(self.now));
            let until = breakers.into_iter().chain([rests, room]).flatten().max().unwrap_or(self.now);
            let waits = begun.saturating_add(milliseconds(route.group.group.routing.queue_timeout));
            let awaited = Some(until).filter(|until| *until <= waits);
            out = Some(match out {
                None => AllOut { until, awaited, limited, own },
                Some(out) => AllOut {
                    until: out.until.min(until),
                    awaited: [out.awaited, awaited].into_iter().flatten().min(),
                    limited,
                    own,
                },
            });
        }
        out.map(|out| AllOut { limited, own, ..out })
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
