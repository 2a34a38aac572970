//! What a subject may take, and has taken.

use std::sync::Arc;
use std::time::Duration;

use shared::limits::window::{Full, SlidingWindow};
use shared::snapshot::{LimitMode, LimitRaise, LimitUnit, LimitWindow, SubjectLimits, TokenWeights};
use shared::time::{now_ms, steady_ms};
use tokio::time::Instant;

use super::reservation::Reservation;
use super::seats::Seats;
use super::standing::{LimitStanding, Standing};
use crate::error::{Limit, LimitReached, LimitSubject};

/// How soon a client may look again whether a seat is free.
const SEAT_PAUSE: Duration = Duration::from_secs(1);

/// What a subject may take, and has taken. What it has taken is kept when what it may take changes.
#[derive(Debug)]
pub struct LimitedSubject {
    subject: LimitSubject,
    windows: Box<[LimitWindow]>,
    concurrency: u32,
    shadow: bool,
    raise: Option<LimitRaise>,
    weights: TokenWeights,
    /// How many may wait for a seat, and how long.
    queue: (u32, u32),
    counters: Arc<LimitCounters>,
}

/// What a subject has taken.
#[derive(Debug)]
pub struct LimitCounters {
    /// In the order of the windows of the subject.
    windows: Box<[SlidingWindow]>,
    seats: Option<Arc<Seats>>,
}

impl LimitedSubject {
    /// The subject with these `windows` and as many requests in flight, where it has any limit. `known` is what it was
    /// before a change of config.
    pub fn compile(
        subject: LimitSubject,
        windows: Vec<LimitWindow>,
        concurrency: u32,
        limits: Option<&SubjectLimits>,
        known: Option<&Arc<Self>>,
    ) -> Option<Arc<Self>> {
        if windows.is_empty() && concurrency == 0 {
            return None;
        }
        let none = SubjectLimits::default();
        let limits = limits.unwrap_or(&none);
        let known_counters = known.map(|known| &known.counters);
        let seats = (concurrency > 0).then(|| {
            let seats = known_counters.and_then(|counters| counters.seats.clone());
            let seats = seats.unwrap_or_else(|| Arc::new(Seats::new(concurrency)));
            seats.resize(concurrency);
            seats
        });
        let same = |known: &&Arc<Self>| {
            let kinds = |windows: &[LimitWindow]| windows.iter().map(|of| (of.unit, of.window)).collect::<Vec<_>>();
            kinds(&known.windows) == kinds(&windows) && known.counters.seats.is_some() == seats.is_some()
        };
        let same = known.filter(same).map(|known| Arc::clone(&known.counters));
        let fresh = || {
            let continued = |window: &LimitWindow| {
                let found = known.and_then(|known| known.counter_of(window));
                found.map_or_else(SlidingWindow::default, SlidingWindow::continued)
            };
            Arc::new(LimitCounters { windows: windows.iter().map(continued).collect(), seats })
        };
        let counters = same.unwrap_or_else(fresh);
        Some(Arc::new(Self {
            subject,
            windows: windows.into(),
            concurrency,
            shadow: limits.mode == LimitMode::Shadow,
            raise: limits.raise,
            weights: limits.weights,
            queue: (limits.queue.length, limits.queue.wait_ms),
            counters,
        }))
    }

    fn counter_of(&self, window: &LimitWindow) -> Option<&SlidingWindow> {
        let at = self.windows.iter().position(|own| (own.unit, own.window) == (window.unit, window.window))?;
        self.counters.windows.get(at)
    }

    /// The windows of a `unit`, each with its counter.
    fn of_unit(&self, unit: LimitUnit) -> impl Iterator<Item = (&LimitWindow, &SlidingWindow)> {
        self.windows.iter().zip(&self.counters.windows).filter(move |(window, _)| window.unit == unit)
    }

