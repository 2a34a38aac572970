//! The one clock. Inside, times are `jiff::Timestamp` or `std::time::Instant`; at the edges they are epoch
//! milliseconds.
//!
//! With the feature `simulated-time`, which only tests have, a thread may have a clock of its own (`simulated`).

use std::sync::LazyLock;
use std::time::Instant;

use jiff::Timestamp;

/// Now.
pub fn now() -> Timestamp {
    #[cfg(feature = "simulated-time")]
    if let Some(now) = simulated::now_ms().and_then(|now| Timestamp::from_millisecond(now).ok()) {
        return now;
    }
    Timestamp::now()
}

/// Now, in epoch milliseconds.
pub fn now_ms() -> i64 {
    now().as_millisecond()
}

/// Now, in epoch milliseconds of a clock that only goes forward, at the pace of real time: where the clock of the
/// machine is set, this one does not jump. Two processes may differ, so it says nothing to others without a correction.
pub fn steady_ms() -> i64 {
    static START: LazyLock<(Instant, i64)> = LazyLock::new(|| (Instant::now(), now_ms()));
    #[cfg(feature = "simulated-time")]
    if let Some(now) = simulated::now_ms() {
        return now;
    }
    let (start, epoch_ms) = *START;
    epoch_ms.saturating_add(i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX))
}

/// Epoch milliseconds as RFC 3339 text in UTC, such as `2026-11-23T10:00:00.123Z`; empty for a time out of range.
pub fn rfc3339(epoch_ms: i64) -> String {
    Timestamp::from_millisecond(epoch_ms).map(|time| time.to_string()).unwrap_or_default()
}

/// The clock of one thread, for tests that decide what time it is.
#[cfg(feature = "simulated-time")]
pub mod simulated {
    use std::cell::Cell;

    thread_local! {
        static NOW: Cell<Option<i64>> = const { Cell::new(None) };
    }

    /// What this thread's clock says, in epoch milliseconds; none where it is that of the machine.
    pub(super) fn now_ms() -> Option<i64> {
        NOW.get()
    }

    /// Sets this thread's clock to `now`, in epoch milliseconds, where it stands still; none gives it that of the
    /// machine. Returns what it was before.
    pub fn set(now: Option<i64>) -> Option<i64> {
        NOW.replace(now)
    }
}
