//! The one clock. Inside, times are `jiff::Timestamp` or `std::time::Instant`; at the edges they are epoch
//! milliseconds.

use jiff::Timestamp;

/// Now, in epoch milliseconds.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Epoch milliseconds as RFC 3339 text in UTC, such as `2026-11-23T10:00:00.123Z`; empty for a time out of range.
pub fn rfc3339(epoch_ms: i64) -> String {
    Timestamp::from_millisecond(epoch_ms).map(|time| time.to_string()).unwrap_or_default()
}
