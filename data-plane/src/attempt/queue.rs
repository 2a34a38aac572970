//! Requests that wait because all that could answer them is out for a moment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{GatewayError, LimitReached};
use crate::route::plan::Plan;

/// The most requests of a node that wait. What comes beyond that is refused at once.
const MOST_WAITING: usize = 1_000;

/// The longest time between two looks at what is out: something may be back earlier than was said.
const LOOK: Duration = Duration::from_millis(250);

/// Requests that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: AtomicUsize,
}

/// The place of one request that waits, until it is dropped.
struct Place<'q>(&'q Queue);

impl Queue {
    /// Waits until something of `plan` may be tried, where all of it is out and the first of it returns within the time
    /// that its group allows, and before the `deadline`.
    ///
    /// # Errors
    /// [`GatewayError::AllOut`].
    pub(super) async fn wait(&self, plan: &mut Plan<'_>, deadline: Instant) -> Result<(), GatewayError> {
        let begun = plan.time();
        let mut place = None;
        while let Some(out) = plan.all_out(begun) {
            let until = |time: i64| Duration::from_millis(u64::try_from(time - plan.time()).unwrap_or_default());
            let left = deadline.saturating_duration_since(Instant::now());
            let awaited = out.awaited.map(until).filter(|pause| *pause < left);
            if place.is_none() && awaited.is_some() {
                place = self.place();
            }
            let (Some(awaited), Some(_)) = (awaited, &place) else {
                let pause = until(out.until);
                return Err(match out.own.filter(|_| out.limited) {
                    Some(own) => GatewayError::Limited(LimitReached { pause, ..own }),
                    None => GatewayError::AllOut { limited: out.limited, pause },
                });
            };
            sleep(awaited.clamp(Duration::from_millis(1), LOOK)).await;
            plan.renew();
        }
        Ok(())
    }

    /// A place; none where all are taken.
    fn place(&self) -> Option<Place<'_>> {
        let place = Place(self);
        (self.waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
