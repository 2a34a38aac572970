//! The one clock. Inside, times are `jiff::Timestamp` or `std::time::Instant`; at the edges they are epoch
//! milliseconds.

use std::sync::LazyLock;
use std::time::Instant;

use jiff::Timestamp;

/// Now, in epoch milliseconds.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Now, in epoch milliseconds of a clock that only goes forward, at the pace of real time: where the clock of the
/// machine is set, this one does not jump. Two processes may differ, so it says nothing to others without a correction.
pub fn steady_ms() -> i64 {
    static START: LazyLock<(Instant, i64)> = LazyLock::new(|| (Instant::now(), now_ms()));
    let (start, epoch_ms) = *START;
    epoch_ms.saturating_add(i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX))
}

/// Epoch milliseconds as RFC 3339 text in UTC, such as `2026-11-23T10:00:00.123Z`; empty for a time out of range.
pub fn rfc3339(epoch_ms: i64) -> String {
    Timestamp::from_millisecond(epoch_ms).map(|time| time.to_string()).unwrap_or_default()
}
