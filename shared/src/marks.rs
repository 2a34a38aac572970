//! What is known of an upstream key, or of one model behind it: when it last worked, when it was last refused, which
//! pause was last asked for or guessed, and until when its money or quota is spent. Each of these carries the time of
//! its observation, and the newer one wins.
//!
//! [`Marks::merge`] is commutative, associative and idempotent (a join of registers), so all who have heard the
//! same news know the same, in whatever order the news came (promise 38 in `docs/PROMISES.md`).
//!
//! All times are epoch milliseconds in the time of the fleet: that of the control plane's clock.

use serde::{Deserialize, Serialize};

/// How long a refusal counts at first, unless the key is seen to work again. Each further one counts twice as long, up
/// to an hour. In milliseconds.
pub const REFUSED_FOR_MS: i64 = 5 * 60 * 1000;

/// The longest time that a refusal counts. In milliseconds.
pub const LONGEST_REFUSAL_MS: i64 = 60 * 60 * 1000;

/// The longest pause of a key, stated or guessed. In milliseconds.
pub const LONGEST_PAUSE_MS: i64 = 2 * 60 * 1000;

/// How long a key rests whose provider names no time. Each further pause is twice as long, up to the longest, until the
/// key has worked. In milliseconds.
pub const GUESSED_PAUSE_MS: i64 = 5 * 1000;

/// How long a key counts as exhausted whose provider names no time: an hour. Each further time is twice as long, up to
/// a day. The one millisecond more tells a guess from an hour that a provider states, see
/// [`Mark::is_guessed_exhaustion`]. In milliseconds.
pub const EXHAUSTED_FOR_MS: i64 = 60 * 60 * 1000 + 1;

/// The longest time that a key counts as exhausted where its provider names none: a day, and the one millisecond of
/// [`EXHAUSTED_FOR_MS`]. In milliseconds.
pub const LONGEST_GUESSED_EXHAUSTION_MS: i64 = 24 * 60 * 60 * 1000 + 1;

/// The longest time that a key counts as exhausted, whatever its provider says. In milliseconds.
pub const LONGEST_EXHAUSTION_MS: i64 = 31 * 24 * 60 * 60 * 1000;

/// How long something is remembered after it has ended, so that what comes next can be told to be a further one. In
/// milliseconds.
const REMEMBERED_MS: i64 = 5 * 60 * 1000;

/// How far ahead of the receiver's clock an observation may lie. One that lies further ahead comes from a clock that is
/// wrong, and counts as made now.
pub const MOST_AHEAD_MS: i64 = 1_000;

/// What was observed of a key. Where it happened before and the key has not worked since, `times` says how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observed {
    /// The key works.
    Worked,
    /// The provider refused the key, or the key for this model.
    Refused {
        /// How often before.
        times: u8,
    },
    /// Requests with the key, or with the key for this model, were refused again and again. That it is the key is a
    /// guess: no words of the provider say so.
    Doubted {
        /// How often before.
        times: u8,
    },
    /// The provider stated a pause.
    Paused {
        /// The end of the pause.
        until: i64,
    },
    /// The provider asked for a pause and stated none.
    Guessed {
        /// The end of the pause.
        until: i64,
        /// How often before.
        times: u8,
    },
    /// The money or the quota of the key is spent.
    Exhausted {
        /// When it may be there again.
        until: i64,
        /// How often before.
        times: u8,
    },
}

/// Why a key is out. The order is that in which reasons count where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outage {
    /// The provider asked for a pause and stated none.
    Guessed,
    /// The provider refused the key.
    Refused,
    /// The provider stated a pause.
    Paused,
    /// The money or the quota is spent.
    Exhausted,
}

impl Outage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Guessed, Self::Refused, Self::Paused, Self::Exhausted];
}

/// Something that keeps a key out. The order is that of time; where two were observed in one millisecond, the longer
/// one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Mark {
    /// When it was observed; 0 where it never was.
    pub at: i64,
    /// When it ends.
    pub until: i64,
    /// The HTTP status that led to it; 0 if there was none.
    pub status: u16,
    /// How often it had happened before since the key last worked.
    pub times: u8,
    /// Whether it is a refusal, and that it is the key which was refused is a guess.
    pub doubtful: bool,
}