    /// How much of `window` there is now.
    fn amount(&self, window: &LimitWindow) -> u64 {
        self.raise.map_or(window.amount, |raise| raise.of(window.amount, now_ms()))
    }

    /// The seats, where requests in flight are limited.
    fn has_seats(&self) -> Option<&Seats> {
        self.counters.seats.as_deref()
    }

    fn reached(&self, limit: Limit, amount: u64, pause_ms: u64) -> LimitReached {
        LimitReached { subject: self.subject, limit, amount, pause: Duration::from_millis(pause_ms) }
    }

    /// What the tokens of `usage` count together: input, cached among it, output, reasoning among it.
    pub(super) fn weigh(&self, [input, cached, output, reasoning]: [u64; 4]) -> u64 {
        self.weights.weigh(input, cached, output, reasoning)
    }

    /// Whether it only counts.
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Whose limits these are.
    pub fn subject(&self) -> LimitSubject {
        self.subject
    }

    /// Takes one request with a seat, and sees to it that there is room for tokens at all. Where it only counts, the
    /// request is taken all the same, and what it would have been refused for is noted.
    ///
    /// # Errors
    /// [`LimitReached`]: nothing is taken.
    pub fn begin(self: &Arc<Self>) -> Result<Reservation, LimitReached> {
        let seated = self.has_seats().is_some_and(Seats::try_take);
        self.begin_seated(seated)
    }

    /// The same, and waits for a seat in the queue of the subject, where it has one, `until` then at the latest.
    ///
    /// # Errors
    /// [`LimitReached`]: nothing is taken.
    pub async fn begin_waiting(self: &Arc<Self>, until: Instant) -> Result<Reservation, LimitReached> {
        let (length, wait_ms) = self.queue;
        if length == 0 || self.shadow {
            return self.begin();
        }
        let left = until.saturating_duration_since(Instant::now());
        let seated = match self.has_seats() {
            Some(seats) => seats.wait(length, left.min(Duration::from_millis(wait_ms.into()))).await,
            None => false,
        };
        self.begin_seated(seated)
    }

    fn begin_seated(self: &Arc<Self>, seated: bool) -> Result<Reservation, LimitReached> {
        let now = steady_ms();
        // From here on the seat is given back when the reservation is dropped.
        let mut reservation = Reservation::new(self, now, seated);
        let mut refused = self.refused_seat(seated);
        let mut counted = false;
        if refused.is_none() {
            let taken = self.take(LimitUnit::Requests, 1, now);
            counted = taken.is_ok();
            refused = taken.err().or_else(|| self.full_of(LimitUnit::Tokens, 1, now));
        }
        match refused {
            Some(reached) if !self.shadow => {
                if counted {
                    self.give_back(LimitUnit::Requests, 1, now);
                }
                return Err(reached);
            }
            Some(_) if !counted => self.charge(LimitUnit::Requests, 1, now),
            _ => {}
        }
        reservation.would_be_refused(refused);
        Ok(reservation)
    }

    fn refused_seat(&self, seated: bool) -> Option<LimitReached> {
        let full = self.has_seats().is_some() && !seated;
        let pause = u64::try_from(SEAT_PAUSE.as_millis()).unwrap_or(1_000);
        full.then(|| self.reached(Limit::Concurrency, self.concurrency.into(), pause))
    }

    /// Takes `number` of `unit` of all windows, or of none.
    fn take(&self, unit: LimitUnit, number: u64, now: i64) -> Result<(), LimitReached> {
        for (at, (window, counter)) in self.of_unit(unit).enumerate() {
            let (amount, length) = (self.amount(window), window.window.length());
            // What is larger than the limit goes when there is nothing else.
            if let Err(Full { frees_in }) = counter.reserve(amount, number.min(amount), now, length) {
                for (window, counter) in self.of_unit(unit).take(at) {
                    counter.give_back(number.min(self.amount(window)), now, window.window.length());
                }
                return Err(self.reached(Limit::Window(unit, window.window), amount, frees_in));
            }
        }
        Ok(())
    }

