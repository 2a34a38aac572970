//! A sliding window that is cut into steps: how much has been taken within the last minute, hour or day.
//!
//! The algorithm is the sliding log of Cloudflare's and Redis's descriptions of rate limits, with the log's entries
//! summed by steps of a sixth of the window ("sliding window log" with buckets). A step counts until it lies wholly
//! outside of the window. So what is granted within *any* window is never more than the amount; the bound on the
//! excess is zero. The price is on the other side: what was taken is free again after one window at the earliest, and
//! after one window and a sixth at the latest.
//!
//! Times are milliseconds of a clock that only goes forward ([`crate::time::steady_ms`]): a machine whose clock is set
//! frees and locks nobody. Nothing here waits or locks; what several threads do at once is as if they had done it one
//! after the other.

use std::sync::atomic::{AtomicU64, Ordering};

/// Into how many steps a window is cut.
pub const STEPS: u64 = 6;

/// The steps of a window, and the one that is under way.
const SLOTS: usize = 7;

/// The bits of a slot that say how much was taken; those above them say in which step.
const COUNT_BITS: u32 = 40;

/// The most that one step, and so one limit, can count.
pub const MOST: u64 = (1 << COUNT_BITS) - 1;

/// The largest number of a step, after which they begin anew.
const TAGS: u64 = 1 << (u64::BITS - COUNT_BITS);

/// What has been taken within the last window. It is as large as a line of a processor's cache.
#[derive(Debug, Default)]
pub struct SlidingWindow {
    /// The sum of the slots, and what is about to be written there.
    taken: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

/// The length of a window, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(u64);

/// That a window has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How long it takes until there is room for what was asked for, in milliseconds, if nothing else is taken.
    pub frees_in: u64,
}

impl Length {
    /// One minute.
    pub const MINUTE: Self = Self(60_000);
    /// One hour.
    pub const HOUR: Self = Self(60 * 60_000);
    /// One day of 24 hours.
    pub const DAY: Self = Self(24 * 60 * 60_000);

    /// A window of `ms` milliseconds, which is at least one for each step.
    pub fn of_ms(ms: u64) -> Self {
        Self(ms.max(STEPS))
    }

    /// The length in milliseconds.
    pub fn ms(self) -> u64 {
        self.0
    }

    /// The length of a step, rounded up, so that all steps together are never shorter than the window.
    pub fn step_ms(self) -> u64 {
        self.0.div_ceil(STEPS)
    }

    /// The step that is under way at `now`.
    fn step(self, now: i64) -> u64 {
        now.max(0).unsigned_abs() / self.step_ms()
    }
}

fn tag(step: u64) -> u64 {
    step % TAGS
}

fn packed(step: u64, count: u64) -> u64 {
    tag(step) << COUNT_BITS | count.min(MOST)
}

fn count(slot: u64) -> u64 {
    slot & MOST
}

/// How many steps ago that of `slot` was, at `step`. It is 0 for one that has begun since `step` was read.
fn age(slot: u64, step: u64) -> u64 {
    let age = tag(step).wrapping_sub(slot >> COUNT_BITS) & (TAGS - 1);
    if age >= TAGS / 2 { 0 } else { age }
}

fn slot_of(step: u64) -> usize {
    usize::try_from(step % SLOTS as u64).unwrap_or_default()
}

impl SlidingWindow {
    /// Takes `amount` if there is room for it below `limit`, at `now`.
    ///
    /// # Errors
    /// [`Full`].
    pub fn reserve(&self, limit: u64, amount: u64, now: i64, length: Length) -> Result<(), Full> {
        let step = length.step(now);
        self.expire(step);
        let fits = |taken: u64| taken.checked_add(amount).filter(|sum| *sum <= limit.min(MOST));
        if self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_err() {
            return Err(Full { frees_in: self.frees_in(limit, amount, now, length) });
        }
        self.note(step, amount);
        Ok(())
    }

    /// Takes `amount`, whether there is room for it or not: it has been used.
    pub fn charge(&self, amount: u64, now: i64, length: Length) {
        let step = length.step(now);
        self.expire(step);
        self.taken.fetch_add(amount, Ordering::AcqRel);
        self.note(step, amount);
    }

