//! What is known of an upstream key, or of one model behind it: when it last worked, when it was last refused, and
//! which pause was last asked for. Each of the three carries the time of its observation, and the newer one wins.
//!
//! [`Marks::merge`] is commutative, associative and idempotent (a join of three registers), so all who have heard the
//! same news know the same, in whatever order the news came (promise 38 in `docs/PROMISES.md`).
//!
//! All times are epoch milliseconds in the time of the fleet: that of the control plane's clock.

/// How long a refusal counts, unless the key is seen to work again. In milliseconds.
pub const REFUSED_FOR_MS: i64 = 5 * 60 * 1000;

/// The longest pause of a key, however it was stated. In milliseconds.
pub const LONGEST_PAUSE_MS: i64 = 2 * 60 * 1000;

/// How far ahead of the receiver's clock an observation may lie. One that lies further ahead comes from a clock that is
/// wrong, and counts as made now.
pub const MOST_AHEAD_MS: i64 = 1_000;

/// What was observed of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observed {
    /// The key works.
    Worked,
    /// The provider refused the key, or the key for this model.
    Refused,
    /// The key is to rest.
    Paused {
        /// The end of the pause.
        until: i64,
    },
}

/// A refusal or a pause. The order is that of time; where two were observed in one millisecond, the longer one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// When it was observed; 0 where it never was.
    pub at: i64,
    /// When it ends.
    pub until: i64,
    /// The HTTP status that led to it; 0 if there was none.
    pub status: u16,
}

/// What is known of a key, or of one model behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// When the key was last known to work; 0 is never.
    pub worked: i64,
    /// The newest refusal.
    pub refused: Mark,
    /// The newest pause.
    pub paused: Mark,
}

impl Marks {
    /// One observation, made at `at`. A pause longer than the longest is shortened.
    pub fn of(observed: Observed, at: i64, status: u16) -> Self {
        let none = Self::default();
        match observed {
            Observed::Worked => Self { worked: at, ..none },
            Observed::Refused => {
                Self { refused: Mark { at, until: at.saturating_add(REFUSED_FOR_MS), status }, ..none }
            }
            Observed::Paused { until } => {
                let until = until.clamp(at, at.saturating_add(LONGEST_PAUSE_MS));
                Self { paused: Mark { at, until, status }, ..none }
            }
        }
    }

    /// Adds what `other` knows. Says whether that changed anything.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = *self;
        self.worked = self.worked.max(other.worked);
        self.refused = self.refused.max(other.refused);
        self.paused = self.paused.max(other.paused);
        *self != before
    }

    /// The time of the newest observation; 0 where there is none.
    pub fn newest(&self) -> i64 {
        self.worked.max(self.refused.at).max(self.paused.at)
    }

    /// The refusal that counts at `now`: no success is newer.
    pub fn refusal(&self, now: i64) -> Option<Mark> {
        Some(self.refused).filter(|mark| mark.at > self.worked && mark.until > now)
    }

    /// The pause that counts at `now`: no success is newer.
    pub fn pause(&self, now: i64) -> Option<Mark> {
        Some(self.paused).filter(|mark| mark.at > self.worked && mark.until > now)
    }

    /// When nothing of it keeps the key out any more; 0 where nothing does.
    pub fn out_until(&self) -> i64 {
        let counts = |mark: Mark| if mark.at > self.worked { mark.until } else { 0 };
        counts(self.refused).max(counts(self.paused))
    }

    /// Whether it can be forgotten at `now`: no refusal and no pause that could still arrive would count.
    pub fn is_over(&self, now: i64) -> bool {
        self.newest().saturating_add(REFUSED_FOR_MS) <= now
    }

    /// The observations that are worth telling at `now`: each with its time and the status that led to it.
    pub fn told(&self, now: i64) -> impl Iterator<Item = (Observed, i64, u16)> {
        let worked = (self.worked > now - REFUSED_FOR_MS).then_some((Observed::Worked, self.worked, 0));
        let counts = |mark: Mark| (mark.at > self.worked && mark.until > now).then_some(mark);
        let refused = counts(self.refused).map(|mark| (Observed::Refused, mark.at, mark.status));
        let paused = counts(self.paused).map(|mark| (Observed::Paused { until: mark.until }, mark.at, mark.status));
        [worked, refused, paused].into_iter().flatten()
    }

    /// Moves all times by `step` milliseconds, where the clock of the fleet turns out to be another.
    pub fn shift(&mut self, step: i64) {
        for time in [
            &mut self.worked,
            &mut self.refused.at,
            &mut self.refused.until,
            &mut self.paused.at,
            &mut self.paused.until,
        ] {
            if *time != 0 {
                *time = time.saturating_add(step).max(1);
            }
        }
    }
}

/// An observation as it may be believed at `now`. One that lies ahead of the clock counts as made now, and what it says
/// of the future moves with it.
pub fn believed(observed: Observed, at: i64, now: i64) -> (Observed, i64) {
    if at <= now.saturating_add(MOST_AHEAD_MS) {
        return (observed, at);
    }
    let ahead = at.saturating_sub(now);
    let observed = match observed {
        Observed::Paused { until } => Observed::Paused { until: until.saturating_sub(ahead) },
        other => other,
    };
    (observed, now)
}

#[cfg(test)]
mod tests;