    pub(super) fn charge(&self, unit: LimitUnit, number: u64, now: i64) {
        for (window, counter) in self.of_unit(unit) {
            counter.charge(number, now, window.window.length());
        }
    }

    pub(super) fn give_back(&self, unit: LimitUnit, number: u64, at: i64) {
        for (window, counter) in self.of_unit(unit) {
            counter.give_back(number, at, window.window.length());
        }
    }

    pub(super) fn give_back_seat(&self) {
        if let Some(seats) = self.has_seats() {
            seats.give_back();
        }
    }

    /// Takes `tokens`. What is above a whole limit counts as the whole limit. Gives how many are taken.
    ///
    /// # Errors
    /// [`LimitReached`]: none are taken.
    pub(super) fn take_tokens(&self, tokens: u64, now: i64) -> Result<u64, LimitReached> {
        let smallest = self.of_unit(LimitUnit::Tokens).map(|(window, _)| self.amount(window)).min();
        let Some(smallest) = smallest else { return Ok(0) };
        let tokens = tokens.clamp(1, smallest.max(1));
        self.take(LimitUnit::Tokens, tokens, now).map(|()| tokens)
    }

    fn full_of(&self, unit: LimitUnit, number: u64, now: i64) -> Option<LimitReached> {
        let full = |(window, counter): (&LimitWindow, &SlidingWindow)| {
            let (amount, length) = (self.amount(window), window.window.length());
            let frees_in = counter.frees_in(amount, number.min(amount), now, length);
            (frees_in > 0).then(|| self.reached(Limit::Window(unit, window.window), amount, frees_in))
        };
        self.of_unit(unit).filter_map(full).max_by_key(|reached| reached.pause)
    }

    /// Why a request of so many `tokens` has no room now. None where it has, and where the subject only counts.
    pub fn full(&self, tokens: u64) -> Option<LimitReached> {
        if self.shadow {
            return None;
        }
        let now = steady_ms();
        let windows = [self.full_of(LimitUnit::Requests, 1, now), self.full_of(LimitUnit::Tokens, tokens.max(1), now)];
        let full = windows.into_iter().flatten().max_by_key(|reached| reached.pause);
        full.or_else(|| {
            let pause = u64::try_from(SEAT_PAUSE.as_millis()).unwrap_or(1_000);
            let full = self.has_seats().is_some_and(|seats| seats.left() == 0);
            full.then(|| self.reached(Limit::Concurrency, self.concurrency.into(), pause))
        })
    }

    /// How much is left of what clients are told of: the window of each unit with the least left.
    pub fn standing(&self) -> Standing {
        let now = steady_ms();
        let of = |unit| {
            let all = self.of_unit(unit).map(|(window, counter)| {
                let (amount, length) = (self.amount(window), window.window.length());
                LimitStanding {
                    amount,
                    remaining: amount.saturating_sub(counter.used(now, length)),
                    reset: Duration::from_millis(counter.resets_in(now, length)),
                }
            });
            all.min_by_key(|standing| standing.remaining)
        };
        Standing { requests: of(LimitUnit::Requests), tokens: of(LimitUnit::Tokens) }
    }

    /// Each limit, how much of it there is and how much is taken, and how long until all of that is free again.
    pub fn all_standings(&self) -> impl Iterator<Item = (Limit, u64, u64, Option<Duration>)> {
        let now = steady_ms();
        let windows = self.windows.iter().zip(&self.counters.windows).map(move |(window, counter)| {
            let length = window.window.length();
            let reset = Duration::from_millis(counter.resets_in(now, length));
            (Limit::Window(window.unit, window.window), self.amount(window), counter.used(now, length), Some(reset))
        });
        let seats =
            self.has_seats().map(|seats| (Limit::Concurrency, self.concurrency.into(), seats.taken().into(), None));
        windows.chain(seats)
    }
}