    /// Gives back `amount` of what was taken at `at`. What is no longer within the window is free already.
    pub fn give_back(&self, amount: u64, at: i64, length: Length) {
        let step = length.step(at);
        let slot = &self.slots[slot_of(step)];
        let of_step = |now: u64| now >> COUNT_BITS == tag(step);
        let less = |now: u64| of_step(now).then(|| now - count(now).min(amount));
        if let Ok(before) = slot.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) {
            self.taken.fetch_sub(count(before).min(amount), Ordering::AcqRel);
        }
    }

    /// What has been taken within the window that ends at `now`.
    pub fn used(&self, now: i64, length: Length) -> u64 {
        self.expire(length.step(now));
        self.taken.load(Ordering::Acquire)
    }

    /// How long it takes until there is room for `amount` below `limit`, in milliseconds, if nothing else is taken. It
    /// is 0 where there is room, and a window where there never will be.
    pub fn frees_in(&self, limit: u64, amount: u64, now: i64, length: Length) -> u64 {
        let step = length.step(now);
        self.expire(step);
        let mut taken = self.taken.load(Ordering::Acquire);
        if taken.saturating_add(amount) <= limit {
            return 0;
        }
        for ago in (0..=STEPS).rev() {
            let freed: u64 = self
                .slots
                .iter()
                .map(|slot| slot.load(Ordering::Acquire))
                .map(|slot| if count(slot) > 0 && age(slot, step) == ago { count(slot) } else { 0 })
                .sum();
            taken = taken.saturating_sub(freed);
            if freed > 0 && taken.saturating_add(amount) <= limit {
                return Self::until_expired(step, ago, now, length);
            }
        }
        length.ms()
    }

    /// How long it takes until all that has been taken is free again, in milliseconds.
    pub fn resets_in(&self, now: i64, length: Length) -> u64 {
        let step = length.step(now);
        self.expire(step);
        let slots = self.slots.iter().map(|slot| slot.load(Ordering::Acquire));
        let newest = slots.filter(|slot| count(*slot) > 0).map(|slot| age(slot, step)).min();
        newest.map_or(0, |ago| Self::until_expired(step, ago, now, length))
    }

    /// Counts what `other` counts, which another window of the same length and subject has taken before.
    #[must_use]
    pub fn continued(other: &Self) -> Self {
        let slots = std::array::from_fn(|at| AtomicU64::new(other.slots[at].load(Ordering::Acquire)));
        let taken = slots.iter().map(|slot: &AtomicU64| count(slot.load(Ordering::Acquire))).sum();
        Self { taken: AtomicU64::new(taken), slots }
    }

    /// How long it takes from `now`, in `step`, until the step that was so many `ago` lies outside of the window.
    fn until_expired(step: u64, ago: u64, now: i64, length: Length) -> u64 {
        let end = (step - ago.min(step) + STEPS + 1).saturating_mul(length.step_ms());
        end.saturating_sub(now.max(0).unsigned_abs()).max(1)
    }

    /// Frees what lies outside of the window, at `step`.
    fn expire(&self, step: u64) {
        for slot in &self.slots {
            let is_over = |now: u64| (count(now) > 0 && age(now, step) > STEPS).then_some(now & !MOST);
            if let Ok(before) = slot.fetch_update(Ordering::AcqRel, Ordering::Relaxed, is_over) {
                self.taken.fetch_sub(count(before), Ordering::AcqRel);
            }
        }
    }

    /// Notes that `amount`, which is in the sum already, was taken in `step`. What a later step has begun to count in
    /// the same slot counts on, together with it.
    fn note(&self, step: u64, amount: u64) {
        let mut lost = 0;
        let add = |now: u64| {
            let later = count(now) > 0 && age(now, step) == 0;
            let (tagged, counted) = if later { (now & !MOST, count(now)) } else { (packed(step, 0), 0) };
            let sum = counted.saturating_add(amount).min(MOST);
            // What does not fit is not counted, and what was over is free.
            lost = counted.saturating_add(amount) - sum + if later { 0 } else { count(now) };
            Some(tagged | sum)
        };
        if self.slots[slot_of(step)].fetch_update(Ordering::AcqRel, Ordering::Acquire, add).is_ok() && lost > 0 {
            self.taken.fetch_sub(lost, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests;
