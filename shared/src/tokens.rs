//! Bounds of what usage records count.

/// The most tokens of a kind that one request can have: twice the largest context that any vendor offers. A provider
/// that reports more, or less than nothing, is not believed.
pub const MOST_TOKENS: u64 = 20_000_000;