impl Mark {
    /// How often it has happened, where the key last worked at `worked`: what a further one carries.
    pub fn times_since(&self, worked: i64) -> u8 {
        if self.at > worked { self.times.saturating_add(1) } else { 0 }
    }

    /// Whether this is an exhaustion whose end is a guess, because the provider named none.
    pub fn is_guessed_exhaustion(&self) -> bool {
        self.until - self.at == doubled(EXHAUSTED_FOR_MS, self.times, LONGEST_GUESSED_EXHAUSTION_MS)
    }
}

/// `first` doubled `times` times, up to `longest`.
pub fn doubled(first: i64, times: u8, longest: i64) -> i64 {
    first.saturating_mul(1 << times.min(20)).min(longest)
}

/// What is known of a key, or of one model behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// When the key was last known to work; 0 is never.
    pub worked: i64,
    /// The newest refusal.
    pub refused: Mark,
    /// The newest pause that was stated.
    pub paused: Mark,
    /// The newest pause that is a guess.
    pub guessed: Mark,
    /// The newest exhaustion.
    pub exhausted: Mark,
}

impl Marks {
    /// One observation, made at `at`. What is longer than the longest is shortened.
    pub fn of(observed: Observed, at: i64, status: u16) -> Self {
        let none = Self::default();
        let mark = |until: i64, longest: i64, times| Mark {
            at,
            until: until.clamp(at, at.saturating_add(longest)),
            status,
            times,
            doubtful: matches!(observed, Observed::Doubted { .. }),
        };
        match observed {
            Observed::Worked => Self { worked: at, ..none },
            Observed::Refused { times } | Observed::Doubted { times } => {
                let until = at.saturating_add(doubled(REFUSED_FOR_MS, times, LONGEST_REFUSAL_MS));
                Self { refused: mark(until, LONGEST_REFUSAL_MS, times), ..none }
            }
            Observed::Paused { until } => Self { paused: mark(until, LONGEST_PAUSE_MS, 0), ..none },
            Observed::Guessed { until, times } => Self { guessed: mark(until, LONGEST_PAUSE_MS, times), ..none },
            Observed::Exhausted { until, times } => {
                Self { exhausted: mark(until, LONGEST_EXHAUSTION_MS, times), ..none }
            }
        }
    }

    /// Adds what `other` knows. Says whether that changed anything.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = *self;
        self.worked = self.worked.max(other.worked);
        self.refused = self.refused.max(other.refused);
        self.paused = self.paused.max(other.paused);
        self.guessed = self.guessed.max(other.guessed);
        self.exhausted = self.exhausted.max(other.exhausted);
        *self != before
    }

    /// The time of the newest observation; 0 where there is none.
    pub fn newest(&self) -> i64 {
        self.marks().iter().map(|mark| mark.at).fold(self.worked, i64::max)
    }

    /// The refusal that counts at `now`: no success is newer.
    pub fn refusal(&self, now: i64) -> Option<Mark> {
        self.counts(self.refused, now)
    }

    /// The stated pause that counts at `now`: no success is newer.
    pub fn pause(&self, now: i64) -> Option<Mark> {
        self.counts(self.paused, now)
    }

    /// The guessed pause that counts at `now`: no success is newer.
    pub fn guess(&self, now: i64) -> Option<Mark> {
        self.counts(self.guessed, now)
    }

    /// The exhaustion that counts at `now`: no success is newer.
    pub fn exhaustion(&self, now: i64) -> Option<Mark> {
        self.counts(self.exhausted, now)
    }

    /// The newest mark of `outage`, whether or not it counts.
    pub fn mark(&self, outage: Outage) -> Mark {
        match outage {
            Outage::Guessed => self.guessed,
            Outage::Refused => self.refused,
            Outage::Paused => self.paused,
            Outage::Exhausted => self.exhausted,
        }
    }

    /// Why the key is out at `now`, by the reason that counts most; none where it is not.
    pub fn outage(&self, now: i64) -> Option<(Outage, Mark)> {
        let mut most = Outage::ALL.into_iter().rev();
        most.find_map(|outage| Some((outage, self.counts(self.mark(outage), now)?)))
    }

    /// When nothing of it keeps the key out any more; 0 where nothing does.
    pub fn out_until(&self) -> i64 {
        let counting = self.marks().into_iter().filter(|mark| mark.at > self.worked);
        counting.map(|mark| mark.until).max().unwrap_or_default()
    }

    /// Whether it can be forgotten at `now`: nothing that could still arrive would count, and what comes next is not a
    /// further one.
    pub fn is_over(&self, now: i64) -> bool {
        self.over_at() <= now
    }

    /// From when on it can be forgotten, see [`Self::is_over`].
    pub fn over_at(&self) -> i64 {
        let last = self.marks().iter().map(|mark| mark.until).fold(self.newest(), i64::max);
        last.saturating_add(REMEMBERED_MS)
    }

    /// The observations that are worth telling at `now`: each with its time and the status that led to it. That the key
    /// has worked is told as long as older news that it disproves could count.
    pub fn told(&self, now: i64) -> impl Iterator<Item = (Observed, i64, u16)> {
        let disproves = self.marks().iter().any(|mark| mark.until > now);
        let recent = self.worked > now - REFUSED_FOR_MS || (self.worked != 0 && disproves);
        let worked = recent.then_some((Observed::Worked, self.worked, 0));
        let tell = |mark: Mark, observed| (observed, mark.at, mark.status);
        let refused = self.refusal(now).map(|mark| {
            let Mark { times, doubtful, .. } = mark;
            tell(mark, if doubtful { Observed::Doubted { times } } else { Observed::Refused { times } })
        });
        let paused = self.pause(now).map(|mark| tell(mark, Observed::Paused { until: mark.until }));
        let guessed = self.guess(now).map(|mark| {
            let Mark { until, times, .. } = mark;
            tell(mark, Observed::Guessed { until, times })
        });
        let exhausted = self.exhaustion(now).map(|mark| {
            let Mark { until, times, .. } = mark;
            tell(mark, Observed::Exhausted { until, times })
        });
        [worked, refused, paused, guessed, exhausted].into_iter().flatten()
    }

    /// Moves all times by `step` milliseconds, where the clock of the fleet turns out to be another.
    pub fn shift(&mut self, step: i64) {
        let marks = [&mut self.refused, &mut self.paused, &mut self.guessed, &mut self.exhausted];
        let times = marks.into_iter().flat_map(|mark| [&mut mark.at, &mut mark.until]);
        for time in times.chain([&mut self.worked]) {
            if *time != 0 {
                *time = time.saturating_add(step).max(1);
            }
        }
    }

    /// Moves what was kept by a clock that has gone back by `back` milliseconds since. How long ago it was observed is
    /// not known then, so it counts as an hour older than it may be: what anybody says who has a better clock is newer.
    /// What ends at a time that a provider named ends then; a refusal, which lasts an hour at most, is forgotten.
    pub fn set_back(&mut self, back: i64) {
        const DOUBT_MS: i64 = 60 * 60 * 1000;
        self.shift((back + DOUBT_MS).saturating_neg());
        self.refused = Mark::default();
        if self.exhausted.at != 0 {
            let longest = self.exhausted.at.saturating_add(LONGEST_EXHAUSTION_MS);
            self.exhausted.until = self.exhausted.until.saturating_add(DOUBT_MS).min(longest);
        }
    }

    fn marks(&self) -> [Mark; 4] {
        [self.refused, self.paused, self.guessed, self.exhausted]
    }

    fn counts(&self, mark: Mark, now: i64) -> Option<Mark> {
        Some(mark).filter(|mark| mark.at > self.worked && mark.until > now)
    }
}

/// An observation as it may be believed at `now`. One that lies ahead of the clock counts as made now, and what it says
/// of the future moves with it.
pub fn believed(observed: Observed, at: i64, now: i64) -> (Observed, i64) {
    if at <= now.saturating_add(MOST_AHEAD_MS) {
        return (observed, at);
    }
    let earlier = |until: i64| until.saturating_sub(at.saturating_sub(now));
    let observed = match observed {
        Observed::Paused { until } => Observed::Paused { until: earlier(until) },
        Observed::Guessed { until, times } => Observed::Guessed { until: earlier(until), times },
        Observed::Exhausted { until, times } => Observed::Exhausted { until: earlier(until), times },
        Observed::Worked | Observed::Refused { .. } | Observed::Doubted { .. } => observed,
    };
    (observed, now)
}

#[cfg(test)]
mod tests;
